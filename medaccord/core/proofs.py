"""Proofs that travel beside what was released, and what they are checked against.

A record's proof (``medaccord/proof/1``) stands in an extension of its Bundle entry and is what
``$proof`` answers::

    {"profile": "medaccord/proof/1",
     "pointer": {"kind", "steward", "topic", "record", "version", "plaintext",
                 "ciphertext", "salt"},
     "siblings": ["0x…", …],
     "anchor": {"account", "topic", "previous", "root", "head", "blockNumber", "transaction"}}

A log's proof (``medaccord/log-proof/1``) shows count and head of one audit log under the one root
that was anchored for all of a steward's logs::

    {"profile": "medaccord/log-proof/1", "relationship": "0x…", "count": 3, "head": "0x…",
     "siblings": ["0x…", …], "anchor": {…}}

Neither is worth anything until its anchor was looked up on the chain: that look-up is handed in.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self, TypeAlias

from eth_utils.crypto import keccak

from medaccord.core import merkle, sparse_map
from medaccord.core.anchors import Anchor
from medaccord.core.audit import log_leaf
from medaccord.core.canonical import parse_object
from medaccord.core.documents import DocumentReader
from medaccord.core.errors import ProofMismatch
from medaccord.core.identifiers import Address, Digest, hex_digest
from medaccord.core.pointers import Pointer, record_key

RECORD_PROFILE: Final = "medaccord/proof/1"
LOG_PROFILE: Final = "medaccord/log-proof/1"

IsAnchored: TypeAlias = Callable[[Anchor], bool]
"""Whether the chain holds exactly this anchor; of a set of them, its ``__contains__``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordProof:
    """Shows that one version of a record is what its steward anchored.

    Attributes:
        pointer: What was committed to.
        siblings: From the pointer's leaf up to the root of its batch.
        anchor: The append of that root.
    """

    pointer: Pointer
    siblings: tuple[Digest, ...]
    anchor: Anchor

    def document(self) -> dict[str, Any]:
        """The proof in JSON, profile ``medaccord/proof/1``."""
        return {
            "profile": RECORD_PROFILE,
            "pointer": self.pointer.document(),
            "siblings": [hex_digest(sibling) for sibling in self.siblings],
            "anchor": self.anchor.document(),
        }

    @classmethod
    def parse(cls, document: bytes | str | Mapping[str, Any]) -> Self:
        """Read what `document` writes.

        Raises:
            InvalidDocument: It is malformed, of another profile, or a member does not fit.
            InvalidInput: The kind of pointer is unknown.
        """
        required = ("pointer", "siblings", "anchor")
        reader = DocumentReader.open(document, profile=RECORD_PROFILE, required=required)
        return cls(
            pointer=Pointer.parse(reader.raw("pointer")),
            siblings=reader.digests("siblings"),
            anchor=Anchor.parse(reader.raw("anchor")),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LogProof:
    """Shows how long an audit log was, and its head, when a steward anchored its logs.

    Attributes:
        relationship: Key of the log.
        count: Number of entries, at least 1.
        head: Head after them.
        siblings: From the root of the map down to the log's leaf.
        anchor: The append of that root.
    """

    relationship: Digest
    count: int
    head: Digest
    siblings: tuple[Digest, ...]
    anchor: Anchor

    def document(self) -> dict[str, Any]:
        """The proof in JSON, profile ``medaccord/log-proof/1``."""
        return {
            "profile": LOG_PROFILE,
            "relationship": hex_digest(self.relationship),
            "count": self.count,
            "head": hex_digest(self.head),
            "siblings": [hex_digest(sibling) for sibling in self.siblings],
            "anchor": self.anchor.document(),
        }

    @classmethod
    def parse(cls, document: bytes | str | Mapping[str, Any]) -> Self:
        """Read what `document` writes.

        Raises:
            InvalidDocument: It is malformed, of another profile, or a member does not fit.
        """
        required = ("relationship", "count", "head", "siblings", "anchor")
        reader = DocumentReader.open(document, profile=LOG_PROFILE, required=required)
        return cls(
            relationship=reader.digest("relationship"),
            count=reader.integer("count", minimum=1),
            head=reader.digest("head"),
            siblings=reader.digests("siblings"),
            anchor=Anchor.parse(reader.raw("anchor")),
        )


def verify_record(record: bytes, proof: RecordProof, is_anchored: IsAnchored) -> None:
    """Check that a record, as it arrived, is what its steward anchored.

    Warning: this does not show that it is the latest version, nor that nothing was withheld, nor
    who the steward is: compare ``proof.pointer.steward`` with whom you asked.

    Args:
        record: The record's canonical bytes, as `record_bytes` makes them.
        proof: What travelled beside it.
        is_anchored: Looks the anchor up on the chain.

    Raises:
        ProofMismatch: One byte differs, the pointer is of another record, stream or batch, or the
            chain has no such anchor.
        InvalidDocument: The record is no JSON object.
    """
    pointer, anchor = proof.pointer, proof.anchor
    if keccak(record) != pointer.plaintext:
        raise ProofMismatch("the record is not the one its steward anchored: it was changed")
    resource = parse_object(record)
    name = f"{resource.get('resourceType')}/{resource.get('id')}"
    if record_key(name) != pointer.record:
        raise ProofMismatch(f"the proof is for another record than {name}")
    _check_stream(anchor, pointer.steward, pointer.topic)
    merkle.verify(anchor.root, pointer.leaf, proof.siblings)
    _check_anchored(anchor, is_anchored)


def verify_log_proof(
    proof: LogProof, is_anchored: IsAnchored, *, steward: Address, topic: Digest
) -> None:
    """Check that a steward anchored this count and head, and no other, for a log.

    Args:
        proof: What the gatekeeper answered.
        is_anchored: Looks the anchor up on the chain.
        steward: Account whose log it is.
        topic: Stream of the steward's logs.

    Raises:
        ProofMismatch: Count or head are others, the anchor is of another stream, or the chain has
            no such anchor.
    """
    _check_stream(proof.anchor, steward, topic)
    value = log_leaf(proof.count, proof.head)
    sparse_map.verify_entry(proof.anchor.root, proof.relationship, value, proof.siblings)
    _check_anchored(proof.anchor, is_anchored)


def _check_stream(anchor: Anchor, account: Address, topic: Digest) -> None:
    if (anchor.account, anchor.topic) != (account, topic):
        raise ProofMismatch("the anchor is of another stream than the one it has to be in")


def _check_anchored(anchor: Anchor, is_anchored: IsAnchored) -> None:
    if not is_anchored(anchor):
        raise ProofMismatch(
            f"the chain holds no anchor of the root {hex_digest(anchor.root)} there"
        )
