"""Consistency tokens have one text each, and nothing else is read as one."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medaccord.core.blocks import BlockRef
from medaccord.core.consistency import ConsistencyToken
from medaccord.core.errors import InvalidRequest
from medaccord.core.identifiers import digest

HASH = digest(b"\xab" * 32)
TEXT = "31337:17:0x" + "ab" * 32


def test_token_is_written_as_chain_number_and_hash() -> None:
    assert str(ConsistencyToken(chain_id=31337, number=17, hash=HASH)) == TEXT


def test_token_of_a_block_names_it() -> None:
    block = BlockRef(
        chain_id=31337, number=17, hash=HASH, timestamp=datetime(2026, 3, 1, tzinfo=UTC)
    )
    assert str(ConsistencyToken.of(block)) == TEXT


@given(
    chain_id=st.integers(1, 10**32 - 1),
    number=st.integers(0, 10**19 - 1),
    hashed=st.binary(min_size=32, max_size=32),
)
def test_token_is_read_as_it_was_written(chain_id: int, number: int, hashed: bytes) -> None:
    token = ConsistencyToken(chain_id=chain_id, number=number, hash=digest(hashed))
    assert ConsistencyToken.parse(str(token)) == token


@given(text=st.text(alphabet="0123456789abcxABC: \n-+٣", max_size=90) | st.just(TEXT.upper()))
def test_text_is_refused_or_is_the_one_text_of_its_token(text: str) -> None:
    try:
        token = ConsistencyToken.parse(text)
    except InvalidRequest:
        return
    assert str(token) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "31337:17",
        "0:17:0x" + "ab" * 32,
        "31337:017:0x" + "ab" * 32,
        "31337:-1:0x" + "ab" * 32,
        "31337:17:" + "ab" * 32,
        "31337:17:0x" + "AB" * 32,
        "31337:17:0x" + "ab" * 31,
        TEXT + "\n",
        " " + TEXT,
    ],
)
def test_text_is_refused_when_it_is_no_token(text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        ConsistencyToken.parse(text)
    assert caught.value.problem == (
        "not a consistency token (<chain id>:<block number>:<0x and 64 hex digits>): " + repr(text)
    )


@pytest.mark.parametrize(("chain_id", "number"), [(0, 0), (1, -1), (1, 10**19)])
def test_token_is_refused_when_a_number_is_out_of_range(chain_id: int, number: int) -> None:
    with pytest.raises(InvalidRequest):
        ConsistencyToken(chain_id=chain_id, number=number, hash=HASH)
