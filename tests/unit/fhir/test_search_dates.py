"""Dates are compared as R4 says, by the ranges they stand for; checked against its own words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medaccord.core.errors import InvalidRequest
from medaccord.fhir.date_range import range_of
from medaccord.fhir.search_clauses import DateClause
from tests.unit.fhir.searched import searched

PREFIXES = ["eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"]
FIRST, LAST = datetime.min, datetime.max

# --- What R4 says, in intervals of datetimes ---


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A date as text, with the interval it stands for: by its own clock, from start until end."""

    text: str
    start: datetime
    end: datetime
    offset: timedelta | None

    def by(self, *, instant: bool) -> tuple[datetime, datetime]:
        """Its interval, by UTC where instants are meant."""
        shift = self.offset if instant and self.offset is not None else timedelta()
        return self.start - shift, self.end - shift


Interval = tuple[datetime, datetime]


def overlaps(one: Interval, other: Interval) -> bool:
    return max(one[0], other[0]) < min(one[1], other[1])


def contains(one: Interval, other: Interval) -> bool:
    return one[0] <= other[0] and other[1] <= one[1]


def is_met(prefix: str, value: Interval, target: Interval) -> bool:
    """R4, section 3.1.1.4.5, sentence by sentence."""
    above, below = (value[1], LAST), (FIRST, value[0])
    longer = max(value[1] - value[0], timedelta(days=1))
    return {
        "eq": contains(value, target),
        "ne": not contains(value, target),
        "gt": overlaps(above, target),
        "lt": overlaps(below, target),
        "ge": overlaps(above, target) or contains(value, target),
        "le": overlaps(below, target) or contains(value, target),
        "sa": not overlaps(value, target) and contains(above, target),
        "eb": not overlaps(value, target) and contains(below, target),
        "ap": overlaps((value[0] - longer, value[1] + longer), target),
    }[prefix]


@st.composite
def written(draw: st.DrawFn) -> Written:
    """Any date near the others, so that they touch, overlap and contain each other."""
    at = draw(st.datetimes(datetime(2023, 12, 30), datetime(2024, 3, 2)))
    precision = draw(st.sampled_from(["year", "month", "day", "minute", "second", "milli"]))
    if precision == "year":
        return Written(
            text=f"{at:%Y}",
            start=datetime(at.year, 1, 1),
            end=datetime(at.year + 1, 1, 1),
            offset=None,
        )
    if precision == "month":
        first = datetime(at.year, at.month, 1)
        after = (first + timedelta(days=31)).replace(day=1)
        return Written(text=f"{at:%Y-%m}", start=first, end=after, offset=None)
    if precision == "day":
        first = datetime(at.year, at.month, at.day)
        return Written(
            text=f"{at:%Y-%m-%d}", start=first, end=first + timedelta(days=1), offset=None
        )
    offset = draw(st.none() | st.sampled_from([-840, -300, -1, 0, 60, 330, 840]))
    shift = None if offset is None else timedelta(minutes=offset)
    zone = "" if shift is None else ("Z" if not offset and draw(st.booleans()) else _zone(shift))
    if precision == "minute":
        first, length, text = at.replace(second=0, microsecond=0), timedelta(minutes=1), "%H:%M"
    elif precision == "second":
        first, length, text = at.replace(microsecond=0), timedelta(seconds=1), "%H:%M:%S"
    else:
        first = at.replace(microsecond=at.microsecond // 1000 * 1000)
        length, text = timedelta(milliseconds=1), f"%H:%M:%S.{at.microsecond // 1000:03}"
    return Written(
        text=first.strftime(f"%Y-%m-%dT{text}") + zone,
        start=first,
        end=first + length,
        offset=shift,
    )


def _zone(shift: timedelta) -> str:
    found = datetime(2024, 1, 1, tzinfo=timezone(shift)).strftime("%z")
    return f"{found[:3]}:{found[3:]}"


@st.composite
def in_records(draw: st.DrawFn) -> tuple[dict[str, Any], Interval, Interval]:
    """Members of an Observation, and the interval they stand for, written and as instants."""
    if draw(st.booleans()):
        one = draw(written())
        return {"effectiveDateTime": one.text}, one.by(instant=False), one.by(instant=True)
    start, end = draw(st.none() | written()), draw(st.none() | written())
    if start is None and end is None:
        start = draw(written())
    if start and end and start.by(instant=True)[0] >= end.by(instant=True)[1]:
        start, end = end, start
    period = {"start": start and start.text, "end": end and end.text}
    spans = [
        (start.by(instant=zoned)[0] if start else FIRST, end.by(instant=zoned)[1] if end else LAST)
        for zoned in (False, True)
    ]
    members = {"effectivePeriod": {name: text for name, text in period.items() if text}}
    return members, spans[0], spans[1]


@given(prefix=st.sampled_from(PREFIXES), value=written(), record=in_records())
def test_date_is_met_exactly_where_r4_says_so(
    prefix: str, value: Written, record: tuple[dict[str, Any], Interval, Interval]
) -> None:
    members, by_clock, by_instant = record
    target = by_instant if value.offset is not None else by_clock
    expected = is_met(prefix, value.by(instant=value.offset is not None), target)
    clause = DateClause.parse("date", prefix + value.text)
    assert clause.matches(searched("Observation", **members)) is expected


# --- Examples a person can check ---


@pytest.mark.parametrize(
    ("asked", "found", "is_met"),
    [
        ("2025-11-03", "2025-11-03T23:30:00-05:00", True),  # as it was written, though UTC is on
        ("2025-11-04", "2025-11-03T23:30:00-05:00", False),
        ("2025-11-03T23:30", "2025-11-03T23:30:00-05:00", True),
        ("2025-11-04T04:30:00Z", "2025-11-03T23:30:00-05:00", True),
        ("2025-11-03T23:30:00Z", "2025-11-03T23:30:00-05:00", False),
        ("le2025-11-03T23:59:59Z", "2025-11-03", True),  # a day counts as UTC against an instant
        ("2025", "2025-06", True),
        ("2025-06", "2025", False),
        ("2025-11-03T09:30:00 01:00", "2025-11-03T09:30:00+01:00", True),  # a plus not escaped
        ("ap2025-11-03", "2025-11-04", True),
        ("ap2025-11-03", "2025-11-05", False),
        ("ap2025-11", "2025-12-24", True),
        ("2016-12-31T23:59:60Z", "2016-12-31T23:59:60Z", True),
        ("9999", "9999-12-31", True),
        ("9999-12-31", "9999-12", False),
        ("2025-11-03T09:30:00.123456789Z", "2025-11-03T09:30:00.123456789Z", True),
        ("2025-11-03T09:30:00.123456788Z", "2025-11-03T09:30:00.123456789Z", False),
        ("2024-01-01,2025-11-03", "2025-11-03", True),
        ("lt2024-01-01,gt2026-01-01", "2025-11-03", False),
    ],
)
def test_date_is_met_when_it_lies_as_asked(asked: str, found: str, is_met: bool) -> None:
    record = searched("Observation", effectiveDateTime=found)
    assert DateClause.parse("date", asked).matches(record) is is_met


@pytest.mark.parametrize("prefix", PREFIXES)
def test_date_is_not_met_by_a_record_without_one(prefix: str) -> None:
    clause = DateClause.parse("date", f"{prefix}2025")
    assert not clause.matches(searched("Observation"))
    assert not clause.matches(searched("Observation", effectiveDateTime="soon"))


@pytest.mark.parametrize("prefix", ["ge", "gt", "sa"])
def test_date_of_a_timing_is_its_outer_limits(prefix: str) -> None:
    timing = {"event": ["2025-03-01", "2025-01-01"], "repeat": {"frequency": 1}}
    record = searched("Observation", effectiveTiming=timing)
    assert DateClause.parse("date", f"{prefix}2024-12-31").matches(record)
    assert DateClause.parse("date", "2025").matches(record)
    assert not DateClause.parse("date", "2025-01").matches(record)


def test_date_of_a_timing_goes_on_when_its_bounds_do() -> None:
    bounds = {"repeat": {"boundsPeriod": {"start": "2025-01-01"}}, "event": ["2024-01-01"]}
    record = searched("Observation", effectiveTiming=bounds)
    assert DateClause.parse("date", "gt9999").matches(record)
    assert not DateClause.parse("date", "lt2024").matches(record)


def test_last_updated_is_when_the_version_was_taken_in() -> None:
    at = datetime(2026, 3, 1, 12, 0, 0, 5, tzinfo=UTC)
    record = searched("Observation", updated=at)
    assert DateClause.parse("_lastUpdated", "2026-03-01").matches(record)
    assert DateClause.parse("_lastUpdated", "2026-03-01T12:00:00.000005Z").matches(record)
    assert DateClause.parse("_lastUpdated", "gt2026-03-01T12:00:00.000004Z").matches(record)
    assert not DateClause.parse("_lastUpdated", "gt2026-03-01T12:00:00.000005Z").matches(record)


@pytest.mark.parametrize(
    "value",
    [
        "soon",
        "eq",
        "25-11-03",
        "2025-13",
        "2025-00",
        "2025-02-29",
        "0000",
        "2025-11-03T24:00",
        "2025-11-03T09",
        "2025-11-03T09:30:61Z",
        "2025-11-03T09:30:00+15:00",
        "2025-11-03 09:30",
        "xx2025",
        "EQ2025",
        "ge ge2025",
        "٢٠٢٥",
        "2025-11-03T09:30:00." + "1" * 41,
        "1; DROP TABLE record_index",
        "2025-11-03\\|",
    ],
)
def test_date_is_refused_when_it_is_none(value: str) -> None:
    with pytest.raises(InvalidRequest, match=r"^date is a date, as 2025, 2025-11"):
        DateClause.parse("date", value)


@given(st.text(max_size=40))
def test_any_text_is_a_range_or_none(text: str) -> None:
    found = range_of(text)
    assert found is None or found.written.start < found.written.end
