"""The engine: durable settings, whole transactions, migrations that give the tables."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from stat import S_IMODE
from threading import Event, Thread

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, Engine, func, insert, select
from sqlalchemy.exc import IntegrityError, StatementError

from medaccord.core.errors import InvalidInput
from medaccord.store import open_engine, reading, tables, writing

AT = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'store.db'}"


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    engine = open_engine(url)
    yield engine
    engine.dispose()


def add_attempt(connection: Connection, at: datetime = AT) -> None:
    connection.execute(insert(tables.enrolment_attempt).values(account="0x" + "0" * 40, at=at))


def count_attempts(engine: Engine) -> int:
    with reading(engine) as connection:
        query = select(func.count()).select_from(tables.enrolment_attempt)
        return connection.execute(query).scalar_one()


def test_migrations_give_exactly_the_tables_when_database_is_new(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, tables.metadata) == []


def test_open_keeps_the_rows_when_database_exists(url: str, engine: Engine) -> None:
    with writing(engine) as connection:
        add_attempt(connection)
    again = open_engine(url)
    assert count_attempts(again) == 1
    again.dispose()


@pytest.mark.parametrize(
    ("pragma", "value"),
    [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("secure_delete", 1)],
)
def test_connection_flushes_and_overwrites_when_opened(
    engine: Engine, pragma: str, value: object
) -> None:
    with engine.connect() as connection:
        assert connection.exec_driver_sql(f"PRAGMA {pragma}").scalar_one() == value


def test_file_is_readable_by_its_owner_alone_when_made(tmp_path: Path, engine: Engine) -> None:
    modes = {path.name: S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes["store.db"] == 0o600
    assert set(modes.values()) == {0o600}


def test_file_is_closed_to_others_when_it_was_open_to_them(tmp_path: Path, url: str) -> None:
    (tmp_path / "store.db").touch(mode=0o644)
    open_engine(url).dispose()
    assert S_IMODE((tmp_path / "store.db").stat().st_mode) == 0o600


def test_errors_do_not_tell_values_when_a_statement_fails(engine: Engine) -> None:
    row = {"hash": bytes(32), "account": "account-told", "by": "key-told", "expires_at": AT}
    with pytest.raises(IntegrityError) as caught, writing(engine) as connection:
        connection.execute(insert(tables.token), [row, row])
    assert "told" not in str(caught.value)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_open_refuses_a_database_when_it_is_in_memory(url: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        open_engine(url)
    assert caught.value.problem == "a database in memory keeps no audit log: name a file"


def test_open_refuses_a_url_when_it_is_malformed() -> None:
    with pytest.raises(InvalidInput) as caught:
        open_engine("records.db")
    assert "'records.db'" in caught.value.problem


def test_writing_leaves_nothing_when_it_raises(engine: Engine) -> None:
    def fail_half_way() -> None:
        with writing(engine) as connection:
            add_attempt(connection)
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        fail_half_way()
    assert count_attempts(engine) == 0


def test_reading_changes_nothing_when_it_writes_all_the_same(engine: Engine) -> None:
    with reading(engine) as connection:
        add_attempt(connection)
    assert count_attempts(engine) == 0


def test_writing_waits_for_another_writer_when_one_is_at_work(engine: Engine) -> None:
    seen: list[int] = []
    begun = Event()

    def second() -> None:
        begun.set()
        with writing(engine) as connection:
            query = select(func.count()).select_from(tables.enrolment_attempt)
            seen.append(connection.execute(query).scalar_one())
            add_attempt(connection)

    with writing(engine) as connection:
        thread = Thread(target=second)
        thread.start()
        assert begun.wait(5)
        add_attempt(connection)
    thread.join(10)
    assert seen == [1]
    assert count_attempts(engine) == 2


def test_reading_sees_one_state_when_another_writes_meanwhile(engine: Engine) -> None:
    query = select(func.count()).select_from(tables.enrolment_attempt)
    with reading(engine) as reader:
        assert reader.execute(query).scalar_one() == 0
        with writing(engine) as writer:
            add_attempt(writer)
        assert reader.execute(query).scalar_one() == 0


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
    with pytest.raises(IntegrityError, match="FOREIGN KEY"), writing(engine) as connection:
        connection.execute(insert(tables.ledger_event).values(**values, fields="{}"))
