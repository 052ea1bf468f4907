"""What always holds of decide(), whatever the facts."""

from dataclasses import replace

from hypothesis import assume, given
from hypothesis import strategies as st

from medaccord.core.decision import Basis, ConsentState, Permit
from medaccord.core.descriptor import Descriptor
from medaccord.core.errors import AccessRefused
from medaccord.core.refusals import Refusal
from medaccord.core.terms import Terms
from tests.unit.core.decision_strategies import accounts, cases, held_consents, permitted
from tests.unit.core.decision_world import HOSPITAL_A, PATIENT, Case


def outcome(case: Case) -> Permit | Refusal:
    """What comes of a case."""
    try:
        return case.decide()
    except AccessRefused as refused:
        return refused.reason


@given(cases())
def test_nobody_else_is_permitted_without_consent_or_emergency(case: Case) -> None:
    assume(case.query.requester != case.query.patient)
    theirs = tuple(
        held
        for held in case.facts.consents
        if (held[0].patient, held[0].grantee) != (PATIENT, case.query.requester)
    )

    assert isinstance(outcome(case.knowing(consents=theirs, emergency=None)), Refusal)


@given(cases())
def test_permit_rests_on_what_the_facts_hold(case: Case) -> None:
    result = outcome(case)
    if not isinstance(result, Permit):
        return

    assert result.grants
    held = {state.consent_id for state, _ in case.facts.consents if state.granted}
    for grant in result.grants:
        if grant.consent_id is not None:
            assert grant.consent_id in held
        elif result.basis is Basis.PATIENT:
            assert case.query.requester == case.query.patient
        else:
            assert case.facts.emergency is not None
    if result.basis is not Basis.PATIENT:
        assert result.expires_at is not None
        assert result.expires_at > max(case.now, case.facts.freshness.head.timestamp)


@given(
    cases() | permitted(emergency=False) | permitted(emergency=True),
    st.lists(
        held_consents(patients=accounts.filter(lambda of: of != PATIENT))
        | held_consents(grantees=st.just(HOSPITAL_A)),
        max_size=4,
    ),
)
def test_consents_of_others_change_nothing(
    case: Case, others: list[tuple[ConsentState, Terms | None]]
) -> None:
    assume(case.query.requester != HOSPITAL_A)

    assert outcome(case.knowing(consents=(*others, *case.facts.consents))) == outcome(case)


@given(cases() | permitted(emergency=False))
def test_order_of_the_consents_changes_nothing(case: Case) -> None:
    # A consent has one state: of several under one id, the last drawn stays.
    by_id = {state.consent_id: (state, terms) for state, terms in case.facts.consents}
    consents = tuple(by_id.values())

    assert outcome(case.knowing(consents=consents)) == outcome(
        case.knowing(consents=tuple(reversed(consents)))
    )


@given(cases())
def test_revoking_never_permits_what_was_refused(case: Case) -> None:
    assume(isinstance(outcome(case), Refusal))
    revoked = tuple((replace(state, revoked=True), terms) for state, terms in case.facts.consents)

    assert isinstance(outcome(case.knowing(consents=revoked)), Refusal)


@given(
    permitted(emergency=False),
    st.sampled_from(["Observation", "Condition", "Claim", "AllergyIntolerance"]),
    st.sets(st.sampled_from(["laboratory", "vital-signs", "91936005"])),
)
def test_permit_covers_a_record_exactly_when_type_and_terms_do(
    case: Case, resource_type: str, tokens: set[str]
) -> None:
    terms = case.facts.consents[0][1]
    assert terms is not None
    record = Descriptor(
        resource_type=resource_type,
        record=f"{resource_type}/1",
        codes=frozenset(tokens),
        categories=frozenset(tokens),
    )

    expected = resource_type == case.query.resource_type and terms.covers(
        record, case.query.interaction
    )
    assert case.decide().covers(record) is expected
