"""Buckets: full at first, filled at a pace, one an account."""

import pytest

from medaccord.core.identifiers import address
from medaccord.gatekeeper.allowance import Allowance
from medaccord.gatekeeper.errors import TooManyRequests

CLINICIAN, STRANGER = address("0x" + "b2" * 20), address("0x" + "e1" * 20)


class Stopwatch:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def stopwatch() -> Stopwatch:
    return Stopwatch()


@pytest.fixture
def allowance(stopwatch: Stopwatch) -> Allowance:
    return Allowance(per_second=2, at_once=10, stopwatch=stopwatch)


def test_take_is_refused_when_the_bucket_is_empty_until_it_holds_enough(
    allowance: Allowance, stopwatch: Stopwatch
) -> None:
    for _ in range(5):
        allowance.take(CLINICIAN, 2)
    with pytest.raises(TooManyRequests) as refused:
        allowance.take(CLINICIAN, 5)
    assert refused.value.retry_after == 3
    stopwatch.seconds = 2.5
    allowance.take(CLINICIAN, 5)


def test_take_takes_nothing_when_it_is_refused(allowance: Allowance, stopwatch: Stopwatch) -> None:
    allowance.take(CLINICIAN, 8)
    with pytest.raises(TooManyRequests):
        allowance.take(CLINICIAN, 3)
    allowance.take(CLINICIAN, 2)


def test_bucket_holds_no_more_than_it_may_however_long_nobody_took(
    allowance: Allowance, stopwatch: Stopwatch
) -> None:
    stopwatch.seconds = 1e6
    allowance.take(CLINICIAN, 10)
    with pytest.raises(TooManyRequests):
        allowance.take(CLINICIAN, 1)


def test_bucket_is_of_one_account(allowance: Allowance) -> None:
    allowance.take(CLINICIAN, 10)
    allowance.take(STRANGER, 10)
