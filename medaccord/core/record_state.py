"""The state of a stream of records: which version of each record is the newest.

Every append of a stream commits to two things at once::

    root  = keccak256(0x05 ‖ tree ‖ state)
    tree  = Merkle root over the leaves of the batch; 32 zero bytes for a batch without leaves
    state = root of a `SparseMap`: record key → keccak256(0x06 ‖ version ‖ leaf of that version)

Only one value can stand under a key, so under one append a record has one newest version; and the
chain says which append of a stream is the last. Leaves are salted: neither the map nor its proofs
let anybody guess what a record says, nor, once its salt is gone, which record it was.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from eth_utils.crypto import keccak

from medaccord.core import sparse_map
from medaccord.core.anchors import Anchor
from medaccord.core.documents import DocumentReader
from medaccord.core.errors import ProofMismatch
from medaccord.core.identifiers import ZERO_DIGEST, Digest, digest, hex_digest
from medaccord.core.merkle import MerkleTree

__all__ = ["NO_LEAVES", "NewestProof", "anchored_root", "state_value", "tree_root"]

NO_LEAVES: Final = ZERO_DIGEST
"""What stands for the tree of a batch that adds nothing and only tells the state."""

_MEMBERS: Final = ("version", "leaf", "siblings", "tree", "state", "anchor")


def tree_root(leaves: Sequence[Digest]) -> Digest:
    """The Merkle root over a batch's leaves; `NO_LEAVES` where there are none."""
    return MerkleTree(leaves).root if leaves else NO_LEAVES


def anchored_root(tree: Digest, state: Digest) -> Digest:
    """What is appended to the chain for a batch: keccak256(0x05 ‖ tree ‖ state).

    Raises:
        InvalidIdentifier: A part has not 32 bytes.
    """
    return Digest(keccak(b"\x05" + digest(tree) + digest(state)))


def state_value(version: int, leaf: Digest) -> Digest:
    """The value of a record in the map: keccak256(0x06 ‖ version ‖ leaf).

    Args:
        version: The record's newest version, from 1; eight bytes, big-endian, in the hash.
        leaf: The salted leaf of that version.

    Raises:
        InvalidIdentifier: The leaf has not 32 bytes.
    """
    return Digest(keccak(b"\x06" + version.to_bytes(8) + digest(leaf)))


@dataclass(frozen=True, slots=True, kw_only=True)
class NewestProof:
    """Shows which version of a record was the newest when its steward appended.

    Attributes:
        version: The newest version, from 1.
        leaf: Its salted leaf.
        siblings: From the root of the map down to the record's place.
        tree: Merkle root of the batch appended, which may be another than the version's own.
        state: Root of the map.
        anchor: The append.
    """

    version: int
    leaf: Digest
    siblings: tuple[Digest, ...]
    tree: Digest
    state: Digest
    anchor: Anchor

    def verify(self, record: Digest) -> None:
        """Check that the append says this of a record; that it is the last, the chain must say.

        Args:
            record: `record_key` of the record's name.

        Raises:
            ProofMismatch: It does not.
        """
        if anchored_root(self.tree, self.state) != self.anchor.root:
            raise ProofMismatch("the state is not the one that was anchored")
        value = state_value(self.version, self.leaf)
        sparse_map.verify_entry(self.state, record, value, self.siblings)

    def document(self) -> dict[str, Any]:
        """The proof in JSON, a part of ``medaccord/proof/2``."""
        return {
            "version": self.version,
            "leaf": hex_digest(self.leaf),
            "siblings": [hex_digest(sibling) for sibling in self.siblings],
            "tree": hex_digest(self.tree),
            "state": hex_digest(self.state),
            "anchor": self.anchor.document(),
        }

    @classmethod
    def parse(cls, document: object) -> Self:
        """Read what `document` writes.

        Raises:
            InvalidDocument: A member is missing, malformed or one too many.
        """
        reader = DocumentReader(document, what="the newest version", required=_MEMBERS)
        return cls(
            version=reader.integer("version", minimum=1),
            leaf=reader.digest("leaf"),
            siblings=reader.digests("siblings"),
            tree=reader.digest("tree"),
            state=reader.digest("state"),
            anchor=Anchor.parse(reader.raw("anchor")),
        )
