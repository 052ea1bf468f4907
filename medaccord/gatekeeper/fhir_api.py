"""The FHIR surface: search, read, proof and the statement of what is supported.

Source: FHIR R4, section 3.1.0 (RESTful API).
"""

import base64
from typing import Final
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from starlette.responses import Response

from medaccord.core.canonical import document_bytes
from medaccord.core.errors import InvalidRequest
from medaccord.core.identifiers import hex_digest
from medaccord.core.purposes import Purpose
from medaccord.core.resource_types import RECORD_ID
from medaccord.fhir import AnswerEntry, SearchQuery, searchset
from medaccord.gatekeeper.capability import capability_statement
from medaccord.gatekeeper.reading import Page, Question, Reading
from medaccord.gatekeeper.refusals import FHIR_JSON, outcome_response
from medaccord.gatekeeper.sign_in import SignIn
from medaccord.gatekeeper.tokens import Session

PURPOSE_HEADER: Final = "Purpose-Of-Use"
"""A code of v3-ActReason; TREAT where it is missing, PATRQT for the patient itself."""

FRESHNESS_HEADER: Final = "Medaccord-Freshness"
"""`latest` asks the chain this moment; without it the gatekeeper's bounds hold."""

RECEIPT_HEADER: Final = "Medaccord-Receipt"
"""base64url, without padding, of the signed receipt's JSON."""

BLOCK_HEADER: Final = "Medaccord-Block"
"""`<chain id>:<number>:<hash>` of the block it was decided at."""

_PATIENT_PARAMETERS: Final = ("patient", "patient.identifier", "subject.identifier", "_format")


def routes(reading: Reading, sign_in: SignIn, url: str, chain_id: int) -> APIRouter:
    """GET /fhir/metadata, /fhir/{type}, /fhir/{type}/{id} and /fhir/{type}/{id}/$proof."""
    router = APIRouter(prefix="/fhir")

    def question(request: Request, session: Session, parameters: SearchQuery) -> Question:
        if parameters.patient is None or parameters.patient.chain_id != chain_id:
            raise InvalidRequest(f"name the patient: patient=eip155:{chain_id}:0x…")
        patient = parameters.patient.address
        return Question(
            session=session,
            patient=patient,
            purpose=_purpose(request, own=session.account == patient),
            latest=_latest(request),
        )

    def one(request: Request, resource_type: str, identity: str, action: str) -> Page:
        session = sign_in.session(request)
        if not RECORD_ID.fullmatch(identity):
            raise InvalidRequest("this is no id of a record")
        pairs = request.query_params.multi_items()
        if unknown := [name for name, _ in pairs if name not in _PATIENT_PARAMETERS]:
            raise InvalidRequest(f"reading one record takes no parameter {unknown[0]!r}")
        asked = question(request, session, SearchQuery.parse(resource_type, pairs))
        return reading.read(asked, resource_type, identity, action)

    @router.get("/metadata")
    def metadata() -> Response:
        return Response(document_bytes(capability_statement(url)), media_type=FHIR_JSON)

    @router.get("/{resource_type}")
    def search(request: Request, resource_type: str) -> Response:
        session = sign_in.session(request)
        parameters = SearchQuery.parse(resource_type, request.query_params.multi_items())
        page = reading.search(question(request, session, parameters), parameters)
        if page.refusal is not None:
            return outcome_response(page.refusal, _headers(page))
        here = f"{url}/fhir/{resource_type}?"
        body = searchset(
            [
                AnswerEntry(
                    full_url=f"{url}/fhir/{each.descriptor.record}",
                    record=each.content,
                    proof=each.proof.document(),
                )
                for each in page.records
            ],
            total=page.total,
            self_url=here + urlencode(parameters.pairs(cursor=parameters.cursor)),
            next_url=page.cursor and here + urlencode(parameters.pairs(cursor=page.cursor)),
            receipt=None if page.receipt is None else page.receipt.document(),
        )
        return Response(body, media_type=FHIR_JSON, headers=_headers(page))

    @router.get("/{resource_type}/{identity}")
    def read(request: Request, resource_type: str, identity: str) -> Response:
        page = one(request, resource_type, identity, "read")
        if page.refusal is not None:
            return outcome_response(page.refusal, _headers(page))
        return Response(page.records[0].content, media_type=FHIR_JSON, headers=_headers(page))

    @router.get("/{resource_type}/{identity}/$proof")
    def proof(request: Request, resource_type: str, identity: str) -> Response:
        page = one(request, resource_type, identity, "proof")
        if page.refusal is not None:
            return outcome_response(page.refusal, _headers(page))
        body = document_bytes(page.records[0].proof.document())
        return Response(body, media_type="application/json", headers=_headers(page))

    return router


def _purpose(request: Request, *, own: bool) -> Purpose:
    default = Purpose.PATRQT if own else Purpose.TREAT
    code = request.headers.get(PURPOSE_HEADER, default.value)
    try:
        return Purpose(code)
    except ValueError as error:
        raise InvalidRequest(f"{PURPOSE_HEADER} is one of {', '.join(Purpose)}") from error


def _latest(request: Request) -> bool:
    wanted = request.headers.get(FRESHNESS_HEADER, "bounded")
    if wanted not in ("bounded", "latest"):
        raise InvalidRequest(f"{FRESHNESS_HEADER} is bounded or latest")
    return wanted == "latest"


def _headers(page: Page) -> dict[str, str]:
    headers = {}
    if page.receipt is not None:
        text = base64.urlsafe_b64encode(document_bytes(page.receipt.document()))
        headers[RECEIPT_HEADER] = text.rstrip(b"=").decode()
    if page.block is not None:
        block = page.block
        headers[BLOCK_HEADER] = f"{block.chain_id}:{block.number}:{hex_digest(block.hash)}"
    return headers
