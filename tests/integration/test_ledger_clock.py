"""A clock that is set back or forward makes no stale ledger fresh."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine

from medaccord.chain import Network
from medaccord.core.decision import check_freshness
from medaccord.core.errors import AccessRefused
from medaccord.core.facts import Bounds
from medaccord.core.refusals import Refusal
from medaccord.ledger import Ledger
from tests.integration.conftest import Setting

MINUTE = timedelta(minutes=1)
BOUNDS = Bounds(
    max_node_silence=MINUTE,
    max_blocks_behind=0,
    max_clock_skew=timedelta(hours=1),
    max_head_age=None,
)


@dataclass(slots=True)
class Time:
    """What really passes, and what the clock says of it."""

    start: datetime
    passed: timedelta = field(default=timedelta())
    wrong: timedelta = field(default=timedelta())

    def clock(self) -> datetime:
        return self.start + self.passed + self.wrong

    def stopwatch(self) -> float:
        return self.passed.total_seconds()


@pytest.fixture
def time(setting: Setting) -> Time:
    return Time(setting.network.clock())


@pytest.fixture
def ledger(setting: Setting, time: Time, engine: Engine) -> Ledger:
    network = Network(setting.network.web3, clock=time.clock, stopwatch=time.stopwatch)
    ledger = Ledger(network, setting.contracts, engine)
    ledger.sync()
    return ledger


def refusal(ledger: Ledger, time: Time) -> Refusal | None:
    try:
        check_freshness(ledger.freshness(), now=time.clock(), bounds=BOUNDS)
    except AccessRefused as refused:
        return refused.reason
    return None


def asks(ledger: Ledger, setting: Setting, older_than: timedelta) -> bool:
    """Whether refreshing asks the node."""
    setting.chain.mine()
    ledger.refresh(older_than=older_than)
    return ledger.tip == setting.network.head()


@pytest.mark.parametrize(
    ("back", "expected"),
    [
        (timedelta(), None),
        (timedelta(seconds=30), None),
        (timedelta(hours=1), None),
        (timedelta(hours=1, seconds=1), Refusal.CLOCKS_APART),
    ],
)
def test_answer_of_a_moment_ago_is_fresh_until_the_clock_is_set_back_beyond_the_bound(
    ledger: Ledger, time: Time, back: timedelta, expected: Refusal | None
) -> None:
    time.wrong = -back
    assert refusal(ledger, time) is expected


@pytest.mark.parametrize("back", [timedelta(), 2 * MINUTE, 10 * MINUTE, timedelta(minutes=59)])
def test_old_answer_is_stale_however_far_the_clock_was_set_back(
    ledger: Ledger, time: Time, back: timedelta
) -> None:
    time.passed = MINUTE
    time.wrong = -back
    assert refusal(ledger, time) is None
    time.passed += timedelta(seconds=1)
    assert refusal(ledger, time) is Refusal.CHAIN_UNREACHABLE


def test_answer_is_stale_when_the_clock_was_set_forward(ledger: Ledger, time: Time) -> None:
    time.wrong = MINUTE + timedelta(seconds=1)
    assert refusal(ledger, time) is Refusal.CHAIN_UNREACHABLE


@pytest.mark.parametrize("back", [timedelta(seconds=1), timedelta(hours=2), timedelta(days=400)])
def test_refresh_asks_the_node_when_its_answer_is_of_a_time_to_come(
    ledger: Ledger, setting: Setting, time: Time, back: timedelta
) -> None:
    time.wrong = -back
    assert asks(ledger, setting, MINUTE)
    assert ledger.freshness().answered_at == time.clock()


def test_refresh_asks_the_node_when_time_passed_that_the_clock_does_not_tell(
    ledger: Ledger, setting: Setting, time: Time
) -> None:
    time.passed, time.wrong = MINUTE, -MINUTE
    assert asks(ledger, setting, MINUTE)


def test_refresh_asks_nothing_when_the_node_answered_a_moment_ago(
    ledger: Ledger, setting: Setting, time: Time
) -> None:
    time.passed = timedelta(seconds=59)
    assert not asks(ledger, setting, MINUTE)
    time.passed = MINUTE
    assert asks(ledger, setting, MINUTE)
