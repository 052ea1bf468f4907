"""The steward's signature under each answer: that it was logged, and as which entry."""

from medaccord.core.blocks import BlockRef
from medaccord.core.identifiers import ZERO_DIGEST, Address
from medaccord.core.receipts import Receipt, SignedReceipt
from medaccord.core.typed_data import Domain
from medaccord.gatekeeper.audit_log import Logged
from medaccord.keys import Signer


class Receipts:
    """Signs receipts with the gatekeeper's key."""

    def __init__(self, *, steward: Address, domain: Domain, signer: Signer) -> None:
        self._steward = steward
        self._domain = domain
        self._signer = signer

    def sign(self, logged: Logged, block: BlockRef | None) -> SignedReceipt:
        """Sign for an entry that is in the log.

        Args:
            logged: the entry.
            block: where the chain stood; None, where it could not be reached, is signed as block 0
                with a hash of zero.
        """
        receipt = Receipt(
            steward=self._steward,
            relationship=logged.entry.relationship,
            number=logged.entry.number,
            entry=logged.commitment,
            head=logged.head,
            block_number=0 if block is None else block.number,
            block_hash=ZERO_DIGEST if block is None else block.hash,
        )
        return SignedReceipt(
            receipt=receipt, signature=self._signer.sign(receipt.typed(self._domain))
        )
