"""A transaction that reads, within another one: whatever an answer says is of one state."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from sqlalchemy import Connection, Engine, func, insert, select

from medaccord.store import open_engine, reading, writing
from medaccord.store.tables import audit_anchor


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = open_engine(database_url)
    yield made
    made.dispose()


def _write(engine: Engine) -> None:
    row = {"topic": bytes(32), "root": bytes(32), "prepared_at": datetime.now(UTC)}
    with writing(engine) as connection:
        connection.execute(insert(audit_anchor).values(row))


def _rows(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(audit_anchor)).scalar_one()


def _rows_now(engine: Engine) -> int:
    with reading(engine) as connection:
        return _rows(connection)


def test_inner_transaction_sees_the_state_of_the_outer_one_when_another_wrote_meanwhile(
    engine: Engine,
) -> None:
    with reading(engine) as outer:
        assert _rows(outer) == 0
        _write(engine)
        with reading(engine) as inner:
            assert inner is outer
            assert _rows(inner) == 0
        assert _rows(outer) == 0  # it did not end with the inner one
    assert _rows_now(engine) == 1


def test_next_transaction_sees_what_was_written_when_the_outer_one_failed(engine: Engine) -> None:
    def fail() -> None:
        with reading(engine) as outer:
            assert _rows(outer) == 0
            _write(engine)
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    assert _rows_now(engine) == 1


def test_other_thread_has_a_transaction_of_its_own_when_this_one_reads(engine: Engine) -> None:
    with reading(engine) as outer, ThreadPoolExecutor(1) as other:
        assert _rows(outer) == 0
        _write(engine)
        assert other.submit(_rows_now, engine).result() == 1
