"""What a date stands for: a range of time, as it was written and as an instant.

``2025-11`` stands for the whole of November, ``2025-11-03T09:30`` for one minute. A date that names
a timezone stands for a range of instants. One that names none is a page of a calendar: it is
compared with what was written in a record, whatever the timezone there, as the periods of a consent
are; only against an instant it counts as UTC.

Source: FHIR R4, section 3.1.1.4 (search parameter type date); datatypes date, dateTime, instant.
"""

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple

__all__ = ["ALWAYS", "NEVER", "DateRange", "Span", "moment_range", "period_range", "range_of"]

ALWAYS: Final = 10**21
"""The end of a period that has none, in nanoseconds since the year 1; later than any date."""

NEVER: Final = -ALWAYS
"""The start of a period that has none."""

_DAY: Final = 86_400 * 10**9
_MINUTE: Final = 60 * 10**9
_SECOND: Final = 10**9
_MICROSECOND: Final = 10**3
_EPOCH: Final = datetime(1, 1, 1, tzinfo=UTC)

_DATE = re.compile(
    r"([0-9]{4})(?:-(0[1-9]|1[0-2])(?:-([0-9]{2})"
    r"(?:T([01][0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9]|60)(?:\.([0-9]{1,40}))?)?"
    r"(Z|[+-](?:0[0-9]|1[0-3]):[0-5][0-9]|[+-]14:00)?)?)?)?"
)


class Span(NamedTuple):
    """Nanoseconds since the year 1, from the start until before the end."""

    start: int
    end: int


class DateRange(NamedTuple):
    """A range of time.

    Attributes:
        written: by the calendar and the clock that it was written by.
        instant: as instants, in UTC.
        is_zoned: whether it names a timezone, so that `instant` is what it stands for.
    """

    written: Span
    instant: Span
    is_zoned: bool


@lru_cache(maxsize=65_536)
def range_of(text: str) -> DateRange | None:
    """What a date, dateTime or instant stands for; None where it is none.

    A time without seconds is taken too, as searches may have it. Digits of a second beyond the
    ninth are cut off.
    """
    match = _DATE.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    try:
        first = date(int(year), int(month or 1), int(day or 1))
        start = (first.toordinal() - 1) * _DAY
        if day is None:
            end = _next(first, months=1 if month else 12)
        elif hour is None:
            end = start + _DAY
        else:
            start += (int(hour) * 60 + int(minute)) * _MINUTE
            end = start + _MINUTE
            if second is not None:
                digits = (fraction or "")[:9]
                start += int(second) * _SECOND + int(digits.ljust(9, "0"))
                end = start + 10 ** (9 - len(digits))
    except ValueError:
        return None
    offset = _offset(zone)
    return DateRange(Span(start, end), Span(start - offset, end - offset), zone is not None)


@lru_cache(maxsize=4_096)
def moment_range(moment: datetime) -> DateRange:
    """The microsecond that a moment stands for, as written in UTC.

    Args:
        moment: timezone-aware.
    """
    start = ((moment - _EPOCH) // timedelta(microseconds=1)) * _MICROSECOND
    span = Span(start, start + _MICROSECOND)
    return DateRange(span, span, True)


def period_range(start: str | None, end: str | None) -> DateRange | None:
    """What a Period stands for; None where it has neither side, or one that cannot be read.

    Args:
        start: its start; None where it is not known: before any date.
        end: its end, which belongs to it; None where it goes on: after any date.
    """
    first = None if start is None else range_of(start)
    last = None if end is None else range_of(end)
    if (start is not None and first is None) or (end is not None and last is None):
        return None
    if first is None and last is None:
        return None
    found = DateRange(
        Span(first.written.start if first else NEVER, last.written.end if last else ALWAYS),
        Span(first.instant.start if first else NEVER, last.instant.end if last else ALWAYS),
        any(each is not None and each.is_zoned for each in (first, last)),
    )
    return found if found.instant.start < found.instant.end else None


def _next(first: date, *, months: int) -> int:
    """The day after a month or a year, in nanoseconds."""
    year, month = divmod(first.year * 12 + first.month - 1 + months, 12)
    if year > date.max.year:
        return date.max.toordinal() * _DAY
    return (date(year, month + 1, 1).toordinal() - 1) * _DAY


def _offset(zone: str | None) -> int:
    if zone is None or zone == "Z":
        return 0
    minutes = int(zone[1:3]) * 60 + int(zone[4:6])
    return (-minutes if zone[0] == "-" else minutes) * _MINUTE
