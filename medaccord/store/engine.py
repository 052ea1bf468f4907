"""Opening the database, and the two ways to use it: to read and to write."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from medaccord.core.errors import InvalidInput

__all__ = ["open_engine", "reading", "writing"]

_MIGRATIONS = "medaccord.store:migrations"
_WRITES = "medaccord_writes"
_BUSY_MILLISECONDS = 10_000


def open_engine(url: str) -> Engine:
    """Open the database, made or brought to the newest version first.

    On SQLite every commit is on the disk before it returns (write-ahead log, ``synchronous=FULL``),
    foreign keys hold, deleted content is overwritten, and the file is readable by its owner alone.
    On any database, errors do not tell the values that went with a statement.

    Args:
        url: a SQLAlchemy URL, such as ``sqlite:////var/lib/medaccord/a.db``. A database in memory
            is refused: the audit log and held revocations must outlive the process.

    Raises:
        InvalidInput: the URL is malformed, or names a database in memory.
    """
    parsed = _parse(url)
    if parsed.get_backend_name() == "sqlite":
        engine = _sqlite(parsed)
    else:
        engine = create_engine(parsed, pool_pre_ping=True, hide_parameters=True)
    try:
        with writing(engine) as connection:
            config = Config()
            config.set_main_option("script_location", _MIGRATIONS)
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except BaseException:
        engine.dispose()
        raise
    return engine


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that sees one state of the database and changes nothing."""
    with engine.connect() as connection, connection.begin() as transaction:
        yield connection
        transaction.rollback()


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that is durable once the block ends, and leaves nothing when it raises.

    On SQLite it takes the one write lock at its start, so that what it reads is still true when it
    writes; it waits up to ten seconds for another writer.
    """
    with (
        engine.connect().execution_options(**{_WRITES: True}) as connection,
        connection.begin(),
    ):
        yield connection


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise InvalidInput(
            f"not the URL of a database (such as sqlite:///records.db): {url!r}"
        ) from error
    if parsed.get_backend_name() == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise InvalidInput("a database in memory keeps no audit log: name a file")
    return parsed


def _sqlite(url: URL) -> Engine:
    path = Path(str(url.database))
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    os.fchmod(descriptor, 0o600)  # it may have been there, open to others
    os.close(descriptor)
    engine = create_engine(url, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # else the driver decides on its own when to begin
        for pragma in (
            f"busy_timeout = {_BUSY_MILLISECONDS}",
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            "secure_delete = ON",
        ):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine
