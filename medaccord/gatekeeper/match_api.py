"""``Patient/$match``: who somebody is, so that emergency access can be opened on chain.

Source: FHIR R4, operation Patient/$match.
"""

from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from medaccord.core.canonical import Number, Object
from medaccord.core.errors import InvalidRequest
from medaccord.fhir.parameters import read_parameters, resource_of
from medaccord.gatekeeper.fhir_answers import FhirAnswers
from medaccord.gatekeeper.fhir_api import Body
from medaccord.gatekeeper.fhir_openapi import PARAMETERS, STATEMENT, answers_with, signed_in_with
from medaccord.gatekeeper.fhir_requests import JSON, FhirRequests, check_media_type, media_type
from medaccord.gatekeeper.matching import MAX_FOUND, Matching
from medaccord.gatekeeper.openapi import Tag
from medaccord.gatekeeper.refusals import FHIR_JSON

_NAMES: Final = ("resource", "count", "onlyCertainMatches")


def routes(
    matching: Matching, requests: FhirRequests, answers: FhirAnswers, chain_id: int
) -> APIRouter:
    """POST /fhir/Patient/$match."""
    router = APIRouter(prefix="/fhir", tags=[Tag.FHIR], default_response_class=Response)

    @router.post(
        "/Patient/$match",
        summary="Find a patient's account in an emergency",
        responses=answers_with(STATEMENT),
        openapi_extra=signed_in_with(body=PARAMETERS),
    )
    def match(request: Request, body: Body) -> Response:
        session = requests.session(request)
        check_media_type(request, FHIR_JSON, JSON)
        media_type(request, request.query_params.multi_items())
        parameters = read_parameters(body)
        if unknown := [each["name"] for each in parameters if each["name"] not in _NAMES]:
            raise InvalidRequest(f"$match takes no parameter {unknown[0]!r}")
        found = matching.match(
            session,
            resource_of(parameters, "resource", "Patient"),
            count=_count(parameters),
            certain_only=_certain(parameters),
        )
        return answers.matches(found, chain_id)

    return router


def _count(parameters: list[Object]) -> int:
    value = _value(parameters, "count", "valueInteger")
    if value is None:
        return MAX_FOUND
    if not isinstance(value, Number) or not value.lexeme.isdigit() or int(value.lexeme[:9]) < 1:
        raise InvalidRequest("count is a number from 1")
    return min(int(value.lexeme[:9]), MAX_FOUND)


def _certain(parameters: list[Object]) -> bool:
    value = _value(parameters, "onlyCertainMatches", "valueBoolean")
    if not isinstance(value, bool | None):
        raise InvalidRequest("onlyCertainMatches is true or false")
    return bool(value)


def _value(parameters: list[Object], name: str, kind: str) -> object:
    found = [each for each in parameters if each["name"] == name]
    if len(found) > 1 or (found and kind not in found[0]):
        raise InvalidRequest(f"the parameter {name} stands there once, as {kind}")
    return found[0][kind] if found else None
