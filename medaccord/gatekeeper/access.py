"""Asking what is allowed: checks, and who may read what. Nothing is released, and nothing logged.

Checks are decided from the same facts and by the same function as what is released. Everything that
one request asks is decided at one state of the chain and of the database.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from medaccord.core.asking import may_ask, told
from medaccord.core.blocks import BlockRef
from medaccord.core.decision import Basis, Permit, decide
from medaccord.core.errors import AccessRefused, InvalidRequest
from medaccord.core.facts import Facts, Pair, Query
from medaccord.core.identifiers import Address, Digest
from medaccord.core.refusals import IN_DOUBT, Refusal
from medaccord.core.scopes import Scope
from medaccord.core.ways import Way, ways_in, why_none
from medaccord.gatekeeper.allowance import Allowance
from medaccord.gatekeeper.by_name import decided_for, nothing_named, releasable
from medaccord.gatekeeper.facts import FactsOf
from medaccord.gatekeeper.foundation import Foundation
from medaccord.gatekeeper.freshness import Wanted
from medaccord.gatekeeper.leave import Leave
from medaccord.gatekeeper.tokens import Session
from medaccord.records import RecordRepository
from medaccord.store import reading

MAX_CHECKS: Final = 50
"""How many checks one request may make, inclusive."""

_PER_SECOND: Final = 1_000
_AT_ONCE: Final = 30_000
_FOR_SEVERAL: Final = 5  # what a request for several things takes: it is that much work


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing to check.

    Attributes:
        query: who asks for what.
        record: the one record asked for, ``Type/id``; None for any of the type.
    """

    query: Query
    record: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was decided.

    Attributes:
        permit: what may be released; None where nothing may.
        refusal: why nothing may be; None where something may.
        rests_on: ids of the consents, and of the emergency, that it rests on.
    """

    permit: Permit | None = None
    refusal: AccessRefused | None = None
    rests_on: tuple[Digest, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """An organisation that may read what was asked about, by one way in.

    Attributes:
        organisation: its account.
        basis: CONSENT or EMERGENCY.
        rests_on: id of the consent or of the emergency access.
        scopes: what it allows of what was asked about.
        ends_at: its end, excluded.
    """

    organisation: Address
    basis: Basis
    rests_on: Digest
    scopes: tuple[Scope, ...]
    ends_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """What one organisation may read of a patient.

    Attributes:
        pair: the two.
        ways: the ways in that are open; none where it may read nothing.
        refusal: why there is none; None where there is one.
    """

    pair: Pair
    ways: tuple[Way, ...]
    refusal: AccessRefused | None = None


class Access:
    """Answers what is allowed.

    Every method takes a session that was just checked against a fresh ledger, and raises:

    - AccessRefused: MAY_NOT_ASK, it is not the asker's to ask; LEDGER_BEHIND or CHAIN_UNREACHABLE,
      the answer is not to be had as fresh as wanted; or another reason to be in doubt.
    - InvalidRequest: the block that must be known is of another chain.
    - TooManyRequests: the account asks too often.
    """

    def __init__(self, base: Foundation, *, facts: FactsOf, repository: RecordRepository) -> None:
        self._engine = base.engine
        self._ledger = base.ledger
        self._standing = base.standing
        self._metrics = base.metrics
        self._facts = facts
        self._repository = repository
        self._allowance = Allowance(per_second=_PER_SECOND, at_once=_AT_ONCE)

    def check(
        self, session: Session, checks: Sequence[Check], wanted: Wanted
    ) -> tuple[tuple[Verdict, ...], BlockRef]:
        """Decide on each, in their order, all at one state; and the block of that state.

        Args:
            session: who asks.
            checks: at least one, at most `MAX_CHECKS`.
            wanted: how fresh the answer must be.
        """
        pairs = list(dict.fromkeys(each.query.pair for each in checks))
        self._admit(session, [(pair.patient, pair.requester) for pair in pairs], len(checks))
        self._freshen(wanted)
        with reading(self._engine):  # facts and records are of one state
            gathered = self._facts.gather(pairs)
            verdicts = tuple(
                self._verdict(each, gathered.facts[each.query.pair]) for each in checks
            )
        for each in verdicts:
            self._count(each)
        return verdicts, gathered.freshness.head

    def who_can(
        self, session: Session, query: Query, wanted: Wanted
    ) -> tuple[tuple[Reader, ...], BlockRef]:
        """Who would be permitted a query now, by the way in; and the block of that state.

        Args:
            session: who asks: the patient.
            query: what would be asked for; its requester does not matter.
            wanted: how fresh the answer must be.
        """
        self._admit(session, [(query.patient, None)], MAX_CHECKS)
        self._freshen(wanted)
        gathered = self._facts.gather(everybody_at=[query.patient])
        readers: list[Reader] = []
        for pair, facts in gathered.facts.items():
            asked = Query(
                requester=pair.requester,
                patient=pair.patient,
                purpose=query.purpose,
                interaction=query.interaction,
                resource_type=query.resource_type,
            )
            readers.extend(_readers(self._decide(asked, facts), facts))
        return tuple(readers), gathered.freshness.head

    def what_can(self, session: Session, pair: Pair, wanted: Wanted) -> tuple[Holding, BlockRef]:
        """What an organisation may read of a patient now; and the block of that state.

        Args:
            session: who asks: the patient, or that organisation.
            pair: the two.
            wanted: how fresh the answer must be.

        Raises:
            InvalidRequest: also where the two are one.
        """
        if pair.requester == pair.patient:
            raise InvalidRequest("a patient may read all of its own: name an organisation")
        self._admit(session, [(pair.patient, pair.requester)], 1)
        self._freshen(wanted)
        gathered = self._facts.gather([pair])
        return self._holding(pair, gathered.facts[pair]), gathered.freshness.head

    def holdings(
        self, session: Session, patients: Iterable[Address], wanted: Wanted
    ) -> tuple[tuple[Holding, ...], BlockRef]:
        """What the asker may know of who may read what of some patients, as far as anything may be.

        Of itself a patient learns all of it, of any other patient an organisation its own part.

        Args:
            session: who asks.
            patients: accounts of patients.
            wanted: how fresh the answer must be.
        """
        asker = session.account
        own = [patient for patient in patients if patient == asker]
        others = [patient for patient in patients if patient != asker]
        self._admit(session, [(patient, asker) for patient in others], 1)
        self._freshen(wanted)
        gathered = self._facts.gather(
            [Pair(requester=asker, patient=patient) for patient in others], everybody_at=own
        )
        holdings = (self._holding(pair, facts) for pair, facts in gathered.facts.items())
        return tuple(each for each in holdings if each.ways), gathered.freshness.head

    # --- Inside ---

    def _admit(
        self,
        session: Session,
        asked: Sequence[tuple[Address, Address | None]],
        things: int,
    ) -> None:
        """Check that the asker may ask about each patient and requester, and so often."""
        asker = session.account
        self._allowance.take(asker, 1 if things == 1 else _FOR_SEVERAL)
        standing = None
        if any(patient != asker for patient, _ in asked):
            standing = self._ledger.standing(asker, now=self._standing.clock())
        for patient, about in asked:
            may_ask(asker, patient=patient, about=about, standing=standing)

    def _freshen(self, wanted: Wanted) -> None:
        # Within the bounds it is already: so the session was checked.
        if wanted.latest:
            self._standing.ask_now()
        if wanted.at_least is not None:
            self._standing.reach(wanted.at_least)

    def _verdict(self, check: Check, facts: Facts) -> Verdict:
        """What is decided on one check: of one record, as on reading it."""
        if check.record is None:
            return self._decide(check.query, facts)
        query, now, bounds = check.query, self._standing.clock(), self._standing.bounds
        types, interactions = decided_for(check.record, query.interaction)
        try:
            leave = Leave.decide(
                query, facts, types=types, interactions=interactions, now=now, bounds=bounds
            )
            permit = releasable(self._repository, query.patient, leave, check.record).permit
        except AccessRefused as refusal:
            if refusal.reason is Refusal.UNKNOWN_PATIENT:  # permitted, and there is nothing
                return Verdict(refusal=nothing_named(check.record))
            return _refused(refusal, facts)
        return Verdict(permit=permit, rests_on=_rests_on(permit, facts))

    def _decide(self, query: Query, facts: Facts) -> Verdict:
        now, bounds = self._standing.clock(), self._standing.bounds
        try:
            permit = decide(query, facts, now=now, bounds=bounds)
        except AccessRefused as refusal:
            return _refused(refusal, facts)
        return Verdict(permit=permit, rests_on=_rests_on(permit, facts))

    def _holding(self, pair: Pair, facts: Facts) -> Holding:
        now, bounds = self._standing.clock(), self._standing.bounds
        ways = ways_in(pair, facts, now=now, bounds=bounds)
        refusal = None
        if not ways:
            refusal = told(why_none(pair, facts, now=now, bounds=bounds), facts)
        return Holding(pair=pair, ways=ways, refusal=refusal)

    def _count(self, verdict: Verdict) -> None:
        if verdict.refusal is None:
            self._metrics.decisions.labels("permitted", "").inc()
        else:
            self._metrics.decisions.labels("refused", verdict.refusal.reason.value).inc()


def _refused(refusal: AccessRefused, facts: Facts) -> Verdict:
    """What is told of a no; what is in doubt is raised."""
    if refusal.reason in IN_DOUBT:
        raise refusal
    return Verdict(refusal=told(refusal, facts))


def _rests_on(permit: Permit, facts: Facts) -> tuple[Digest, ...]:
    """Ids of what a permit rests on, in the order of its grants; none for the patient itself."""
    if permit.basis is Basis.PATIENT:
        return ()
    emergency = None if facts.emergency is None else facts.emergency.emergency_id
    ids = (each.consent_id or emergency for each in permit.grants)
    return tuple(each for each in ids if each is not None)


def _readers(verdict: Verdict, facts: Facts) -> Iterable[Reader]:
    if verdict.permit is None:
        return
    ends = {consent.consent_id: consent.valid_until for consent, _ in facts.consents}
    if facts.emergency is not None:
        ends[facts.emergency.emergency_id] = facts.emergency.valid_until
    for grant, rests_on in zip(verdict.permit.grants, verdict.rests_on, strict=True):
        yield Reader(
            organisation=verdict.permit.query.requester,
            basis=Basis.EMERGENCY if grant.consent_id is None else Basis.CONSENT,
            rests_on=rests_on,
            scopes=grant.scopes,
            ends_at=ends[rests_on],
        )
