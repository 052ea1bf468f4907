"""What a search compares: the values of a record's search parameters, and whom it refers to.

They are told from the record when it is taken in, and kept sealed in the index as they were
written, so that a search is exact and opens no record. Read once, they stay read.

Source: FHIR R4, section 3.1.1.4 (which elements a parameter of a kind looks at).
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple, Protocol

from medaccord.core.canonical import Object, Value
from medaccord.core.descriptor import Descriptor
from medaccord.core.resource_types import RECORD_ID
from medaccord.fhir.date_range import ALWAYS, NEVER, DateRange, period_range, range_of
from medaccord.fhir.references import address, references
from medaccord.fhir.resource import DIRECTORY_TYPES, Resource
from medaccord.fhir.search_parameters import ID, LAST_UPDATED, TABLE_DIGEST, Kind, parameters_of

__all__ = ["VALUES_FORMAT", "SearchValues", "Searchable", "Token", "references_of", "values_of"]

VALUES_FORMAT: Final = f"1:{TABLE_DIGEST}"
"""Names how values are told from records; an index made in another way is made anew."""


class Token(NamedTuple):
    """A code or an identifier.

    Attributes:
        system: its code system; None where it names none.
        code: the code.
    """

    system: str | None
    code: str


class SearchValues:
    """The values of one record, by parameter. Nobody changes it."""

    __slots__ = ("_dates", "_tokens", "written")

    def __init__(self, written: Mapping[str, list[Any]]) -> None:
        """Take values as they are kept.

        Args:
            written: by parameter: of a token, ``[system, code]``; of a date its text, or ``[start,
                end]`` where it is a period, with None for an open side.
        """
        self.written = written
        self._dates: dict[str, tuple[DateRange, ...]] = {}
        self._tokens: dict[str, frozenset[Token]] = {}

    def tokens(self, name: str) -> frozenset[Token]:
        """The tokens of a parameter; none where the record has none."""
        found = self._tokens.get(name)
        if found is None:
            held = self.written.get(name, ())
            found = self._tokens[name] = frozenset(Token(system, code) for system, code in held)
        return found

    def dates(self, name: str) -> tuple[DateRange, ...]:
        """The dates of a parameter; none where the record has none that can be read."""
        found = self._dates.get(name)
        if found is None:
            ranges = (
                range_of(each) if isinstance(each, str) else period_range(*each)
                for each in self.written.get(name, ())
            )
            found = self._dates[name] = tuple(each for each in ranges if each is not None)
        return found

    def __eq__(self, other: object) -> bool:
        """Whether they are the same values, as they were written."""
        return isinstance(other, SearchValues) and self.written == other.written

    def __hash__(self) -> int:
        """By the parameters that have values."""
        return hash(frozenset(self.written))

    def __repr__(self) -> str:
        """As they were written."""
        return f"SearchValues({self.written!r})"


class Searchable(Protocol):
    """What a search looks at in one version of a record."""

    @property
    def descriptor(self) -> Descriptor:
        """Its name and type, and what a consent looks at."""
        ...

    @property
    def values(self) -> SearchValues:
        """The values of its search parameters."""
        ...

    @property
    def references(self) -> frozenset[str]:
        """Names of the practitioners, organisations and locations that it refers to."""
        ...

    @property
    def updated(self) -> datetime:
        """When this version was taken in."""
        ...


def values_of(resource: Resource) -> SearchValues:
    """The values of a resource's search parameters, but for `_id` and `_lastUpdated`.

    A code that is not text, and a date that cannot be read, gives none.
    """
    found: dict[str, list[Any]] = {}
    for name, parameter in parameters_of(resource.type).items():
        if parameter in (ID, LAST_UPDATED) or parameter.kind is Kind.REFERENCE:
            continue
        held: list[Any] = []
        for path in parameter.elements:
            for value in _at(resource.value, path.split(".")):
                told = _tokens(value) if parameter.kind is Kind.TOKEN else _dates(value)
                held += [each for each in told if each not in held]
        if held:
            found[name] = held
    return SearchValues(found)


def references_of(resource: Resource) -> frozenset[str]:
    """Names, ``Type/id``, of the steward's practitioners and the like that a resource refers to."""
    found = set()
    for holder in references(resource.value):
        name = address(str(holder["reference"]))
        kind, slash, identity = name.partition("/")
        if slash and kind in DIRECTORY_TYPES and RECORD_ID.fullmatch(identity):
            found.add(name)
    return frozenset(found)


def _at(value: Value, path: list[str]) -> Iterator[Value]:
    """The values at a path, through every item of the lists on the way."""
    if isinstance(value, list):
        for item in value:
            yield from _at(item, path)
    elif not path:
        yield value
    elif isinstance(value, dict) and path[0] in value:
        yield from _at(value[path[0]], path[1:])


def _tokens(value: Value) -> Iterator[list[str | None]]:
    """Tokens of a code, Coding, CodeableConcept or Identifier."""
    if isinstance(value, str):
        yield [None, value]
    elif isinstance(value, dict):
        codings = value.get("coding")
        for coding in codings if isinstance(codings, list) else ():
            yield from _tokens(coding) if isinstance(coding, dict) else ()
        system = value.get("system")
        code = value.get("code", value.get("value"))
        if isinstance(code, str) and isinstance(system, str | None):
            yield [system or None, code]


def _dates(value: Value) -> Iterator[str | list[str | None]]:
    """Texts of a date, dateTime or instant, or sides of a Period or a Timing."""
    if isinstance(value, str):
        if range_of(value) is not None:
            yield value
    elif isinstance(value, dict):
        sides = _period(value) if {"start", "end"} & value.keys() else _outer(value)
        if sides is not None and period_range(*sides) is not None:
            yield list(sides)


def _period(value: Object) -> tuple[str | None, str | None] | None:
    start, end = value.get("start"), value.get("end")
    if not isinstance(start, str | None) or not isinstance(end, str | None):
        return None
    return start, end


def _outer(timing: Object) -> tuple[str | None, str | None] | None:
    """From the first to the last of a Timing's dates: its outer limits alone are searched."""
    events = timing.get("event", [])
    sides: list[tuple[str | None, str | None] | None] = [
        (each, each) if isinstance(each, str) else None
        for each in (events if isinstance(events, list) else [None])
    ]
    repeat = timing.get("repeat")
    bounds = repeat.get("boundsPeriod") if isinstance(repeat, dict) else None
    if bounds is not None:
        sides.append(_period(bounds) if isinstance(bounds, dict) else None)
    known = [each for each in sides if each is not None and period_range(*each) is not None]
    if not known or len(known) < len(sides):
        return None
    starts, ends = zip(*known, strict=True)
    return min(starts, key=_start), max(ends, key=_end)


def _start(text: str | None) -> int:
    found = None if text is None else range_of(text)
    return NEVER if found is None else found.instant.start


def _end(text: str | None) -> int:
    found = None if text is None else range_of(text)
    return ALWAYS if found is None else found.instant.end
