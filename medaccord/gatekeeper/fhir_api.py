"""The FHIR surface: read, vread, search and proofs, and the statement of what is supported.

Source: FHIR R4, section 3.1.0 (RESTful API).
"""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from starlette.responses import Response

from medaccord.core.canonical import document_bytes
from medaccord.core.resource_types import RECORD_ID
from medaccord.fhir import SearchQuery
from medaccord.gatekeeper.capability import capability_statement
from medaccord.gatekeeper.errors import NotAcceptable
from medaccord.gatekeeper.fhir_answers import FhirAnswers
from medaccord.gatekeeper.fhir_openapi import (
    ANSWER,
    CONDITIONAL,
    HEADERS,
    PATIENT,
    PROOF,
    SEARCHED,
    STATEMENT,
    answers_with,
    signed_in_with,
)
from medaccord.gatekeeper.fhir_requests import (
    ENVELOPES,
    FhirRequests,
    Handling,
    Naming,
    Pairs,
    form_pairs,
    handling,
    media_type,
    patient_only,
)
from medaccord.gatekeeper.openapi import Tag
from medaccord.gatekeeper.questions import Questions
from medaccord.gatekeeper.reading import Question
from medaccord.gatekeeper.refusals import FHIR_JSON

Kind = Annotated[str, Path(description="Type of FHIR R4.", pattern="^[A-Z][A-Za-z]{1,40}$")]
Identity = Annotated[str, Path(description="Id of a record.", pattern=f"^{RECORD_ID.pattern}$")]
Version = Annotated[str, Path(description="Counts from 1.", pattern="^[1-9][0-9]{0,8}$")]


async def body_of(request: Request) -> bytes:
    """The body of a request, for a route that reads it itself."""
    return await request.body()


Body = Annotated[bytes, Depends(body_of)]


def routes(
    questions: Questions, requests: FhirRequests, answers: FhirAnswers, url: str
) -> APIRouter:
    """GET /fhir/metadata, the interactions of /fhir/{type}, and $proof of what is read."""
    router = APIRouter(prefix="/fhir", tags=[Tag.FHIR], default_response_class=Response)

    def one(request: Request, kind: str, identity: str) -> tuple[Question, str, str]:
        """Who asks of whom, the record's name, and the media type of the answer."""
        session = requests.session(request)
        pairs = request.query_params.multi_items()
        query = SearchQuery.parse(kind, patient_only(pairs))
        name = f"{kind}/{identity}"
        naming = Naming(patient=query.patient, record=name)
        return requests.question(request, session, naming, pairs), name, media_type(request, pairs)

    def searched(request: Request, kind: str, pairs: Pairs) -> Response:
        session = requests.session(request)
        lenient = handling(request) is Handling.LENIENT
        query = SearchQuery.parse(kind, pairs, lenient=lenient)
        question = requests.question(request, session, Naming(patient=query.patient), pairs)
        page = questions.search(question, query)
        return answers.bundle(
            page,
            media_type(request, pairs),
            kind,
            here=query.pairs(cursor=query.cursor),
            after=query.pairs(cursor=page.cursor),
        )

    @router.get("/metadata", summary="What is supported", responses=answers_with(STATEMENT))
    def metadata() -> Response:
        return Response(document_bytes(capability_statement(url)), media_type=FHIR_JSON)

    @router.get(
        "/{resource_type}",
        summary="Search a patient's records of a type",
        responses=answers_with(ANSWER),
        openapi_extra=signed_in_with(SEARCHED, PATIENT, HEADERS),
    )
    def search(request: Request, resource_type: Kind) -> Response:
        return searched(request, resource_type, request.query_params.multi_items())

    @router.post(
        "/{resource_type}/_search",
        summary="The same, with the parameters in a form",
        responses=answers_with(ANSWER),
        openapi_extra=signed_in_with(SEARCHED, PATIENT, HEADERS, form=True),
    )
    def search_by_post(request: Request, resource_type: Kind, body: Body) -> Response:
        return searched(request, resource_type, form_pairs(request, body))

    @router.get(
        "/{resource_type}/{identity}",
        summary="Read a record",
        responses=answers_with(ANSWER, not_modified=True),
        openapi_extra=signed_in_with(PATIENT, HEADERS, CONDITIONAL),
    )
    def read(request: Request, resource_type: Kind, identity: Identity) -> Response:
        question, name, media = one(request, resource_type, identity)
        return answers.resource(request, questions.read(question, name), media)

    @router.get(
        "/{resource_type}/{identity}/$proof",
        summary="The proof of a record's newest version",
        responses=answers_with(PROOF),
        openapi_extra=signed_in_with(PATIENT, HEADERS),
    )
    def proof(request: Request, resource_type: Kind, identity: Identity) -> Response:
        question, name, media = one(request, resource_type, identity)
        _check_clear(media)
        return answers.proof(questions.read(question, name, action="proof"))

    @router.get(
        "/{resource_type}/{identity}/_history/{version}",
        summary="Read a version of a record",
        responses=answers_with(ANSWER, not_modified=True),
        openapi_extra=signed_in_with(PATIENT, HEADERS, CONDITIONAL),
    )
    def vread(
        request: Request, resource_type: Kind, identity: Identity, version: Version
    ) -> Response:
        question, name, media = one(request, resource_type, identity)
        return answers.resource(request, questions.vread(question, name, int(version)), media)

    @router.get(
        "/{resource_type}/{identity}/_history/{version}/$proof",
        summary="The proof of a version, which tells whether it was superseded",
        responses=answers_with(PROOF),
        openapi_extra=signed_in_with(PATIENT, HEADERS),
    )
    def proof_of_version(
        request: Request, resource_type: Kind, identity: Identity, version: Version
    ) -> Response:
        question, name, media = one(request, resource_type, identity)
        _check_clear(media)
        return answers.proof(questions.vread(question, name, int(version), action="proof"))

    return router


def _check_clear(media: str) -> None:
    if media == ENVELOPES:
        raise NotAcceptable("an envelope brings its proof along: ask for the record itself")
