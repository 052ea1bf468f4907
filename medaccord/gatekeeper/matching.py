"""Finding a patient in an emergency: what account to open emergency access for, and nothing else.

Only organisations whose EMERGENCY role is in effect may ask, and only for an emergency's purposes.
Every attempt counts against a limit and is a line of the steward's log; whoever is found has a line
in their own log besides. Patients who forbade emergency access are not found: nothing could be
opened for them.

Source: FHIR R4, operation Patient/$match; extension match-grade.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from math import ceil
from typing import Final

from sqlalchemy import delete, func, insert, select

from medaccord.core.blocks import BlockRef
from medaccord.core.canonical import Object
from medaccord.core.errors import AccessRefused, InvalidRequest
from medaccord.core.facts import ROLE_EMERGENCY
from medaccord.core.identifiers import Address, Digest
from medaccord.core.purposes import EMERGENCY_PURPOSES
from medaccord.core.receipts import SignedReceipt
from medaccord.core.refusals import Refusal
from medaccord.gatekeeper.audit_log import Event
from medaccord.gatekeeper.errors import TooManyRequests
from medaccord.gatekeeper.foundation import Foundation
from medaccord.gatekeeper.receipts import Receipts
from medaccord.gatekeeper.refusal_tallies import RefusalTallies
from medaccord.gatekeeper.tokens import Session
from medaccord.ledger import RelationshipState
from medaccord.records import Owner
from medaccord.records.match_index import MatchIndex, Terms
from medaccord.records.patients import accounts_of
from medaccord.store import reading, writing
from medaccord.store.tables import match_attempt

MAX_ATTEMPTS: Final = 20
"""Attempts of one organisation within `ATTEMPT_SPAN`, inclusive; whatever came of them."""

ATTEMPT_SPAN: Final = timedelta(minutes=10)

MAX_TERMS: Final = 10
"""Identifiers and names that one attempt is made with at most: as one person may well have."""

MAX_FOUND: Final = 5
"""Patients that one answer names at most; where more fit, what is known is not enough."""


class Grade(StrEnum):
    """How sure a match is. Source: value set match-grade."""

    CERTAIN = "certain"
    PROBABLE = "probable"
    POSSIBLE = "possible"

    @property
    def score(self) -> str:
        """The same as a number from 0 to 1, as it is written."""
        return _SCORES[self]


_SCORES: Final = {Grade.CERTAIN: "1", Grade.PROBABLE: "0.8", Grade.POSSIBLE: "0.5"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A patient that was found.

    Attributes:
        account: the account to open emergency access for.
        grade: how sure it is.
        receipt: the steward's signature that the patient's log has a line of it.
    """

    account: Address
    grade: Grade
    receipt: SignedReceipt


class Matching:
    """Finds patients by what an emergency department knows of them."""

    def __init__(self, base: Foundation, *, index: MatchIndex, receipts: Receipts) -> None:
        self._engine = base.engine
        self._steward = base.steward
        self._ledger = base.ledger
        self._standing = base.standing
        self._log = base.log
        self._tallies = RefusalTallies(base)
        self._index = index
        self._receipts = receipts

    def bring_up(self) -> int:
        """Take in what was imported since; see `MatchIndex.bring_up`."""
        return self._index.bring_up()

    def match(
        self, session: Session, patient: Object, *, count: int, certain_only: bool
    ) -> tuple[Match, ...]:
        """Find the patient that a resource describes.

        Args:
            session: who asks.
            patient: a Patient resource with identifiers, or with name and whole day of birth.
            count: how many are wanted at most; never more than `MAX_FOUND` are given.
            certain_only: whether identifiers alone count.

        Raises:
            AccessRefused: NOT_AN_ORGANISATION, SUSPENDED, MAY_NOT_ASK, PURPOSE_NOT_COVERED; or
                CHAIN_UNREACHABLE and its like.
            InvalidRequest: the resource says nothing that a patient is found by, or more than
                `MAX_TERMS` say of one person.
            TooManyRequests: as many attempts were made as may be.
        """
        terms = self._index.terms(patient)
        asked = (
            f"Patient/$match by {len(terms.identifiers)} identifiers and {len(terms.people)} names "
            f"for {session.purpose}"
        )
        try:
            self._check(session)
        except AccessRefused as refusal:
            self._refused(session, asked, refusal.reason.value)
            raise
        try:
            self._count(session.account)
        except TooManyRequests as many:
            self._refused(session, asked, type(many).__name__)
            raise
        if not terms.all:
            raise InvalidRequest(
                "name an identifier with its system, or family and given name and the whole day "
                "of birth"
            )
        if len(terms.all) > MAX_TERMS:
            raise InvalidRequest(f"{MAX_TERMS} identifiers and names are the most: describe one")
        block = self._ledger.freshness().head
        found = self._found(session.account, terms, count=count, certain_only=certain_only)
        event = _event(session, asked, "released", session.purpose.value, block)
        self._log.append(self._log.own(), event)
        return tuple(
            Match(
                account=account,
                grade=grade,
                receipt=self._receipts.sign(
                    self._log.append(self._log.subject(account, owner), event), block
                ),
            )
            for account, owner, grade in found
        )

    def _refused(self, session: Session, asked: str, reason: str) -> None:
        self._tallies.append(self._log.own(), _event(session, asked, "refused", reason, None))

    def _check(self, session: Session) -> None:
        self._standing.require_fresh()
        state = self._ledger.standing(session.account, now=self._standing.clock())
        if state is None or not state.admitted:
            raise AccessRefused(
                Refusal.NOT_AN_ORGANISATION, "The requester is not an admitted organisation."
            )
        if not state.active:
            raise AccessRefused(Refusal.SUSPENDED, "The requester is suspended.")
        if not state.roles & ROLE_EMERGENCY:
            raise AccessRefused(
                Refusal.MAY_NOT_ASK, "Only an organisation with the EMERGENCY role may ask this."
            )
        if session.purpose not in EMERGENCY_PURPOSES:
            raise AccessRefused(
                Refusal.PURPOSE_NOT_COVERED,
                f"This is for emergencies: sign in for {' or '.join(sorted(EMERGENCY_PURPOSES))}.",
            )

    def _count(self, account: Address) -> None:
        now = self._standing.clock()
        with writing(self._engine) as connection:
            since = now - ATTEMPT_SPAN
            connection.execute(delete(match_attempt).where(match_attempt.c.at <= since))
            made = connection.execute(
                select(func.count(), func.min(match_attempt.c.at)).where(
                    match_attempt.c.account == account
                )
            ).one()
            if made[0] >= MAX_ATTEMPTS:
                raise TooManyRequests(
                    f"{MAX_ATTEMPTS} attempts within {ATTEMPT_SPAN} are the most",
                    retry_after=_seconds_until(made[1] + ATTEMPT_SPAN, now),
                )
            connection.execute(insert(match_attempt).values(account=account, at=now))

    def _found(
        self, asker: Address, terms: Terms, *, count: int, certain_only: bool
    ) -> list[tuple[Address, Owner, Grade]]:
        held = self._index.find(terms.identifiers if certain_only else terms.all)
        # Whoever is not to be found has no part in the answer: not in how many fit, nor in what is
        # said of others; but for one of the same name and birth, for whom another could be taken.
        shown = self._to_be_found(asker, {owner for owners in held.values() for owner in owners})
        certain = _having(held, terms.identifiers) & shown.keys()
        named = _having(held, terms.people) & shown.keys() - certain
        is_alone = len(named) == 1 and not certain and _shares_none(held, terms.people, named)
        graded = [(owner, Grade.CERTAIN) for owner in sorted(certain)]
        graded += [
            (owner, Grade.PROBABLE if is_alone else Grade.POSSIBLE) for owner in sorted(named)
        ]
        if len(graded) > MAX_FOUND:
            return []  # what is known fits anybody
        found = [(account, owner, grade) for owner, grade in graded for account in shown[owner]]
        return found[:count]

    def _to_be_found(self, asker: Address, owners: Iterable[Owner]) -> dict[Owner, list[Address]]:
        """The accounts that emergency access could be opened for, of each patient that has any."""
        with reading(self._engine) as connection:
            held = {owner: accounts_of(connection, owner) for owner in owners}
        openable = {
            owner: [account for account in accounts if self._may_be_opened(asker, account)]
            for owner, accounts in held.items()
        }
        return {owner: accounts for owner, accounts in openable.items() if accounts}

    def _may_be_opened(self, asker: Address, account: Address) -> bool:
        relationship = self._ledger.relationship(account, self._steward)
        return relationship.state is RelationshipState.ACTIVE and self._ledger.allows_emergency(
            account, asker, now=self._standing.clock()
        )


def _having(held: Mapping[Digest, set[Owner]], terms: Iterable[Digest]) -> set[Owner]:
    return {owner for term in terms for owner in held.get(term, ())}


def _shares_none(
    held: Mapping[Digest, set[Owner]], terms: Iterable[Digest], owners: set[Owner]
) -> bool:
    """Whether nobody else has a term that one of these has."""
    return all(held[term] <= owners for term in terms if held.get(term, set()) & owners)


def _event(
    session: Session, asked: str, outcome: str, reason: str, block: BlockRef | None
) -> Event:
    return Event(
        requester=session.account,
        by=session.by,
        action="match",
        query=asked,
        outcome=outcome,
        reason=reason,
        block=block,
    )


def _seconds_until(then: datetime, now: datetime) -> int:
    return ceil((then - now).total_seconds())
