"""What the OpenAPI document says of the FHIR routes: their parameters, and how they answer.

The parameters of a search are those of FHIR R4 for its type; `/fhir/metadata` names them all. They
are read by `SearchQuery`, so they are declared here and not in the routes.
"""

from typing import Any, Final

from medaccord.gatekeeper.fhir_requests import ENVELOPES, FORM, JSON
from medaccord.gatekeeper.openapi import REFUSALS, SIGNED_IN, Responses
from medaccord.gatekeeper.refusals import FHIR_JSON

Parameter = dict[str, Any]

_RESOURCE: Final = {"type": "object", "required": ["resourceType"]}
_DOCUMENT: Final = {"type": "object", "required": ["profile"]}
_TEXT: Final = {"type": "string"}
_NUMBER: Final = {"type": "string", "pattern": "^[0-9]{1,9}$"}

ANSWER: Final = {
    FHIR_JSON: {"schema": _RESOURCE},
    JSON: {"schema": _RESOURCE},
    ENVELOPES: {"schema": _DOCUMENT},
}
"""A record or a Bundle, or either of them sealed."""

PROOF: Final = {JSON: {"schema": _DOCUMENT}}
STATEMENT: Final = {FHIR_JSON: {"schema": _RESOURCE}}

PARAMETERS: Final = {
    "type": "object",
    "required": ["resourceType"],
    "properties": {
        "resourceType": {"const": "Parameters"},
        "parameter": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": {"name": _TEXT},
            },
        },
    },
}
"""What an operation takes by POST."""


def _query(name: str, description: str, schema: dict[str, Any] | None = None) -> Parameter:
    return {"name": name, "in": "query", "description": description, "schema": schema or _TEXT}


def _header(name: str, description: str, schema: dict[str, Any] | None = None) -> Parameter:
    return {"name": name, "in": "header", "description": description, "schema": schema or _TEXT}


PATIENT: Final = (
    _query("patient", "Whose records: an account, eip155:<chain id>:<address>, or Patient/<id>."),
    _query("_format", "As Accept, which it outranks: json, or one of the media types."),
)

SEARCHED: Final = (
    _query("_id", "Ids, any of which is wanted."),
    _query("_lastUpdated", "When the version was taken in, as ge2026-01-31T12:00:00Z."),
    _query("_count", "Entries on a page.", _NUMBER),
    _query("_sort", "Names of date parameters, with - before them for the newest first."),
    _query("_summary", "count: the total alone.", {"enum": ["count", "false"]}),
    _query("code", "Codes, as code or system|code."),
    _query("category", "Categories, likewise."),
    _query("_cursor", "Where a page begins, as a next link has it."),
)

EVERYTHING: Final = (
    _query("start", "The first day of care."),
    _query("end", "The last day of care."),
    _query("_since", "When the versions were taken in at the earliest."),
    _query("_type", "Types of resource."),
    _query("_count", "Entries on a page.", _NUMBER),
    _query("_cursor", "Where a page begins, as a next link has it."),
)

HEADERS: Final = (
    _header("Purpose-Of-Use", "The purpose that the token was given for."),
    _header("Medaccord-Freshness", "How fresh.", {"enum": ["bounded", "latest"]}),
    _header("Medaccord-At-Least", "A Medaccord-Block that must be known."),
    _header("Medaccord-At-Least", "Consistency token to be no older than."),
    _header("Prefer", "handling=lenient passes over unknown search parameters."),
)

CONDITIONAL: Final = (_header("If-None-Match", "An ETag: the version that is there already."),)


def answers_with(content: dict[str, Any], *, not_modified: bool = False) -> Responses:
    """How a route answers, as `responses=` takes it.

    Args:
        content: schemas by media type.
        not_modified: whether it may say that the client has it already.
    """
    headers = {
        "Medaccord-Receipt": {"description": "The signed receipt, base64url.", "schema": _TEXT},
        "Medaccord-Block": {"description": "The block it was decided at.", "schema": _TEXT},
    }
    found: Responses = {200: {"description": "Released.", "content": content, "headers": headers}}
    if not_modified:
        found[304] = {"description": "The version that the client has is the one."}
    return found | REFUSALS


def signed_in_with(
    *parameters: tuple[Parameter, ...], form: bool = False, body: dict[str, Any] | None = None
) -> dict[str, Any]:
    """A route that wants a token, and what it takes beside its path, as `openapi_extra=` has it.

    Args:
        *parameters: of the query and the headers.
        form: whether those of the query may stand in a form as well.
        body: schema of a FHIR resource that is sent.
    """
    taken = [one for some in parameters for one in some]
    fields = {one["name"]: one["schema"] for one in taken if one["in"] == "query"}
    found: dict[str, Any] = {**SIGNED_IN, "parameters": taken}
    if form:
        schema = {"type": "object", "properties": fields}
        found["requestBody"] = {"content": {FORM: {"schema": schema}}, "required": True}
    if body is not None:
        found["requestBody"] = {"content": {FHIR_JSON: {"schema": body}}, "required": True}
    return found
