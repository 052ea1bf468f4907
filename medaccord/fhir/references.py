"""References between resources of a file: what they name, and what is written in their place.

This is the one way in which a record differs from what was read (beside what the canonical form
leaves out). A file names its resources by names of its own, which mean nothing outside it; whoever
takes it in gives them names that last, and says so wherever they are referred to:

* ``urn:uuid:…``, the fullUrl of an entry of the same Bundle, becomes ``Type/id``;
* ``Type?query``, a conditional reference, becomes ``Type/id`` of the one resource of the file that
  has the identifier asked for; where there is none, or something else is asked for, an id that
  follows from type and query alone (`stable_id`), so that every file says the same.

Only a Reference's own member ``reference`` is rewritten, wherever it stands, in contained resources
and extensions too. What a version names (``/_history/…``) is kept. Left as they are: references
that name a resource already (``Type/id``, absolute URLs), contained ones (``#x``), a ``urn:uuid:``
that no entry has, canonical URLs, other members of type uri, and narrative.

Source: FHIR R4, RESTful API, Transaction Processing Rules and Conditional References
(http.html#trules); Bundle, resolving references (bundle.html#references); RFC 9562 section 5.5.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import parse_qsl, urlencode
from uuid import UUID, uuid5

from medaccord.core.canonical import Object, Value
from medaccord.core.resource_types import RECORD_ID, RESOURCE_TYPES
from medaccord.fhir.resource import objects_in

__all__ = [
    "Condition",
    "Identifier",
    "address",
    "identifiers",
    "may_be_conditional",
    "may_be_rewritten",
    "record_id",
    "references",
    "rewrite",
    "stable_id",
    "urn_id",
]

_NAMESPACE: Final = UUID("28642656-f181-4520-bfa2-fcb5eb573050")
_URN = re.compile(r"urn:uuid:([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})")
_HISTORY: Final = "/_history/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identifier:
    """A business identifier, as a search for one names it.

    Attributes:
        system: its system; None for one without.
        value: its value.
    """

    system: str | None
    value: str

    @classmethod
    def of(cls, value: Value) -> Self | None:
        """Read an Identifier; None where it has no value, or one of another type."""
        if not isinstance(value, dict):
            return None
        system, text = value.get("system"), value.get("value")
        if not isinstance(text, str) or not isinstance(system, str | None):
            return None
        return cls(system=system, value=text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What a conditional reference, create or update asks for.

    Attributes:
        type: resource type.
        query: parameters and values, decoded and sorted, so that one question has one form.
    """

    type: str
    query: tuple[tuple[str, str], ...]

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read ``Type?query``; None where it is anything else.

        Args:
            text: a reference, or ``request.url`` of an entry.
        """
        kind, question, query = text.partition("?")
        if not question or kind not in RESOURCE_TYPES:
            return None
        pairs = tuple(sorted(parse_qsl(query.replace("+", "%2B"), keep_blank_values=True)))
        return cls(type=kind, query=pairs) if pairs else None

    @property
    def identifier(self) -> Identifier | None:
        """The one identifier asked for; None where something else is, or more.

        A value without a system stands for an identifier without a system alone: a wider reading
        would take two hospitals' number 7 for one.
        """
        if len(self.query) != 1 or self.query[0][0] != "identifier":
            return None
        system, _, value = self.query[0][1].rpartition("|")
        return Identifier(system=system or None, value=value) if value else None

    def __str__(self) -> str:
        """The condition in its one form."""
        return f"{self.type}?{urlencode(self.query)}"


def stable_id(condition: Condition) -> str:
    """The id of what a condition asks for: of nothing but type and query.

    Source: RFC 9562 section 5.5 (UUID version 5).
    """
    return str(uuid5(_NAMESPACE, str(condition)))


def urn_id(full_url: str) -> str | None:
    """The UUID that a ``urn:uuid:`` holds; None where it is none."""
    match = _URN.fullmatch(full_url)
    return match[1] if match else None


def address(reference: str) -> str:
    """A reference without the version, and without the case that a urn:uuid does not tell."""
    plain = reference.partition(_HISTORY)[0]
    return plain.lower() if plain.startswith("urn:uuid:") else plain


def identifiers(resource: Object) -> Iterator[Identifier]:
    """The business identifiers of a resource."""
    held = resource.get("identifier")
    for item in held if isinstance(held, list) else [held]:
        found = Identifier.of(item)
        if found is not None:
            yield found


def references(value: Value) -> Iterator[Object]:
    """Every object that holds a reference as text, at any depth, in no particular order."""
    return (item for item in objects_in(value) if isinstance(item.get("reference"), str))


def may_be_conditional(text: bytes) -> bool:
    """Whether a resource's JSON text can hold a conditional reference: a quick look."""
    return b"?" in text or b"\\u" in text


def may_be_rewritten(text: bytes) -> bool:
    """Whether a resource's JSON text can hold a reference that is rewritten: a quick look."""
    return b"urn:uuid:" in text or may_be_conditional(text)


def rewrite(resource: Object, resolve: Callable[[str], str | None]) -> None:
    """Write lasting names in place of those of the file.

    Args:
        resource: the resource, changed in place.
        resolve: gives ``Type/id`` for an `address` or a conditional reference; None leaves it.
    """
    for holder in references(resource):
        reference = str(holder["reference"])
        name = resolve(reference)
        if name is not None:
            _, history, version = reference.partition(_HISTORY)
            holder["reference"] = name + history + version


def record_id(reference: str, kind: str) -> str | None:
    """The id that a relative reference to a type names; None where it names something else."""
    name, slash, identity = address(reference).partition("/")
    found = name == kind and slash and RECORD_ID.fullmatch(identity)
    return identity if found else None
