"""What is offered for gas, and how much more the next time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medaccord.chain.fees import FeeMarket, Fees

GWEI = 10**9
CAP = 10**15


def fees(max_fee: int, max_priority_fee: int) -> Fees:
    return Fees(max_fee=max_fee, max_priority_fee=max_priority_fee)


@given(
    max_fee=st.integers(0, 10**12),
    share=st.floats(0, 1),
    base_fee=st.integers(0, 10**12),
    tip=st.integers(0, 10**12),
)
def test_raised_offer_is_an_eighth_more_on_both_and_suits_the_market(
    max_fee: int, share: float, base_fee: int, tip: int
) -> None:
    before = fees(max_fee, min(max_fee, int(max_fee * share)))
    market = FeeMarket(base_fee=base_fee, max_priority_fee=tip)
    after = before.raised(market.offer(cap=CAP), cap=CAP)
    assert after is not None
    for old, new in (
        (before.max_fee, after.max_fee),
        (before.max_priority_fee, after.max_priority_fee),
    ):
        assert new > old
        assert new * 8 >= old * 9
    assert market.takes(after)


@pytest.mark.parametrize(("cap", "raised"), [(900, True), (899, False)])
def test_offer_is_raised_up_to_the_cap_and_no_further(cap: int, raised: bool) -> None:
    after = fees(800, 80).raised(fees(0, 0), cap=cap)
    assert after == (fees(900, 90) if raised else None)


def test_offer_bears_that_the_base_fee_doubles() -> None:
    market = FeeMarket(base_fee=7 * GWEI, max_priority_fee=GWEI)
    assert market.offer(cap=CAP) == fees(15 * GWEI, GWEI)


def test_offer_stays_below_the_cap() -> None:
    market = FeeMarket(base_fee=7 * GWEI, max_priority_fee=GWEI)
    assert market.offer(cap=GWEI // 2) == fees(GWEI // 2, GWEI // 2)


@pytest.mark.parametrize(
    ("offered", "taken"),
    [
        (fees(8 * GWEI, GWEI), True),
        (fees(8 * GWEI - 1, GWEI), False),
        (fees(9 * GWEI, GWEI - 1), False),
    ],
)
def test_market_takes_what_pays_base_fee_and_tip(offered: Fees, taken: bool) -> None:
    assert FeeMarket(base_fee=7 * GWEI, max_priority_fee=GWEI).takes(offered) is taken


def test_market_is_above_an_offer_that_it_seemed_to_take() -> None:
    market = FeeMarket(base_fee=GWEI, max_priority_fee=GWEI)
    assert market.above(fees(3 * GWEI, GWEI)).offer(cap=CAP) == fees(7 * GWEI, GWEI)


def test_market_stays_as_it_is_above_an_offer_that_it_does_not_take() -> None:
    market = FeeMarket(base_fee=7 * GWEI, max_priority_fee=GWEI)
    assert market.above(fees(3 * GWEI, GWEI)) == market
