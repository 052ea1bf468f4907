"""One append to a stream of commitments, as the Anchors contract reported it."""

from dataclasses import dataclass
from typing import Any, Self

from medaccord.core.documents import DocumentReader
from medaccord.core.identifiers import Address, Digest, hex_digest

_MEMBERS = ("account", "topic", "previous", "root", "head", "blockNumber", "transaction")


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """One ``Anchored`` event, and where it stands.

    Attributes:
        account: Owner of the stream.
        topic: The stream.
        previous: Head of the stream before; zero for the first append.
        root: What was appended.
        head: Head of the stream after.
        block_number: Block of the event.
        transaction: Hash of the transaction.
    """

    account: Address
    topic: Digest
    previous: Digest
    root: Digest
    head: Digest
    block_number: int
    transaction: Digest

    def document(self) -> dict[str, Any]:
        """The anchor in JSON."""
        return {
            "account": self.account,
            "topic": hex_digest(self.topic),
            "previous": hex_digest(self.previous),
            "root": hex_digest(self.root),
            "head": hex_digest(self.head),
            "blockNumber": self.block_number,
            "transaction": hex_digest(self.transaction),
        }

    @classmethod
    def parse(cls, document: object) -> Self:
        """Read what `document` writes.

        Raises:
            InvalidDocument: A member is missing, malformed or one too many.
        """
        reader = DocumentReader(document, what="the anchor", required=_MEMBERS)
        return cls(
            account=reader.address("account"),
            topic=reader.digest("topic"),
            previous=reader.digest("previous"),
            root=reader.digest("root"),
            head=reader.digest("head"),
            block_number=reader.integer("blockNumber"),
            transaction=reader.digest("transaction"),
        )
