"""Which lines a filter shows, and how counted refusals are said and understood again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from medaccord.core.audit import AuditEntry, relationship_key
from medaccord.core.errors import InvalidDocument, InvalidRequest
from medaccord.core.identifiers import address, digest
from medaccord.core.log_filter import LogFilter
from medaccord.core.refusal_count import COUNTED, RefusalCount, refusals_in

CLINIC = address("0x" + 39 * "0" + "3")
OTHER = address("0x" + 39 * "0" + "4")
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)
LINE = AuditEntry(
    number=1,
    relationship=relationship_key(OTHER, CLINIC),
    at=AT,
    requester=CLINIC,
    by=None,
    action="read",
    query="Observation/1 for TREAT",
    outcome="released",
    reason="TREAT",
    basis="consent",
    consent=None,
    records=("Observation/1/3", "Observation/12/1"),
    block=None,
    salt=digest(b"\x06" * 32),
)


@pytest.mark.parametrize(
    ("named", "fits"),
    [
        ({}, True),
        ({"since": AT}, True),
        ({"since": AT + MOMENT}, False),
        ({"until": AT}, False),
        ({"until": AT + MOMENT}, True),
        ({"requester": CLINIC}, True),
        ({"requester": OTHER}, False),
        ({"action": "read"}, True),
        ({"action": "rea"}, False),
        ({"outcome": "released"}, True),
        ({"outcome": "refused"}, False),
        ({"reason": "TREAT"}, True),
        ({"reason": "BTG"}, False),
        ({"record": "Observation/1"}, True),
        ({"record": "Observation/1/3"}, True),
        ({"record": "Observation/1/2"}, False),
        ({"record": "Observation"}, False),
        ({"action": "read", "reason": "BTG"}, False),
    ],
)
def test_filter_fits_a_line_when_all_that_is_named_does(named: dict[str, Any], fits: bool) -> None:
    assert LogFilter(**named).matches(LINE) is fits


def test_filter_of_a_requester_fits_no_line_of_nobody() -> None:
    assert not LogFilter(requester=CLINIC).matches(replace(LINE, requester=None))


def test_filter_says_what_is_named_and_nothing_else() -> None:
    named = LogFilter(since=AT, requester=CLINIC, outcome="done")
    assert dict(named.pairs()) == {
        "since": "2026-03-01T12:00:00.000000Z",
        "requester": CLINIC,
        "outcome": "done",
    }


@pytest.mark.parametrize(
    "named", [{"since": AT.replace(tzinfo=None)}, {"until": AT.replace(tzinfo=None)}]
)
def test_filter_is_refused_when_a_time_has_no_zone(named: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match="needs a time zone"):
        LogFilter(**named)


def test_filter_is_refused_when_there_is_no_such_outcome() -> None:
    with pytest.raises(InvalidRequest, match="an outcome is one of released, refused, done"):
        LogFilter(outcome="perhaps")


# --- Counted refusals ---


def test_count_is_the_same_when_it_is_said_and_understood_again() -> None:
    count = RefusalCount(count=17, since=AT, last=AT + MOMENT)
    assert RefusalCount.parse(count.query) == count


@pytest.mark.parametrize(
    "query",
    [
        "",
        "0 refusals from 2026-03-01T12:00:00.000000Z to 2026-03-01T12:00:00.000000Z",
        "5 refusals from yesterday to 2026-03-01T12:00:00.000000Z",
        "5 refusals from 2026-03-01T12:00:00.000000Z",
        "Observation?code=5",
    ],
)
def test_count_is_refused_when_a_query_says_something_else(query: str) -> None:
    with pytest.raises(InvalidDocument):
        RefusalCount.parse(query)


@pytest.mark.parametrize(
    ("changes", "stands_for"),
    [
        ({}, 0),
        ({"outcome": "done"}, 0),
        ({"outcome": "refused"}, 1),
        (
            {
                "outcome": "refused",
                "action": COUNTED,
                "query": RefusalCount(count=17, since=AT, last=AT).query,
            },
            17,
        ),
    ],
)
def test_line_stands_for_as_many_refusals_as_it_says(
    changes: dict[str, Any], stands_for: int
) -> None:
    assert refusals_in(replace(LINE, **changes)) == stands_for
