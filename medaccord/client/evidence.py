"""What a client looks up on the chain itself, so that it need not believe a gatekeeper."""

from __future__ import annotations

from datetime import datetime, timedelta
from threading import Lock
from typing import Final

from medaccord.chain import events
from medaccord.chain.deployment import Contracts
from medaccord.chain.powers import Power
from medaccord.core.anchors import Anchor
from medaccord.core.errors import ReceiptMismatch
from medaccord.core.identifiers import Address, Digest
from medaccord.core.receipts import Receipt, SignedReceipt, verify_receipt
from medaccord.core.typed_data import recover

MAX_AGE: Final = timedelta(minutes=2)
"""How long a block may have had a successor before an answer is asked for that is decided at it.

A gatekeeper asks the chain within half a minute and may be two blocks behind; the rest is for slow
networks and clocks that differ."""

_KEPT_HEADS: Final = 1024


class ChainEvidence:
    """Looks anchors and receipt keys up. Any number of threads may share it."""

    def __init__(self, contracts: Contracts) -> None:
        """Ask the network of one deployment."""
        self._network = contracts.network
        self._contracts = contracts
        self._final: dict[int, frozenset[Anchor]] = {}
        self._heads: dict[tuple[Address, Digest, int], Digest] = {}
        self._lock = Lock()

    def now(self) -> datetime:
        """The time that the age of answers is measured by."""
        return self._network.clock()

    def is_anchored(self, anchor: Anchor) -> bool:
        """Whether the chain holds exactly this anchor, in a block that counts as final.

        Raises:
            TransportError: The node does not answer.
        """
        return anchor in self._anchors_of(anchor.block_number)

    def is_newest(self, anchor: Anchor, *, decided_at: int) -> bool:
        """Whether an anchor was the last of its stream when an answer was decided.

        What was not final then does not count, on either side: neither an anchor that is shown
        before it is final, nor a later one that its steward could not know to be final. An anchor
        that became final since is newer than what was asked for, and counts.

        Args:
            anchor: what is said to be the last.
            decided_at: the block that the answer was decided at, as `check_block` took it.

        Raises:
            TransportError: The node does not answer, or has forgotten the state of that block.
        """
        if not self.is_anchored(anchor):
            return False
        final = decided_at - self._network.confirmations
        return self._head_at(anchor, max(final, anchor.block_number)) == anchor.head

    def check_block(self, number: int, *, asked_at: datetime) -> int:
        """Check that an answer was decided at a block that was new when it was asked for.

        Whoever could choose an old block could show the state of that time as the newest.

        Args:
            number: the block, as the answer's receipt names it.
            asked_at: when the answer was asked for.

        Returns:
            The block, or the newest that our own node knows where that is behind.

        Raises:
            ReceiptMismatch: It had a successor for longer than `MAX_AGE`.
            TransportError: The node does not answer.
        """
        head = self._network.head()
        if number >= head.number:
            return head.number
        after = self._network.block(number + 1).timestamp
        if asked_at - after > MAX_AGE:
            raise ReceiptMismatch(
                f"the answer was decided at block {number}, which was not the newest any more"
            )
        return number

    def check_receipt(self, signed: SignedReceipt, steward: Address) -> Receipt:
        """Check that a key which may log for a steward signed a receipt.

        Returns:
            The receipt.

        Raises:
            ReceiptMismatch: It is another steward's, or of a key that may not sign for it now.
            SignatureMismatch: The signature is malformed or malleable.
            TransportError: The node does not answer.
        """
        domain = self._contracts.off_chain_domain
        by = recover(signed.receipt.typed(domain), signed.signature)
        if not self._contracts.call("Registry", "isAuthorised", steward, by, Power.ANCHOR):
            raise ReceiptMismatch(f"the receipt is signed by {by}, no key of {steward}")
        verify_receipt(signed, domain, steward=steward, signers=[by])
        return signed.receipt

    def _head_at(self, anchor: Anchor, number: int) -> Digest:
        """The head of an anchor's stream after a block that is final."""
        place = (anchor.account, anchor.topic, number)
        with self._lock:
            if place in self._heads:
                return self._heads[place]
        stream = self._contracts.anchors.functions.headOf(anchor.account, anchor.topic)
        head = Digest(self._network.call(stream, at=number))
        with self._lock:
            if len(self._heads) >= _KEPT_HEADS:
                self._heads.clear()
            self._heads[place] = head
        return head

    def _anchors_of(self, number: int) -> frozenset[Anchor]:
        with self._lock:
            if number in self._final:
                return self._final[number]
        if number > self._network.head().number - self._network.confirmations:
            return frozenset()
        found = frozenset(
            event.anchor
            for event in events.fetch(self._network, self._contracts, number, number)
            if isinstance(event, events.Anchored)
        )
        with self._lock:
            self._final[number] = found
        return found
