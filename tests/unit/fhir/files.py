"""Files of many resources to read, and what is read of them."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from medaccord.core.errors import InvalidBundle
from medaccord.fhir import Source

Made = dict[str, Any]


def made(name: str, **members: Any) -> Made:
    """A resource by its name."""
    kind, _, identity = name.partition("/")
    return {"resourceType": kind, "id": identity, **members}


def to(reference: str) -> Made:
    """A Reference."""
    return {"reference": reference}


ANNA, BERTA = made("Patient/anna"), made("Patient/berta")


def collection(*resources: Made) -> bytes:
    """A Bundle whose resources have addresses."""
    entries = [{"fullUrl": f"https://a.example/{r['id']}", "resource": r} for r in resources]
    return json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}).encode()


def ndjson(*resources: Made) -> bytes:
    """The same resources, one a line."""
    return "".join(json.dumps(resource) + "\n" for resource in resources).encode()


Form = Callable[..., bytes]
FORMS = pytest.mark.parametrize("form", [collection, ndjson], ids=["bundle", "ndjson"])
"""Runs a test on a Bundle and on NDJSON."""


def parts(data: bytes) -> dict[str, list[str]]:
    """Names by owner; the steward's under an empty name."""
    source = Source.open(data)
    found = {one: [each.record for each in source.resources(one)] for one in source.patients}
    found[""] = [each.record for each in source.directory()]
    assert sum(map(len, found.values())) == source.total
    assert all(source.count(one) == len(names) for one, names in found.items() if one)
    return found


def refusal(data: bytes, **options: Any) -> str:
    """The one line that a file is refused with."""
    with pytest.raises(InvalidBundle) as refused:
        Source.open(data, **options)
    assert "\n" not in refused.value.problem
    return refused.value.problem
