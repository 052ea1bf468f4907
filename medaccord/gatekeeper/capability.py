"""The statement of what this server does, and of nothing that it does not.

Source: FHIR R4, CapabilityStatement; of the operations, their OperationDefinition; of the
parameters, the table in `fhir.search_parameters`.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from medaccord import __version__
from medaccord.fhir.resource import DIRECTORY_TYPES
from medaccord.fhir.search_parameters import SEARCHED_TYPES, parameters_of
from medaccord.gatekeeper.backend_services import TOKEN_PATH

_WRITTEN: Final = "2026-11-22"
_DEFINITIONS: Final = "http://hl7.org/fhir/OperationDefinition"
_OAUTH: Final = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"
_SECURITY: Final = "http://terminology.hl7.org/CodeSystem/restful-security-service"

_ON_PATIENTS: Final = {name: f"{_DEFINITIONS}/Patient-{name}" for name in ("everything", "match")}
_ON_RECORDS: Final = {"proof": "https://medaccord.example/fhir/OperationDefinition/proof"}

_SEARCHING: Final = (
    "Each search names its patient: patient or subject, by account (CAIP-10) or id, or identifier "
    "and _id of the type Patient. Comma is or, repeat is and. Modifiers: :missing of tokens and "
    "dates, :not of tokens. Results: _count, _sort, _summary=count, _total. GET, and POST _search."
)
_REFERRED: Final = (
    "The steward's own. One is released where a record of the patient that may be released refers "
    "to it; there is no search for them."
)
_DECIDED: Final = (
    "A bearer token from POST /sign-in (EIP-4361) or by SMART Backend Services. Every answer is "
    "decided by the patient's consent on chain, and logged before it is given."
)


def capability_statement(url: str) -> Mapping[str, Any]:
    """The CapabilityStatement of a gatekeeper.

    Args:
        url: where it answers, without a slash at the end.
    """
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": _WRITTEN,
        "kind": "instance",
        "software": {"name": "medaccord gatekeeper", "version": __version__},
        "implementation": {"description": "medaccord gatekeeper", "url": f"{url}/fhir"},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json", "application/json", "json"],
        "rest": [
            {
                "mode": "server",
                "documentation": _SEARCHING,
                "security": _security(url),
                "resource": list(_resources()),
            }
        ],
    }


def _security(url: str) -> Mapping[str, Any]:
    token = {"url": "token", "valueUri": f"{url}{TOKEN_PATH}"}
    return {
        "extension": [{"url": _OAUTH, "extension": [token]}],
        "service": [{"coding": [{"system": _SECURITY, "code": "SMART-on-FHIR"}]}],
        "description": _DECIDED,
    }


def _resources() -> Iterator[Mapping[str, Any]]:
    for resource_type in sorted({*SEARCHED_TYPES, *DIRECTORY_TYPES}):
        if resource_type in DIRECTORY_TYPES:
            yield {
                "type": resource_type,
                "documentation": _REFERRED,
                "interaction": [{"code": "read"}],
            }
            continue
        operations = _ON_RECORDS | (_ON_PATIENTS if resource_type == "Patient" else {})
        yield {
            "type": resource_type,
            "interaction": [{"code": code} for code in ("read", "vread", "search-type")],
            "readHistory": True,
            "searchParam": [
                {"name": each.name, "definition": each.definition, "type": each.kind.value}
                for each in parameters_of(resource_type).values()
            ],
            "operation": [
                {"name": name, "definition": definition} for name, definition in operations.items()
            ],
        }
