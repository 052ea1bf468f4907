"""Who looked at a patient's records: the steward's audit log, checked against the chain.

What is checked, and what it shows:

1. every line against its own commitment, and the chain of lines: none was changed, dropped, added
   or moved;
2. count and head against the map that the steward anchored under the one key there is for this
   patient, and its root against the chain: the steward can show nobody another log;
3. both against what was seen before, in the log and in receipts: it was not cut, rewritten or
   swapped meanwhile.

Of a line that the steward erased its commitment is left, so that the others still verify; which
those are is told. Lines after the last anchor are covered by the next one. What was never logged
shows only against a grantee's receipt.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from medaccord.client.evidence import ChainEvidence
from medaccord.client.gatekeeper_api import json_object, reading_answer
from medaccord.client.session import Session
from medaccord.core.audit import (
    AUDIT_TOPIC,
    GENESIS,
    AuditEntry,
    chain_head,
    relationship_key,
    verify_log,
)
from medaccord.core.documents import DocumentReader
from medaccord.core.errors import InvalidDocument, LogMismatch
from medaccord.core.identifiers import Address, Digest, digest
from medaccord.core.proofs import LogProof, verify_log_proof

_NUMBER = re.compile(r"[1-9][0-9]{0,15}")


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedLog:
    """A log that was checked.

    Attributes:
        entries: Every line that was not erased, in order.
        erased: Numbers of the lines that the steward erased: what they said, nobody can tell. Ask
            the steward why, where you did not ask it to erase you.
        head: Head of the log after the last line.
        anchored: How many of them the chain covers; 0 before the first anchor.
        proof: Of those; None before the first anchor.
    """

    entries: tuple[AuditEntry, ...]
    erased: tuple[int, ...]
    head: Digest
    anchored: int
    proof: LogProof | None

    @property
    def count(self) -> int:
        """How many lines there are, erased ones among them."""
        return len(self.entries) + len(self.erased)


def fetch_log(
    session: Session,
    evidence: ChainEvidence,
    steward: Address,
    *,
    before: VerifiedLog | None,
    receipts: Mapping[int, Digest],
) -> VerifiedLog:
    """Fetch the log of the session's account, and check it.

    Args:
        session: Of the patient.
        evidence: Looks the anchor up.
        steward: Whose log it is.
        before: What was seen of the log before; None at first.
        receipts: Heads that the steward signed for reads of the patient's own, by number of the
            line.

    Raises:
        LogMismatch: A line does not fit; it says which.
        ProofMismatch: The chain does not hold what is said to be anchored.
        AccessRefused: The key may not read for the account.
        TransportError: The gatekeeper or the node does not answer, or badly.
    """
    answer = json_object(session.get("/audit", parameters={"patient": str(session.account)}))
    with reading_answer(session.api.url):
        shown = _read(answer)
    entries, proof = shown.entries, shown.proof
    if before is not None and before.anchored and proof is None:
        raise LogMismatch(1, "the log was anchored before; now the gatekeeper shows no anchor")
    if proof is not None:
        verify_log_proof(proof, evidence.is_anchored, steward=steward, topic=AUDIT_TOPIC)
    relationship = relationship_key(steward, session.account.address)
    named = {each.relationship for each in entries} | ({proof.relationship} if proof else set())
    if not named <= {relationship}:
        raise LogMismatch(1, "it belongs to another log than the one kept for this account")
    known = dict(receipts)
    if before is not None and before.count:
        known[before.count] = before.head
    count, head = (0, GENESIS) if proof is None else (proof.count, proof.head)
    # What the gatekeeper itself says of heads only helps to name the line.
    lines = shown.lines()
    verify_log(lines, count, head, {**shown.heads, **known})
    if max((*known, *shown.erased), default=0) > len(lines):
        raise LogMismatch(len(lines) + 1, "it was there before, and is missing now")
    return VerifiedLog(
        entries=entries,
        erased=tuple(sorted(shown.erased)),
        head=_head(lines),
        anchored=count,
        proof=proof,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    entries: tuple[AuditEntry, ...]
    erased: Mapping[int, Digest]
    heads: Mapping[int, Digest]
    proof: LogProof | None

    def lines(self) -> tuple[AuditEntry | Digest, ...]:
        """The whole log in order: of an erased line its commitment, where its number says.

        A line that is shown and said to be erased, too, stands one place too far then: it is found.
        """
        lines: list[AuditEntry | Digest] = []
        for entry in self.entries:
            self._add_erased(lines)
            lines.append(entry)
        self._add_erased(lines)
        return tuple(lines)

    def _add_erased(self, lines: list[AuditEntry | Digest]) -> None:
        while len(lines) + 1 in self.erased:
            lines.append(self.erased[len(lines) + 1])


def _read(answer: Mapping[str, Any]) -> _Shown:
    required = ("entries", "heads", "anchored")
    reader = DocumentReader(answer, what="the log", required=required, optional=answer)
    items = reader.raw("entries")
    if not isinstance(items, list):
        raise InvalidDocument("the entries of the log are no list")
    return _Shown(
        entries=tuple(AuditEntry.parse(item) for item in items),
        erased=_numbered(reader, "erased") if "erased" in answer else {},
        heads=_numbered(reader, "heads"),
        proof=None if reader.null("anchored") else LogProof.parse(reader.mapping("anchored")),
    )


def _numbered(reader: DocumentReader, member: str) -> dict[int, Digest]:
    values = reader.mapping(member)
    if not all(_NUMBER.fullmatch(number) for number in values):
        raise InvalidDocument(f"the {member} of the log are not numbered")
    return {int(number): digest(value) for number, value in values.items()}


def _head(lines: tuple[AuditEntry | Digest, ...]) -> Digest:
    head = GENESIS
    for number, line in enumerate(lines, start=1):
        head = chain_head(head, number, line.commitment if isinstance(line, AuditEntry) else line)
    return head
