"""PostgreSQL: our promises hold whatever a server's own settings are."""

from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import Engine, insert, select

from medaccord.store import open_engine, reading, tables, writing
from tests.databases import Databases
from tests.unit.store.attempts import AT, add_attempt, count_attempts


@pytest.fixture
def url(postgresql: Databases) -> Iterator[str]:
    with postgresql.database() as url:
        yield url


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    """On a database whose owner set everything the other way."""
    with psycopg.connect(url, autocommit=True) as connection:
        for setting in (
            "synchronous_commit = off",
            "datestyle = 'German'",
            "timezone = 'America/New_York'",
            "lock_timeout = '1ms'",
            "default_transaction_isolation = 'serializable'",
            "bytea_output = 'escape'",
        ):
            name = connection.info.dbname
            connection.execute(f"ALTER DATABASE {name} SET {setting}")
    engine = open_engine(url)
    yield engine
    engine.dispose()


def setting_of(engine: Engine, name: str) -> str:
    with writing(engine) as connection:
        value: str = connection.exec_driver_sql(f"SHOW {name}").scalar_one()
    return value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("synchronous_commit", "on"),
        ("lock_timeout", "10s"),
        ("transaction_isolation", "read committed"),
        ("tcp_keepalives_idle", "30"),
    ],
)
def test_setting_is_ours_when_the_database_has_another(
    engine: Engine, name: str, value: str
) -> None:
    assert setting_of(engine, name) == value


def test_setting_is_left_when_it_promises_more_than_ours(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute(f"ALTER DATABASE {name} SET synchronous_commit = remote_apply")
    engine = open_engine(url)
    assert setting_of(engine, "synchronous_commit") == "remote_apply"
    engine.dispose()


def test_row_comes_back_when_the_database_writes_moments_and_bytes_otherwise(
    engine: Engine,
) -> None:
    every = bytes(range(256))
    row = {"hash": every[:32], "account": "0x0", "document": every, "published_at": AT}
    with writing(engine) as connection:
        connection.execute(insert(tables.directory_profile).values(row))
    with reading(engine) as connection:
        stored = connection.execute(select(tables.directory_profile)).mappings().one()
    assert dict(stored) == row


def test_reading_is_a_snapshot_that_cannot_write_when_begun(engine: Engine) -> None:
    with reading(engine) as connection:
        shown = [
            connection.exec_driver_sql(f"SHOW {name}").scalar_one()
            for name in ("transaction_isolation", "transaction_read_only")
        ]
    assert shown == ["repeatable read", "on"]


def test_writing_goes_on_when_the_server_ended_the_idle_connection(
    url: str, engine: Engine
) -> None:
    with writing(engine) as connection:
        add_attempt(connection)
    with psycopg.connect(url, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid != pg_backend_pid()"
        )
    with writing(engine) as connection:
        add_attempt(connection)
    assert count_attempts(engine) == 2
