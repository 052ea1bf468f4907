"""What an outbox promises, the same of the one in memory and of the one in a database."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from medaccord.chain.outbox import MemoryOutbox, Outbox
from medaccord.core.errors import StoreFailed
from medaccord.core.identifiers import address, digest
from medaccord.core.outgoing import Attempt, Outgoing, SendingKey
from medaccord.store import open_engine
from medaccord.store.outgoing import DatabaseOutbox

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEY = SendingKey(genesis_hash=digest(b"\x01" * 32), address=address("0x" + "11" * 20))
OTHER_KEY = SendingKey(genesis_hash=KEY.genesis_hash, address=address("0x" + "22" * 20))
OTHER_CHAIN = SendingKey(genesis_hash=digest(b"\x02" * 32), address=KEY.address)


@contextmanager
def in_database(url: str) -> Iterator[DatabaseOutbox]:
    engine = open_engine(url)
    try:
        yield DatabaseOutbox(engine)
    finally:
        engine.dispose()


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def outbox(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Outbox]:
    if request.param == "memory":
        yield MemoryOutbox()
    elif request.param == "sqlite":
        with in_database(f"sqlite:///{tmp_path / 'outbox.db'}") as outbox:
            yield outbox
    else:
        databases = request.getfixturevalue("postgresql")
        with databases.database() as url, in_database(url) as outbox:
            yield outbox


def attempt(number: int, *, fee: int = 100) -> Attempt:
    return Attempt(
        hash=digest(number.to_bytes(32, "big")),
        raw=b"\x02" + bytes([number]),
        max_fee=fee,
        max_priority_fee=fee // 2,
        sent_at=AT,
    )


def record(
    outbox: Outbox, nonce: int, *, key: SendingKey = KEY, purpose: str | None = None
) -> Outgoing:
    number = nonce + 1 + (64 if key is OTHER_KEY else 128 if key is OTHER_CHAIN else 0)
    return outbox.record(key, nonce=nonce, purpose=purpose, document="{}", attempt=attempt(number))


def test_transaction_is_found_as_it_was_recorded(outbox: Outbox) -> None:
    made = record(outbox, 7, purpose="batch:1")
    assert made == Outgoing(
        id=made.id,
        key=KEY,
        nonce=7,
        purpose="batch:1",
        document="{}",
        attempts=(attempt(8),),
        settled_at=None,
    )
    assert outbox.find(made.id) == made


def test_unsettled_are_told_by_nonce_and_of_one_key(outbox: Outbox) -> None:
    late, early = record(outbox, 2), record(outbox, 1)
    record(outbox, 1, key=OTHER_KEY)
    record(outbox, 1, key=OTHER_CHAIN)
    assert list(outbox.unsettled(KEY)) == [early, late]


def test_highest_nonce_is_of_what_is_under_way(outbox: Outbox) -> None:
    assert outbox.highest_nonce(KEY) is None
    record(outbox, 3)
    last = record(outbox, 4)
    record(outbox, 9, key=OTHER_KEY)
    assert outbox.highest_nonce(KEY) == 4
    outbox.settle(last.id, at=AT)
    assert outbox.highest_nonce(KEY) == 3


def test_purpose_is_under_way_until_it_is_settled(outbox: Outbox) -> None:
    made = record(outbox, 1, purpose="batch:1")
    record(outbox, 2)
    assert outbox.under_way(KEY, "batch:1") == made
    assert outbox.under_way(KEY, "batch:2") is None
    assert outbox.under_way(OTHER_KEY, "batch:1") is None
    outbox.settle(made.id, at=AT)
    assert outbox.under_way(KEY, "batch:1") is None


def test_attempts_are_told_the_dearest_last(outbox: Outbox) -> None:
    made = record(outbox, 1)
    first, second = attempt(50, fee=1000), attempt(51, fee=10**30)
    outbox.add_attempt(made.id, first)
    assert outbox.add_attempt(made.id, second).attempts == (attempt(2), first, second)
    found = outbox.find(made.id)
    assert found is not None
    assert found.attempts == (attempt(2), first, second)


def test_renumbered_transaction_forgets_its_attempts(outbox: Outbox) -> None:
    made = record(outbox, 1, purpose="batch:1")
    fresh = attempt(50)
    moved = outbox.renumber(made.id, nonce=5, attempt=fresh)
    assert (moved.id, moved.nonce, moved.attempts) == (made.id, 5, (fresh,))
    assert outbox.under_way(KEY, "batch:1") == moved
    assert outbox.highest_nonce(KEY) == 5


def test_settled_transaction_is_found_still(outbox: Outbox) -> None:
    made = record(outbox, 1)
    outbox.settle(made.id, at=AT)
    outbox.settle(made.id, at=AT + timedelta(hours=1))
    found = outbox.find(made.id)
    assert found is not None
    assert found.settled_at == AT
    assert list(outbox.unsettled(KEY)) == []


def test_settled_transaction_makes_room_when_the_chain_took_it_back(outbox: Outbox) -> None:
    made = record(outbox, 1)
    outbox.settle(made.id, at=AT)
    again = outbox.record(KEY, nonce=1, purpose=None, document="{}", attempt=attempt(50))
    assert list(outbox.unsettled(KEY)) == [again]


def test_settled_transaction_is_under_way_again_when_it_is_reopened(outbox: Outbox) -> None:
    made = record(outbox, 1, purpose="batch:1")
    record(outbox, 1, key=OTHER_KEY)
    outbox.settle(made.id, at=AT)
    assert outbox.reopen(KEY, 1) == made
    assert list(outbox.unsettled(KEY)) == [made]
    assert outbox.reopen(KEY, 2) is None


def test_nonce_is_refused_when_it_is_under_way(outbox: Outbox) -> None:
    made = record(outbox, 1)
    with pytest.raises(StoreFailed, match=f"nonce 1 of {KEY.address} was recorded by another"):
        outbox.record(KEY, nonce=1, purpose=None, document="{}", attempt=attempt(50))
    assert list(outbox.unsettled(KEY)) == [made]


def test_withdrawn_transaction_leaves_nothing(outbox: Outbox) -> None:
    made = record(outbox, 1, purpose="batch:1")
    outbox.withdraw(made.id)
    assert outbox.find(made.id) is None
    assert outbox.highest_nonce(KEY) is None
    assert record(outbox, 1, purpose="batch:1").nonce == 1


def test_key_is_held_by_one_at_a_time(outbox: Outbox) -> None:
    def take(_: int) -> int:
        with outbox.exclusive(KEY):
            highest = outbox.highest_nonce(KEY)
            nonce = 0 if highest is None else highest + 1
            return record(outbox, nonce).nonce

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(take, range(12))) == list(range(12))


def test_settled_transactions_are_forgotten_after_a_week(tmp_path: Path) -> None:
    with in_database(f"sqlite:///{tmp_path / 'outbox.db'}") as outbox:
        first, second = record(outbox, 1), record(outbox, 2)
        outbox.settle(first.id, at=AT)
        outbox.settle(second.id, at=AT + timedelta(days=7))
        assert outbox.find(first.id) is not None
        third = record(outbox, 3)
        outbox.settle(third.id, at=AT + timedelta(days=7, seconds=1))
        assert outbox.find(first.id) is None
        assert outbox.find(second.id) is not None


def test_settled_transaction_is_kept_when_the_clock_of_another_chain_is_ahead(
    outbox: Outbox,
) -> None:
    here, there = record(outbox, 0), record(outbox, 0, key=OTHER_CHAIN)
    outbox.settle(here.id, at=AT)
    outbox.settle(there.id, at=AT + timedelta(days=365))
    assert outbox.find(here.id) is not None


def test_memory_is_bounded_when_much_was_settled() -> None:
    outbox = MemoryOutbox()
    made = [record(outbox, 0)]
    for nonce in range(1, 1001):
        made.append(
            outbox.record(
                KEY, nonce=nonce, purpose=None, document="{}", attempt=made[0].attempts[0]
            )
        )
    for each in made:
        outbox.settle(each.id, at=AT)
    assert outbox.find(made[0].id) is None
    assert outbox.find(made[1].id) is not None


def test_transactions_are_there_when_the_database_is_opened_again(database_url: str) -> None:
    with in_database(database_url) as outbox:
        made = record(outbox, 1, purpose="batch:1")
    with in_database(database_url) as outbox:
        assert list(outbox.unsettled(KEY)) == [made]
