"""What is asked for of everything: types, days of care, and when the steward took it in."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime

import pytest

from medaccord.core.descriptor import Descriptor
from medaccord.core.errors import InvalidRequest
from medaccord.core.periods import DatePeriod
from medaccord.fhir.everything import EverythingQuery
from medaccord.fhir.resource import DIRECTORY_TYPES
from medaccord.fhir.search_values import SearchValues

TAKEN_IN = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A record as an index has it."""

    descriptor: Descriptor
    updated: datetime = TAKEN_IN
    values: SearchValues = field(default_factory=lambda: SearchValues({}))
    references: frozenset[str] = frozenset()


def entry(start: date | None, end: date | None, *, dated: bool = True) -> Entry:
    days = DatePeriod(start=start, end=end) if dated else None
    return Entry(descriptor=Descriptor(resource_type="Condition", record="Condition/1", date=days))


UNDATED = entry(None, None, dated=False)
MARCH = entry(date(2026, 3, 1), date(2026, 3, 31))


@pytest.mark.parametrize(
    ("parameters", "wanted"),
    [
        ({}, True),
        ({"start": "2026-03-31"}, True),
        ({"start": "2026-04-01"}, False),
        ({"start": "2026-04"}, False),
        ({"start": "2026"}, True),
        ({"end": "2026-03-01"}, True),
        ({"end": "2026-02-28"}, False),
        ({"end": "2026-02"}, False),
        ({"end": "2026-03"}, True),
        ({"start": "2026-03-10", "end": "2026-03-10"}, True),
        ({"_type": "Condition"}, True),
        ({"_type": "Patient,Condition"}, True),
        ({"_type": "Patient"}, False),
        ({"_since": "2026-03-01T12:00:00Z"}, True),
        ({"_since": "2026-03-01T12:00:01Z"}, False),
        ({"_since": "2026-03-01T13:00:00+01:00"}, True),
        ({"_since": "2026-03-01T13:00:00 01:00"}, True),
    ],
)
def test_record_is_wanted_exactly_when_it_lies_inside(
    parameters: dict[str, str], wanted: bool
) -> None:
    assert EverythingQuery.parse(parameters.items()).matches(MARCH) is wanted


@pytest.mark.parametrize("parameters", [{"start": "2030"}, {"end": "1990"}])
def test_record_is_wanted_whatever_the_days_when_it_tells_none(parameters: dict[str, str]) -> None:
    assert EverythingQuery.parse(parameters.items()).matches(UNDATED)


@pytest.mark.parametrize(
    ("days", "parameters", "wanted"),
    [
        ((date(2020, 1, 1), None), {"start": "2030"}, True),
        ((date(2020, 1, 1), None), {"end": "2019"}, False),
        ((None, date(2020, 1, 1)), {"end": "1990"}, True),
        ((None, date(2020, 1, 1)), {"start": "2020-01-02"}, False),
    ],
)
def test_open_side_of_a_period_goes_on_for_ever(
    days: tuple[date | None, date | None], parameters: dict[str, str], wanted: bool
) -> None:
    assert EverythingQuery.parse(parameters.items()).matches(entry(*days)) is wanted


def test_parameters_read_again_ask_for_the_same() -> None:
    pairs = [("_type", "Observation"), ("_type", "Condition"), ("start", "2025"), ("_count", "500")]
    query = EverythingQuery.parse(pairs)
    assert query.pairs() == (
        ("start", "2025"),
        ("_type", "Condition,Observation"),
        ("_count", "200"),
    )
    assert EverythingQuery.parse(query.pairs()) == query


def test_all_of_a_patients_types_are_decided_when_none_is_named() -> None:
    decided = EverythingQuery.parse([]).decided
    assert {"Patient", "Observation"} <= set(decided)
    assert DIRECTORY_TYPES.isdisjoint(decided)


@pytest.mark.parametrize(
    "pairs",
    [
        [("code", "1")],
        [("start", "2025"), ("start", "2026")],
        [("start", "2026-03-01T12:00:00Z")],
        [("end", "2026-13")],
        [("start", "2026-02"), ("end", "2026-01")],
        [("_since", "yesterday")],
        [("_type", "Spell")],
        [("_type", "")],
        [("_count", "0")],
        [("_count", "-1")],
        [("_count", "٣")],
    ],
)
def test_parameters_are_refused_when_they_make_no_sense(pairs: list[tuple[str, str]]) -> None:
    with pytest.raises(InvalidRequest):
        EverythingQuery.parse(pairs)
