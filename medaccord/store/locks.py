"""Locks with one holder across threads and processes, free again when the holder dies."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Final
from weakref import WeakValueDictionary

from sqlalchemy import Connection, Engine, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, OperationalError

from medaccord.core.errors import StoreFailed
from medaccord.store.faults import faults_told, sentence_for

__all__ = ["exclusive", "if_free"]

_LOOK_AGAIN: Final = 0.02  # seconds; flock waits for ever or not at all
_LOCK_NOT_AVAILABLE: Final = "55P03"

_guard = Lock()
_of_threads: WeakValueDictionary[tuple[str, str], Lock] = WeakValueDictionary()


@contextmanager
def exclusive(
    engine: Engine, name: str, *, timeout: timedelta = timedelta(seconds=30)
) -> Iterator[None]:
    """Hold the lock of a name: nobody else who uses the same database does at the same time.

    It takes part in no transaction, and is freed by the operating system or the server when the
    process dies, however it dies. It is not re-entrant: who asks twice waits for itself.

    On PostgreSQL it is an advisory lock of a connection of its own, which is not the pool's while
    it is held; on SQLite it is a lock on an empty file beside the database, readable by its owner
    alone and named by a hash, which stays there.

    Args:
        engine: the database that all who share the lock have open.
        name: what is locked; any text.
        timeout: how long to wait for another holder.

    Raises:
        StoreFailed: another held it for all that time, the database is out of reach, or it was lost
            while the lock was held, so that another may have had the lock too.
    """
    until = time.monotonic() + timeout.total_seconds()
    where = engine.url
    with _guard:
        ours = _of_threads.setdefault((str(where), name), Lock())
    if not ours.acquire(timeout=max(0.0, timeout.total_seconds())):
        raise _held(where, name, timeout)
    try:
        if where.get_backend_name() == "sqlite":
            with _file_locked(where, name, until, timeout):
                yield
        else:
            with _advisory_locked(engine, name, until, timeout):
                yield
    finally:
        ours.release()


@contextmanager
def if_free(engine: Engine, name: str) -> Iterator[Callable[[], bool] | None]:
    """Hold the lock of a name as `exclusive` does, where nobody else does now.

    Args:
        engine: the database that all who share the lock have open.
        name: what is locked; any text.

    Yields:
        Whether the lock is still held, to be asked from time to time by who holds it for long: it
        is lost with the connection to the database. None where another holds it.

    Raises:
        StoreFailed: the database is out of reach.
    """
    where = engine.url
    with _guard:
        ours = _of_threads.setdefault((str(where), name), Lock())
    if not ours.acquire(blocking=False):
        yield None
        return
    try:
        if where.get_backend_name() == "sqlite":
            with _lock_file(where, name) as descriptor:
                yield (lambda: True) if _flocked(descriptor) else None
        else:
            with _lock_connection(engine) as connection:
                yield _if_free_there(connection, name)
    finally:
        ours.release()


def _if_free_there(connection: Connection, name: str) -> Callable[[], bool] | None:
    if not connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": _key(name)}):
        return None

    def still() -> bool:
        try:
            return bool(connection.scalar(text("SELECT true")))
        except DBAPIError:
            return False

    return still


@contextmanager
def _lock_file(url: URL, name: str) -> Iterator[int]:
    """The file of a lock, open, and closed in the end: with it goes the lock."""
    database = Path(str(url.database)).absolute()
    path = database.with_name(f"{database.name}.{_digest(name)[:8].hex()}.lock")
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)  # not inherited by what we start
    except OSError as error:
        raise StoreFailed(
            sentence_for(url, "cannot be locked: see that its folder may be written to")
        ) from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _lock_connection(engine: Engine) -> Iterator[Connection]:
    """A connection for a lock, lent to nobody else and closed in the end: the lock goes with it."""
    with (
        faults_told(engine.url),
        engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection,
    ):
        connection.detach()
        yield connection


@contextmanager
def _file_locked(url: URL, name: str, until: float, timeout: timedelta) -> Iterator[None]:
    with _lock_file(url, name) as descriptor:
        while not _flocked(descriptor):
            if time.monotonic() >= until:
                raise _held(url, name, timeout)
            time.sleep(_LOOK_AGAIN)
        yield


def _flocked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _advisory_locked(engine: Engine, name: str, until: float, timeout: timedelta) -> Iterator[None]:
    key = _key(name)
    with _lock_connection(engine) as connection:
        left = max(1, int((until - time.monotonic()) * 1000))  # 0 would be for ever
        connection.execute(
            text("SELECT set_config('lock_timeout', :left, false)"), {"left": f"{left}ms"}
        )
        try:
            connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": key})
        except OperationalError as error:
            if getattr(error.orig, "sqlstate", None) != _LOCK_NOT_AVAILABLE:
                raise
            raise _held(engine.url, name, timeout) from error
        yield
        connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": key})


def _key(name: str) -> int:
    return int.from_bytes(_digest(name)[:8], "big", signed=True)


def _digest(name: str) -> bytes:
    return sha256(name.encode()).digest()


def _held(url: URL, name: str, timeout: timedelta) -> StoreFailed:
    return StoreFailed(
        sentence_for(
            url,
            f"has {name!r} locked by another for more than {timeout.total_seconds():g} s:"
            " let that finish or end it, then try again",
        )
    )
