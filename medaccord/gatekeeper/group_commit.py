"""Group commit: what several threads want written at the same time goes into one transaction.

A commit waits for the disk, however little it holds. Whoever comes first writes at once; whoever
comes while it does waits, and all who wait are written together by the first of them.

Source: DeWitt et al. 1984, "Implementation Techniques for Main Memory Database Systems", section 5.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from threading import Event, Lock
from typing import Final, Generic, TypeVar

from sqlalchemy import Connection, Engine

from medaccord.core.errors import StoreFailed
from medaccord.store import writing

Item = TypeVar("Item")
Result = TypeVar("Result")

MOST: Final = 64
"""Items in one transaction, inclusive: it keeps other processes from writing as long as it takes.
"""


class GroupCommit(Generic[Item, Result]):
    """Writes items in the order of their arrival. Any number of threads may share it."""

    def __init__(
        self,
        engine: Engine,
        write: Callable[[Connection, Sequence[Item]], Sequence[Result]],
        *,
        most: int = MOST,
        told: Callable[[int, float], object] = lambda items, seconds: None,
    ) -> None:
        """Write to a database.

        Args:
            engine: the database.
            write: writes items within a transaction, and gives the result of each in their order.
                It is called again for each item alone where it raises for several, so that one
                that cannot be written keeps no other from it; what it wrote is taken back before.
            most: items in one transaction, at least 1.
            told: is told, after each commit, how many items it held and how long it took.
        """
        self._engine = engine
        self._write = write
        self._most = most
        self._told = told
        self._guard = Lock()
        self._waiting: deque[_Waiting[Item, Result]] = deque()
        self._led = False

    @property
    def waiting(self) -> int:
        """How many items wait for the transaction that is being written."""
        with self._guard:
            return len(self._waiting)

    def add(self, item: Item) -> Result:
        """Write an item, together with others; it is on the disk when this returns.

        It takes as long as the transactions that are before it. Nobody gives up half-way: what is
        told to have failed would be written all the same.

        Raises:
            StoreFailed: the transaction failed, and with it everything in it. Where the connection
                was lost in its end, and only then, it may have been written all the same.
            Exception: whatever `write` raises for this item alone.
        """
        mine: _Waiting[Item, Result] = _Waiting(item)
        with self._guard:
            self._waiting.append(mine)
            leads, self._led = not self._led, True
        if not leads:
            self._wait(mine)
        if not mine.is_done:
            self._lead()
        return mine.outcome()

    def _wait(self, mine: _Waiting[Item, Result]) -> None:
        """Wait until it is done, or its turn to write.

        Who is told to end meanwhile leaves the queue, else those behind it would never be called.
        """
        try:
            mine.called.wait()
        except BaseException:
            with self._guard:
                if mine in self._waiting:
                    self._waiting.remove(mine)
                    if mine.called.is_set():
                        self._call_next()
            raise

    def _lead(self) -> None:
        """Write what waits, the caller's own first, then call the next one to do the same."""
        with self._guard:
            batch = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
        try:
            self._commit(batch)
        except BaseException as error:  # we are told to end: those who wait for us must hear of it
            _fail(batch, error)
            raise
        finally:
            for each in batch:
                each.called.set()
            with self._guard:
                self._call_next()

    def _call_next(self) -> None:
        """Let the next one write; the guard is held."""
        self._led = bool(self._waiting)
        if self._waiting:
            self._waiting[0].called.set()

    def _commit(self, batch: Sequence[_Waiting[Item, Result]]) -> None:
        began = time.perf_counter()
        try:
            with writing(self._engine) as connection:
                results = self._write(connection, [each.item for each in batch])
        except StoreFailed as error:  # the database's fault: each alone would fail as well
            _fail(batch, error)
        except Exception as error:  # whatever `write` or an `along` raises is one item's fault
            if len(batch) == 1:
                _fail(batch, error)
            else:
                self._commit_apart(batch)
        else:
            self._told(len(batch), time.perf_counter() - began)
            for each, result in zip(batch, results, strict=True):
                each.result = result
                each.is_done = True

    def _commit_apart(self, batch: Sequence[_Waiting[Item, Result]]) -> None:
        for place, each in enumerate(batch, start=1):
            self._commit([each])
            if isinstance(each.failure, StoreFailed):
                return _fail(batch[place - 1 :], each.failure)


class _Waiting(Generic[Item, Result]):
    """One who waits to be written, or to be called to write.

    Attributes:
        called: set once it is done, or it is its turn to write.
        result: only there where it is done and did not fail.
    """

    __slots__ = ("called", "failure", "is_done", "item", "result")

    result: Result

    def __init__(self, item: Item) -> None:
        self.item = item
        self.called = Event()
        self.is_done = False
        self.failure: BaseException | None = None

    def outcome(self) -> Result:
        if self.failure is not None:
            raise self.failure
        return self.result


def _fail(batch: Sequence[_Waiting[Item, Result]], error: BaseException) -> None:
    """Give the first the error itself and the others one of their own: threads share none."""
    for place, each in enumerate(batch):
        if each.is_done:
            continue
        each.failure = error
        if place > 0:
            each.failure = StoreFailed(str(error))
            each.failure.__cause__ = error
        each.is_done = True
