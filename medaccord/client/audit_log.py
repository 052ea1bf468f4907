"""Who looked at a patient's records: the steward's audit log, checked against the chain.

What is checked, and what it shows:

1. every line against its own commitment, and the chain of lines: none was changed, dropped, added
   or moved;
2. count and head against the map that the steward anchored under the one key there is for this
   patient, and its root against the chain: the steward can show nobody another log;
3. both against what was seen before, in the log and in receipts: it was not cut, rewritten or
   swapped meanwhile.

The log comes in pages, and so it is checked. Of a line that the steward erased its commitment is
left, so that the others still verify; which those are is told. So it is with lines that a filter
leaves out: that they are there is proven, that they did not fit the filter only where this side saw
before what they say. Lines after the last anchor are covered by the next one.

What was never logged leaves no trace in any log. It shows against the receipt that whoever got the
answer was given: `VerifiedLog.check_receipt` takes one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from medaccord.client.evidence import ChainEvidence
from medaccord.client.gatekeeper_api import json_object, reading_answer
from medaccord.client.session import Session
from medaccord.core.audit import (
    AUDIT_TOPIC,
    GENESIS,
    AuditEntry,
    chain_heads,
    relationship_key,
    verify_log,
)
from medaccord.core.documents import DocumentReader
from medaccord.core.errors import InvalidDocument, LogMismatch, ReceiptMismatch, TransportError
from medaccord.core.identifiers import Address, Digest, digest
from medaccord.core.log_filter import LogFilter
from medaccord.core.proofs import LogProof, verify_log_proof
from medaccord.core.receipts import Receipt, check_in_log
from medaccord.core.refusal_count import RefusalCount, refusals_in

PAGE: Final = 500
"""Lines asked for at once."""

_NUMBER = re.compile(r"[1-9][0-9]{0,15}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedRefusals:
    """Refusals that are counted beside the log, until a line of it says how many they were.

    Nothing proves them: the line will.

    Attributes:
        requester: Who was refused; None for all who are no organisation.
        refusals: How often, and when.
    """

    requester: Address | None
    refusals: RefusalCount


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedLog:
    """A log that was checked. Iterating gives the lines that are shown.

    Attributes:
        entries: Every line that was asked for and not erased, in order.
        erased: Numbers of the lines that the steward erased: what they said, nobody can tell. Ask
            the steward why, where you did not ask it to erase you.
        left_out: Numbers of the lines that the filter left out.
        commitments: Of every line there is, from the first on.
        head: Head of the log after the last line.
        anchored: How many of them the chain covers; 0 before the first anchor.
        proof: Of those; None before the first anchor.
        counted: Refusals that have no line yet.
    """

    relationship: Digest
    entries: tuple[AuditEntry, ...]
    erased: tuple[int, ...]
    left_out: tuple[int, ...] = ()
    commitments: tuple[Digest, ...] = field(repr=False)
    head: Digest
    anchored: int
    proof: LogProof | None
    counted: tuple[CountedRefusals, ...] = ()

    def __iter__(self) -> Iterator[AuditEntry]:
        """The lines that are shown, in order."""
        return iter(self.entries)

    @property
    def count(self) -> int:
        """How many lines there are, erased ones and those left out among them."""
        return len(self.commitments)

    @property
    def refusals(self) -> int:
        """How often somebody was refused, by the lines that are shown and what is counted."""
        lines = sum(refusals_in(entry) for entry in self.entries)
        return lines + sum(each.refusals.count for each in self.counted)

    def check_receipt(self, receipt: Receipt) -> None:
        """Check that the log holds the line that a receipt was signed for.

        It is how a read that was never logged shows: whoever was answered holds the receipt.

        Args:
            receipt: One whose signature was checked, as `ChainEvidence.check_receipt` does.

        Raises:
            ReceiptMismatch: It is for another log, or the log ends before that line, holds another
                in its place, or another before it.
        """
        if receipt.relationship != self.relationship:
            raise ReceiptMismatch(
                "the receipt is for another log than the one kept for this account"
            )
        check_in_log(receipt, self.commitments)


def fetch_log(
    session: Session,
    evidence: ChainEvidence,
    steward: Address,
    *,
    before: VerifiedLog | None,
    receipts: Mapping[int, Digest],
    wanted: LogFilter | None = None,
) -> VerifiedLog:
    """Fetch the log of the session's account, and check it.

    Args:
        session: Of the patient.
        evidence: Looks anchors up.
        steward: Whose log it is.
        before: What was seen of the log before; None at first.
        receipts: Heads that the steward signed for reads of the patient's own, by number of the
            line.
        wanted: Which lines to fetch; all of them unless given.

    Raises:
        LogMismatch: A line does not fit; it says which.
        ProofMismatch: The chain does not hold what is said to be anchored.
        AccessRefused: The key may not read for the account.
        TransportError: The gatekeeper or the node does not answer, or badly.
    """
    shown = _fetch(session, wanted)
    entries, proof = shown.entries, shown.proofs[-1] if shown.proofs else None
    if before is not None and before.anchored and proof is None:
        raise LogMismatch(1, "the log was anchored before; now the gatekeeper shows no anchor")
    for each in shown.proofs:
        verify_log_proof(each, evidence.is_anchored, steward=steward, topic=AUDIT_TOPIC)
    relationship = relationship_key(steward, session.account.address)
    named = {each.relationship for each in entries} | {each.relationship for each in shown.proofs}
    if not named <= {relationship}:
        raise LogMismatch(1, "it belongs to another log than the one kept for this account")
    known = dict(receipts) | {each.count: each.head for each in shown.proofs}
    for number, head in receipts.items():
        if known[number] != head:
            raise LogMismatch(number, "the log as anchored is another than the one in the receipt")
    if before is not None and before.count:
        known[before.count] = before.head
    count, head = (0, GENESIS) if proof is None else (proof.count, proof.head)
    # What the gatekeeper itself says of heads only helps to name the line.
    lines = shown.lines()
    verify_log(lines, count, head, {**shown.heads, **known})
    if max((*known, *shown.hidden, shown.count), default=0) > len(lines):
        raise LogMismatch(len(lines) + 1, "it was there before, and is missing now")
    _check_wanted(shown, wanted or LogFilter(), before)
    commitments = tuple(each.commitment if isinstance(each, AuditEntry) else each for each in lines)
    return VerifiedLog(
        relationship=relationship,
        entries=entries,
        erased=tuple(sorted(shown.erased)),
        left_out=tuple(sorted(shown.left_out)),
        commitments=commitments,
        head=chain_heads(commitments)[-1],
        anchored=count,
        proof=proof,
        counted=shown.counted,
    )


def _fetch(session: Session, wanted: LogFilter | None) -> _Shown:
    """Every page of a log, put together; nothing of it is checked yet."""
    asked = {"patient": str(session.account), "count": str(PAGE)}
    asked |= dict(wanted.pairs()) if wanted is not None else {}
    entries: list[AuditEntry] = []
    proofs: list[LogProof] = []
    left_out: dict[int, Digest] = {}
    erased: dict[int, Digest] = {}
    heads: dict[int, Digest] = {}
    after = 0
    while True:
        answer = json_object(session.get("/audit", parameters={**asked, "after": str(after)}))
        with reading_answer(session.api.url):
            shown = _read(answer)
        entries += shown.entries
        proofs += [each for each in shown.proofs if each not in proofs]
        left_out |= shown.left_out
        erased |= shown.erased
        heads |= shown.heads
        if shown.upto is None:
            break
        if shown.upto <= after:
            raise TransportError(f"the pages of {session.api.url} run in a circle")
        after = shown.upto
    return _Shown(
        entries=tuple(entries),
        left_out=left_out,
        erased=erased,
        heads=heads,
        proofs=tuple(proofs),
        counted=shown.counted,
        count=shown.count,
        upto=None,
    )


def _check_wanted(shown: _Shown, wanted: LogFilter, before: VerifiedLog | None) -> None:
    """Check that a filter did what it says, as far as this side can tell."""
    for entry in shown.entries:
        if not wanted.matches(entry):
            raise LogMismatch(entry.number, "it is shown, though it was not asked for")
    for entry in () if before is None else before.entries:
        if entry.number in shown.left_out and wanted.matches(entry):
            raise LogMismatch(entry.number, "it is left out, though it was asked for")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    """A log as it is shown, or a page of it; `upto` where there are more."""

    entries: tuple[AuditEntry, ...]
    left_out: Mapping[int, Digest]
    erased: Mapping[int, Digest]
    heads: Mapping[int, Digest]
    proofs: tuple[LogProof, ...]
    counted: tuple[CountedRefusals, ...]
    count: int
    upto: int | None

    @property
    def hidden(self) -> Mapping[int, Digest]:
        """The lines of which only the commitment is shown."""
        return {**self.left_out, **self.erased}

    def lines(self) -> tuple[AuditEntry | Digest, ...]:
        """The whole log in order: of a hidden line its commitment, where its number says.

        A line that is shown and said to be hidden, too, stands one place too far then: it is found.
        """
        hidden = self.hidden
        lines: list[AuditEntry | Digest] = []

        def add_hidden() -> None:
            while len(lines) + 1 in hidden:
                lines.append(hidden[len(lines) + 1])

        for entry in self.entries:
            add_hidden()
            lines.append(entry)
        add_hidden()
        return tuple(lines)


def _read(answer: Mapping[str, Any]) -> _Shown:
    required = ("entries", "heads", "anchored")
    reader = DocumentReader(answer, what="the log", required=required, optional=answer)
    items = reader.raw("entries")
    if not isinstance(items, list):
        raise InvalidDocument("the entries of the log are no list")
    has_next = "next" in answer and not reader.null("next")
    proofs = () if reader.null("anchored") else (LogProof.parse(reader.mapping("anchored")),)
    return _Shown(
        entries=tuple(AuditEntry.parse(item) for item in items),
        left_out=_numbered(reader, "leftOut") if "leftOut" in answer else {},
        erased=_numbered(reader, "erased") if "erased" in answer else {},
        heads=_numbered(reader, "heads"),
        proofs=proofs,
        counted=_counted(reader) if "refusals" in answer else (),
        count=reader.integer("count") if "count" in answer else 0,
        upto=reader.integer("upto") if has_next else None,
    )


def _numbered(reader: DocumentReader, member: str) -> dict[int, Digest]:
    values = reader.mapping(member)
    if not all(_NUMBER.fullmatch(number) for number in values):
        raise InvalidDocument(f"the {member} of the log are not numbered")
    return {int(number): digest(value) for number, value in values.items()}


def _counted(reader: DocumentReader) -> tuple[CountedRefusals, ...]:
    items = reader.raw("refusals")
    if not isinstance(items, list):
        raise InvalidDocument("the refusals beside the log are no list")
    found = []
    for item in items:
        each = DocumentReader(
            item, what="a count of refusals", required=("requester", "since", "last", "count")
        )
        times: tuple[datetime, datetime] = each.instant("since"), each.instant("last")
        count = RefusalCount(count=each.integer("count", minimum=1), since=times[0], last=times[1])
        who = None if each.null("requester") else each.address("requester")
        found.append(CountedRefusals(requester=who, refusals=count))
    return tuple(found)
