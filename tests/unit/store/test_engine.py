"""What holds on either database: whole transactions, one state to read, values that come back."""

from datetime import timedelta, timezone

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, insert, select
from sqlalchemy.exc import IntegrityError, StatementError

from medaccord.core.errors import StoreFailed
from medaccord.store import open_engine, reading, tables, writing
from tests.unit.store.attempts import AT, add_attempt, count_attempts


def test_migrations_give_exactly_the_tables_when_database_is_new(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, tables.metadata) == []


def test_open_keeps_the_rows_when_database_exists(database_url: str, engine: Engine) -> None:
    with writing(engine) as connection:
        add_attempt(connection)
    again = open_engine(database_url)
    assert count_attempts(again) == 1
    again.dispose()


def test_errors_do_not_tell_values_when_a_row_is_there_twice(engine: Engine) -> None:
    row = {"hash": b"hash-told", "account": "account-told", "by": "key-told"} | {
        "purpose": "TREAT",
        "expires_at": AT,
    }
    with pytest.raises(IntegrityError) as caught, writing(engine) as connection:
        connection.execute(insert(tables.token), [row, row])
    assert_tells_nothing(caught.value)


def test_errors_do_not_tell_values_when_a_row_contradicts_itself(engine: Engine) -> None:
    row = {
        **{"relationship": bytes(32), "number": 0, "patient_ref": "patient-told", "at": AT},
        **{"commitment": b"told", "head": b"told", "ciphertext": b"told", "wrapped_key": b"told"},
    }
    with pytest.raises(IntegrityError) as caught, writing(engine) as connection:
        connection.execute(insert(tables.audit_entry).values(**row))
    assert_tells_nothing(caught.value)


def assert_tells_nothing(error: IntegrityError) -> None:
    told = f"{error} {error!r} {error.orig} {error.orig!r}"
    assert "told" not in told
    assert b"told".hex() not in told


def test_writing_leaves_nothing_when_it_raises(engine: Engine) -> None:
    def fail_half_way() -> None:
        with writing(engine) as connection:
            add_attempt(connection)
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        fail_half_way()
    assert count_attempts(engine) == 0


def test_writing_keeps_the_rest_when_a_savepoint_is_undone(engine: Engine) -> None:
    row = {"hash": bytes(32), "account": "0x0", "by": "0x0", "purpose": "TREAT", "expires_at": AT}
    with writing(engine) as connection:
        add_attempt(connection)
        with pytest.raises(IntegrityError), connection.begin_nested():
            connection.execute(insert(tables.token), [row, row])
        add_attempt(connection)
    assert count_attempts(engine) == 2


def test_reading_is_refused_when_it_writes(engine: Engine) -> None:
    with (
        pytest.raises(StoreFailed, match="cannot be written to: it is read-only"),
        reading(engine) as connection,
    ):
        add_attempt(connection)
    assert count_attempts(engine) == 0


def test_writing_is_possible_when_the_connection_was_read_with_before(engine: Engine) -> None:
    for expected in (0, 1):
        assert count_attempts(engine) == expected
        with writing(engine) as connection:
            add_attempt(connection)


def test_instant_comes_back_in_utc_when_stored_in_another_zone(engine: Engine) -> None:
    with writing(engine) as connection:
        add_attempt(connection, AT.astimezone(timezone(timedelta(hours=5))))
    with reading(engine) as connection:
        stored = connection.execute(select(tables.enrolment_attempt.c.at)).scalar_one()
    assert stored == AT
    assert stored.utcoffset() == timedelta(0)


def test_instant_is_refused_when_it_has_no_zone(engine: Engine) -> None:
    with pytest.raises(StatementError, match="without a time zone"), writing(engine) as connection:
        add_attempt(connection, AT.replace(tzinfo=None))


def test_bytes_come_back_as_bytes_when_stored(engine: Engine) -> None:
    every = bytes(range(256))
    row = {"hash": bytes(32), "account": "0x0", "document": every, "published_at": AT}
    with writing(engine) as connection:
        connection.execute(insert(tables.directory_profile).values(**row))
    with reading(engine) as connection:
        stored = connection.execute(select(tables.directory_profile.c.document)).scalar_one()
    assert type(stored) is bytes
    assert stored == every


def test_anchored_batch_is_refused_when_its_block_is_missing(engine: Engine) -> None:
    values = {
        "patient_ref": "0" * 64,
        "topic": bytes(32),
        "root": bytes(32),
        "leaves": bytes(32),
        "prepared_at": AT,
        "anchored_at": AT,
    }
    with pytest.raises(IntegrityError, match="anchored_whole"), writing(engine) as connection:
        connection.execute(insert(tables.batch).values(**values))


def test_event_is_refused_when_its_block_is_unknown(engine: Engine) -> None:
    values = {"block_number": 1, "log_index": 0, "transaction_hash": bytes(32), "kind": "x"}
    with pytest.raises(IntegrityError, match=r"(?i)foreign key"), writing(engine) as connection:
        connection.execute(insert(tables.ledger_event).values(**values, fields="{}"))
