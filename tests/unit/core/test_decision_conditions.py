"""Each condition of a permit is necessary: take one away, and the case is refused for it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings

from medaccord.core.errors import AccessRefused
from medaccord.core.purposes import Purpose
from medaccord.core.refusals import Refusal
from medaccord.core.scopes import Scope
from medaccord.core.terms import Terms
from tests.unit.core.decision_strategies import permitted
from tests.unit.core.decision_world import (
    BOUNDS,
    HOSPITAL_B,
    OTHER_PATIENT,
    STRANGER,
    Case,
    account,
    block,
    some_digest,
)


def organisation(side: str, **changes: object) -> Callable[[Case], Case]:
    return lambda case: case.knowing(**{side: replace(getattr(case.facts, side), **changes)})


def freshness(changed: Callable[[Case], dict[str, object]]) -> Callable[[Case], Case]:
    return lambda case: case.knowing(
        freshness=replace(case.facts.freshness, **changed(case))  # type: ignore[arg-type]  # names are checked by replace
    )


def later_of(case: Case) -> datetime:
    return max(case.now, case.facts.freshness.head.timestamp)


def earlier_of(case: Case) -> datetime:
    return min(case.now, case.facts.freshness.head.timestamp)


SECOND = timedelta(seconds=1)
SHARED: dict[str, tuple[Callable[[Case], Case], Refusal]] = {
    "the node answers": (
        freshness(lambda case: {"answered_at": case.now - BOUNDS.max_node_silence - SECOND}),
        Refusal.CHAIN_UNREACHABLE,
    ),
    "the clocks agree": (
        freshness(lambda case: {"head": block(case.now + BOUNDS.max_clock_skew + SECOND)}),
        Refusal.CLOCKS_APART,
    ),
    "the ledger keeps up": (
        freshness(lambda _: {"behind": BOUNDS.max_blocks_behind + 1}),
        Refusal.LEDGER_BEHIND,
    ),
    "the head is young": (
        freshness(
            lambda case: {
                "head": block(case.now - timedelta(seconds=61)),
                "age_counts": True,
            }
        ),
        Refusal.HEAD_TOO_OLD,
    ),
    "the steward is active": (
        organisation("steward_state", active=False),
        Refusal.STEWARD_NOT_ACTIVE,
    ),
    "the steward has its role": (
        organisation("steward_state", roles=5),
        Refusal.STEWARD_NOT_ACTIVE,
    ),
    "the requester is admitted": (
        lambda case: case.knowing(requester_state=None),
        Refusal.NOT_AN_ORGANISATION,
    ),
    "the requester is not suspended": (
        organisation("requester_state", active=False),
        Refusal.SUSPENDED,
    ),
    "the relationship is active": (
        lambda case: case.knowing(relationship_active=False),
        Refusal.NO_RELATIONSHIP,
    ),
}


def emergency(changed: Callable[[Case], dict[str, object]]) -> Callable[[Case], Case]:
    def change(case: Case) -> Case:
        assert case.facts.emergency is not None
        return case.knowing(
            emergency=replace(case.facts.emergency, **changed(case))  # type: ignore[arg-type]  # names are checked by replace
        )

    return change


def first_terms(case: Case) -> Terms:
    terms = case.facts.consents[0][1]
    assert terms is not None
    return terms


def another_purpose(case: Case) -> Case:
    kept = tuple(p for p in Purpose if p != case.query.purpose)
    return case.with_terms(replace(first_terms(case), purposes=kept))


ON_CONSENT: dict[str, tuple[Callable[[Case], Case], Refusal]] = {
    "there is a consent": (lambda case: case.knowing(consents=()), Refusal.NO_CONSENT),
    "it is granted": (lambda case: case.with_consent(granted=False), Refusal.NO_CONSENT),
    "it is not revoked": (lambda case: case.with_consent(revoked=True), Refusal.CONSENT_REVOKED),
    "its epoch is current": (
        lambda case: case.with_consent(epoch_current=False),
        Refusal.CONSENT_EPOCH_ENDED,
    ),
    "it has not ended": (
        lambda case: case.with_consent(valid_until=later_of(case)),
        Refusal.CONSENT_ENDED,
    ),
    "it has started": (
        lambda case: case.with_consent(valid_from=earlier_of(case) + SECOND),
        Refusal.CONSENT_NOT_STARTED,
    ),
    "it is the patient's": (
        lambda case: case.with_consent(patient=OTHER_PATIENT),
        Refusal.NO_CONSENT,
    ),
    "it is for the requester": (
        lambda case: case.with_consent(grantee=STRANGER),
        Refusal.NO_CONSENT,
    ),
    "its terms are there": (
        lambda case: case.knowing(consents=((case.facts.consents[0][0], None),)),
        Refusal.TERMS_MISSING,
    ),
    "its terms are its own": (
        lambda case: case.with_consent(terms_commitment=some_digest(0)),
        Refusal.TERMS_MISMATCH,
    ),
    "its terms name the steward": (
        lambda case: case.with_terms(replace(first_terms(case), stewards=(account(HOSPITAL_B),))),
        Refusal.STEWARD_NOT_NAMED,
    ),
    "its terms cover the purpose": (another_purpose, Refusal.PURPOSE_NOT_COVERED),
    "its terms cover the type": (
        lambda case: case.with_terms(
            replace(first_terms(case), scopes=(Scope.parse("patient/Claim.rs"),))
        ),
        Refusal.SCOPE_NOT_COVERED,
    ),
}
ON_EMERGENCY: dict[str, tuple[Callable[[Case], Case], Refusal]] = {
    "there is an emergency": (lambda case: case.knowing(emergency=None), Refusal.NO_CONSENT),
    "it is open": (emergency(lambda _: {"open": False}), Refusal.EMERGENCY_CLOSED),
    "it has not ended": (
        emergency(lambda case: {"valid_until": later_of(case)}),
        Refusal.EMERGENCY_ENDED,
    ),
    "it is the patient's": (emergency(lambda _: {"patient": OTHER_PATIENT}), Refusal.NO_CONSENT),
    "it is the requester's": (emergency(lambda _: {"grantee": HOSPITAL_B}), Refusal.NO_CONSENT),
    "the requester has the role": (
        organisation("requester_state", roles=3),
        Refusal.EMERGENCY_CLOSED,
    ),
    "its reason is known": (
        lambda case: case.knowing(emergency_reason_known=False),
        Refusal.EMERGENCY_REASON_MISSING,
    ),
    "the purpose is an emergency's": (
        lambda case: replace(case, query=replace(case.query, purpose=Purpose.TREAT)),
        Refusal.NO_CONSENT,
    ),
    "its scope has the type": (
        lambda case: replace(case, query=replace(case.query, resource_type="Claim")),
        Refusal.SCOPE_NOT_COVERED,
    ),
}


@pytest.mark.parametrize("condition", SHARED | ON_CONSENT)
@settings(max_examples=20)
@given(case=permitted(emergency=False))
def test_consent_permits_no_more_when_one_condition_is_taken_away(
    condition: str, case: Case
) -> None:
    take_away, reason = (SHARED | ON_CONSENT)[condition]

    case.decide()
    with pytest.raises(AccessRefused) as refused:
        take_away(case).decide()
    assert refused.value.reason is reason


@pytest.mark.parametrize("condition", SHARED | ON_EMERGENCY)
@settings(max_examples=20)
@given(case=permitted(emergency=True))
def test_emergency_permits_no_more_when_one_condition_is_taken_away(
    condition: str, case: Case
) -> None:
    take_away, reason = (SHARED | ON_EMERGENCY)[condition]

    case.decide()
    with pytest.raises(AccessRefused) as refused:
        take_away(case).decide()
    assert refused.value.reason is reason
