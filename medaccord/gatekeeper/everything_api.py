"""Everything about a patient that may be released: ``Patient/$everything``.

Source: FHIR R4, operation Patient/$everything.
"""

from fastapi import APIRouter, Request
from starlette.responses import Response

from medaccord.fhir import SearchQuery
from medaccord.fhir.everything import EverythingQuery
from medaccord.fhir.parameters import simple_pairs
from medaccord.gatekeeper.fhir_answers import FhirAnswers
from medaccord.gatekeeper.fhir_api import Body, Identity
from medaccord.gatekeeper.fhir_openapi import (
    ANSWER,
    EVERYTHING,
    HEADERS,
    PARAMETERS,
    PATIENT,
    answers_with,
    signed_in_with,
)
from medaccord.gatekeeper.fhir_requests import (
    JSON,
    PATIENT_PARAMETERS,
    FhirRequests,
    Naming,
    Pairs,
    check_media_type,
    media_type,
    without_format,
)
from medaccord.gatekeeper.openapi import Tag
from medaccord.gatekeeper.questions import Questions
from medaccord.gatekeeper.refusals import FHIR_JSON


def routes(questions: Questions, requests: FhirRequests, answers: FhirAnswers) -> APIRouter:
    """GET and POST /fhir/Patient/{id}/$everything."""
    router = APIRouter(prefix="/fhir", tags=[Tag.FHIR], default_response_class=Response)

    def asked(request: Request, identity: str, pairs: Pairs) -> Response:
        session = requests.session(request)
        named = [pair for pair in pairs if pair[0] in PATIENT_PARAMETERS]
        rest = [pair for pair in without_format(pairs) if pair not in named]
        query = EverythingQuery.parse(rest)
        patient = SearchQuery.parse("Patient", named).patient or f"Patient/{identity}"
        question = requests.question(request, session, Naming(patient=patient), pairs)
        page = questions.everything(question, identity, query)
        same = tuple(named)
        return answers.bundle(
            page,
            media_type(request, pairs),
            f"Patient/{identity}/$everything",
            here=same + query.pairs(cursor=query.cursor),
            after=same + query.pairs(cursor=page.cursor),
        )

    @router.get(
        "/Patient/{identity}/$everything",
        summary="Everything about a patient that may be released",
        responses=answers_with(ANSWER),
        openapi_extra=signed_in_with(EVERYTHING, PATIENT, HEADERS),
    )
    def everything(request: Request, identity: Identity) -> Response:
        return asked(request, identity, request.query_params.multi_items())

    @router.post(
        "/Patient/{identity}/$everything",
        summary="The same, with the parameters in a Parameters resource",
        responses=answers_with(ANSWER),
        openapi_extra=signed_in_with(PATIENT, HEADERS, body=PARAMETERS),
    )
    def everything_by_post(request: Request, identity: Identity, body: Body) -> Response:
        check_media_type(request, FHIR_JSON, JSON)
        return asked(request, identity, simple_pairs(body) + request.query_params.multi_items())

    return router
