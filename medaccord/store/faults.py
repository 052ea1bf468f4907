"""What goes wrong with a database, told in one sentence that says what to do about it."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psycopg
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as NoConnectionLeft

from medaccord.core.errors import StoreFailed

__all__ = ["faults_told", "place_of", "sentence_for"]

_OUT_OF_REACH: Final = "is out of reach: see that it runs, and that its URL is right"
_OPTIONS: Final = "cannot be connected to as its URL says: see to the options that follow its name"
_LOST: Final = "was lost in the middle: see that it runs, then try again"
_FULL: Final = "has no room left on its disk: make room, then try again"
_HELD: Final = "is held by another program for too long: let that finish or end it, then try again"
_BUSY: Final = "has no connection left: let others finish, or allow it more, then try again"
_FORBIDDEN: Final = "does not let this user do that: give it the right to read and write there"
_READ_ONLY: Final = "cannot be written to: it is read-only, moved away, or a standby"
_NO_DATABASE: Final = "is no SQLite database: name another file"
_DAMAGED: Final = "is damaged or its disk fails: restore it from a backup"

# Result codes, primary but for the one; Source: https://www.sqlite.org/rescode.html
_SQLITE: Final = {
    sqlite3.SQLITE_PERM: _FORBIDDEN,
    sqlite3.SQLITE_BUSY: _HELD,
    sqlite3.SQLITE_LOCKED: _HELD,
    sqlite3.SQLITE_READONLY: _READ_ONLY,
    sqlite3.SQLITE_IOERR: _DAMAGED,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_IOERR_SHMSIZE: _FULL,
    sqlite3.SQLITE_CANTOPEN: "cannot be opened: see that its folder is there and may be written to",
    sqlite3.SQLITE_AUTH: _FORBIDDEN,
    sqlite3.SQLITE_NOTADB: _NO_DATABASE,
}

# SQLSTATEs, whole or the class alone; Source: PostgreSQL 15, Appendix A
_POSTGRESQL: Final = {
    "53100": _FULL,
    "53300": _BUSY,
    "53": "is short of something: see its server's log, then try again",
    "55P03": _HELD,
    "57014": _HELD,
    "40": _HELD,  # a deadlock, broken by the server
    "57P": _LOST,
    "08": _LOST,
    "28": _FORBIDDEN,
    "42501": _FORBIDDEN,
    "25006": _READ_ONLY,
    "58": _DAMAGED,
    "XX": _DAMAGED,
}


@contextmanager
def faults_told(url: URL) -> Iterator[None]:
    """Turn what the database's surroundings do to it into StoreFailed.

    What a caller did wrong stays as it is: a broken constraint, a value that does not fit, SQL that
    makes no sense.

    Raises:
        StoreFailed: the database is out of reach, lost, full, locked, damaged or closed to us.
    """
    try:
        yield
    except NoConnectionLeft as error:
        raise StoreFailed(sentence_for(url, _BUSY)) from error
    except DBAPIError as error:
        what = _explain(error)
        if what is None:
            raise
        raise StoreFailed(sentence_for(url, what)) from error


def sentence_for(url: URL, what: str) -> str:
    """Say of a database what is wrong with it."""
    return f"the database {place_of(url)} {what}"


def place_of(url: URL) -> str:
    """Name a database without its user and its password, wherever in the URL they stand."""
    if url.get_backend_name() == "sqlite":
        return str(Path(str(url.database)))
    host = url.host or url.query.get("host", "this machine")
    port = f":{url.port}" if url.port else ""
    return f"{url.database or 'by default'} on {host}{port}"


def _explain(error: DBAPIError) -> str | None:
    if isinstance(error, IntegrityError):
        return None
    cause = error.orig
    if isinstance(cause, sqlite3.Error):
        code = getattr(cause, "sqlite_errorcode", None)  # None where the driver itself complains
        return None if code is None else _SQLITE.get(code, _SQLITE.get(code & 0xFF))
    if isinstance(cause, psycopg.Error):
        state = cause.sqlstate
        if state is None:
            if error.statement is None and isinstance(cause, psycopg.ProgrammingError):
                return _OPTIONS  # nothing was asked of it yet: libpq does not take the URL
            lost = isinstance(cause, psycopg.OperationalError)
            return (_LOST if error.connection_invalidated else _OUT_OF_REACH) if lost else None
        return next((_POSTGRESQL[state[:n]] for n in (5, 3, 2) if state[:n] in _POSTGRESQL), None)
    return None
