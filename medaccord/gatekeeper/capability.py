"""The statement of what this server does, and of nothing that it does not.

Source: FHIR R4, CapabilityStatement.
"""

from collections.abc import Mapping
from typing import Any, Final

from medaccord import __version__
from medaccord.fhir.dates import DATE_ELEMENTS
from medaccord.fhir.resources import CODE_ELEMENTS

_TYPES: Final = sorted({"Patient", *CODE_ELEMENTS, *DATE_ELEMENTS})
_WRITTEN: Final = "2026-01-01"


def capability_statement(url: str) -> Mapping[str, Any]:
    """The CapabilityStatement of a gatekeeper.

    Args:
        url: where it answers, without a slash at the end.
    """
    parameters = [
        {"name": "patient", "type": "reference"},
        *({"name": name, "type": "token"} for name in ("_id", "category", "code")),
    ]
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": _WRITTEN,
        "kind": "instance",
        "software": {"name": "medaccord gatekeeper", "version": __version__},
        "implementation": {"description": "medaccord gatekeeper", "url": f"{url}/fhir"},
        "fhirVersion": "4.0.1",
        "format": ["json"],
        "rest": [
            {
                "mode": "server",
                "security": {
                    "description": "A bearer token from POST /sign-in (EIP-4361). Every answer is "
                    "decided by the patient's consent on chain, and logged before it is given."
                },
                "resource": [
                    {
                        "type": resource_type,
                        "interaction": [{"code": "read"}, {"code": "search-type"}],
                        "searchParam": parameters,
                    }
                    for resource_type in _TYPES
                ],
            }
        ],
    }
