"""The audit log of a relationship: numbered entries, each committed to, chained by their hashes.

An entry can be erased while its commitment stays, and the chain still verifies. The log says what
*may have been* released: an entry is durable before its answer leaves.

Source: Crosby and Wallach 2009, "Efficient Data Structures for Tamper-Evident Logging", section 2.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, Self

from eth_utils.crypto import keccak

from medaccord.core.blocks import BlockRef
from medaccord.core.canonical import document_bytes
from medaccord.core.commitments import commit
from medaccord.core.documents import MAX_INTEGER, DocumentReader, instant_text
from medaccord.core.errors import InvalidDocument, LogMismatch
from medaccord.core.identifiers import ZERO_DIGEST, Address, Digest, digest, hex_digest

PROFILE: Final = "medaccord/audit-entry/1"
AUDIT_TOPIC: Final = Digest(keccak(text="medaccord/audit/1"))
"""The one stream in which a steward anchors its logs. Fixed, so that it cannot keep two."""

OUTCOMES: Final = ("released", "refused", "done")
GENESIS: Final = ZERO_DIGEST
"""Head of a log without entries."""

_REQUIRED = (
    "number",
    "relationship",
    "at",
    "requester",
    "by",
    "action",
    "query",
    "outcome",
    "reason",
    "basis",
    "consent",
    "records",
    "block",
    "salt",
)
_BLOCK = ("chainId", "number", "hash", "timestamp")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One line of the log of one relationship.

    Attributes:
        number: Its place in the log, from 1 without gaps.
        relationship: `relationship_key` of steward and patient.
        at: When it was decided, by the gatekeeper's clock; timezone-aware.
        requester: Account that asked; None where nobody showed to act for one.
        by: Key that asked; None where there was none.
        action: What was asked for, such as ``read``, ``search`` or ``proof``.
        query: The path and parameters asked for.
        outcome: ``released`` (may have been) or ``refused``; ``done`` where the steward itself did
            something with the records, such as to erase one, or was about to.
        reason: Why, coded: purpose of use, or the `Refusal`.
        basis: What it was decided on: ``patient``, ``consent``, ``emergency``, or empty.
        consent: The consent or the emergency it was decided on, if any.
        records: Versions released, ``Type/id/version`` each.
        block: Where the chain stood; None where it could not be reached.
        salt: 32 fresh random bytes.
        request: Id of the request that it is about, as the answer named it; None where there was
            none, and in lines of before there were ids.

    Raises:
        InvalidDocument: The number is below 1, the time has no time zone, the outcome is unknown.
        InvalidIdentifier: A digest has not 32 bytes.
    """

    number: int
    relationship: Digest
    at: datetime
    requester: Address | None
    by: Address | None
    action: str
    query: str
    outcome: str
    reason: str
    basis: str
    consent: Digest | None
    records: tuple[str, ...]
    block: BlockRef | None
    salt: Digest
    request: str | None = None

    def __post_init__(self) -> None:
        """Refuse what has no canonical form."""
        if not 1 <= self.number <= MAX_INTEGER:
            raise InvalidDocument(f"log entries are numbered from 1, not {self.number}")
        if self.at.tzinfo is None:
            raise InvalidDocument("the time of a log entry needs a time zone")
        if self.outcome not in OUTCOMES:
            raise InvalidDocument(f"the outcome {self.outcome!r} is none of {', '.join(OUTCOMES)}")
        digest(self.relationship)
        digest(self.salt)

    def document(self) -> dict[str, Any]:
        """The entry in JSON, profile ``medaccord/audit-entry/1``."""
        block = self.block
        return {
            "profile": PROFILE,
            "number": self.number,
            "relationship": hex_digest(self.relationship),
            "at": instant_text(self.at),
            "requester": self.requester,
            "by": self.by,
            "action": self.action,
            "query": self.query,
            "outcome": self.outcome,
            "reason": self.reason,
            "basis": self.basis,
            "consent": None if self.consent is None else hex_digest(self.consent),
            "records": list(self.records),
            "block": None
            if block is None
            else {
                "chainId": block.chain_id,
                "number": block.number,
                "hash": hex_digest(block.hash),
                "timestamp": instant_text(block.timestamp),
            },
            "salt": hex_digest(self.salt),
            **({} if self.request is None else {"request": self.request}),
        }

    @property
    def document_bytes(self) -> bytes:
        """The entry in canonical form, as it is committed to."""
        return document_bytes(self.document())

    @property
    def commitment(self) -> Digest:
        """The salted commitment that the chain of heads holds."""
        return commit(self.salt, self.document_bytes)

    @classmethod
    def parse(cls, document: bytes | str | Mapping[str, Any]) -> Self:
        """Read what `document` writes.

        Raises:
            InvalidDocument: It is malformed, of another profile, or a member does not fit.
        """
        reader = DocumentReader.open(
            document, profile=PROFILE, required=_REQUIRED, optional=("request",)
        )
        return cls(
            number=reader.integer("number", minimum=1),
            relationship=reader.digest("relationship"),
            at=reader.instant("at"),
            requester=None if reader.null("requester") else reader.address("requester"),
            by=None if reader.null("by") else reader.address("by"),
            action=reader.text("action"),
            query=reader.text("query"),
            outcome=reader.text("outcome"),
            reason=reader.text("reason"),
            basis=reader.text("basis"),
            consent=None if reader.null("consent") else reader.digest("consent"),
            records=reader.texts("records"),
            block=None if reader.null("block") else _block(reader),
            salt=reader.digest("salt"),
            request=reader.text("request") if reader.has("request") else None,
        )


@lru_cache(maxsize=2**14)
def relationship_key(steward: Address, patient: Address) -> Digest:
    """Name the one log that a steward keeps for a patient.

    It is made of public things, so that patient and grantees know it by themselves: a steward with
    two logs for one patient would have to show one of them under a key that is not this one. Only
    hashes of it and of what cannot be guessed are anchored.

    Args:
        steward: Account of the steward.
        patient: Account of the patient; for the steward's own log, the steward.
    """
    accounts = bytes.fromhex(steward[2:]) + bytes.fromhex(patient[2:])
    return Digest(keccak(b"medaccord/relationship/1" + accounts))


def chain_head(previous: Digest, number: int, commitment: Digest) -> Digest:
    """Head of a log after one more entry: keccak256(0x02 ‖ previous ‖ uint64 number ‖ commitment).

    Args:
        previous: The head before; `GENESIS` before the first entry.
        number: The entry's number, from 1.
        commitment: The entry's commitment.
    """
    return Digest(keccak(b"\x02" + digest(previous) + number.to_bytes(8) + digest(commitment)))


def chain_heads(commitments: Iterable[Digest]) -> tuple[Digest, ...]:
    """Heads of a whole log: `GENESIS`, and the head after each entry.

    Args:
        commitments: Of every entry, from the first on.
    """
    heads = [GENESIS]
    for number, commitment in enumerate(commitments, start=1):
        heads.append(chain_head(heads[-1], number, commitment))
    return tuple(heads)


def log_leaf(count: int, head: Digest) -> Digest:
    """What the anchored map holds for a log: keccak256(0x03 ‖ uint64 count ‖ head)."""
    return Digest(keccak(b"\x03" + count.to_bytes(8) + digest(head)))


def verify_log(
    entries: Sequence[AuditEntry | Digest],
    count: int,
    head: Digest,
    heads: Mapping[int, Digest] | None = None,
) -> None:
    """Check a log against the count and head that were anchored for it.

    Args:
        entries: The whole log from entry 1 on; of an erased entry its commitment. Entries after
            ``count`` are not anchored yet: of them only the numbering can be checked.
        count: Number of entries anchored.
        head: Head anchored.
        heads: Heads known from elsewhere, by number of entry: the log's own rows, receipts,
            earlier anchors. They tell where a log departs, which ``head`` alone cannot.

    Raises:
        LogMismatch: An entry was dropped, added, changed, moved or replaced. It names the first
            entry that does not fit; where an entry was changed, the first with a known head at or
            after it.
    """
    known = {**(heads or {}), count: head}
    if heads and heads.get(count, head) != head:
        raise LogMismatch(count, "the log as shown and the log as anchored are two different ones")
    if count == 0 and head != GENESIS:
        raise LogMismatch(1, "nothing is anchored, but not under the head of an empty log")
    current = GENESIS
    relationship: Digest | None = None
    for number, entry in enumerate(entries, start=1):
        if isinstance(entry, AuditEntry):
            if entry.number != number:
                raise LogMismatch(number, f"entry {entry.number} stands in its place")
            if entry.relationship != (relationship or entry.relationship):
                raise LogMismatch(number, "it belongs to the log of another relationship")
            relationship = entry.relationship
            commitment = entry.commitment
        else:
            commitment = entry
        current = chain_head(current, number, commitment)
        if known.get(number, current) != current:
            raise LogMismatch(number, _changed(number, known))
    if len(entries) < count:
        raise LogMismatch(len(entries) + 1, f"it is missing: the log ends before entry {count}")


def _changed(number: int, known: Mapping[int, Digest]) -> str:
    sound = max((other for other in known if other < number), default=0)
    if sound == number - 1:
        return "it is not the entry that was logged"
    return f"it or an entry after {sound} is not the one that was logged"


def _block(reader: DocumentReader) -> BlockRef:
    block = reader.object("block", required=_BLOCK)
    return BlockRef(
        chain_id=block.integer("chainId", minimum=1),
        number=block.integer("number"),
        hash=block.digest("hash"),
        timestamp=block.instant("timestamp"),
    )
