"""The ways in that are open are those through which decide() permits, and no other."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings

from medaccord.core.decision import Basis, decide
from medaccord.core.emergency import EMERGENCY_SCOPES
from medaccord.core.errors import AccessRefused
from medaccord.core.facts import Query
from medaccord.core.purposes import Purpose
from medaccord.core.refusals import IN_DOUBT, Refusal
from medaccord.core.scopes import ANY_TYPE
from medaccord.core.ways import Way, ways_in, why_none
from tests.unit.core.decision_strategies import cases
from tests.unit.core.decision_world import (
    CONSENT,
    DEPARTMENT_C,
    EMERGENCY,
    END,
    NOON,
    TERMS,
    Case,
    some_digest,
    usual,
)


def ways(case: Case) -> tuple[Way, ...]:
    return ways_in(case.query.pair, case.facts, now=case.now, bounds=case.bounds)


def unless_in_doubt(case: Case) -> tuple[Way, ...] | None:
    """The ways; None of a patient's own case, or where the chain is in doubt."""
    if case.query.requester == case.query.patient:
        return None
    try:
        return ways(case)
    except AccessRefused as refused:
        if refused.reason not in IN_DOUBT:
            raise
        return None


def why(case: Case) -> Refusal:
    return why_none(case.query.pair, case.facts, now=case.now, bounds=case.bounds).reason


def test_way_by_consent_says_what_its_terms_do() -> None:
    assert ways(usual()) == (
        Way(
            basis=Basis.CONSENT,
            rests_on=CONSENT.consent_id,
            scopes=TERMS.scopes,
            purposes=TERMS.purposes,
            terms=TERMS,
            ends_at=END,
        ),
    )


def test_way_by_emergency_has_its_fixed_scope() -> None:
    (way,) = ways(usual(DEPARTMENT_C))
    assert (way.basis, way.rests_on) == (Basis.EMERGENCY, EMERGENCY.emergency_id)
    assert (way.scopes, way.terms) == (EMERGENCY_SCOPES, None)
    assert way.purposes == (Purpose.BTG, Purpose.ETREAT)


def test_no_way_is_open_when_the_consent_was_revoked() -> None:
    case = usual().with_consent(revoked=True)
    assert ways(case) == ()
    assert why(case) is Refusal.CONSENT_REVOKED


def test_no_way_is_open_when_the_emergency_was_closed() -> None:
    case = usual(DEPARTMENT_C).knowing(emergency=replace(EMERGENCY, open=False), consents=())
    assert ways(case) == ()
    assert why(case) is Refusal.EMERGENCY_CLOSED


def test_no_way_is_open_when_nothing_was_given() -> None:
    case = usual().knowing(consents=())
    assert ways(case) == ()
    assert why(case) is Refusal.NO_CONSENT


def test_ways_come_by_the_ids_of_their_consents() -> None:
    later = replace(CONSENT, consent_id=some_digest(101))
    case = usual().knowing(consents=((later, TERMS), (CONSENT, TERMS)))
    assert [each.rests_on for each in ways(case)] == [CONSENT.consent_id, some_digest(101)]


def test_ways_are_refused_when_the_chain_is_in_doubt() -> None:
    case = usual()
    silent = replace(case.facts.freshness, answered_at=NOON - timedelta(hours=1))
    with pytest.raises(AccessRefused) as refused:
        ways(case.knowing(freshness=silent))
    assert refused.value.reason is Refusal.CHAIN_UNREACHABLE


@settings(max_examples=200, deadline=None)
@given(case=cases())
def test_something_is_permitted_exactly_where_a_way_is_open(case: Case) -> None:
    """Whatever a way names is permitted, and what is permitted is named by a way."""
    found = unless_in_doubt(case)
    if found is None:
        return
    for way in found:
        for scope in way.scopes:
            kind = "Observation" if scope.resource_type == ANY_TYPE else scope.resource_type
            for purpose in way.purposes:
                for interaction in scope.interactions:
                    asked = Query(
                        requester=case.query.requester,
                        patient=case.query.patient,
                        purpose=purpose,
                        interaction=interaction,
                        resource_type=kind,
                    )
                    decide(asked, case.facts, now=case.now, bounds=case.bounds)
    try:
        permit = case.decide()
    except AccessRefused:
        return
    open_by = {each.rests_on for each in found}
    emergency = case.facts.emergency
    for grant in permit.grants:
        assert emergency is not None or grant.consent_id is not None
        rests_on = grant.consent_id or (emergency and emergency.emergency_id)
        assert rests_on in open_by


@settings(max_examples=200, deadline=None)
@given(case=cases())
def test_why_none_has_a_reason_wherever_no_way_is_open(case: Case) -> None:
    if unless_in_doubt(case) == ():
        assert why(case) not in IN_DOUBT
