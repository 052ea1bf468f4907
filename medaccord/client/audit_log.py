"""Who looked at a patient's records: the steward's audit log, checked against the chain.

What is checked, and what it shows:

1. every line against its own commitment, and the chain of lines: none was changed, dropped, added
   or moved;
2. count and head against the map that the steward anchored, and its root against the chain: the
   steward shows everybody this one log;
3. both against what was seen before: the log was not cut or rewritten meanwhile.

Lines after the last anchor are covered by the next one. What was never logged shows only against a
grantee's receipt.
"""

from __future__ import annotations

from dataclasses import dataclass

from medaccord.client.evidence import ChainEvidence
from medaccord.client.gatekeeper_api import json_object
from medaccord.client.session import Session
from medaccord.core.audit import AUDIT_TOPIC, AuditEntry, chain_head, verify_log
from medaccord.core.documents import DocumentReader
from medaccord.core.errors import LogMismatch, TransportError
from medaccord.core.identifiers import ZERO_DIGEST, Address, Digest
from medaccord.core.proofs import LogProof, verify_log_proof


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedLog:
    """A log that was checked.

    Attributes:
        entries: Every line, in order from line 1.
        head: Head of the log after the last line.
        anchored: How many of them the chain covers; 0 before the first anchor.
        proof: Of those; None before the first anchor.
    """

    entries: tuple[AuditEntry, ...]
    head: Digest
    anchored: int
    proof: LogProof | None


def fetch_log(
    session: Session, evidence: ChainEvidence, steward: Address, *, before: VerifiedLog | None
) -> VerifiedLog:
    """Fetch the log of the session's account, and check it.

    Args:
        session: Of the patient.
        evidence: Looks the anchor up.
        steward: Whose log it is.
        before: What was seen of the log before; None at first.

    Raises:
        LogMismatch: A line does not fit; it says which.
        ProofMismatch: The chain does not hold what is said to be anchored.
        AccessRefused: The key may not read for the account.
        TransportError: The gatekeeper or the node does not answer.
    """
    parameters = {"patient": str(session.account)}
    answer = json_object(session.get("/audit", parameters=parameters))
    reader = DocumentReader(
        answer, what="the log", required=("entries", "anchored"), optional=answer
    )
    items = reader.raw("entries")
    if not isinstance(items, list):
        raise TransportError("the gatekeeper answered without a list of entries")
    entries = tuple(AuditEntry.parse(item) for item in items)
    proof = None if reader.null("anchored") else LogProof.parse(reader.mapping("anchored"))
    seen = {} if before is None else {len(before.entries): before.head}
    if before is not None and len(entries) < len(before.entries):
        raise LogMismatch(len(entries) + 1, "it was there before, and is missing now")
    if before is not None and before.anchored and proof is None:
        raise LogMismatch(1, "the log was anchored before; now the gatekeeper shows no anchor")
    if proof is not None:
        verify_log_proof(proof, evidence.is_anchored, steward=steward, topic=AUDIT_TOPIC)
        if entries and entries[0].relationship != proof.relationship:
            raise LogMismatch(1, "it belongs to another log than the one anchored")
        verify_log(entries, proof.count, proof.head, {n: h for n, h in seen.items() if n})
    head = ZERO_DIGEST
    for number, entry in enumerate(entries, start=1):
        head = chain_head(head, number, entry.commitment)
        if seen.get(number, head) != head:
            raise LogMismatch(number, "it or a line before it is not the one that was there before")
    return VerifiedLog(
        entries=entries, head=head, anchored=0 if proof is None else proof.count, proof=proof
    )
