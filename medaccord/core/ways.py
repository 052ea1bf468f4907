"""The ways in that are open to one requester now, whatever for: what somebody may read at all.

`decide` answers one query. This asks it about each consent, and about the emergency, alone: a
consent through which it permits what the consent's own terms name is in force, and so is all that
those terms name. Nothing is decided here a second time.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from medaccord.core.decision import Basis, check_freshness, decide
from medaccord.core.emergency import EMERGENCY_SCOPES
from medaccord.core.errors import AccessRefused
from medaccord.core.facts import Bounds, Facts, Pair, Query
from medaccord.core.identifiers import Digest
from medaccord.core.purposes import EMERGENCY_PURPOSES, Purpose
from medaccord.core.refusals import IN_DOUBT
from medaccord.core.scopes import ANY_TYPE, Scope
from medaccord.core.terms import Terms

__all__ = ["Way", "ways_in", "why_none"]

_EVERY_TYPE: Final = "Observation"
"""Stands for any type where a scope is of every one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way in that is open.

    Attributes:
        basis: CONSENT or EMERGENCY.
        rests_on: id of the consent or of the emergency access.
        scopes: what it allows.
        purposes: what for.
        terms: what else the consent says of the records; None for an emergency.
        ends_at: its end, excluded.
    """

    basis: Basis
    rests_on: Digest
    scopes: tuple[Scope, ...]
    purposes: tuple[Purpose, ...]
    terms: Terms | None
    ends_at: datetime


def ways_in(pair: Pair, facts: Facts, *, now: datetime, bounds: Bounds) -> tuple[Way, ...]:
    """The ways in that are open to a requester now: the emergency first, then by the consents' ids.

    Args:
        pair: who asks, and of whom; somebody else than the patient itself.
        facts: what is known of the two.
        now: the time by our clock, timezone-aware.
        bounds: how stale the facts may be.

    Raises:
        AccessRefused: one of `IN_DOUBT`: nothing can be said.
    """
    check_freshness(facts.freshness, now=now, bounds=bounds)  # also where there is nothing to ask
    ways = []
    if facts.emergency is not None:
        way = Way(
            basis=Basis.EMERGENCY,
            rests_on=facts.emergency.emergency_id,
            scopes=EMERGENCY_SCOPES,
            purposes=tuple(sorted(EMERGENCY_PURPOSES)),
            terms=None,
            ends_at=facts.emergency.valid_until,
        )
        if _is_open(pair, way, replace(facts, consents=()), now, bounds):
            ways.append(way)
    for state, terms in sorted(facts.consents, key=lambda held: held[0].consent_id):
        if terms is None:
            continue
        way = Way(
            basis=Basis.CONSENT,
            rests_on=state.consent_id,
            scopes=terms.scopes,
            purposes=terms.purposes,
            terms=terms,
            ends_at=state.valid_until,
        )
        alone = replace(facts, consents=((state, terms),), emergency=None)
        if _is_open(pair, way, alone, now, bounds):
            ways.append(way)
    return tuple(ways)


def why_none(pair: Pair, facts: Facts, *, now: datetime, bounds: Bounds) -> AccessRefused:
    """Why no way in is open; what an organisation is told that was never given access.

    Raises:
        AccessRefused: one of `IN_DOUBT`: nothing can be said.
    """
    # Any query will do: where no way in is open, it is refused for what all of them lack.
    query = Query(
        requester=pair.requester,
        patient=pair.patient,
        purpose=Purpose.TREAT if facts.emergency is None else Purpose.ETREAT,
        interaction="s",
        resource_type=_EVERY_TYPE,
    )
    refusal = _refusal(query, facts, now, bounds)
    if refusal is None:
        raise AssertionError("a way in is open")
    return refusal


def _is_open(pair: Pair, way: Way, alone: Facts, now: datetime, bounds: Bounds) -> bool:
    scope = way.scopes[0]
    query = Query(
        requester=pair.requester,
        patient=pair.patient,
        purpose=way.purposes[0],
        interaction=min(scope.interactions),
        resource_type=_EVERY_TYPE if scope.resource_type == ANY_TYPE else scope.resource_type,
    )
    return _refusal(query, alone, now, bounds) is None


def _refusal(query: Query, facts: Facts, now: datetime, bounds: Bounds) -> AccessRefused | None:
    """Why a query is refused; None where it is not. What is in doubt is raised."""
    try:
        decide(query, facts, now=now, bounds=bounds)
    except AccessRefused as refusal:
        if refusal.reason in IN_DOUBT:
            raise
        return refusal
    return None
