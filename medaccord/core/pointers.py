"""Pointers: the salted commitment to one version of one record that a steward holds."""

from dataclasses import dataclass
from typing import Any, Final, Self

from eth_utils.crypto import keccak

from medaccord.core.documents import MAX_INTEGER, DocumentReader
from medaccord.core.errors import InvalidInput
from medaccord.core.identifiers import Address, Digest, digest, hex_digest

RECORD_KIND: Final = "medaccord/record/1"
"""Kind of a pointer to a FHIR resource."""

LEAF_TYPES: Final = (
    *("bytes32", "address", "bytes32", "bytes32", "uint64", "bytes32", "bytes32", "bytes32"),
)
"""What a leaf is made of, as Solidity has it."""

_KIND_HASH: Final = keccak(text=RECORD_KIND)
_MEMBERS = (
    "kind",
    "steward",
    "topic",
    "record",
    "version",
    "plaintext",
    "ciphertext",
    "salt",
)


def record_key(name: str) -> Digest:
    """Hash a record's name, ``Type/id``: keccak256 of its UTF-8.

    Warning: it can be guessed. It may appear only where a salt hides it or to whoever may read.
    """
    return Digest(keccak(text=name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointer:
    """What is committed to about one version of one record.

    Attributes:
        kind: Names the fields and their meaning; `RECORD_KIND` for now.
        steward: Account of the organisation that holds the record.
        topic: The stream it is anchored in, under the steward's account.
        record: `record_key` of ``Type/id``.
        version: From 1, up by one with each change.
        plaintext: keccak256 of the record's canonical bytes.
        ciphertext: keccak256 of the sealed record.
        salt: 32 fresh random bytes.

    Raises:
        InvalidInput: The kind is unknown, the version not from 1 to 2**53 - 1.
        InvalidIdentifier: A digest has not 32 bytes.
    """

    kind: str = RECORD_KIND
    steward: Address
    topic: Digest
    record: Digest
    version: int
    plaintext: Digest
    ciphertext: Digest
    salt: Digest

    def __post_init__(self) -> None:
        """Refuse what has no leaf."""
        if self.kind != RECORD_KIND:
            raise InvalidInput(f"unknown kind of pointer: {self.kind!r}")
        if not 1 <= self.version <= MAX_INTEGER:
            raise InvalidInput(f"a record's version is counted from 1, not {self.version}")
        for part in (self.topic, self.record, self.plaintext, self.ciphertext, self.salt):
            digest(part)

    @property
    def leaf(self) -> Digest:
        """Leaf under the batch's root; hashed twice over all fields, the kind by its keccak256.

        It is `merkle.leaf_hash` over `LEAF_TYPES`, whose values are a word of 32 bytes each.
        """
        words = (
            _KIND_HASH,
            bytes.fromhex(self.steward[2:]).rjust(32, b"\0"),
            self.topic,
            self.record,
            self.version.to_bytes(32),
            self.plaintext,
            self.ciphertext,
            self.salt,
        )
        return Digest(keccak(keccak(b"".join(words))))

    def document(self) -> dict[str, Any]:
        """The pointer in JSON."""
        return {
            "kind": self.kind,
            "steward": self.steward,
            "topic": hex_digest(self.topic),
            "record": hex_digest(self.record),
            "version": self.version,
            "plaintext": hex_digest(self.plaintext),
            "ciphertext": hex_digest(self.ciphertext),
            "salt": hex_digest(self.salt),
        }

    @classmethod
    def parse(cls, document: object) -> Self:
        """Read what `document` writes.

        Raises:
            InvalidDocument: A member is missing, malformed or one too many.
            InvalidInput: As the constructor.
        """
        reader = DocumentReader(document, what="the pointer", required=_MEMBERS)
        return cls(
            kind=reader.text("kind"),
            steward=reader.address("steward"),
            topic=reader.digest("topic"),
            record=reader.digest("record"),
            version=reader.integer("version", minimum=1),
            plaintext=reader.digest("plaintext"),
            ciphertext=reader.digest("ciphertext"),
            salt=reader.digest("salt"),
        )
