"""A resource as others see it: held to R4B by fhir.resources, and to our own check of codes."""

from __future__ import annotations

from typing import Any

from fhir.resources.R4B import get_fhir_model_class

from medaccord.fhir.codes import check_codes


def check_structure(resource: dict[str, Any]) -> None:
    """Structure, cardinalities and types. R4B reads these R4 resources: none of them differs."""
    get_fhir_model_class(resource["resourceType"]).model_validate(resource)


def check_r4(resource: dict[str, Any]) -> None:
    check_structure(resource)
    check_codes(resource)


def resources_of(bundle: dict[str, Any]) -> list[dict[str, Any]]:
    """The resources of a collection, once it and each of them was held to R4."""
    check_structure(bundle)
    assert (bundle["resourceType"], bundle["type"]) == ("Bundle", "collection")
    entries = bundle.get("entry", [])
    assert bundle.get("entry") != []  # FHIR has no empty arrays
    assert len({each["fullUrl"] for each in entries}) == len(entries)
    resources = [each["resource"] for each in entries]
    for each in resources:
        check_r4(each)
    return resources
