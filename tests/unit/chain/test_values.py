"""Values of the contracts in Python."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medaccord.chain.values import FOREVER, from_abi, moment, seconds, snake_case
from medaccord.core.errors import InvalidInput


@pytest.mark.parametrize(
    ("name", "expected"),
    [("by", "by"), ("validFrom", "valid_from"), ("newController", "new_controller")],
)
def test_name_is_in_snake_case(name: str, expected: str) -> None:
    assert snake_case(name) == expected


def test_address_is_checksummed() -> None:
    lower = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"
    assert from_abi("address", lower) == "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"


@given(st.integers(0, 253_402_300_799))
def test_time_is_read_back_the_same(unix: int) -> None:
    assert seconds(moment(unix)) == unix


def test_fractions_of_a_second_are_cut_off() -> None:
    assert seconds(datetime(1970, 1, 1, 0, 0, 1, 999_999, UTC)) == 1


def test_time_counts_in_its_own_zone() -> None:
    assert seconds(datetime(1970, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))) == 0


@pytest.mark.parametrize("unix", [253_402_300_800, 2**40 - 1])
def test_time_beyond_the_calendar_is_for_ever(unix: int) -> None:
    assert moment(unix) == FOREVER


def test_for_ever_is_the_last_second() -> None:
    assert seconds(FOREVER) == 2**40 - 1


def test_time_is_refused_when_it_has_no_zone() -> None:
    with pytest.raises(InvalidInput, match="timezone"):
        seconds(datetime(2026, 1, 1))


def test_time_is_refused_when_before_1970() -> None:
    with pytest.raises(InvalidInput, match="before 1970"):
        seconds(datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC))
