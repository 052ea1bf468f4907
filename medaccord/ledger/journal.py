"""Tables in memory whose newest changes can be taken back, block by block."""

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["Journal", "Log", "Table"]

K = TypeVar("K")
V = TypeVar("V")


class Journal:
    """What it takes to undo the newest blocks.

    Every change to a `Table` or `Log` made with this journal is noted under the block being
    applied. Blocks that can no longer be undone are forgotten, so that the journal stays as long as
    the chain's last blocks, not as the chain.

    Attributes:
        notes: whether changes made now must be noted.
    """

    __slots__ = ("_block", "_kept_after", "_undo", "notes")

    def __init__(self) -> None:
        self.notes = True
        self._block = 0
        self._kept_after = 0
        self._undo: deque[tuple[int, Callable[[], object]]] = deque()

    def begin(self, block: int) -> None:
        """From now on, changes are made by the block of this number."""
        self._block = block
        self.notes = block > self._kept_after

    def note(self, undo: Callable[[], object]) -> None:
        """Remember how to take one change back."""
        self._undo.append((self._block, undo))

    def undo_after(self, block: int) -> None:
        """Take back every change made by blocks above this number.

        Raises:
            LookupError: how to undo them was forgotten; the tables must be made anew.
        """
        if block < self._kept_after:
            raise LookupError(f"changes up to block {self._kept_after} can no longer be undone")
        while self._undo and self._undo[-1][0] > block:
            self._undo.pop()[1]()
        self.begin(block)

    def forget_until(self, block: int) -> None:
        """Never undo the blocks up to and including this number, applied already or not."""
        while self._undo and self._undo[0][0] <= block:
            self._undo.popleft()
        self._kept_after = max(self._kept_after, block)


class Table(Generic[K, V]):
    """A mapping of immutable values, written through a journal."""

    __slots__ = ("_journal", "_rows")

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._rows: dict[K, V] = {}

    def get(self, key: K) -> V | None:
        """The value now, or None."""
        return self._rows.get(key)

    def put(self, key: K, value: V) -> None:
        """Write a value."""
        rows = self._rows
        if self._journal.notes:
            if key in rows:
                before = rows[key]
                self._journal.note(lambda: rows.__setitem__(key, before))
            else:
                self._journal.note(lambda: rows.pop(key))
        rows[key] = value

    def items(self) -> dict[K, V]:
        """A copy of everything there is now."""
        return dict(self._rows)


class Log(Generic[K, V]):
    """Lists that only grow, one a key, written through a journal."""

    __slots__ = ("_journal", "_lists")

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._lists: dict[K, list[V]] = {}

    def get(self, key: K) -> tuple[V, ...]:
        """Everything appended under the key, oldest first."""
        return tuple(self._lists.get(key, ()))

    def last(self, key: K) -> V | None:
        """The newest value under the key, or None."""
        values = self._lists.get(key)
        return values[-1] if values else None

    def append(self, key: K, value: V) -> None:
        """Append one value."""
        values = self._lists.setdefault(key, [])
        values.append(value)
        if self._journal.notes:
            self._journal.note(values.pop)

    def items(self) -> dict[K, tuple[V, ...]]:
        """A copy of every list that is not empty."""
        return {key: tuple(values) for key, values in self._lists.items() if values}
