"""Reading records: decide, open what the permit covers, log, and only then answer.

Every question takes this way, and every page of an answer takes it anew. What is refused is logged
as what is released is; only a question by nobody (no token) or one that makes no sense is not.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from medaccord.core.blocks import BlockRef
from medaccord.core.decision import Basis, Permit, decide
from medaccord.core.errors import AccessRefused
from medaccord.core.facts import Facts, Query
from medaccord.core.identifiers import Address, Digest
from medaccord.core.purposes import Purpose
from medaccord.core.receipts import SignedReceipt
from medaccord.core.refusals import Refusal
from medaccord.fhir import SearchParameters
from medaccord.gatekeeper.audit_log import Event
from medaccord.gatekeeper.cursor import Cursors
from medaccord.gatekeeper.facts import FactsOf
from medaccord.gatekeeper.foundation import Foundation
from medaccord.gatekeeper.receipts import Receipts
from medaccord.gatekeeper.tokens import Session
from medaccord.records import Record, RecordRepository


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What somebody signed in asks.

    Attributes:
        session: who.
        patient: whose records.
        purpose: what for.
        latest: whether the chain must be asked this moment, and not merely within the bounds.
    """

    session: Session
    patient: Address
    purpose: Purpose
    latest: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Records released, or none and why.

    Attributes:
        records: what is released, each checked against the chain.
        total: how many there are on all pages together, of what may be released.
        cursor: where the next page begins; None on the last.
        refusal: why nothing is released; None where something may be.
        receipt: the steward's signature that this was logged; None where the log is the steward's
            own, since the patient is none of its.
        block: where the chain stood; None where it has not been reached since the start.
    """

    records: tuple[Record, ...] = ()
    total: int = 0
    cursor: str | None = None
    refusal: AccessRefused | None = None
    receipt: SignedReceipt | None = None
    block: BlockRef | None = None


class Reading:
    """Answers questions about records."""

    def __init__(
        self,
        base: Foundation,
        *,
        facts: FactsOf,
        repository: RecordRepository,
        receipts: Receipts,
        cursors: Cursors,
    ) -> None:
        self._accounts = base.accounts
        self._standing = base.standing
        self._facts = facts
        self._repository = repository
        self._log = base.log
        self._receipts = receipts
        self._cursors = cursors

    def search(self, question: Question, parameters: SearchParameters) -> Page:
        """One page of the records that match and may be released.

        Raises:
            InvalidRequest: the cursor is of another search or somebody else's.
        """
        searched = f"{parameters.resource_type}?{urlencode(parameters.pairs())}"
        session = question.session
        bound = f"{session.account} {session.by} {question.purpose} {searched}"
        after = None if parameters.cursor is None else self._cursors.read(bound, parameters.cursor)

        def find(permit: Permit) -> Page:
            found = self._repository.find(
                question.patient, lambda each: parameters.matches(each) and permit.covers(each)
            )
            rest = [each for each in found if after is None or each.descriptor.record > after]
            page = rest[: parameters.count]
            more = bool(page) and len(rest) > len(page)
            return Page(
                records=self._repository.open(page),
                total=len(found),
                cursor=self._cursors.write(bound, page[-1].descriptor.record) if more else None,
            )

        return self._answer(question, "search", "s", parameters.resource_type, searched, find)

    def read(self, question: Question, resource_type: str, identity: str, action: str) -> Page:
        """One record, or its proof.

        A record that is not covered is refused as one that does not exist is: SCOPE_NOT_COVERED.

        Args:
            question: who asks, and for what.
            resource_type: type of the record.
            identity: id of the record.
            action: "read" or "proof", as the log will say.

        Raises:
            InvalidRequest: there is no such type of resource.
        """
        name = f"{resource_type}/{identity}"

        def find(permit: Permit) -> Page:
            found = self._repository.find(
                question.patient, lambda each: each.record == name and permit.covers(each)
            )
            if not found:
                raise AccessRefused(
                    Refusal.SCOPE_NOT_COVERED, f"Nothing that you may read is named {name}."
                )
            return Page(records=self._repository.open(found), total=1)

        asked = name if action == "read" else f"{name}/${action}"
        return self._answer(question, action, "r", resource_type, asked, find)

    def _answer(
        self,
        question: Question,
        action: str,
        interaction: str,
        resource_type: str,
        asked: str,
        find: Callable[[Permit], Page],
    ) -> Page:
        query = Query(
            requester=question.session.account,
            patient=question.patient,
            purpose=question.purpose,
            interaction=interaction,
            resource_type=resource_type,
        )
        facts: Facts | None = None
        permit: Permit | None = None
        page = Page()
        subject = self._log.own()
        try:
            owner = self._accounts.owner_of(question.patient)
            subject = self._log.subject(question.patient, owner)
            facts = self._facts.of(query, latest=question.latest)
            permit = decide(query, facts, now=self._standing.clock(), bounds=self._standing.bounds)
            page = find(permit)
        except AccessRefused as refusal:
            page = Page(refusal=refusal)
        block = None if facts is None else facts.freshness.head
        logged = self._log.append(
            subject,
            Event(
                requester=question.session.account,
                by=question.session.by,
                action=action,
                query=f"{asked} for {question.purpose}",
                outcome="released" if page.refusal is None else "refused",
                reason=(page.refusal.reason if page.refusal else question.purpose).value,
                basis="" if permit is None else permit.basis.value,
                consent=_rests_on(permit, facts),
                records=tuple(f"{each.descriptor.record}/{each.version}" for each in page.records),
                block=block,
            ),
        )
        # From here on the entry is on the disk, and the answer may leave.
        concerns_patient = subject != self._log.own()
        return replace(
            page,
            block=block,
            receipt=self._receipts.sign(logged, block) if concerns_patient else None,
        )


def _rests_on(permit: Permit | None, facts: Facts | None) -> Digest | None:
    """The consent or the emergency that a decision rests on."""
    if permit is None or facts is None:
        return None
    if permit.basis is Basis.EMERGENCY and facts.emergency is not None:
        return facts.emergency.emergency_id
    return permit.grants[0].consent_id
