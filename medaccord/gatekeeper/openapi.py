"""What the OpenAPI document says of all routes alike, and the document itself.

A route is declared with its summary and with what is here:

    @router.get(
        "/audit", summary="…", tags=[Tag.LOG], responses=REFUSALS, openapi_extra=SIGNED_IN
    )

Source: OpenAPI 3.1; FHIR R4, OperationOutcome.
"""

from enum import StrEnum
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from medaccord.gatekeeper.refusals import FHIR_JSON

PATH: Final = "/openapi.json"

Responses = dict[int | str, dict[str, Any]]

_MEANINGS: Final = {
    400: "Something sent is not what it must be.",
    401: "Nobody is signed in, or the token does not count here and now.",
    403: "The decision was no; the reason is the code.",
    404: "There is no such thing here, or none that the asker may know of.",
    406: "The answer is not to be had in the form asked for.",
    409: "It is there already, in a state that does not go with the request.",
    413: "The body is longer than any that is taken.",
    415: "The body is of a type that is not taken.",
    422: "The chain would refuse the action; the code is the contract's error.",
    429: "Too many requests; Retry-After says when to come again.",
    503: "The chain or the database is out of reach, so nothing is decided.",
}


class Tag(StrEnum):
    """What a route is about."""

    SIGN_IN = "Sign-in"
    FHIR = "Records"
    ACCESS = "Decisions"
    PATIENTS = "Patients and consents"
    LOG = "Log"
    NOTICES = "Notices"
    DIRECTORY = "Directory"
    RUNNING = "Running"


def refusals(*statuses: int) -> Responses:
    """How a route can refuse, as `responses=` takes it: each an OperationOutcome.

    Args:
        *statuses: of those in the table above, in addition to `REFUSALS`.
    """
    common = (400, 401, 403, 404, 406, 413, 415, 429, 503)
    return {
        status: {
            "description": _MEANINGS[status],
            "content": {FHIR_JSON: {"schema": {"$ref": "#/components/schemas/OperationOutcome"}}},
        }
        for status in sorted({*common, *statuses})
    }


REFUSALS: Final = refusals()
"""How every route can refuse, whatever it does."""

SIGNED_IN: Final[dict[str, Any]] = {"security": [{"bearer": []}]}
"""As `openapi_extra`: the route wants a token. It only says so; `SignIn.session` sees to it."""

_BEARER: Final = {
    "type": "http",
    "scheme": "bearer",
    "description": "The short token from a sign-in; it counts at this gatekeeper alone.",
}

_TEXT: Final = {"type": "string"}

_OUTCOME: Final[dict[str, Any]] = {
    "type": "object",
    "title": "OperationOutcome",
    "required": ["resourceType", "issue"],
    "properties": {
        "resourceType": {"const": "OperationOutcome"},
        "issue": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["severity", "code"],
                "properties": {
                    "severity": {"enum": ["fatal", "error", "warning", "information"]},
                    "code": _TEXT,
                    "details": {
                        "type": "object",
                        "properties": {
                            "coding": {
                                "type": "array",
                                "items": {
                                    "type": "object",
                                    "properties": {"system": _TEXT, "code": _TEXT},
                                },
                            }
                        },
                    },
                    "diagnostics": _TEXT,
                },
            },
        },
    },
}


class Documented(FastAPI):
    """An application whose document tells how it refuses, at `/openapi.json`."""

    def openapi(self) -> dict[str, Any]:
        """The document; made once."""
        if self.openapi_schema is None:
            self.openapi_schema = self._document()
        return self.openapi_schema

    def _document(self) -> dict[str, Any]:
        document = get_openapi(
            title=self.title,
            version=self.version,
            summary="A steward's records, released as their patients decide.",
            routes=self.routes,
            servers=self.servers,
            tags=[{"name": each.value} for each in Tag],
        )
        parts = document.setdefault("components", {})
        parts.setdefault("securitySchemes", {})["bearer"] = _BEARER
        schemas = parts.setdefault("schemas", {})
        schemas["OperationOutcome"] = _OUTCOME
        for operations in document["paths"].values():
            for operation in operations.values():
                _without_the_frameworks(operation["responses"])
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        return document


def _without_the_frameworks(responses: dict[str, Any]) -> None:
    """Take out the 422 that FastAPI adds: what it means by it is answered with 400 here."""
    if "HTTPValidationError" in str(responses.get("422")):
        del responses["422"]
