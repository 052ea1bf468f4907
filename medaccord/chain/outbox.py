"""Where transactions are recorded before they are sent: the interface, and one in memory.

The one that outlives the process is `medaccord.store.outgoing.DatabaseOutbox`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Final, Protocol

from medaccord.core.errors import StoreFailed
from medaccord.core.outgoing import Attempt, Outgoing, SendingKey

_SETTLED_KEPT: Final = 1000
"""How many settled transactions an outbox in memory remembers, for who still waits for them."""


class Outbox(Protocol):
    """Records transactions of any number of keys. Threads and processes may share it."""

    def exclusive(self, key: SendingKey) -> AbstractContextManager[None]:
        """Hold a key alone: whoever records or re-signs does so within. Not re-entrant.

        Raises:
            StoreFailed: another holds it for too long.
        """
        ...

    def highest_nonce(self, key: SendingKey) -> int | None:
        """The highest nonce under way; None where nothing is."""
        ...

    def unsettled(self, key: SendingKey) -> Sequence[Outgoing]:
        """What is under way, by nonce."""
        ...

    def under_way(self, key: SendingKey, purpose: str) -> Outgoing | None:
        """The transaction of a purpose that is under way, if there is one."""
        ...

    def find(self, id: int) -> Outgoing | None:
        """A transaction as it is recorded now; None where it was withdrawn or forgotten."""
        ...

    def record(
        self, key: SendingKey, *, nonce: int, purpose: str | None, document: str, attempt: Attempt
    ) -> Outgoing:
        """Record a transaction and its first attempt, durably once this returns.

        A settled one of the same nonce, which the chain has since taken back, makes room.

        Raises:
            StoreFailed: the nonce is under way already, or the database fails.
        """
        ...

    def add_attempt(self, id: int, attempt: Attempt) -> Outgoing:
        """Record one more attempt of a transaction, durably once this returns."""
        ...

    def renumber(self, id: int, *, nonce: int, attempt: Attempt) -> Outgoing:
        """Give a transaction another nonce, since its own was used up for good by another.

        Its earlier attempts are forgotten: none can be mined any more.
        """
        ...

    def settle(self, id: int, *, at: datetime) -> None:
        """Note that nothing is left to do for a transaction. Doing it twice does no harm."""
        ...

    def reopen(self, key: SendingKey, nonce: int) -> Outgoing | None:
        """Take back that a transaction is settled, since the chain took back its block.

        Returns:
            The transaction; None where none of that nonce is remembered.
        """
        ...

    def withdraw(self, id: int) -> None:
        """Forget a transaction that no node ever took."""
        ...


class MemoryOutbox:
    """An outbox that lasts as long as the process."""

    def __init__(self) -> None:
        """Start empty."""
        self._alone = threading.Lock()
        self._guard = threading.Lock()
        self._kept: dict[int, Outgoing] = {}
        self._settled: dict[int, Outgoing] = {}
        self._next = 1

    @contextmanager
    def exclusive(self, key: SendingKey) -> Iterator[None]:
        """See `Outbox.exclusive`; here it holds every key."""
        with self._alone:
            yield

    def highest_nonce(self, key: SendingKey) -> int | None:
        """See `Outbox.highest_nonce`."""
        with self._guard:
            nonces = (each.nonce for each in self._kept.values() if each.key == key)
            return max(nonces, default=None)

    def unsettled(self, key: SendingKey) -> Sequence[Outgoing]:
        """See `Outbox.unsettled`."""
        with self._guard:
            own = [each for each in self._kept.values() if each.key == key]
        return sorted(own, key=lambda each: each.nonce)

    def under_way(self, key: SendingKey, purpose: str) -> Outgoing | None:
        """See `Outbox.under_way`."""
        return next((each for each in self.unsettled(key) if each.purpose == purpose), None)

    def find(self, id: int) -> Outgoing | None:
        """See `Outbox.find`."""
        with self._guard:
            return self._kept.get(id) or self._settled.get(id)

    def record(
        self, key: SendingKey, *, nonce: int, purpose: str | None, document: str, attempt: Attempt
    ) -> Outgoing:
        """See `Outbox.record`."""
        with self._guard:
            if any((each.key, each.nonce) == (key, nonce) for each in self._kept.values()):
                raise StoreFailed(
                    f"nonce {nonce} of {key.address} was recorded by another meanwhile: try again"
                )
            self._make_room(key, nonce)
            made = Outgoing(
                id=self._next,
                key=key,
                nonce=nonce,
                purpose=purpose,
                document=document,
                attempts=(attempt,),
            )
            self._kept[made.id] = made
            self._next += 1
            return made

    def add_attempt(self, id: int, attempt: Attempt) -> Outgoing:
        """See `Outbox.add_attempt`."""
        with self._guard:
            kept = self._kept[id]
            self._kept[id] = replace(kept, attempts=(*kept.attempts, attempt))
            return self._kept[id]

    def renumber(self, id: int, *, nonce: int, attempt: Attempt) -> Outgoing:
        """See `Outbox.renumber`."""
        with self._guard:
            self._make_room(self._kept[id].key, nonce)
            self._kept[id] = replace(self._kept[id], nonce=nonce, attempts=(attempt,))
            return self._kept[id]

    def settle(self, id: int, *, at: datetime) -> None:
        """See `Outbox.settle`."""
        with self._guard:
            if id in self._kept:
                self._settled[id] = replace(self._kept.pop(id), settled_at=at)
            while len(self._settled) > _SETTLED_KEPT:
                del self._settled[next(iter(self._settled))]

    def reopen(self, key: SendingKey, nonce: int) -> Outgoing | None:
        """See `Outbox.reopen`."""
        with self._guard:
            same = (
                each for each in self._settled.values() if (each.key, each.nonce) == (key, nonce)
            )
            found = next(same, None)
            if found is None:
                return None
            del self._settled[found.id]
            self._kept[found.id] = replace(found, settled_at=None)
            return self._kept[found.id]

    def withdraw(self, id: int) -> None:
        """See `Outbox.withdraw`."""
        with self._guard:
            self._kept.pop(id, None)

    def _make_room(self, key: SendingKey, nonce: int) -> None:
        """Forget a settled transaction whose nonce is free again."""
        for each in list(self._settled.values()):
            if (each.key, each.nonce) == (key, nonce):
                del self._settled[each.id]
