"""Records as a search sees them, told from resources as an import does."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from medaccord.core.descriptor import Descriptor
from medaccord.fhir.resource import Resource
from medaccord.fhir.resources import describe
from medaccord.fhir.search_values import SearchValues, references_of, values_of

TAKEN_IN = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched:
    descriptor: Descriptor
    values: SearchValues
    references: frozenset[str]
    updated: datetime


def searched(
    kind: str, *, name: str = "x", updated: datetime = TAKEN_IN, **members: Any
) -> Searched:
    value = {"resourceType": kind, "id": name, **members}
    return searched_as(Resource(type=kind, id=name, value=value), updated=updated)


def searched_as(resource: Resource, *, updated: datetime = TAKEN_IN) -> Searched:
    return Searched(
        descriptor=describe(resource),
        values=values_of(resource),
        references=references_of(resource),
        updated=updated,
    )


def coded(*codings: tuple[str | None, str]) -> dict[str, Any]:
    """A CodeableConcept of systems and codes."""
    return {
        "coding": [
            {"code": code} if system is None else {"system": system, "code": code}
            for system, code in codings
        ]
    }
