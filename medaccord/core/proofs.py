"""Proofs that travel beside what was released, and what they are checked against.

A record's proof (``medaccord/proof/2``) stands in an extension of its Bundle entry and is what
``$proof`` answers::

    {"profile": "medaccord/proof/2",
     "pointer": {"kind", "steward", "topic", "record", "version", "plaintext",
                 "ciphertext", "salt"},
     "siblings": ["0x…", …],
     "anchor": {"account", "topic", "previous", "root", "head", "blockNumber", "transaction"},
     "state": "0x…",
     "newest": {"version", "leaf", "siblings", "tree", "state", "anchor"}}

The first four show that this version was anchored. ``newest`` shows which version was the newest at
the last append of the stream, this one or one that superseded it; see `core.record_state`. Without
``state`` the anchored root is the batch's Merkle root itself: so it was in ``medaccord/proof/1``,
which has neither member and is still read.

A log's proof (``medaccord/log-proof/1``) shows count and head of one audit log under the one root
that was anchored for all of a steward's logs::

    {"profile": "medaccord/log-proof/1", "relationship": "0x…", "count": 3, "head": "0x…",
     "siblings": ["0x…", …], "anchor": {…}}

Neither is worth anything until its anchor was looked up on the chain: that look-up is handed in.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self, TypeAlias

from eth_utils.crypto import keccak

from medaccord.core import merkle, sparse_map
from medaccord.core.anchors import Anchor
from medaccord.core.audit import log_leaf
from medaccord.core.canonical import parse_object
from medaccord.core.documents import DocumentReader, members_of
from medaccord.core.errors import ProofMismatch, RecordSuperseded
from medaccord.core.identifiers import Address, Digest, hex_digest
from medaccord.core.pointers import Pointer, record_key
from medaccord.core.record_state import NewestProof, anchored_root

RECORD_PROFILE: Final = "medaccord/proof/2"
FIRST_RECORD_PROFILE: Final = "medaccord/proof/1"
LOG_PROFILE: Final = "medaccord/log-proof/1"

IsAnchored: TypeAlias = Callable[[Anchor], bool]
"""Whether the chain holds exactly this anchor; of a set of them, its ``__contains__``."""


IsNewest: TypeAlias = Callable[[Anchor], bool]
"""Whether an anchor is the last of its stream, as of a block of the asker's own choice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordProof:
    """Shows that one version of a record is what its steward anchored, and which one is the newest.

    Attributes:
        pointer: What was committed to.
        siblings: From the pointer's leaf up to the Merkle root of its batch.
        anchor: The append of that batch.
        state: What the append tells beside the batch; None where the root appended is the Merkle
            root itself.
        newest: Which version the last append names; None where nobody can show it.
    """

    pointer: Pointer
    siblings: tuple[Digest, ...]
    anchor: Anchor
    state: Digest | None = None
    newest: NewestProof | None = None

    def document(self) -> dict[str, Any]:
        """The proof in JSON, profile ``medaccord/proof/2``."""
        return {
            "profile": RECORD_PROFILE,
            "pointer": self.pointer.document(),
            **anchoring_members(self.siblings, self.anchor, self.state, self.newest),
        }

    @classmethod
    def parse(cls, document: bytes | str | Mapping[str, Any]) -> Self:
        """Read what `document` writes, or wrote as ``medaccord/proof/1``.

        Raises:
            InvalidDocument: It is malformed, of another profile, or a member does not fit.
            InvalidInput: The kind of pointer is unknown.
        """
        members = members_of(document)
        first = members.get("profile") == FIRST_RECORD_PROFILE
        reader = DocumentReader.open(
            members,
            profile=FIRST_RECORD_PROFILE if first else RECORD_PROFILE,
            required=("pointer", "siblings", "anchor"),
            optional=() if first else ("state", "newest"),
        )
        newest = reader.raw("newest") if reader.has("newest") else None
        return cls(
            pointer=Pointer.parse(reader.raw("pointer")),
            siblings=reader.digests("siblings"),
            anchor=Anchor.parse(reader.raw("anchor")),
            state=reader.digest("state") if reader.has("state") else None,
            newest=None if newest is None else NewestProof.parse(newest),
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


def anchoring_members(
    siblings: Iterable[Digest], anchor: Anchor, state: Digest | None, newest: NewestProof | None
) -> dict[str, Any]:
    """What ties a record's leaf to the chain, in JSON: the same in a proof and in an envelope."""
    members: dict[str, Any] = {
        "siblings": [hex_digest(sibling) for sibling in siblings],
        "anchor": anchor.document(),
    }
    if state is not None:
        members["state"] = hex_digest(state)
    if newest is not None:
        members["newest"] = newest.document()
    return members


def verify_record(record: bytes, proof: RecordProof, is_anchored: IsAnchored) -> None:
    """Check that a record, as it arrived, is what its steward anchored.

    Warning: this does not show that it is the newest version, which `verify_newest` does, nor that
    nothing was withheld, nor who the steward is: compare ``proof.pointer.steward`` with whom you
    asked.

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
    if proof.state is None:
        merkle.verify(anchor.root, pointer.leaf, proof.siblings)
    else:
        tree = merkle.root_over(pointer.leaf, proof.siblings)
        if anchored_root(tree, proof.state) != anchor.root:
            raise ProofMismatch(f"the leaf is not under the root {hex_digest(anchor.root)}")
    _check_anchored(anchor, is_anchored)


def verify_newest(proof: RecordProof, is_newest: IsNewest) -> None:
    """Check that a version is the newest one of its record.

    Warning: this says nothing of the record's content: `verify_record` does.

    Args:
        proof: What travelled beside the record.
        is_newest: Looks up whether an anchor is the last of its stream.

    Raises:
        RecordSuperseded: The chain says that there is a newer version, and which.
        ProofMismatch: Nothing shows which version is the newest, what shows it is of another record
            or stream, or the chain holds a later append.
    """
    pointer, newest = proof.pointer, proof.newest
    if newest is None:
        raise ProofMismatch("nothing shows which version of the record is the newest")
    _check_stream(newest.anchor, pointer.steward, pointer.topic)
    newest.verify(pointer.record)
    if not is_newest(newest.anchor):
        raise ProofMismatch("the state shown is not the last that was anchored in its stream")
    if newest.version > pointer.version:
        raise RecordSuperseded(pointer.version, newest.version)
    if (newest.version, newest.leaf) != (pointer.version, pointer.leaf):
        raise ProofMismatch("the newest version that was anchored is another than the one shown")


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
