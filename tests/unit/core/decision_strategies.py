"""Cases drawn at random: any at all, and permitted ones."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import strategies as st

from medaccord.core.decision import ConsentState, Facts, Freshness, Query
from medaccord.core.facts import EmergencyState, OrganisationState
from medaccord.core.identifiers import Address
from medaccord.core.purposes import EMERGENCY_PURPOSES, Purpose
from medaccord.core.scopes import Scope
from medaccord.core.terms import Terms
from tests.unit.core.decision_world import (
    BOUNDS,
    DEPARTMENT_C,
    HOSPITAL_A,
    HOSPITAL_B,
    NOON,
    OTHER_PATIENT,
    PATIENT,
    STRANGER,
    Case,
    account,
    block,
    some_digest,
)

ACCOUNTS = (PATIENT, OTHER_PATIENT, HOSPITAL_A, HOSPITAL_B, DEPARTMENT_C, STRANGER)
SCOPES = tuple(
    Scope.parse(text)
    for text in (
        "patient/*.rs",
        "patient/Observation.rs",
        "patient/Observation.r?category=laboratory",
        "patient/Condition.s",
        "patient/AllergyIntolerance.rs?code=91936005",
    )
)

accounts = st.sampled_from(ACCOUNTS)
# A minute around noon, so that bounds of windows and clocks are often met exactly.
moments = st.integers(-60, 60).map(lambda seconds: NOON + timedelta(seconds=seconds))
digests = st.integers(1, 12).map(some_digest)


@st.composite
def some_terms(draw: st.DrawFn) -> Terms:
    """Any terms."""
    return Terms(
        stewards=tuple(draw(st.sets(accounts.map(account), min_size=1, max_size=3))),
        scopes=tuple(draw(st.sets(st.sampled_from(SCOPES), min_size=1, max_size=3))),
        purposes=tuple(draw(st.sets(st.sampled_from(Purpose), min_size=1, max_size=3))),
        include_undated=draw(st.booleans()),
        salt=draw(digests),
    )


@st.composite
def held_consents(
    draw: st.DrawFn,
    patients: st.SearchStrategy[Address] = accounts,
    grantees: st.SearchStrategy[Address] = accounts,
) -> tuple[ConsentState, Terms | None]:
    """A consent in any state, with its terms, others, or none."""
    terms = draw(some_terms())
    state = ConsentState(
        consent_id=draw(digests),
        patient=draw(patients),
        grantee=draw(grantees),
        terms_commitment=draw(st.sampled_from([terms.commitment, some_digest(0)])),
        valid_from=draw(moments),
        valid_until=draw(moments) + timedelta(seconds=30),
        granted=draw(st.booleans()),
        revoked=draw(st.booleans()),
        epoch_current=draw(st.booleans()),
    )
    return state, draw(st.sampled_from([terms, None]))


@st.composite
def organisations(draw: st.DrawFn, of: Address) -> OrganisationState:
    """An organisation in any standing."""
    return OrganisationState(
        account=of,
        admitted=draw(st.booleans()),
        active=draw(st.booleans()),
        roles=draw(st.integers(0, 7)),
    )


@st.composite
def emergencies(draw: st.DrawFn) -> EmergencyState:
    """An emergency in any state."""
    return EmergencyState(
        emergency_id=draw(digests),
        patient=draw(accounts),
        grantee=draw(accounts),
        reason=draw(digests),
        opened_at=NOON - timedelta(minutes=5),
        valid_until=draw(moments),
        open=draw(st.booleans()),
    )


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Any case at all; mostly refused."""
    requester = draw(accounts)
    now, head = draw(moments), draw(moments)
    return Case(
        query=Query(
            requester=requester,
            patient=PATIENT,
            purpose=draw(st.sampled_from(Purpose)),
            interaction=draw(st.sampled_from("rs")),
            resource_type=draw(st.sampled_from(["Observation", "Condition", "Claim"])),
        ),
        facts=Facts(
            steward=HOSPITAL_A,
            steward_state=draw(organisations(HOSPITAL_A)),
            requester_state=draw(st.one_of(st.none(), organisations(requester))),
            relationship_active=draw(st.booleans()),
            consents=tuple(draw(st.lists(held_consents(), max_size=3))),
            emergency=draw(st.one_of(st.none(), emergencies())),
            emergency_reason_known=draw(st.booleans()),
            freshness=Freshness(
                answered_at=draw(moments),
                head=block(head),
                behind=draw(st.integers(0, 7)),
                age_counts=draw(st.booleans()),
            ),
        ),
        now=now,
    )


@st.composite
def permitted(draw: st.DrawFn, *, emergency: bool) -> Case:
    """A case that is permitted on one consent, or on one emergency."""
    requester = DEPARTMENT_C if emergency else HOSPITAL_B
    now = draw(moments)
    head = now + draw(st.integers(-15, 15).map(lambda seconds: timedelta(seconds=seconds)))
    terms = replace(draw(some_terms()), stewards=(account(HOSPITAL_A), account(PATIENT)))
    before = timedelta(seconds=draw(st.integers(0, 99)))
    after = timedelta(seconds=draw(st.integers(1, 99)))
    purposes = sorted(EMERGENCY_PURPOSES) if emergency else terms.purposes
    scope = draw(st.sampled_from(terms.scopes))
    resource_type = "Observation" if scope.resource_type == "*" else scope.resource_type
    consent = ConsentState(
        consent_id=draw(digests),
        patient=PATIENT,
        grantee=requester,
        terms_commitment=terms.commitment,
        valid_from=min(now, head) - before,
        valid_until=max(now, head) + after,
        granted=True,
        revoked=False,
        epoch_current=True,
    )
    opened = EmergencyState(
        emergency_id=draw(digests),
        patient=PATIENT,
        grantee=requester,
        reason=draw(digests),
        opened_at=min(now, head) - before,
        valid_until=max(now, head) + after,
        open=True,
    )
    return Case(
        query=Query(
            requester=requester,
            patient=PATIENT,
            purpose=draw(st.sampled_from(purposes)),
            interaction="s" if emergency else draw(st.sampled_from(sorted(scope.interactions))),
            resource_type=resource_type,
        ),
        facts=Facts(
            steward=HOSPITAL_A,
            steward_state=OrganisationState(
                account=HOSPITAL_A, admitted=True, active=True, roles=draw(st.sampled_from([2, 7]))
            ),
            requester_state=OrganisationState(
                account=requester, admitted=True, active=True, roles=4 if emergency else 0
            ),
            relationship_active=True,
            consents=() if emergency else ((consent, terms),),
            emergency=opened if emergency else None,
            emergency_reason_known=emergency,
            freshness=Freshness(
                answered_at=now - draw(st.sampled_from([timedelta(), BOUNDS.max_node_silence])),
                head=block(head),
                behind=draw(st.integers(0, BOUNDS.max_blocks_behind)),
                age_counts=draw(st.booleans()),
            ),
        ),
        now=now,
    )
