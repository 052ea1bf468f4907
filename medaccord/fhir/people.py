"""The patients of a file, and which of them a reference names."""

import re
from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from medaccord.core.canonical import Object
from medaccord.fhir.references import Condition, Identifier, address, identifiers, record_id
from medaccord.fhir.resource import Resource

__all__ = ["Patients", "Target", "base_of", "target"]

Target: TypeAlias = str | Identifier | None
"""Whom a Reference names: by reference, by business identifier, or in words alone."""

_ABSOLUTE = re.compile(r"https?://.+/Patient/([A-Za-z0-9\-.]{1,64})")
_SEVERAL: Final = ""


def base_of(resource: Resource, full_url: str | None) -> str | None:
    """The server that an entry is from, where its fullUrl tells; its relative references are there.

    Source: FHIR R4 Bundle, section 2.36.4.1 (resolving references in bundles).
    """
    if full_url is None or not full_url.startswith(("http://", "https://")):
        return None
    base = full_url.removesuffix(f"/{resource.record}")
    return None if base == full_url else base


def target(reference: Object, *, base: str | None = None) -> Target:
    """What a Reference names; its reference counts before its identifier.

    Args:
        reference: the Reference.
        base: `base_of` the entry that holds it.
    """
    text = reference.get("reference")
    if isinstance(text, str):
        return f"{base}/{text}" if base and record_id(text, "Patient") else text
    kind = reference.get("type", "Patient")
    if not isinstance(kind, str) or kind.rpartition("/")[2] != "Patient":
        return None  # a group's number 7 is not a patient's
    return Identifier.of(reference.get("identifier"))


class Patients:
    """The Patient resources of a file, and the names others have for them.

    Attributes:
        full_urls: gives the record an `address` is the fullUrl of; None where no entry has it. To
            be set once all entries were read.
    """

    def __init__(self) -> None:
        self.full_urls: Callable[[str], str | None] = lambda _: None
        self._urls: dict[str, str | None] = {}
        self._identified: dict[Identifier, str] = {}
        self._absolute: dict[str, str] = {}

    def __len__(self) -> int:
        """How many Patient resources there are."""
        return len(self._urls)

    def __iter__(self) -> Iterator[str]:
        """Their ids, in the order of the file."""
        return iter(self._urls)

    def add(self, patient: Resource, full_url: str | None) -> None:
        """Note a Patient resource."""
        self._urls[patient.id] = full_url
        for identifier in identifiers(patient.value):
            known = self._identified.setdefault(identifier, patient.id)
            if known != patient.id:
                self._identified[identifier] = _SEVERAL

    def named(self, whom: Target) -> str | None:
        """The id of the one patient that is named; None where it cannot be told.

        A Patient that the file does not hold is told by its id alone; by an absolute URL only as
        long as no other one ends in the same id.
        """
        if whom is None:
            return None
        if isinstance(whom, Identifier):
            return self._identified.get(whom) or None
        plain = address(whom)
        record = self.full_urls(plain)
        if record is not None:
            return record_id(record, "Patient")
        relative = record_id(plain, "Patient")
        if relative is not None:
            return relative
        condition = Condition.parse(whom)
        if condition is not None:
            sought = condition.identifier
            found = self._identified.get(sought) if sought else None
            return found or None if condition.type == "Patient" else None
        return self._by_address(plain)

    def _by_address(self, plain: str) -> str | None:
        if plain.startswith("urn:uuid:"):
            # A Patient without fullUrl can only be meant by its id.
            identity = plain.removeprefix("urn:uuid:")
            return identity if self._urls.get(identity, plain) is None else None
        match = _ABSOLUTE.fullmatch(plain)
        if match is None or self._urls.get(match[1]) is not None:
            return None
        return match[1] if self._absolute.setdefault(match[1], plain) == plain else None
