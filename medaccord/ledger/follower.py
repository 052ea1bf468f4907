"""Following the chain: gaps filled, reorganisations undone, restarts resumed."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Engine

from medaccord.chain import events
from medaccord.chain.deployment import Contracts
from medaccord.chain.events import Event
from medaccord.chain.network import Network
from medaccord.core.blocks import BlockRef
from medaccord.core.errors import TransportError
from medaccord.ledger.history import History, HistoryMoved
from medaccord.ledger.projection import Projection

__all__ = ["Follower", "Views"]

_UNDO_BLOCKS: Final = 128
_ATTEMPTS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Views:
    """What the ledger knows now. Valid while the follower's lock is held.

    Attributes:
        newest: the state at the block followed to: restrictions count from here.
        final: the state `confirmations` blocks below: permits count from here. The same object
            where blocks are final at once.
        tip: the block followed to; None before the first sync.
        node_head: the newest block that the node told of; None before it answered.
        answered_at: when it did, by the network's clock.
    """

    newest: Projection
    final: Projection
    tip: BlockRef | None
    node_head: BlockRef | None
    answered_at: datetime | None


class Follower:
    """Keeps two projections in step with the chain: at its head, and where it is final.

    Any number of threads may share it. Several processes may share its database.
    """

    def __init__(self, network: Network, contracts: Contracts, engine: Engine) -> None:
        """Take up where the database left off; the chain is not asked for events yet.

        Args:
            network: the chain followed.
            contracts: whose events.
            engine: the database.

        Raises:
            DeploymentMismatch: the database holds the ledger of another chain or deployment.
            TransportError: the node does not answer.
        """
        self._network = network
        self._contracts = contracts
        self._history = History(engine, network, contracts)
        self._syncing = threading.Lock()
        self._lock = threading.RLock()
        self._node_head: BlockRef | None = None
        self._answered_at: datetime | None = None
        self._tip: BlockRef | None = None
        self._newest = self._final = Projection()
        self._waiting: deque[Event] = deque()
        self._load()

    @contextmanager
    def views(self) -> Iterator[Views]:
        """What is known now, held still until the block ends."""
        with self._lock:
            yield Views(
                newest=self._newest,
                final=self._final,
                tip=self._tip,
                node_head=self._node_head,
                answered_at=self._answered_at,
            )

    def sync(self) -> BlockRef:
        """Ask the node, and take in everything up to its head.

        Where the chain was reorganised, what is no longer on it is undone first. A node that knows
        less of the same chain than is known already takes nothing back.

        Returns:
            The block followed to.

        Raises:
            TransportError: the node does not answer, or its chain keeps changing while it is read.
                What was known before stands.
        """
        with self._syncing:
            for attempt in range(_ATTEMPTS):
                try:
                    return self._follow()
                except _ChainMoved as error:
                    if attempt + 1 == _ATTEMPTS:
                        raise TransportError("the chain changed each time it was read") from error
                except HistoryMoved:  # another process followed meanwhile
                    self._catch_up()
            raise TransportError("others change this ledger too often to follow the chain")

    def rebuild(self) -> BlockRef:
        """Forget everything and read it again from the chain.

        Raises:
            TransportError: as `sync`.
        """
        with self._syncing:
            self._history.clear()
            self._load()
        return self.sync()

    def _follow(self) -> BlockRef:
        head = self._network.head()
        with self._lock:
            self._node_head, self._answered_at = head, self._network.clock()
        while self._tip is None or head.number > self._tip.number or self._is_replaced(head):
            if self._tip is not None and not self._is_on_chain(self._tip, head):
                self._undo_to_common_ancestor(head)
                continue
            first = self._history.first_block if self._tip is None else self._tip.number + 1
            last = min(first + events.MAX_RANGE - 1, head.number)
            self._take_in(first, head if last >= head.number else self._network.block(last), head)
        assert self._tip is not None  # set by the first turn of the loop
        return self._tip

    def _take_in(self, first: int, upto: BlockRef, head: BlockRef) -> None:
        found = events.fetch(self._network, self._contracts, first, upto.number)
        if self._network.block(head.number) != head:
            raise _ChainMoved
        self._history.append(found, tip=upto, after=self._tip)
        with self._lock:
            self._tip = upto
            self._apply(found)

    def _is_replaced(self, head: BlockRef) -> bool:
        """Whether a head no higher than what is known belongs to another history."""
        known = next(self._history.newest_first(upto=head.number), None)
        return known is not None and not self._is_on_chain(known, head)

    def _is_on_chain(self, block: BlockRef, head: BlockRef) -> bool:
        if block.number >= head.number:
            return block == head
        return self._network.block(block.number).hash == block.hash

    def _undo_to_common_ancestor(self, head: BlockRef) -> None:
        ancestor = next(
            (known for known in self._history.newest_first() if self._is_on_chain(known, head)),
            None,
        )
        self._history.undo_after(ancestor, from_tip=self._tip)
        with self._lock:
            try:
                self._undo_after(ancestor)
            except LookupError:
                self._load()

    def _undo_after(self, ancestor: BlockRef | None) -> None:
        number = -1 if ancestor is None else ancestor.number
        for projection in {id(each): each for each in (self._newest, self._final)}.values():
            projection.undo_after(number)
        while self._waiting and self._waiting[-1].block.number > number:
            self._waiting.pop()
        self._tip = ancestor

    def _load(self) -> None:
        """Make both projections anew from the database."""
        tip, found = self._history.load()
        with self._lock:
            self._forget()
            self._tip = tip
            self._apply(found)

    def _catch_up(self) -> None:
        """Take in what another process wrote to the database."""
        if self._tip is None or not self._history.holds(self._tip):
            self._load()
            return
        tip, found = self._history.load(after=self._tip)
        with self._lock:
            self._tip = tip
            self._apply(found)

    def _forget(self) -> None:
        self._tip = None
        self._newest = Projection()
        self._final = self._newest if self._network.confirmations == 0 else Projection()
        self._waiting.clear()

    def _apply(self, found: list[Event]) -> None:
        try:
            self._advance(found)
        except BaseException:
            self._forget()  # half of a block is no state to decide from
            raise

    def _advance(self, found: list[Event]) -> None:
        for event in found:
            self._newest.apply(event)
        if self._tip is None:
            return
        undoable = self._tip.number - _UNDO_BLOCKS
        self._newest.forget_until(undoable)
        if self._final is self._newest:
            return
        self._waiting.extend(found)
        final = self._tip.number - self._network.confirmations
        while self._waiting and self._waiting[0].block.number <= final:
            self._final.apply(self._waiting.popleft())
        self._final.forget_until(undoable)


class _ChainMoved(Exception):
    """The head read from is not on the chain any more."""
