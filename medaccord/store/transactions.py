"""The two ways to use the database: to read and to write."""

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine, Transaction
from sqlalchemy.exc import DBAPIError

from medaccord.store.faults import faults_told

__all__ = ["WRITES", "asked_once", "reading", "writing"]

WRITES: Final = "medaccord_writes"
"""Option of a connection: True, its transactions are the only ones that write; False, none may."""

_Answer = TypeVar("_Answer")


@dataclass(slots=True)
class _State:
    """One state of a database, as it is being read."""

    engine: Engine
    connection: Connection
    answers: dict[Hashable, Any] = field(default_factory=dict)


_READING: Final[ContextVar[_State | None]] = ContextVar("reading", default=None)


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that sees one state of the database and changes nothing.

    No writer makes it wait. Within another one of the same database, in the same thread or task, it
    is that one: whatever is asked for one answer is asked of one state.

    Raises:
        StoreFailed: the database is out of reach, lost or damaged, or it was to be written to.
    """
    outer = _READING.get()
    if outer is not None and outer.engine is engine:
        yield outer.connection
        return
    connection, transaction = _begun(engine, writes=False)
    with faults_told(engine.url), connection, transaction:
        within = _READING.set(_State(engine, connection))
        try:
            yield connection
        finally:
            _READING.reset(within)
        transaction.rollback()


def asked_once(connection: Connection, question: Hashable, ask: Callable[[], _Answer]) -> _Answer:
    """The answer to a question, asked of the database once in each state that is read.

    Args:
        connection: from `reading`; what any other says is asked for anew each time.
        question: names what is asked, for everybody who asks the same.
        ask: asks.
    """
    state = _READING.get()
    if state is None or state.connection is not connection:
        return ask()
    if question not in state.answers:
        state.answers[question] = ask()
    answer: _Answer = state.answers[question]
    return answer


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
    connection, transaction = _begun(engine, writes=True)
    with faults_told(engine.url), connection, transaction:
        yield connection


def _begun(engine: Engine, *, writes: bool) -> tuple[Connection, Transaction]:
    """A connection in a transaction, and none that broke as it lay in the pool."""
    with faults_told(engine.url):
        try:
            return _begin(engine, writes=writes)
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
        return _begin(engine, writes=writes)  # with that one, all that lay there are gone


def _begin(engine: Engine, *, writes: bool) -> tuple[Connection, Transaction]:
    connection = engine.connect().execution_options(**{WRITES: writes})
    try:
        return connection, connection.begin()
    except BaseException:
        connection.close()
        raise
