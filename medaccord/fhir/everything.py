"""The parameters of ``Patient/$everything``: what of a patient's records is asked for at once.

`start` and `end` are days of care, both included: a record counts if a day that it is about lies
between them, and a record that tells no day, such as an allergy, always counts; leaving it out
would say that there is none. `_since` is when the steward took a version in.

Source: FHIR R4, operation Patient/$everything.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Final, Self

from medaccord.core.errors import InvalidRequest
from medaccord.core.resource_types import RESOURCE_TYPES
from medaccord.fhir.date_range import DateRange, moment_range, range_of
from medaccord.fhir.resource import DIRECTORY_TYPES
from medaccord.fhir.search import CURSOR, DEFAULT_COUNT, MAX_COUNT
from medaccord.fhir.search_clauses import shown
from medaccord.fhir.search_values import Searchable

__all__ = ["EverythingQuery"]

_DAY: Final = 86_400 * 10**9
_NAMES: Final = ("start", "end", "_since", "_type", "_count", CURSOR)
_COUNT = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True, kw_only=True)
class EverythingQuery:
    """What is asked for, read.

    Attributes:
        start: the first day of care, as written; None for any.
        end: the last, likewise.
        since: when versions were taken in at the earliest, as written; None for any time.
        types: types of resource, sorted; empty for all.
        count: entries on a page beside those that others refer to, 1 to `MAX_COUNT`.
        cursor: where the page begins, as a next link gave it; None for the first page.
    """

    start: str | None = None
    end: str | None = None
    since: str | None = None
    types: tuple[str, ...] = ()
    count: int = DEFAULT_COUNT
    cursor: str | None = None

    @classmethod
    def parse(cls, pairs: Iterable[tuple[str, str]]) -> Self:
        """Read names and decoded values, each once, `_type` as often as wanted.

        Raises:
            InvalidRequest: an unknown parameter, or a value that makes no sense.
        """
        found: dict[str, str] = {}
        types: set[str] = set()
        for name, value in pairs:
            if name not in _NAMES:
                raise InvalidRequest(f"$everything takes no parameter {shown(name)}")
            if name == "_type":
                types |= set(value.split(","))
            elif name in found:
                raise InvalidRequest(f"the parameter {name} stands there twice")
            else:
                found[name] = value
        if unknown := sorted(types - RESOURCE_TYPES):
            raise InvalidRequest(f"{shown(unknown[0])} is no FHIR R4 resource type")
        count = found.get("_count", str(DEFAULT_COUNT))
        if not _COUNT.fullmatch(count) or int(count) < 1:
            raise InvalidRequest(f"_count is a number from 1, not {shown(count)}")
        made = cls(
            start=found.get("start"),
            end=found.get("end"),
            since=found.get("_since"),
            types=tuple(sorted(types)),
            count=min(int(count), MAX_COUNT),
            cursor=found.get(CURSOR),
        )
        first, last = made._first_day(), made._last_day()
        if first is not None and last is not None and last < first:
            raise InvalidRequest("the period ends before it starts")
        made._earliest()
        return made

    @property
    def decided(self) -> tuple[str, ...]:
        """The types that are decided on: those of a patient's own records."""
        return self.types or tuple(sorted(RESOURCE_TYPES - DIRECTORY_TYPES))

    def includes(self, resource_type: str) -> bool:
        """Whether a type is asked for."""
        return not self.types or resource_type in self.types

    def matches(self, entry: Searchable) -> bool:
        """Whether a record is wanted. It says nothing of whether it may be released."""
        about, earliest = entry.descriptor, self._earliest()
        if not self.includes(about.resource_type):
            return False
        if earliest is not None and moment_range(entry.updated).instant.start < earliest:
            return False
        if about.date is None:
            return True
        first, last, days = self._first_day(), self._last_day(), about.date
        return not (
            (first is not None and days.end is not None and days.end < first)
            or (last is not None and days.start is not None and days.start > last)
        )

    def position(self, entry: Searchable) -> str:
        """The place of a record in the order of the answer: its name."""
        return entry.descriptor.record

    def after(self, position: str, entry: Searchable) -> bool:
        """Whether a record comes later than a place that `position` gave."""
        return entry.descriptor.record > position

    def pairs(self, *, cursor: str | None = None) -> tuple[tuple[str, str], ...]:
        """The parameters in their one order, to make links and to name the question.

        Args:
            cursor: where the page begins; None for the first page.
        """
        held = (
            ("start", self.start),
            ("end", self.end),
            ("_since", self.since),
            ("_type", ",".join(self.types) or None),
            ("_count", str(self.count)),
            (CURSOR, cursor),
        )
        return tuple((name, value) for name, value in held if value is not None)

    def _first_day(self) -> date | None:
        found = _days("start", self.start)
        return None if found is None else date.fromordinal(found.written.start // _DAY + 1)

    def _last_day(self) -> date | None:
        found = _days("end", self.end)
        return None if found is None else date.fromordinal((found.written.end - 1) // _DAY + 1)

    def _earliest(self) -> int | None:
        if self.since is None:
            return None
        # A plus sign that was not escaped in the address arrives as a space.
        found = range_of(self.since.replace(" ", "+"))
        if found is None:
            raise InvalidRequest(
                f"_since is a time as 2026-01-31T12:00:00Z, not {shown(self.since)}"
            )
        return found.instant.start


def _days(name: str, text: str | None) -> DateRange | None:
    if text is None:
        return None
    found = None if "T" in text else range_of(text)
    if found is None:
        raise InvalidRequest(f"{name} is a date as 2026, 2026-01 or 2026-01-31, not {shown(text)}")
    return found
