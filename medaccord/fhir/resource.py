"""One FHIR resource, held losslessly."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from medaccord.core.canonical import Object, Value, record_bytes

__all__ = ["DIRECTORY_TYPES", "Resource", "objects_in"]

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


def objects_in(value: Value) -> Iterator[Object]:
    """Every object at any depth, the value itself among them, in no particular order."""
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            yield item
            held: Iterable[Value] = item.values()
        elif isinstance(item, list):
            held = item
        else:
            continue
        # Most members are text: asking for the two types there can be is faster than isinstance.
        stack += [each for each in held if type(each) is dict or type(each) is list]
