"""Reading records: decide, open what the permit covers, log, and only then answer.

Every question takes this way, and every page of an answer takes it anew. What is refused is logged
as what is released is; only a question by nobody (no token) or one that makes no sense is not.

A question may name its patient by an id; `Whose` says what that means to whoever asks. Where it
means nothing, the answer is made without looking at anything that is here, and the steward's own
log has the line. A record that is asked for by its name alone is answered so too, unless it is
released: else a refusal would tell that it is here. And whoever is neither the patient nor an
organisation is answered alike whatever account is named: anybody can make a key to sign in with.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from medaccord.core.blocks import BlockRef
from medaccord.core.consistency import ConsistencyToken
from medaccord.core.decision import check_freshness
from medaccord.core.descriptor import Descriptor
from medaccord.core.envelopes import Envelope
from medaccord.core.errors import AccessRefused, InvalidRequest
from medaccord.core.facts import Facts, Query
from medaccord.core.identifiers import Address, Digest, digest
from medaccord.core.purposes import Purpose
from medaccord.core.receipts import SignedReceipt
from medaccord.core.refusals import Refusal
from medaccord.gatekeeper.audit_log import Event, Subject
from medaccord.gatekeeper.facts import FactsOf
from medaccord.gatekeeper.foundation import Foundation
from medaccord.gatekeeper.leave import Leave
from medaccord.gatekeeper.read_notices import ReadNotices
from medaccord.gatekeeper.receipts import Receipts
from medaccord.gatekeeper.refusal_tallies import RefusalTallies
from medaccord.gatekeeper.tokens import Session
from medaccord.records import Found, Owner, Record, RecordRepository
from medaccord.records.wrapping import Wrapping
from medaccord.store import reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What somebody signed in asks.

    Attributes:
        session: who.
        patients: whose records: one account, or those that an id may mean to this asker, the
            likeliest first; empty where it means none.
        told: whether a refusal is told as it was decided, with the patient's receipt. False where
            the record was asked for by its name alone: then only a release tells that it is here.
        purpose: what for.
        latest: whether the chain must be asked this moment, and not merely within the bounds.
        at_least: a block that must be known, or one that came after it; None for any.
        receiver: X25519 key that envelopes are wrapped to; None where the records go in clear.
    """

    session: Session
    patients: tuple[Address, ...]
    told: bool
    purpose: Purpose
    latest: bool = False
    at_least: ConsistencyToken | None = None
    receiver: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked, as it is decided and logged.

    Attributes:
        action: "read", "search" and so on, as the log will say.
        text: path and parameters, as the log will say.
        types: types of resource, each decided by itself.
        interactions: of "r" and "s"; likewise.
    """

    action: str
    text: str
    types: tuple[str, ...]
    interactions: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """One version of a record on its way out.

    Attributes:
        about: its descriptor.
        version: from 1.
        content: the record with its proof, or its envelope.
        updated: when the version was taken in.
        included: whether it comes along since another record of the answer refers to it.
    """

    about: Descriptor
    version: int
    content: Record | Envelope
    updated: datetime
    included: bool = False

    @property
    def name(self) -> str:
        """``Type/id``."""
        return self.about.record


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Records released, or none and why.

    Attributes:
        records: what is released, each checked against the chain.
        total: how many there are on all pages together, of what may be released.
        cursor: where the next page begins; None on the last.
        refusal: why nothing is released; None where something may be.
        receipt: the steward's signature that this was logged; None where the log is the steward's
            own, since the patient is none of its, or none that the asker knows of, where no
            organisation asks, and where the refusal was counted and has no line of its own.
        block: where the chain stood; None where it has not been reached since the start.
    """

    records: tuple[Released, ...] = ()
    total: int = 0
    cursor: str | None = None
    refusal: AccessRefused | None = None
    receipt: SignedReceipt | None = None
    block: BlockRef | None = None


_NO_SUCH_ID: Final = (
    Refusal.UNKNOWN_PATIENT,
    "Nothing that you may read goes by this id. Name the patient by account to be told why: "
    "patient=eip155:…",
)
_STRANGER: Final = (Refusal.NOT_AN_ORGANISATION, "The requester is not an admitted organisation.")

Find = Callable[[Address, Leave], Page]
"""Finds and opens what was asked for, of one patient, as far as it may be released."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Try:
    """One patient tried: what would be answered if it is the one that is meant."""

    page: Page
    subject: Subject
    owner: Owner | None
    patient: Address | None = None
    is_alike: bool = False  # answered as if nothing were known of the patient, without a receipt
    facts: Facts | None = None
    leave: Leave | None = None


class Reading:
    """The one way to records; what there is to be asked stands in `Questions`."""

    def __init__(
        self,
        base: Foundation,
        *,
        facts: FactsOf,
        repository: RecordRepository,
        wrapping: Wrapping,
        receipts: Receipts,
    ) -> None:
        self._engine = base.engine
        self._accounts = base.accounts
        self._ledger = base.ledger
        self._standing = base.standing
        self._metrics = base.metrics
        self._log = base.log
        self._tallies = RefusalTallies(base)
        self._notices = ReadNotices(base)
        self._facts = facts
        self._repository = repository
        self._wrapping = wrapping
        self._receipts = receipts

    def answer(self, question: Question, asked: Asked, find: Find) -> Page:
        """Decide, find, log, and give what may leave.

        Args:
            question: who asks, of whom, and for what.
            asked: what is asked.
            find: finds it where it may be released; raises AccessRefused where nothing is found
                that may.

        Raises:
            InvalidRequest: several patients have a record of this name, and the asker may read
                each of them.
        """
        tried = self._meant(question, asked, find)
        if tried is None:
            tried = self._unknown(question, _NO_SUCH_ID)
        page, own = tried.page, self._log.own()
        block = None if tried.facts is None else tried.facts.freshness.head
        refusal, leave = page.refusal, tried.leave
        logged = self._tallies.append(
            tried.subject,
            Event(
                requester=question.session.account,
                by=question.session.by,
                action=asked.action,
                query=f"{asked.text} for {question.purpose}",
                outcome="released" if refusal is None else "refused",
                reason=(refusal.reason if refusal else question.purpose).value,
                basis="" if leave is None else leave.basis.value,
                consent=_rests_on(leave, page),
                records=tuple(f"{each.name}/{each.version}" for each in page.records),
                block=block or page.block,
            ),
            tells=None if refusal else self._notices.told(tried.patient, question.session),
        )
        # From here on the entry or the count is on the disk, and the answer may leave.
        decided = ("refused", refusal.reason.value) if refusal else ("permitted", "")
        self._metrics.decisions.labels(*decided).inc()
        receipt = None
        if logged is not None and tried.subject != own and not tried.is_alike:
            receipt = self._receipts.sign(logged, block)
        return replace(page, block=block or page.block, receipt=receipt)

    def release(
        self, question: Question, found: Sequence[Found], *, included: bool = False
    ) -> tuple[Released, ...]:
        """Open what was found, or wrap it to the receiver; each is checked.

        Raises:
            AccessRefused: RECORD_UNVERIFIABLE, naming the first record that fails; none is given.
            InvalidInput: nothing can be wrapped to the receiver's key.
        """
        contents: list[Record | Envelope] = []
        if question.receiver is None:
            contents += self._repository.open(found)
        else:
            contents += self._wrapping.wrap(found, question.receiver)
        return tuple(
            Released(
                about=each.descriptor,
                version=each.entry.version,
                content=content,
                updated=each.updated,
                included=included,
            )
            for each, content in zip(found, contents, strict=True)
        )

    def _meant(self, question: Question, asked: Asked, find: Find) -> _Try | None:
        """What is answered of the patient that is meant; None where that tells nothing."""
        tried = []
        for patient in question.patients:
            tried.append(self._try(question, patient, asked, find))
            if question.told and tried[-1].page.refusal is None:
                return tried[-1]
        if question.told:
            return tried[0] if tried else None
        released = [each for each in tried if each.page.refusal is None]
        if len({each.owner for each in released}) > 1:
            raise InvalidRequest(
                "several patients whose records you may read have one of this name: name the "
                "patient as well, patient=eip155:…"
            )
        return released[0] if released else None

    def _try(self, question: Question, patient: Address, asked: Asked, find: Find) -> _Try:
        query = Query(
            requester=question.session.account,
            patient=patient,
            purpose=question.purpose,
            interaction=asked.interactions[0],
            resource_type=asked.types[0],
        )
        owner, facts, leave, page = None, None, None, Page()
        subject = self._log.own()
        in_doubt: AccessRefused | None = None
        try:
            self._facts.freshen(latest=question.latest, at_least=question.at_least)
        except AccessRefused as refusal:
            in_doubt = refusal
        try:
            with reading(self._engine):  # whatever an answer says is of one state
                owner = self._accounts.owner_of(patient)
                subject = self._log.subject(patient, owner)
                if in_doubt is not None:
                    raise in_doubt
                facts = self._facts.known(query)
                leave = Leave.decide(
                    query,
                    facts,
                    types=asked.types,
                    interactions=asked.interactions,
                    now=self._standing.clock(),
                    bounds=self._standing.bounds,
                )
                page = find(patient, leave)
        except AccessRefused as refusal:
            page = Page(refusal=refusal)
        if page.refusal is not None and self._is_stranger(question, patient):
            return replace(self._unknown(question, _STRANGER), subject=subject, owner=owner)
        return _Try(
            page=page, subject=subject, owner=owner, patient=patient, facts=facts, leave=leave
        )

    def _is_stranger(self, question: Question, patient: Address) -> bool:
        asker = question.session.account
        if asker == patient:
            return False
        return self._ledger.standing(asker, now=self._standing.clock()) is None

    def _unknown(self, question: Question, reason: tuple[Refusal, str]) -> _Try:
        """What somebody is answered to whom nothing is told, whatever is here."""
        block = None
        try:
            block = self._fresh(question)
            refusal = AccessRefused(*reason)
        except AccessRefused as in_doubt:
            refusal = in_doubt
        return _Try(
            page=Page(refusal=refusal, block=block),
            subject=self._log.own(),
            owner=None,
            is_alike=True,
        )

    def _fresh(self, question: Question) -> BlockRef:
        """Where the chain stands, as far as a decision would go by it.

        Raises:
            AccessRefused: CHAIN_UNREACHABLE and its like, as every decision says it.
        """
        if question.latest:
            self._standing.ask_now()
        else:
            self._standing.refresh()
        if question.at_least is not None:
            self._standing.reach(question.at_least)
        freshness = self._ledger.freshness()
        check_freshness(freshness, now=self._standing.clock(), bounds=self._standing.bounds)
        return freshness.head


def _rests_on(leave: Leave | None, page: Page) -> Digest | None:
    """The consent or the emergency that it was decided on, also where it did not suffice."""
    if leave is not None:
        return leave.rests_on(each.about for each in page.records)
    refusal = page.refusal
    return None if refusal is None or refusal.consent is None else digest(refusal.consent)
