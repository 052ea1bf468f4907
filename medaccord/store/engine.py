"""Opening the database; the two ways to use it stand in `transactions`."""

from datetime import timedelta

from sqlalchemy import Engine

from medaccord.store.postgresql import postgresql_engine
from medaccord.store.schema import upgrade
from medaccord.store.sqlite import sqlite_engine
from medaccord.store.transactions import asked_once, reading, writing
from medaccord.store.urls import database_url

__all__ = ["asked_once", "engine_of", "open_engine", "reading", "writing"]


def open_engine(url: str, *, patience: timedelta = timedelta(seconds=10)) -> Engine:
    """Open the database, made or brought to the newest version first.

    Every commit is on the disk before it returns: on SQLite by its write-ahead log and
    ``synchronous=FULL``, on PostgreSQL by ``synchronous_commit``, whatever the server's default is
    (its ``fsync`` is its administrator's). Foreign keys hold. On SQLite deleted content is
    overwritten, and the file is readable by its owner alone. Errors do not tell the values that
    went with a statement.

    Args:
        url: ``sqlite:////var/lib/medaccord/records.db`` or ``postgresql://user@host/records``. A
            database in memory is refused: the audit log and held revocations must outlive the
            process.
        patience: how long `writing` waits for another writer before it gives up.

    Raises:
        InvalidInput: the URL is malformed, or names a database in memory or of another kind.
        StoreFailed: the database cannot be reached or opened, is no database, is held by another
            program, or was made by a newer version of this one.
    """
    engine = engine_of(url, patience)
    try:
        upgrade(engine)
    except BaseException:
        engine.dispose()
        raise
    return engine


def engine_of(url: str, patience: timedelta = timedelta(seconds=10)) -> Engine:
    """An engine for the database as it is, whatever version its tables are of.

    Args:
        url: as of `open_engine`.
        patience: as of `open_engine`.

    Raises:
        InvalidInput: as `open_engine`.
        StoreFailed: SQLite's file cannot be made or opened.
    """
    parsed = database_url(url)
    on_sqlite = parsed.get_backend_name() == "sqlite"
    return (sqlite_engine if on_sqlite else postgresql_engine)(parsed, patience)
