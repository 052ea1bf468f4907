"""The two ways to use the database: to read and to write."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

from sqlalchemy import Connection, Engine

from medaccord.store.faults import faults_told

__all__ = ["WRITES", "reading", "writing"]

WRITES: Final = "medaccord_writes"
"""Option of a connection: True, its transactions are the only ones that write; False, none may."""

# By dialect; SQLite's plain transaction is a snapshot already.
_SNAPSHOT: Final[Mapping[str, Mapping[str, Any]]] = {
    "postgresql": {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
}

_READING: Final[ContextVar[tuple[Engine, Connection] | None]] = ContextVar("reading", default=None)


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that sees one state of the database and changes nothing.

    No writer makes it wait. Within another one of the same database, in the same thread or task, it
    is that one: whatever is asked for one answer is asked of one state.

    Raises:
        StoreFailed: the database is out of reach, lost or damaged, or it was to be written to.
    """
    outer = _READING.get()
    if outer is not None and outer[0] is engine:
        yield outer[1]
        return
    snapshot = _SNAPSHOT.get(engine.dialect.name, {})
    with (
        faults_told(engine.url),
        engine.connect().execution_options(**{WRITES: False}, **snapshot) as connection,
        connection.begin() as transaction,
    ):
        within = _READING.set((engine, connection))
        try:
            yield connection
        finally:
            _READING.reset(within)
        transaction.rollback()


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that is durable once the block ends, and leaves nothing when it raises.

    It takes the one write lock at its start, so that what it reads is still true when it writes; it
    waits for another writer as long as `open_engine` was told, ten seconds as it comes.

    Raises:
        StoreFailed: the database is out of reach, lost, full, damaged, closed to us, or another
            writer kept it. Where the connection was lost as the block ended, and only then, it may
            have been written all the same.
    """
    with (
        faults_told(engine.url),
        engine.connect().execution_options(**{WRITES: True}) as connection,
        connection.begin(),
    ):
        yield connection
