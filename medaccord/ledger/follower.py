"""Following the chain: gaps filled, reorganisations undone, restarts resumed, the node distrusted.

Nothing is taken in that was not held to the headers of its blocks (`events.read_stretch`), and
nothing taken back before what replaces it was read and held to them as well. Whatever goes wrong on
the way, the database holds one whole chain at each moment, and the state in memory is its state.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection, Engine

from medaccord.chain import events
from medaccord.chain.deployment import Contracts
from medaccord.chain.events import Event, Stretch
from medaccord.chain.network import Network
from medaccord.core.blocks import BlockRef
from medaccord.core.consistency import ConsistencyToken
from medaccord.core.errors import TransportError
from medaccord.ledger.depths import Depths
from medaccord.ledger.history import History, HistoryMoved
from medaccord.ledger.identity import Identity
from medaccord.ledger.projection import Projection

__all__ = ["Answer", "Follower", "TakenIn", "Views"]

TakenIn: TypeAlias = Callable[[Connection, Sequence[Event], Projection], None]
"""Told, in the transaction that writes them, of events in their order, and of the state before.

In a reorganisation that state is of the branch that is taken back, and its events come again where
they were mined again. It may not ask the ledger: whoever waits to write may hold its lock.
"""

_ATTEMPTS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the node told last that held.

    Attributes:
        head: the newest block it told of.
        asked_at: when it was asked, by the network's clock.
        tick: the same by the network's stopwatch, which nobody can set.
    """

    head: BlockRef
    asked_at: datetime
    tick: float

    def age(self, network: Network) -> timedelta:
        """How long ago it was asked: by clock or by stopwatch, whichever says longer."""
        silence = timedelta(seconds=max(network.stopwatch() - self.tick, 0))
        return max(silence, network.clock() - self.asked_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Views:
    """What the ledger knows now. Valid while the follower's lock is held.

    Attributes:
        newest: the state at the block followed to: restrictions count from here.
        final: the state `confirmations` blocks below: permits count from here. The same object
            where blocks are final at once.
        tip: the block followed to; None before the first sync.
        answer: what the node told last; None before it told anything that held.
        taken_back: how often blocks that counted as final were taken back since the start.
    """

    newest: Projection
    final: Projection
    tip: BlockRef | None
    answer: Answer | None
    taken_back: int


class Follower:
    """Keeps two projections in step with the chain: at its head, and where it is final.

    Any number of threads may share it. Several processes may share its database.
    """

    def __init__(
        self,
        network: Network,
        contracts: Contracts,
        engine: Engine,
        *,
        taken_in: TakenIn | None = None,
    ) -> None:
        """Take up where the database left off; the chain is not asked for events yet.

        Args:
            network: the chain followed.
            contracts: whose events.
            engine: the database.
            taken_in: told of whatever is taken in from the chain, and not of what another process
                took in.

        Raises:
            DeploymentMismatch: the database holds the ledger of another chain or deployment.
            StoreFailed: the database is out of reach, or held by somebody else too long.
            TransportError: the node does not answer.
        """
        self._network = network
        self._contracts = contracts
        self._identity = Identity(network, contracts)
        self._history = History(engine, network, contracts)
        self._taken_in = taken_in
        self._syncing = threading.Lock()
        self._lock = threading.RLock()
        self._answer: Answer | None = None
        self._taken_back = 0
        self._depths = self._made_anew()

    @contextmanager
    def views(self) -> Iterator[Views]:
        """What is known now, held still until the block ends."""
        with self._lock:
            depths = self._depths
            yield Views(
                newest=depths.newest,
                final=depths.final,
                tip=depths.tip,
                answer=self._answer,
                taken_back=self._taken_back,
            )

    def knows(self, token: ConsistencyToken) -> bool:
        """Whether a block is the one followed to, or below it and not known to be another's."""
        with self._lock:
            tip = self._depths.tip
        if tip is None or tip.number < token.number:
            return False
        if tip.number == token.number:
            return tip.hash == token.hash
        return self._history.hash_at(token.number) in (None, token.hash)

    def sync(self) -> BlockRef:
        """Ask the node, and take in everything up to its head.

        Where the chain was reorganised, what is no longer on it is replaced. A node that knows less
        of the same chain than is known already takes nothing back.

        Returns:
            The block followed to.

        Raises:
            TransportError: the node does not answer, or what it answers cannot be or leaves events
                out, or its chain keeps changing while it is read. What was known before stands.
            DeploymentMismatch: the node is on another chain now. What was known before stands.
            StoreFailed: the database is out of reach, full, or held by somebody else too long.
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
            TransportError: as `sync`. Where the node does not even answer, nothing is forgotten.
            DeploymentMismatch: as `sync`; nothing is forgotten.
            StoreFailed: as `sync`.
        """
        with self._syncing:
            self._identity.check()
            self._history.clear()
            self._replace(self._made_anew())
        return self.sync()

    # --- The node's head ---

    def _follow(self) -> BlockRef:
        asked_at, tick = self._network.clock(), self._network.stopwatch()
        answer = Answer(head=self._network.head(), asked_at=asked_at, tick=tick)
        head = answer.head
        if self._depths.tip is None:
            self._identity.check()
        while not self._knows(head):
            ancestor, stretch = self._next_blocks(head)
            self._take_in(stretch, ancestor, answer)
        with self._lock:
            self._answer = answer
            assert self._depths.tip is not None  # something is known: the loop has ended
            return self._depths.tip

    def _knows(self, head: BlockRef) -> bool:
        """Whether a head is the block followed to, or one below it on the same chain.

        Raises:
            HistoryMoved: another process took back the block followed to.
        """
        tip = self._depths.tip
        if tip is None or head.number > tip.number:
            return False
        if head.number == tip.number:
            return head == tip
        known = next(self._history.newest_first(upto=head.number), [])
        if not self._history.holds(tip):  # what is known there is another branch's
            raise HistoryMoved
        if not known:
            return False
        if known[0].number == head.number:
            return known[0] == head
        # A block without events, forgotten long ago: the nearest below it must do.
        return self._on_chain(known[:1])[0]

    def _next_blocks(self, head: BlockRef) -> tuple[BlockRef | None, Stretch]:
        """The next blocks towards a head, and the block known here that they follow.

        Raises:
            _ChainMoved: they do not lead to that head.
        """
        ancestor = self._depths.tip
        if ancestor is not None and head.number <= ancestor.number:
            ancestor = self._common_ancestor(head)
        stretch = self._read(ancestor, head)
        if not _follows(stretch, ancestor):
            ancestor = self._common_ancestor(head)
            stretch = self._read(ancestor, head)
            if not _follows(stretch, ancestor):
                raise _ChainMoved
        if stretch.tip.number == head.number and stretch.tip != head:
            raise _ChainMoved
        return ancestor, stretch

    def _read(self, ancestor: BlockRef | None, head: BlockRef) -> Stretch:
        first = self._history.first_block if ancestor is None else ancestor.number + 1
        last = min(first + events.MAX_RANGE - 1, head.number)
        if first > last:  # the chain is shorter than where our contracts began on it
            raise TransportError(f"the node knows no more than {head.number} blocks of the chain")
        try:
            return events.read_stretch(self._network, self._contracts, first, last)
        except TransportError:
            if self._network.block(head.number) != head:
                raise _ChainMoved from None
            raise

    # --- Where two histories part ---

    def _common_ancestor(self, head: BlockRef) -> BlockRef | None:
        """The newest block known here that is on the node's chain; None where there is none.

        Raises:
            DeploymentMismatch: the node is on another chain altogether.
        """
        assert self._depths.tip is not None  # else there is nothing to part from
        self._identity.check()
        upto = min(self._depths.tip.number, head.number)
        for known in self._history.newest_first(upto=upto):
            for block, is_there in zip(known, self._on_chain(known), strict=True):
                if is_there:
                    return block
        self._identity.check_code()
        return None

    def _on_chain(self, blocks: list[BlockRef]) -> list[bool]:
        found = self._network.hashes([block.number for block in blocks])
        return [hashed == block.hash for hashed, block in zip(found, blocks, strict=True)]

    # --- Taking in ---

    def _take_in(self, stretch: Stretch, ancestor: BlockRef | None, answer: Answer) -> None:
        before = self._depths.newest  # nobody else changes it: we hold the lock of `sync`

        def tell(connection: Connection) -> None:
            if self._taken_in is not None and stretch.events:
                self._taken_in(connection, stretch.events, before)

        tip = self._depths.tip
        self._history.append(stretch, after=ancestor, in_place_of=tip, along=tell)
        with self._changing() as depths:
            if self._takes_back(depths, ancestor):
                depths.apply(stretch.events, stretch.tip)
            else:
                self._depths = self._made_anew()
            self._answer = answer

    @contextmanager
    def _changing(self) -> Iterator[Depths]:
        """The state, to be changed while nobody looks; where that fails there is none left."""
        with self._lock:
            try:
                yield self._depths
            except BaseException:
                self._depths = Depths(self._network.confirmations)  # half a block is no state
                raise

    def _takes_back(self, depths: Depths, ancestor: BlockRef | None) -> bool:
        """Take back what lies above an ancestor; False where that is more than is remembered."""
        if ancestor == depths.tip:
            return True
        final = -1 if depths.tip is None else depths.tip.number - self._network.confirmations
        if ancestor is None or ancestor.number < final:
            self._taken_back += 1
        try:
            depths.undo_after(ancestor)
        except LookupError:
            return False
        return True

    def _made_anew(self) -> Depths:
        """The state, made from the database alone."""
        depths = Depths(self._network.confirmations)
        with self._history.read() as (tip, found):
            if tip is not None:
                depths.apply(found, tip)
        return depths

    def _catch_up(self) -> None:
        """Take in what another process wrote to the database."""
        tip = self._depths.tip
        if tip is not None and self._history.holds(tip):
            with self._history.read(after=tip) as (newer, found):
                added: list[Any] = list(found)
            # Asked again: what was read may follow another branch, taken in between the two.
            if newer is not None and self._history.holds(tip):
                with self._changing() as depths:
                    depths.apply(added, newer)
                return
        self._replace(self._made_anew())

    def _replace(self, depths: Depths) -> None:
        with self._lock:
            self._depths = depths
            self._taken_back += 1  # perhaps: another process took back what it was made from


class _ChainMoved(Exception):
    """The head read from is not on the chain any more."""


def _follows(stretch: Stretch, ancestor: BlockRef | None) -> bool:
    return ancestor is None or stretch.headers[0].parent == ancestor.hash
