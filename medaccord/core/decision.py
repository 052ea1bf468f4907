"""The decision: may these records be released to this requester, now?

`decide` is pure. It takes a query, the facts, the time and the bounds; it returns a `Permit` or
raises `AccessRefused`. It fails closed: every way in must be proven step by step, and what is
unknown, stale, missing or unreadable refuses.

Checks are made in one total order; the first that fails is the reason.

1. The facts can be relied on, else CHAIN_UNREACHABLE (the node was silent too long), CLOCKS_APART
   (the head, or the node's last answer, lies ahead of our clock), LEDGER_BEHIND (too many blocks),
   HEAD_TOO_OLD (where the network's pace is known).
2. The patient's own way in: requester and patient are one account. The relationship is active, else
   NO_RELATIONSHIP. Nothing else can withhold a patient's own records.
3. The steward is an admitted, active steward, else STEWARD_NOT_ACTIVE.
4. The requester is an admitted organisation, else NOT_AN_ORGANISATION; not suspended, else
   SUSPENDED.
5. The steward has an active relationship with the patient, else NO_RELATIONSHIP.
6. The emergency way in, looked at only for the purposes ETREAT and BTG and only where the requester
   opened emergency access: open, and the requester still has the role, else EMERGENCY_CLOSED; not
   over, else EMERGENCY_ENDED; its reason is known, else EMERGENCY_REASON_MISSING; the published
   scope allows the query, else SCOPE_NOT_COVERED.
7. The way in by consent, for each consent of this patient for this requester: granted, else
   NO_CONSENT; not revoked, else CONSENT_REVOKED; of the patient's epoch, else CONSENT_EPOCH_ENDED;
   not over, else CONSENT_ENDED; begun, else CONSENT_NOT_STARTED; its terms are at hand, else
   TERMS_MISSING; they are those committed to, else TERMS_MISMATCH; they name the steward, else
   STEWARD_NOT_NAMED; they cover the purpose, else PURPOSE_NOT_COVERED; one of their scopes allows
   the query, else SCOPE_NOT_COVERED.

One way in is enough; all that are open count together. Where none is, the reason is the emergency's
if there is one to speak of, else that of the consent that came farthest (the nearest miss; of
several equally near, the one with the smallest id), else NO_CONSENT.

A start is checked against the earlier of our clock and the head's time, an end against the later:
neither clock alone can open a window early or hold one open. A window includes its start and
excludes its end. An emergency begins with the block it was opened in.

What always holds:

- Without a consent of this patient for this requester, or an emergency the requester opened, nobody
  but the patient gets a permit.
- Each condition above is necessary: take one away from a permitted case and it is refused.
- Facts about other patients or other requesters change nothing.
- A permit covers a record only if it is of the type asked for and one of the grants covers it.
- A permit says until when it may be kept: the earliest end among what it rests on.

RECORD_UNVERIFIABLE, NOT_SIGNED_IN and UNKNOWN_PATIENT are refusals of the gatekeeper around this.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Final

from medaccord.core.blocks import BlockRef
from medaccord.core.descriptor import Descriptor
from medaccord.core.emergency import EMERGENCY_SCOPES
from medaccord.core.errors import AccessRefused, InvalidInput
from medaccord.core.facts import (
    ROLE_EMERGENCY,
    ROLE_STEWARD,
    Bounds,
    ConsentState,
    EmergencyState,
    Facts,
    Freshness,
    OrganisationState,
    Query,
)
from medaccord.core.identifiers import AccountId, ConsentId, hex_digest
from medaccord.core.purposes import EMERGENCY_PURPOSES
from medaccord.core.refusals import Refusal
from medaccord.core.scopes import ANY_TYPE, INTERACTIONS, Scope
from medaccord.core.terms import Terms

__all__ = [
    "CONSENT_REFUSALS",
    "Basis",
    "BlockRef",
    "Bounds",
    "ConsentState",
    "EmergencyState",
    "Facts",
    "Freshness",
    "Grant",
    "OrganisationState",
    "Permit",
    "Query",
    "Refusal",
    "check_freshness",
    "decide",
]

CONSENT_REFUSALS: Final = (
    Refusal.NO_CONSENT,
    Refusal.CONSENT_REVOKED,
    Refusal.CONSENT_EPOCH_ENDED,
    Refusal.CONSENT_ENDED,
    Refusal.CONSENT_NOT_STARTED,
    Refusal.TERMS_MISSING,
    Refusal.TERMS_MISMATCH,
    Refusal.STEWARD_NOT_NAMED,
    Refusal.PURPOSE_NOT_COVERED,
    Refusal.SCOPE_NOT_COVERED,
)
"""How far a consent came, from the farthest miss to the nearest: the order its checks are made."""

_OWN_RECORDS: Final = Scope(resource_type=ANY_TYPE, interactions=frozenset(INTERACTIONS))


class Basis(StrEnum):
    """What a permit rests on."""

    PATIENT = "patient"
    CONSENT = "consent"
    EMERGENCY = "emergency"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One way in that is open.

    Attributes:
        consent_id: the consent; None for the patient's own way in and for an emergency.
        terms: the consent's terms; None where there are none.
        scopes: what it allows of the query: those scopes that speak of its type and interaction.
    """

    consent_id: ConsentId | None
    terms: Terms | None
    scopes: tuple[Scope, ...]

    def covers(self, descriptor: Descriptor, interaction: str) -> bool:
        """Whether this way in leads to this record."""
        in_scope = any(scope.matches(descriptor, interaction) for scope in self.scopes)
        return in_scope and (self.terms is None or self.terms.covers(descriptor, interaction))


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """Leave to release what it covers, in answer to one query.

    Attributes:
        query: what was asked.
        basis: what it rests on; EMERGENCY wherever an emergency is among the grants.
        grants: the ways in that are open, at least one.
        reasons: one sentence for each grant.
        decided_at: the head it was decided at.
        expires_at: it may not be used at or after this; None for the patient's own way in.
    """

    query: Query
    basis: Basis
    grants: tuple[Grant, ...]
    reasons: tuple[str, ...]
    decided_at: BlockRef
    expires_at: datetime | None

    def covers(self, descriptor: Descriptor) -> bool:
        """Whether this record may be released; each record of an answer is asked about."""
        return descriptor.resource_type == self.query.resource_type and any(
            grant.covers(descriptor, self.query.interaction) for grant in self.grants
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _WayIn:
    grant: Grant
    reason: str
    ends_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class _Moment:
    """Now, by the clock and by the chain."""

    earlier: datetime
    later: datetime


def decide(query: Query, facts: Facts, *, now: datetime, bounds: Bounds) -> Permit:
    """Decide on one query.

    Args:
        query: what is asked for.
        facts: what the ledger and the steward know.
        now: the time by our clock, timezone-aware.
        bounds: how stale the facts may be.

    Returns:
        A permit with at least one grant. What of the answer it covers, `Permit.covers` says,
        record by record.

    Raises:
        AccessRefused: with the first reason in the order that the module states.
        InvalidInput: `now` has no timezone.
    """
    if now.tzinfo is None:
        raise InvalidInput("the time of a decision needs a timezone")
    check_freshness(facts.freshness, now=now, bounds=bounds)
    head = facts.freshness.head
    if query.requester == query.patient:
        _check_relationship(facts)
        return Permit(
            query=query,
            basis=Basis.PATIENT,
            grants=(Grant(consent_id=None, terms=None, scopes=(_OWN_RECORDS,)),),
            reasons=("A patient may always read their own records.",),
            decided_at=head,
            expires_at=None,
        )
    _check_steward(facts)
    requester = _check_requester(query, facts)
    _check_relationship(facts)

    moment = _Moment(earlier=min(now, head.timestamp), later=max(now, head.timestamp))
    emergency = _emergency(query, facts, requester, moment)
    consents = [
        _consent(query, facts, state, terms, moment)
        for state, terms in sorted(facts.consents, key=lambda held: held[0].consent_id)
        if state.patient == query.patient and state.grantee == query.requester
    ]
    ways = [way for way in (emergency, *consents) if isinstance(way, _WayIn)]
    if not ways:
        raise _nearest_miss(
            emergency, [miss for miss in consents if isinstance(miss, AccessRefused)]
        )
    return Permit(
        query=query,
        basis=Basis.EMERGENCY if isinstance(emergency, _WayIn) else Basis.CONSENT,
        grants=tuple(way.grant for way in ways),
        reasons=tuple(way.reason for way in ways),
        decided_at=head,
        expires_at=min(way.ends_at for way in ways),
    )


def check_freshness(freshness: Freshness, *, now: datetime, bounds: Bounds) -> None:
    """Check that what is known of the chain can be relied on: step 1 of every decision.

    Args:
        freshness: how far it can be.
        now: the time by our clock, timezone-aware.
        bounds: how stale it may be.

    Raises:
        AccessRefused: CHAIN_UNREACHABLE, CLOCKS_APART, LEDGER_BEHIND or HEAD_TOO_OLD.
    """
    head = freshness.head
    # Our clock may have been set back since the node answered; its silence has not.
    if max(now - freshness.answered_at, freshness.silence) > bounds.max_node_silence:
        raise AccessRefused(
            Refusal.CHAIN_UNREACHABLE, f"The chain last answered at {_at(freshness.answered_at)}."
        )
    if max(head.timestamp, freshness.answered_at) - now > bounds.max_clock_skew:
        raise AccessRefused(
            Refusal.CLOCKS_APART,
            f"Block {head.number} is of {_at(head.timestamp)}, but it is {_at(now)} here.",
        )
    if freshness.behind > bounds.max_blocks_behind:
        raise AccessRefused(
            Refusal.LEDGER_BEHIND, f"The ledger is {freshness.behind} blocks behind the chain."
        )
    if freshness.age_counts and (
        bounds.max_head_age is None or now - head.timestamp > bounds.max_head_age
    ):
        raise AccessRefused(
            Refusal.HEAD_TOO_OLD, f"The newest block, {head.number}, is of {_at(head.timestamp)}."
        )


def _check_steward(facts: Facts) -> None:
    state = facts.steward_state
    is_steward = state.account == facts.steward and state.admitted and state.active
    if not is_steward or not state.roles & ROLE_STEWARD:
        raise AccessRefused(
            Refusal.STEWARD_NOT_ACTIVE, "This gatekeeper's organisation is no active steward."
        )


def _check_requester(query: Query, facts: Facts) -> OrganisationState:
    state = facts.requester_state
    if state is None or state.account != query.requester or not state.admitted:
        raise AccessRefused(
            Refusal.NOT_AN_ORGANISATION, "The requester is not an admitted organisation."
        )
    if not state.active:
        raise AccessRefused(Refusal.SUSPENDED, "The requester is suspended.")
    return state


def _check_relationship(facts: Facts) -> None:
    if not facts.relationship_active:
        raise AccessRefused(
            Refusal.NO_RELATIONSHIP, "This steward has no active relationship with the patient."
        )


def _emergency(
    query: Query, facts: Facts, requester: OrganisationState, moment: _Moment
) -> _WayIn | AccessRefused | None:
    """The emergency way in: open, refused, or none to speak of."""
    state = facts.emergency
    if (
        state is None
        or (state.patient, state.grantee) != (query.patient, query.requester)
        or query.purpose not in EMERGENCY_PURPOSES
    ):
        return None
    if not state.open or not requester.roles & ROLE_EMERGENCY:
        return AccessRefused(Refusal.EMERGENCY_CLOSED, "Emergency access is closed.")
    if moment.later >= state.valid_until:
        return AccessRefused(
            Refusal.EMERGENCY_ENDED, f"Emergency access ended at {_at(state.valid_until)}."
        )
    if not facts.emergency_reason_known:
        return AccessRefused(
            Refusal.EMERGENCY_REASON_MISSING,
            "The reason for the emergency was not handed in, or is not the one committed to.",
        )
    scopes = _allowing(EMERGENCY_SCOPES, query)
    if not scopes:
        return AccessRefused(
            Refusal.SCOPE_NOT_COVERED, f"Emergency access does not cover {query.resource_type}."
        )
    return _WayIn(
        grant=Grant(consent_id=None, terms=None, scopes=scopes),
        reason=f"Emergency access {hex_digest(state.emergency_id)} is open.",
        ends_at=state.valid_until,
    )


def _consent(
    query: Query, facts: Facts, state: ConsentState, terms: Terms | None, moment: _Moment
) -> _WayIn | AccessRefused:
    """The way in by one consent: open, or refused at the first check that fails."""
    name = f"Consent {hex_digest(state.consent_id)}"
    refused = partial(AccessRefused, consent=state.consent_id)
    if not state.granted and not state.revoked:
        return AccessRefused(Refusal.NO_CONSENT, f"{name} is not granted on chain.")
    if state.revoked:
        return refused(Refusal.CONSENT_REVOKED, f"{name} was revoked.")
    if not state.epoch_current:
        return refused(
            Refusal.CONSENT_EPOCH_ENDED, f"{name} ended when the patient revoked everything."
        )
    if moment.later >= state.valid_until:
        return refused(Refusal.CONSENT_ENDED, f"{name} ended at {_at(state.valid_until)}.")
    if moment.earlier < state.valid_from:
        return refused(Refusal.CONSENT_NOT_STARTED, f"{name} starts at {_at(state.valid_from)}.")
    if terms is None:
        return refused(Refusal.TERMS_MISSING, f"The terms of {name} were not handed in.")
    if terms.commitment != state.terms_commitment:
        return refused(Refusal.TERMS_MISMATCH, f"The terms handed in are not those of {name}.")
    if not terms.names(AccountId(chain_id=facts.freshness.head.chain_id, address=facts.steward)):
        return refused(Refusal.STEWARD_NOT_NAMED, f"{name} is not about this steward.")
    if query.purpose not in terms.purposes:
        return refused(Refusal.PURPOSE_NOT_COVERED, f"{name} is not for {query.purpose.words}.")
    scopes = _allowing(terms.scopes, query)
    if not scopes:
        return refused(Refusal.SCOPE_NOT_COVERED, f"{name} does not cover {query.resource_type}.")
    return _WayIn(
        grant=Grant(consent_id=state.consent_id, terms=terms, scopes=scopes),
        reason=f"{name} is in force until {_at(state.valid_until)}.",
        ends_at=state.valid_until,
    )


def _nearest_miss(
    emergency: AccessRefused | _WayIn | None, consents: list[AccessRefused]
) -> AccessRefused:
    if isinstance(emergency, AccessRefused):
        return emergency
    nothing = AccessRefused(Refusal.NO_CONSENT, "The patient has not consented to this.")
    # max keeps the first of several equally near; they come in the order of their ids.
    return max([*consents, nothing], key=lambda miss: CONSENT_REFUSALS.index(miss.reason))


def _allowing(scopes: tuple[Scope, ...], query: Query) -> tuple[Scope, ...]:
    return tuple(scope for scope in scopes if scope.allows(query.resource_type, query.interaction))


def _at(time: datetime) -> str:
    return time.isoformat(timespec="seconds")
