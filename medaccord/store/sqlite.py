"""SQLite: one file, one writer, every commit on the disk before it returns."""

import errno
import os
import sqlite3
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL

from medaccord.core.errors import StoreFailed
from medaccord.store.faults import sentence_for
from medaccord.store.transactions import WRITES

__all__ = ["sqlite_engine"]

_QUERY_ONLY: Final = "medaccord_query_only"
_PRAGMAS: Final = (
    "synchronous = FULL",
    "foreign_keys = ON",
    "secure_delete = ON",
)


def sqlite_engine(url: URL, patience: timedelta) -> Engine:
    """Make the file where it is not there, closed to others, and an engine for it.

    Raises:
        StoreFailed: the file cannot be made or opened.
    """
    path = Path(str(url.database))
    made = _make(url, path)
    seconds = patience.total_seconds()

    def check_place() -> None:
        if _file_at(path) != made:  # SQLite would go on writing to what was moved away
            raise StoreFailed(
                sentence_for(url, "was moved away or replaced: put it back, or start again")
            )

    def connect() -> sqlite3.Connection:
        check_place()
        # mode=rw: should it vanish just now, no empty one shall take its place
        place = f"file:{quote(str(path))}?mode=rw"
        return sqlite3.connect(place, uri=True, timeout=seconds, check_same_thread=False)

    engine = create_engine(url, creator=connect, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # else the driver decides on its own when to begin
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}").close()
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise StoreFailed(
                sentence_for(url, "lies where SQLite cannot share it: put it on a local disk")
            )

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        check_place()
        writes = connection.get_execution_options().get(WRITES)
        closed = "ON" if writes is False else "OFF"
        if connection.info.get(_QUERY_ONLY) != closed:  # of this very connection to the file
            connection.exec_driver_sql(f"PRAGMA query_only = {closed}")
            connection.info[_QUERY_ONLY] = closed
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _make(url: URL, path: Path) -> tuple[int, int] | None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Never opened where it is there already: closing it would end the locks that SQLite holds
        # on it for this process (https://sqlite.org/howtocorrupt.html, 2.2).
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        path.chmod(0o600)  # it may have been there, open to others
    except OSError as error:
        raise StoreFailed(
            sentence_for(url, f"cannot be opened or made ({error.strerror}): see to its folder")
        ) from error
    return _file_at(path)


def _file_at(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
