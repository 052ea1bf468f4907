"""What a client looks up on the chain itself, so that it need not believe a gatekeeper."""

from __future__ import annotations

from threading import Lock

from medaccord.chain import events
from medaccord.chain.deployment import Contracts
from medaccord.chain.network import Network
from medaccord.chain.powers import Power
from medaccord.core.anchors import Anchor
from medaccord.core.errors import ReceiptMismatch
from medaccord.core.identifiers import Address
from medaccord.core.receipts import Receipt, SignedReceipt, verify_receipt
from medaccord.core.typed_data import recover


class ChainEvidence:
    """Looks anchors and receipt keys up. Any number of threads may share it."""

    def __init__(self, network: Network, contracts: Contracts) -> None:
        """Ask one network about one deployment."""
        self._network = network
        self._contracts = contracts
        self._final: dict[int, frozenset[Anchor]] = {}
        self._lock = Lock()

    def is_anchored(self, anchor: Anchor) -> bool:
        """Whether the chain holds exactly this anchor, in a block that counts as final.

        Raises:
            TransportError: The node does not answer.
        """
        return anchor in self._anchors_of(anchor.block_number)

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

    def _anchors_of(self, number: int) -> frozenset[Anchor]:
        with self._lock:
            if number in self._final:
                return self._final[number]
        if number > self._network.head().number - self._network.confirmations:
            return frozenset()
        found = frozenset(
            _anchor(event)
            for event in events.fetch(self._network, self._contracts, number, number)
            if isinstance(event, events.Anchored)
        )
        with self._lock:
            self._final[number] = found
        return found


def _anchor(event: events.Anchored) -> Anchor:
    return Anchor(
        account=event.account,
        topic=event.topic,
        previous=event.previous,
        root=event.root,
        head=event.head,
        block_number=event.block.number,
        transaction=event.transaction,
    )
