"""SQLite: one file, one writer, every commit on the disk before it returns."""

import os
import sqlite3
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL

from medaccord.core.errors import StoreFailed
from medaccord.store.faults import sentence_for
from medaccord.store.transactions import WRITES

__all__ = ["sqlite_engine"]

_BUSY_MILLISECONDS: Final = 10_000
_PRAGMAS: Final = (
    f"busy_timeout = {_BUSY_MILLISECONDS}",
    "synchronous = FULL",
    "foreign_keys = ON",
    "secure_delete = ON",
)


def sqlite_engine(url: URL) -> Engine:
    """Make the file where it is not there, closed to others, and an engine for it.

    Raises:
        StoreFailed: the file cannot be made or opened.
    """
    path = Path(str(url.database))
    _make(url, path)

    def connect() -> sqlite3.Connection:
        # mode=rw: where somebody moved the file away, no empty one shall take its place
        place = f"file:{quote(str(path))}?mode=rw"
        return sqlite3.connect(place, uri=True, check_same_thread=False)

    engine = create_engine(url, creator=connect, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, record: Any) -> None:
        connection.isolation_level = None  # else the driver decides on its own when to begin
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}").close()
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise StoreFailed(
                sentence_for(url, "lies where SQLite cannot share it: put it on a local disk")
            )
        record.info["file"] = _file(path)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        if connection.info["file"] != _file(path):
            connection.invalidate()
            raise StoreFailed(
                sentence_for(url, "was moved away or replaced: put it back, then try again")
            )
        writes = connection.get_execution_options().get(WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _make(url: URL, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
        try:
            os.fchmod(descriptor, 0o600)  # it may have been there, open to others
        finally:
            os.close(descriptor)
    except OSError as error:
        raise StoreFailed(
            sentence_for(url, f"cannot be opened or made ({error.strerror}): see to its folder")
        ) from error


def _file(path: Path) -> tuple[int, int] | None:
    """Which file stands at a path now; SQLite goes on writing to one that was moved away."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
