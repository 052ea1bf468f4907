"""One FHIR resource, held losslessly."""

from dataclasses import dataclass

from medaccord.core.canonical import Object, record_bytes

__all__ = ["DIRECTORY_TYPES", "Resource"]

DIRECTORY_TYPES = frozenset({"Location", "Organization", "Practitioner", "PractitionerRole"})
"""Types that belong to the steward, not to a patient."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A resource with its name.

    Attributes:
        type: resource type.
        id: logical id within the steward.
        value: the resource as `canonical.parse` reads it; it has this type and id. Nobody changes
            it: versions and proofs are made from what was read.
    """

    type: str
    id: str
    value: Object

    @property
    def record(self) -> str:
        """The record's name, "Type/id"."""
        return f"{self.type}/{self.id}"

    def canonical(self) -> bytes:
        """The canonical record: what is hashed, stored and released."""
        return record_bytes(self.value)
