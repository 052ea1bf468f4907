"""Anchoring batches: oldest first in each stream, many streams at once.

What was prepared is kept before it is sent; whether it was appended, the chain alone says. So a
crash or a lost answer at any moment leaves nothing to repair but to look again.
"""

import logging
from collections import deque
from collections.abc import Collection, Iterator
from datetime import timedelta
from typing import Final

from medaccord.chain import actions
from medaccord.chain.sender import Pending, Receipt
from medaccord.core.anchors import Anchor
from medaccord.core.errors import KeyMissing, MedaccordError, VerificationFailed
from medaccord.core.identifiers import Digest
from medaccord.gatekeeper.foundation import Foundation
from medaccord.records import Batch, Batches
from medaccord.records.restating import forget_erased, restate
from medaccord.store import writing
from medaccord.store.locks import exclusive

_log = logging.getLogger(__name__)

_IN_FLIGHT: Final = 64
_LOCK: Final = "anchor-batches"
_WAIT: Final = timedelta(minutes=10)


class BatchAnchors:
    """Appends the batches of a steward to their streams."""

    def __init__(self, base: Foundation) -> None:
        self._engine = base.engine
        self._steward = base.steward
        self._network = base.network
        self._contracts = base.contracts
        self._ledger = base.ledger
        self._sender = base.sender
        self._sealer = base.sealer
        self._names = base.names
        self._batches = Batches(base.engine)
        self._tidied: dict[Digest, int] = {}

    def anchor(self, topics: Collection[Digest]) -> dict[int, Receipt]:
        """Append what streams lack, so that each ends with the state of its newest batch.

        Returns:
            The receipts, by the ids of the batches; what the chain had already is only noted.

        Raises:
            TransportError: the chain is out of reach: call again later. What was sent until then is
                noted.
            ContractReverted: the key may not append for the steward.
            StoreFailed: the database is out of reach.
        """
        with exclusive(self._engine, _LOCK, timeout=_WAIT):
            self._ledger.sync()
            return self._append({topic: self._lacking(topic) for topic in topics})

    def finish(self) -> int:
        """Append what any stream lacks: left over, taken back, or without a state as yet.

        Returns:
            How many batches are anchored now that were not.

        Raises:
            TransportError: as `anchor`.
            ContractReverted: as `anchor`.
            StoreFailed: as `anchor`.
        """
        with exclusive(self._engine, _LOCK, timeout=_WAIT):
            self._ledger.sync()
            unanchored = {each.id for each in self._batches.unanchored()}
            lacking = {topic: self._lacking(topic) for topic in self._unfinished(unanchored)}
            wanted = unanchored | {each.id for batches in lacking.values() for each in batches}
            self._append(lacking)
            self._tidy(moving={topic for topic, batches in lacking.items() if batches})
            return len(wanted)

    def _unfinished(self, unanchored: Collection[int]) -> Iterator[Digest]:
        """The streams whose last append is not their newest batch's, once each tells a state."""
        for newest in self._batches.newest():
            told = newest if newest.state is not None else self._restated(newest)
            if told is None:
                if newest.id in unanchored:
                    yield newest.topic
            elif newest.id in unanchored or self._last_root(told.topic) != told.root:
                yield told.topic

    def _restated(self, newest: Batch) -> Batch | None:
        """A state for a stream of version 0001 of the database; None where nobody can tell it."""
        try:
            with writing(self._engine) as connection:
                return restate(
                    connection, self._sealer, self._names, newest.owner, at=self._network.clock()
                )
        except KeyMissing:  # erased: there is nothing left to prove
            return None
        except VerificationFailed as error:
            _log.warning("a stream cannot be given a state: %s", error)
            return None

    def _last_root(self, topic: Digest) -> Digest | None:
        appended = self._ledger.anchors(self._steward, topic)
        return appended[-1].root if appended else None

    def _lacking(self, topic: Digest) -> list[Batch]:
        """What has to be appended to a stream, in order; what is there already is noted."""
        anchors = {each.root: each for each in self._ledger.anchors(self._steward, topic)}
        batches = self._batches.of_stream(topic)
        lacking = []
        for each in batches:
            if each.root not in anchors:
                lacking.append(each)
            elif not each.is_anchored:
                anchor = anchors[each.root]
                self._batches.mark_anchored(
                    each,
                    transaction=anchor.transaction,
                    block=self._network.block(anchor.block_number),
                    at=self._network.clock(),
                )
        newest = batches[-1:]
        if lacking or self._last_root(topic) not in {each.root for each in newest}:
            lacking += [each for each in newest if each not in lacking]
        return lacking

    # --- Sending ---

    def _append(self, lacking: dict[Digest, list[Batch]]) -> dict[int, Receipt]:
        """One after another in a stream, since each names the head before; many streams at once."""
        receipts: dict[int, Receipt] = {}
        waiting = deque(deque(batches) for batches in lacking.values() if batches)
        flying: deque[tuple[deque[Batch], Pending]] = deque()
        failed: MedaccordError | None = None
        while flying or (waiting and failed is None):
            if waiting and failed is None and len(flying) < _IN_FLIGHT:
                stream = waiting.popleft()
                try:
                    flying.append((stream, self._send(stream[0])))
                except MedaccordError as error:
                    failed = error
                continue
            stream, pending = flying.popleft()
            try:
                receipts[stream[0].id] = self._landed(stream[0], pending)
            except MedaccordError as error:
                failed = failed or error
                continue
            stream.popleft()
            if stream:
                waiting.append(stream)
        if failed is not None:
            raise failed
        return receipts

    def _send(self, batch: Batch) -> Pending:
        action = actions.append(
            self._contracts,
            account=self._steward,
            by=self._sender.address,
            topic=batch.topic,
            root=batch.root,
        )
        # By its root: the number of a batch that was erased unanchored may be given out again.
        return actions.submit(self._sender, action, wait=False, purpose=f"batch:{batch.root.hex()}")

    def _landed(self, batch: Batch, pending: Pending) -> Receipt:
        receipt = pending.wait()
        self._batches.mark_anchored(
            batch,
            transaction=receipt.transaction,
            block=receipt.block,
            at=self._network.clock(),
        )
        return receipt

    # --- What erasures left in indexes ---

    def _tidy(self, *, moving: Collection[Digest]) -> None:
        """Drop what only states of the past name, once a later state is final."""
        for topic, owner in self._batches.restated():
            anchor = self._ledger.newest_anchor(self._steward, topic)
            held = None if anchor is None else self._batches.find(topic, anchor.root)
            if anchor is None or held is None or held.state is None:
                continue
            if self._tidied.get(topic) == held.id or not self._is_surely(held, anchor, moving):
                continue
            try:
                with writing(self._engine) as connection:
                    forget_erased(connection, self._sealer, owner, upto=held.id)
            except (KeyMissing, VerificationFailed):  # erased whole, or not to be opened
                _log.debug("what an erasure left cannot be looked at")
            self._tidied[topic] = held.id

    def _is_surely(self, held: Batch, anchor: Anchor, moving: Collection[Digest]) -> bool:
        """Whether an append was that of the newest batch with its root.

        A state can come back, and its root with it. Then only what stands still tells.
        """
        last = self._ledger.anchors(self._steward, held.topic)[-1:]
        if held.topic not in moving and last == (anchor,):
            return True
        same = [each for each in self._batches.of_stream(held.topic) if each.root == held.root]
        return len(same) == 1
