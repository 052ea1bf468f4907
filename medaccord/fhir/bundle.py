"""Reading a FHIR R4 Bundle of one patient, or saying in one line why it is none.

Nothing is guessed and nothing is lost: numbers stay as written, an entry that cannot be named or
that is about somebody else refuses the whole file, before anything is stored.

Source: FHIR R4 Bundle, section 2.36.4 (references within bundles); RFC 4122 for urn:uuid.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from medaccord.core.canonical import Object, Value, parse
from medaccord.core.errors import InvalidBundle, InvalidDocument
from medaccord.core.resource_types import RECORD_ID, RESOURCE_TYPES
from medaccord.fhir.resource import DIRECTORY_TYPES, Resource

__all__ = ["BUNDLE_TYPES", "PatientBundle", "Resource", "read_bundle"]

BUNDLE_TYPES: Final = frozenset(
    {"batch", "collection", "document", "message", "searchset", "transaction"}
)
"""Types of Bundle that can be read; the others hold answers or several versions of one record."""

_URN = re.compile(r"urn:uuid:([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})")
_SUBJECT_MEMBERS: Final = ("subject", "patient", "beneficiary", "individual", "for")


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientBundle:
    """What a Bundle of one patient holds.

    Attributes:
        patient_id: id of the Patient resource.
        resources: the patient's records, the Patient resource among them, in the Bundle's order.
        directory: resources of `DIRECTORY_TYPES`, which belong to the steward.
    """

    patient_id: str
    resources: tuple[Resource, ...]
    directory: tuple[Resource, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    number: int
    full_url: str | None
    resource: Resource

    def __str__(self) -> str:
        return f"entry {self.number} ({self.resource.record})"


def read_bundle(data: bytes) -> PatientBundle:
    """Read a Bundle of one patient.

    A resource without an id takes that of its ``urn:uuid:`` fullUrl.

    Args:
        data: JSON text in UTF-8.

    Raises:
        InvalidBundle: it is empty, cut off, not JSON or not lossless JSON; no Bundle, or of a type
            that is not read; without entries; an entry has no resource, no known type, neither id
            nor urn:uuid, or the name or fullUrl of another; there is not exactly one Patient; or an
            entry is about anybody but that patient.
    """
    entries = [_entry(number, item) for number, item in enumerate(_items(data), start=1)]
    _refuse_doubles(entries)
    patients = [entry for entry in entries if entry.resource.type == "Patient"]
    if not patients:
        raise InvalidBundle("the Bundle holds no Patient")
    if len(patients) > 1:
        raise InvalidBundle(f"the Bundle holds {len(patients)} patients; split it, one a file")
    patient = patients[0]
    for entry in entries:
        _check_subject(entry, patient)
    return PatientBundle(
        patient_id=patient.resource.id,
        resources=tuple(e.resource for e in entries if e.resource.type not in DIRECTORY_TYPES),
        directory=tuple(e.resource for e in entries if e.resource.type in DIRECTORY_TYPES),
    )


def _items(data: bytes) -> list[Value]:
    if not data.strip():
        raise InvalidBundle("the file is empty")
    try:
        bundle = parse(data)
    except InvalidDocument as error:
        raise InvalidBundle(f"the file cannot be read: {error.problem}") from error
    if not isinstance(bundle, dict):
        raise InvalidBundle("the file is JSON, but no FHIR Bundle: it is not an object")
    kind = bundle.get("resourceType")
    if kind != "Bundle":
        found = f"a {kind}" if isinstance(kind, str) else "an object without resourceType"
        raise InvalidBundle(f"the file is JSON, but no FHIR Bundle: it is {found}")
    if bundle.get("type") not in BUNDLE_TYPES:
        known = ", ".join(sorted(BUNDLE_TYPES))
        raise InvalidBundle(f"Bundle.type is {bundle.get('type')!r}; these are read: {known}")
    items = bundle.get("entry")
    if not isinstance(items, list) or not items:
        raise InvalidBundle("the Bundle has no entries")
    return items


def _entry(number: int, item: Value) -> _Entry:
    value = item.get("resource") if isinstance(item, dict) else None
    if not isinstance(item, dict) or not isinstance(value, dict):
        raise InvalidBundle(f"entry {number} of the Bundle has no resource")
    kind = value.get("resourceType")
    if not isinstance(kind, str) or kind not in RESOURCE_TYPES:
        raise InvalidBundle(f"entry {number} has no resourceType of FHIR R4, but {kind!r}")
    if kind == "Bundle":
        raise InvalidBundle(f"entry {number} is a Bundle itself; take its entries out")
    full_url = item.get("fullUrl")
    if full_url is not None and not isinstance(full_url, str):
        raise InvalidBundle(f"entry {number} ({kind}) has a fullUrl that is no text")
    identity = _identity(number, kind, value, full_url)
    named = value if "id" in value else {**value, "id": identity}
    return _Entry(
        number=number,
        full_url=full_url,
        resource=Resource(type=kind, id=identity, value=named),
    )


def _identity(number: int, kind: str, value: Object, full_url: str | None) -> str:
    if "id" in value:
        identity = value["id"]
        if not isinstance(identity, str) or not RECORD_ID.fullmatch(identity):
            raise InvalidBundle(f"entry {number} ({kind}) has an id that FHIR does not allow")
        return identity
    urn = _URN.fullmatch(full_url) if full_url else None
    if urn is None:
        raise InvalidBundle(f"entry {number} ({kind}) has neither an id nor a urn:uuid fullUrl")
    return urn[1]


def _refuse_doubles(entries: list[_Entry]) -> None:
    names = Counter(entry.resource.record for entry in entries)
    urls = Counter(entry.full_url for entry in entries if entry.full_url is not None)
    for entry in entries:
        if names[entry.resource.record] > 1:
            raise InvalidBundle(f"{entry.resource.record} stands in the Bundle twice")
        if entry.full_url is not None and urls[entry.full_url] > 1:
            raise InvalidBundle(f"the fullUrl {entry.full_url} stands in the Bundle twice")


def _check_subject(entry: _Entry, patient: _Entry) -> None:
    """Refuse an entry that says it is about anybody but the patient."""
    if entry.resource.type in DIRECTORY_TYPES or entry is patient:
        return
    for member in _SUBJECT_MEMBERS:
        for reference in _references(entry.resource.value.get(member)):
            if not _is_to(reference, patient):
                raise InvalidBundle(
                    f"{entry} is not about the Bundle's patient: its {member} is another"
                )


def _references(value: Value) -> Iterator[Object]:
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, dict):
            yield item


def _is_to(reference: Object, patient: _Entry) -> bool:
    """Whether a reference can be shown to be to the patient."""
    target = reference.get("reference")
    if not isinstance(target, str):
        identifier = reference.get("identifier")
        return isinstance(identifier, dict) and _has_identifier(
            patient, identifier.get("system"), identifier.get("value")
        )
    plain = _address(target)
    if plain == patient.resource.record or plain == _address(patient.full_url or ""):
        return True
    kind, question, query = target.partition("?")
    if question:
        name, _, token = query.partition("=")
        system, _, value = token.rpartition("|")
        return (kind, name) == ("Patient", "identifier") and _has_identifier(
            patient, system or None, value
        )
    if patient.full_url is not None:
        return False
    # An entry without fullUrl can only be meant by its id.
    return plain.endswith(f"/{patient.resource.record}") or (
        plain == f"urn:uuid:{patient.resource.id}".lower()
    )


def _address(reference: str) -> str:
    """A reference without the version, and without the case that a urn:uuid does not tell."""
    plain = reference.partition("/_history/")[0]
    return plain.lower() if plain.startswith("urn:uuid:") else plain


def _has_identifier(patient: _Entry, system: Value, value: Value) -> bool:
    held = patient.resource.value.get("identifier")
    return isinstance(value, str) and any(
        (item.get("system"), item.get("value")) == (system, value) for item in _references(held)
    )
