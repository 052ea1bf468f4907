"""Receipts: a steward's signature that an answer was logged, and as which entry.

A grantee keeps it. A log that lacks the entry, or holds another in its place, is then shown to be
false by the steward's own signature.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from medaccord.core.audit import GENESIS, AuditEntry, chain_head
from medaccord.core.documents import MAX_INTEGER, DocumentReader
from medaccord.core.errors import InvalidDocument, ReceiptMismatch
from medaccord.core.identifiers import Address, Digest, hex_digest
from medaccord.core.typed_data import Domain, TypedData, recover, typed

PROFILE: Final = "medaccord/receipt/1"

_REQUIRED = (
    "steward",
    "relationship",
    "number",
    "entry",
    "head",
    "blockNumber",
    "blockHash",
    "signature",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a steward signs about one answer.

    Attributes:
        steward: Account of the steward.
        relationship: Key of the log.
        number: Number of the entry, from 1.
        entry: The entry's commitment.
        head: Head of the log with that entry.
        block_number: Block the answer was decided at.
        block_hash: Its hash.

    Raises:
        InvalidDocument: The number is below 1, or a number is beyond 2**53 - 1.
    """

    steward: Address
    relationship: Digest
    number: int
    entry: Digest
    head: Digest
    block_number: int
    block_hash: Digest

    def __post_init__(self) -> None:
        """Refuse numbers that have no exact form in JSON."""
        if not 1 <= self.number <= MAX_INTEGER or not 0 <= self.block_number <= MAX_INTEGER:
            raise InvalidDocument(
                f"a receipt for entry {self.number} at block {self.block_number} makes no sense"
            )

    def typed(self, domain: Domain) -> TypedData:
        """What is signed.

        Args:
            domain: The off-chain domain.

        Raises:
            InvalidInput: It is another domain.

        Source: EIP-712.
        """
        return typed(
            domain,
            "Receipt",
            steward=self.steward,
            relationship=self.relationship,
            number=self.number,
            entry=self.entry,
            head=self.head,
            blockNumber=self.block_number,
            blockHash=self.block_hash,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedReceipt:
    """A receipt and the signature of a key that may sign for the steward.

    Attributes:
        receipt: What was signed.
        signature: 65 bytes: r, s, v.
    """

    receipt: Receipt
    signature: bytes

    def document(self) -> dict[str, Any]:
        """The receipt in JSON, profile ``medaccord/receipt/1``."""
        receipt = self.receipt
        return {
            "profile": PROFILE,
            "steward": receipt.steward,
            "relationship": hex_digest(receipt.relationship),
            "number": receipt.number,
            "entry": hex_digest(receipt.entry),
            "head": hex_digest(receipt.head),
            "blockNumber": receipt.block_number,
            "blockHash": hex_digest(receipt.block_hash),
            "signature": "0x" + self.signature.hex(),
        }

    @classmethod
    def parse(cls, document: bytes | str | Mapping[str, Any]) -> Self:
        """Read what `document` writes; the signature is checked by `verify_receipt` alone.

        Raises:
            InvalidDocument: It is malformed, of another profile, or a member does not fit.
        """
        reader = DocumentReader.open(document, profile=PROFILE, required=_REQUIRED)
        receipt = Receipt(
            steward=reader.address("steward"),
            relationship=reader.digest("relationship"),
            number=reader.integer("number", minimum=1),
            entry=reader.digest("entry"),
            head=reader.digest("head"),
            block_number=reader.integer("blockNumber"),
            block_hash=reader.digest("blockHash"),
        )
        return cls(receipt=receipt, signature=reader.octets("signature"))


def verify_receipt(
    signed: SignedReceipt, domain: Domain, *, steward: Address, signers: Collection[Address]
) -> None:
    """Check that a steward signed a receipt.

    Args:
        signed: The receipt.
        domain: The off-chain domain of the chain and the contracts in use.
        steward: Account whose receipt it must be.
        signers: Keys that may sign for it: its controller, and its gatekeeper's delegates.

    Raises:
        ReceiptMismatch: It is another steward's, or signed by a key that may not sign for it.
        SignatureMismatch: The signature is malformed or malleable.
        InvalidInput: The domain is not the off-chain one.
    """
    if signed.receipt.steward != steward:
        raise ReceiptMismatch(f"the receipt is by {signed.receipt.steward}, not by {steward}")
    by = recover(signed.receipt.typed(domain), signed.signature)
    if by not in signers:
        raise ReceiptMismatch(f"the receipt is signed by {by}, which may not sign for {steward}")


def check_in_log(receipt: Receipt, entries: Sequence[AuditEntry | Digest]) -> None:
    """Check that a log holds the entry a receipt is for, after the entries it was for.

    Args:
        receipt: A receipt whose signature was checked.
        entries: The whole log from entry 1 on, as `verify_log` takes it.

    Raises:
        ReceiptMismatch: The log ends before the entry, holds another in its place, or differs
            before it.
    """
    if len(entries) < receipt.number:
        raise ReceiptMismatch(
            f"the log has {len(entries)} entries, but a receipt was signed for {receipt.number}"
        )
    head = commitment = GENESIS
    for number, entry in enumerate(entries[: receipt.number], start=1):
        commitment = entry.commitment if isinstance(entry, AuditEntry) else entry
        head = chain_head(head, number, commitment)
    if commitment != receipt.entry:
        raise ReceiptMismatch(f"entry {receipt.number} of the log is not the one in the receipt")
    if head != receipt.head:
        raise ReceiptMismatch(
            f"the log before entry {receipt.number} is not the one in the receipt"
        )
