"""Files of resources, of any size: a Bundle, or NDJSON as bulk data comes in.

A file is read twice. The first reading checks all of it, and keeps where each resource lies, its
name and whose it is; the second takes up the resources of one patient at a time. So a file is
refused whole before anything of it is used, and never held as a whole: what is kept is some 500
bytes a resource.

Source: FHIR R4 Bundle, section 2.36.4 (references within bundles); FHIR Bulk Data Access.
"""

from array import array
from collections.abc import Iterator
from typing import Final, Self, cast

from medaccord.core.canonical import MAX_DEPTH, Object, Value, parse
from medaccord.core.errors import InvalidBundle, InvalidDocument, InvalidInput
from medaccord.core.resource_types import RESOURCE_TYPES
from medaccord.fhir.entries import Entry, read_entry, read_resource
from medaccord.fhir.owners import Owners
from medaccord.fhir.references import (
    Condition,
    address,
    identifiers,
    may_be_conditional,
    may_be_rewritten,
    references,
    rewrite,
    stable_id,
)
from medaccord.fhir.resource import Resource
from medaccord.fhir.splitting import (
    MAX_RESOURCE_BYTES,
    Buffer,
    BundleText,
    bare,
    is_ndjson,
    lines,
    moved,
    place,
)

__all__ = ["BUNDLE_TYPES", "Source"]

BUNDLE_TYPES: Final = frozenset(
    {"batch", "collection", "document", "message", "searchset", "transaction"}
)
"""Types of Bundle that can be read; the others hold answers or several versions of one record."""

_UNNAMED: Final = "the file"
# A record is laid into the entries of a Bundle when it is released: three levels further down.
_DEPTH: Final = MAX_DEPTH - 3
_SPACE: Final = b" \t\r\n"


class Source:
    """A file that was read once, whole: every resource of it is in order, and somebody's."""

    def __init__(self, data: Buffer, name: str) -> None:
        self._data = data
        self._name = name
        self._is_bundle = False
        self._starts = array("Q")
        self._ends = array("Q")
        self._sums = array("q")  # of the text of each: read again, it must be the same
        self._records: list[str] = []
        self._numbers: dict[str, int] = {}
        self._urls: dict[str, int] = {}
        self._conditional: dict[str, str] = {}
        self._owners = Owners()
        self._parts: dict[str, array[int]] = {}
        self._directory = array("Q")

    @classmethod
    def open(cls, data: Buffer, *, name: str = _UNNAMED) -> Self:
        """Read a file for the first time, all of it.

        Args:
            data: a Bundle, NDJSON, or one resource; UTF-8. It must not change as long as the
                source is used.
            name: what to call it in errors.

        Raises:
            InvalidBundle: it is empty, cut off, not JSON or not lossless JSON; no Bundle of
                `BUNDLE_TYPES`, no NDJSON; one resource of it is longer than `MAX_RESOURCE_BYTES`,
                has no known type, neither id nor urn:uuid, or the name or fullUrl of another; a
                conditional reference fits two; or one is about two patients, or about nobody who
                can be told.
        """
        source = cls(data, name)
        source._read_all()
        source._settle()
        return source

    @property
    def is_bundle(self) -> bool:
        """Whether it is a Bundle; else NDJSON, or one resource."""
        return self._is_bundle

    @property
    def _kind(self) -> str:
        return "the file" if is_ndjson(self._data) else "the Bundle"

    @property
    def total(self) -> int:
        """How many resources there are, the steward's among them."""
        return len(self._records)

    @property
    def patients(self) -> tuple[str, ...]:
        """Ids of the patients whose resources these are, in order of first sight."""
        return self._owners.ids

    @property
    def patient_resources(self) -> tuple[str, ...]:
        """Ids of the Patient resources, in their order; fewer than `patients` may be."""
        return tuple(self._owners.patients)

    def count(self, patient_id: str) -> int:
        """How many resources of a patient there are."""
        return len(self._parts.get(patient_id, ()))

    def resources(self, patient_id: str) -> Iterator[Resource]:
        """The resources of a patient in the order of the file, their references rewritten.

        Args:
            patient_id: one of `patients`.

        Raises:
            InvalidInput: it is none of them.
            InvalidBundle: the file is not any more what it was.
        """
        if patient_id not in self._parts:
            raise InvalidInput(f"{self._name} holds nothing of a patient {patient_id!r}")
        return map(self._resource, self._parts[patient_id])

    def directory(self) -> Iterator[Resource]:
        """The resources that belong to the steward; as `resources`."""
        return map(self._resource, self._directory)

    def place_of(self, record: str) -> str:
        """What to call a resource in an error: where it stands, and its name.

        Args:
            record: ``Type/id`` of a resource of this file.
        """
        return f"{self._where(self._numbers[record])} ({record})"

    # ---- first reading

    def _read_all(self) -> None:
        self._check_beginning()
        if is_ndjson(self._data):
            for number, start, end in lines(self._data):
                value, text = self._parse(start, end, _DEPTH, "")
                self._add(read_resource(value, self._said(f"line {number}")), start, text)
            return
        bundle = BundleText(self._data)
        try:
            entries = bundle.entries()
            for number, (start, end) in enumerate(entries, start=1):
                value, text = self._parse(start, end, _DEPTH + 1, f"entry {number}, ")
                try:
                    entry = read_entry(value, self._said(f"entry {number}"))
                except InvalidBundle:
                    if number > 1 or self._is_bundle_of(bundle, entries):
                        raise
                    break
                self._add(entry, start, text)
            self._is_bundle = self._is_bundle_of(bundle, entries)
        except InvalidDocument as error:
            raise self._unread(error.problem) from error
        if self._is_bundle and not self._records:
            raise InvalidBundle(self._said("the Bundle has no entries"))
        if not self._is_bundle:
            value, text = self._parse(0, len(self._data), _DEPTH, "")
            self._add(read_resource(value, self._name), 0, text)

    def _check_beginning(self) -> None:
        """Refuse what does not begin with an object, in the parser's words where it has any."""
        head = self._data[:4096]
        if len(self._data) > len(head) and not bytes(head).strip(_SPACE):
            head = self._data[:MAX_RESOURCE_BYTES]
        beginning = bytes(head).lstrip(_SPACE)
        if b"\0" in beginning[:4]:
            raise self._unread("the text is not UTF-8, but UTF-16 or UTF-32: save it as UTF-8")
        if beginning.startswith(b"{"):
            return
        if not beginning:
            raise InvalidBundle(f"{self._name} is empty")
        try:
            parse(bytes(self._data[:MAX_RESOURCE_BYTES]))
        except InvalidDocument as error:
            raise self._unread(error.problem) from error
        raise InvalidBundle(f"{self._name} is JSON, but no FHIR Bundle: it is not an object")

    def _is_bundle_of(self, text: BundleText, entries: Iterator[tuple[int, int]]) -> bool:
        """Whether this is a Bundle that is read; False for any other resource by itself."""
        for _ in entries:
            pass
        envelope = text.envelope()
        kind = envelope.get("resourceType") if isinstance(envelope, dict) else None
        if not isinstance(envelope, dict) or kind != "Bundle":
            if isinstance(kind, str) and kind in RESOURCE_TYPES and not self._records:
                return False
            found = f"a {kind}" if isinstance(kind, str) else "an object without resourceType"
            raise InvalidBundle(f"{self._name} is JSON, but no FHIR Bundle: it is {found}")
        if envelope.get("type") not in BUNDLE_TYPES:
            known = ", ".join(sorted(BUNDLE_TYPES))
            raise InvalidBundle(
                self._said(f"Bundle.type is {envelope.get('type')!r}; these are read: {known}")
            )
        return True

    def _parse(self, start: int, end: int, depth: int, where: str) -> tuple[Value, bytes]:
        """What stands there, and the text that it was read from."""
        if end - start > MAX_RESOURCE_BYTES:
            line, _ = place(self._data, start)
            bound = MAX_RESOURCE_BYTES // 2**20
            raise self._unread(f"{where}line {line}, never ends, or is longer than {bound} MiB")
        text = bytes(self._data[start:end])
        try:
            return parse(text, max_depth=depth), text
        except InvalidDocument as error:
            here = moved(error, self._data, start)
            line, column = here.line or place(self._data, start)[0], here.column
            within = f"line {line}" if column is None else f"line {line}, column {column}"
            raise self._unread(f"{bare(here)} ({where}{within})") from error

    def _add(self, entry: Entry, start: int, text: bytes) -> None:
        record, full_url = entry.resource.record, entry.full_url
        number = len(self._records)
        if self._numbers.setdefault(record, number) != number:
            raise InvalidBundle(self._said(f"{record} stands in {self._kind} twice"))
        if full_url is not None and self._urls.setdefault(address(full_url), number) != number:
            raise InvalidBundle(self._said(f"the fullUrl {full_url} stands in the Bundle twice"))
        self._starts.append(start)
        self._ends.append(start + len(text))
        self._sums.append(hash(text))
        self._records.append(record)
        self._owners.add(entry.resource, full_url)
        if may_be_conditional(text):
            for holder in references(entry.resource.value):
                reference = str(holder["reference"])
                if "?" in reference:
                    self._conditional[reference] = ""

    # ---- what only the whole file tells

    def _settle(self) -> None:
        self._owners.patients.full_urls = self._named_by
        one = self._is_bundle and len(self._owners.patients) == 1
        self._resolve_conditions()
        orphans = self._owners.settle(one_patient=one, fail=self._fail)
        if orphans:
            self._owners.adopt(self._links(orphans), self._fail)
        self._parts, self._directory = self._owners.parts()

    def _resolve_conditions(self) -> None:
        """Give every conditional reference the name of what it asks for."""
        asked = {text: Condition.parse(text) for text in self._conditional}
        conditions = {condition for condition in asked.values() if condition is not None}
        sought = {(each.type, each.identifier): each for each in conditions if each.identifier}
        kinds = {condition.type for condition in conditions if condition.identifier}
        found: dict[Condition, str] = {}
        for number, record in enumerate(self._records):
            kind = record.partition("/")[0]
            if kind not in kinds:
                continue
            for identifier in set(identifiers(self._read(number, self._text(number)).value)):
                condition = sought.get((kind, identifier))
                if condition is not None and found.setdefault(condition, record) != record:
                    raise InvalidBundle(
                        self._said(f"{condition} fits both {found[condition]} and {record}")
                    )
        self._conditional = {
            text: found.get(condition) or f"{condition.type}/{stable_id(condition)}"
            for text, condition in asked.items()
            if condition is not None
        }

    def _links(self, orphans: frozenset[int]) -> dict[int, set[int]]:
        """Which resources refer to those that name nobody, and are referred to by them."""
        links: dict[int, set[int]] = {number: set() for number in orphans}
        for number in range(len(self._records)):
            for holder in references(self._read(number, self._text(number)).value):
                reference = str(holder["reference"])
                name = self._resolve(reference) or address(reference)
                other = self._numbers.get(name, self._urls.get(name))
                if other is None or other == number:
                    continue
                if number in links:
                    links[number].add(other)
                if other in links:
                    links[other].add(number)
        return links

    def _named_by(self, full_url: str) -> str | None:
        number = self._urls.get(full_url)
        return None if number is None else self._records[number]

    def _resolve(self, reference: str) -> str | None:
        """What is written in place of a reference; None where it stays."""
        if reference.startswith("urn:uuid:"):
            return self._named_by(address(reference))
        return self._conditional.get(reference)

    # ---- second reading

    def _resource(self, number: int) -> Resource:
        text = self._text(number)
        resource = self._read(number, text)
        if may_be_rewritten(text):
            rewrite(resource.value, self._resolve)
        return resource

    def _text(self, number: int) -> bytes:
        """A resource's text, which says whose it is only as long as it is what was read first."""
        text = bytes(self._data[self._starts[number] : self._ends[number]])
        if hash(text) != self._sums[number]:
            raise InvalidBundle(f"{self._name} was changed while it was read")
        return text

    def _read(self, number: int, text: bytes) -> Resource:
        """A resource, its references as they were read."""
        kind, _, identity = self._records[number].partition("/")
        value = cast(Object, parse(text))  # as the first reading has shown
        held = cast(Object, value["resource"]) if self._is_bundle else value
        held.setdefault("id", identity)
        return Resource(type=kind, id=identity, value=held)

    # ---- errors

    def _unread(self, problem: str) -> InvalidBundle:
        return InvalidBundle(f"{self._name} cannot be read: {problem}")

    def _said(self, problem: str) -> str:
        return problem if self._name == _UNNAMED else f"{self._name}: {problem}"

    def _fail(self, number: int, problem: str) -> InvalidBundle:
        return InvalidBundle(self._said(f"{self.place_of(self._records[number])} {problem}"))

    def _where(self, number: int) -> str:
        if self._is_bundle:
            return f"entry {number + 1}"
        line, _ = place(self._data, self._starts[number])
        return f"line {line}"
