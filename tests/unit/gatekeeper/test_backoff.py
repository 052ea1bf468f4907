"""How long somebody who failed is left alone."""

from __future__ import annotations

from datetime import timedelta

import pytest

from medaccord.gatekeeper.backoff import Backoff

SECOND = timedelta(seconds=1)
BACKOFF = Backoff(first=4 * SECOND, longest=60 * SECOND, tries=100)


@pytest.mark.parametrize(
    ("failures", "seconds"), [(1, 4), (2, 8), (3, 16), (4, 32), (5, 60), (6, 60), (99, 60)]
)
def test_wait_doubles_up_to_the_longest_when_failures_follow_each_other(
    failures: int, seconds: int
) -> None:
    assert BACKOFF.after(failures, chance=lambda: 1.0) == seconds * SECOND


def test_wait_is_at_least_half_when_chance_is_least() -> None:
    assert BACKOFF.after(2, chance=lambda: 0.0) == 4 * SECOND


def test_waits_differ_when_many_fail_together() -> None:
    waits = {BACKOFF.after(1) for _ in range(100)}
    assert len(waits) > 1
    assert all(wait is not None and 2 * SECOND <= wait <= 4 * SECOND for wait in waits)


def test_nothing_is_waited_for_when_it_is_given_up() -> None:
    assert BACKOFF.after(100) is None
