"""decide() answers every case of decisions.md as it says there."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from medaccord.core.decision import Basis, Bounds
from medaccord.core.errors import AccessRefused, InvalidInput, InvalidRequest
from medaccord.core.facts import ROLE_MEMBER
from medaccord.core.purposes import Purpose
from medaccord.core.refusals import Refusal
from medaccord.core.scopes import Scope
from tests.unit.core.case_tables import rows_of
from tests.unit.core.decision_world import (
    CONSENT,
    DEPARTMENT_C,
    EMERGENCY,
    END,
    HOSPITAL_B,
    HOSPITAL_D,
    NOON,
    OTHER_PATIENT,
    PATIENT,
    STRANGER,
    TERMS,
    Case,
    account,
    some_digest,
    usual,
)

TABLE = Path(__file__).with_name("decisions.md")

COLUMNS = ["Who asks", "For what", "What stands on chain", "What time it is", "Answer", "Why"]

NOT_DECIDED_HERE = {
    *(Refusal.RECORD_UNVERIFIABLE, Refusal.NOT_SIGNED_IN),
    *(Refusal.UNKNOWN_PATIENT, Refusal.MAY_NOT_ASK),
}

WHO = {
    "the patient": PATIENT,
    "Hospital B": HOSPITAL_B,
    "Department C": DEPARTMENT_C,
    "a stranger": STRANGER,
    "a delegate in the patient's name": PATIENT,
    "a delegate in Hospital B's name": HOSPITAL_B,
    "the same delegate in its own name": STRANGER,
}
PURPOSES = {purpose.words: purpose for purpose in Purpose}


def organisation_changed(side: str, **changes: object) -> Callable[[Case], Case]:
    def change(case: Case) -> Case:
        state = getattr(case.facts, side)
        return case.knowing(**{side: replace(state, **changes)})

    return change


def node_silent(seconds: int) -> Callable[[Case], Case]:
    return lambda case: case.knowing(
        freshness=replace(case.facts.freshness, answered_at=NOON - timedelta(seconds=seconds))
    )


def behind(blocks: int) -> Callable[[Case], Case]:
    return lambda case: case.knowing(freshness=replace(case.facts.freshness, behind=blocks))


def second_consent_revoked(case: Case) -> Case:
    second = replace(CONSENT, consent_id=some_digest(101), revoked=True)
    return case.knowing(consents=((second, TERMS), (CONSENT, TERMS)))


def allowing(*scopes: str) -> Callable[[Case], Case]:
    return lambda case: case.with_terms(replace(TERMS, scopes=tuple(map(Scope.parse, scopes))))


def second_consent_for_research(case: Case) -> Case:
    terms = replace(
        TERMS, scopes=(Scope.parse("patient/Condition.rs"),), purposes=(Purpose.HRESCH,)
    )
    second = replace(CONSENT, consent_id=some_digest(101), terms_commitment=terms.commitment)
    return case.knowing(consents=((CONSENT, TERMS), (second, terms)))


CHAIN: dict[str, Callable[[Case], Case]] = {
    "as usual": lambda case: case,
    "there is no consent": lambda case: case.knowing(consents=()),
    "the consent allows reading only": lambda case: case.with_terms(
        replace(TERMS, scopes=(Scope.parse("patient/Observation.r?category=laboratory"),))
    ),
    "the consent allows every type": allowing("patient/*.s"),
    "the consent has several scopes": allowing("patient/Observation.rs", "patient/Condition.r"),
    "the consent is for treatment and research": lambda case: case.with_terms(
        replace(TERMS, purposes=(Purpose.TREAT, Purpose.HRESCH))
    ),
    "a second consent is for research on Conditions": second_consent_for_research,
    "the consent was signed but is not on chain": lambda case: case.with_consent(granted=False),
    "the consent is another patient's": lambda case: case.with_consent(patient=OTHER_PATIENT),
    "the consent is for another hospital": lambda case: case.with_consent(grantee=HOSPITAL_D),
    "the consent was revoked": lambda case: case.with_consent(revoked=True),
    "the consent was revoked before it was sent": lambda case: case.with_consent(
        granted=False, revoked=True
    ),
    "the patient revoked everything since": lambda case: case.with_consent(epoch_current=False),
    "the terms were not handed in": lambda case: case.knowing(consents=((CONSENT, None),)),
    "other terms were handed in": lambda case: case.knowing(
        consents=((CONSENT, replace(TERMS, salt=some_digest(8))),)
    ),
    "the terms are for another steward": lambda case: case.with_terms(
        replace(TERMS, stewards=(account(HOSPITAL_D),))
    ),
    "there is a revoked consent, too": second_consent_revoked,
    "the patient closed the emergency": lambda case: case.knowing(
        emergency=replace(EMERGENCY, open=False)
    ),
    "C lost the emergency role": organisation_changed("requester_state", roles=ROLE_MEMBER),
    "the reason was not handed in": lambda case: case.knowing(emergency_reason_known=False),
    "no emergency was opened": lambda case: case.knowing(emergency=None),
    "the emergency is another patient's": lambda case: case.knowing(
        emergency=replace(EMERGENCY, patient=OTHER_PATIENT)
    ),
    "C is suspended": organisation_changed("requester_state", active=False),
    "B is suspended": organisation_changed("requester_state", active=False),
    "B was never admitted": organisation_changed("requester_state", admitted=False, active=False),
    "A is suspended": organisation_changed("steward_state", active=False),
    "A is no steward any more": organisation_changed("steward_state", roles=ROLE_MEMBER),
    "the relationship has ended": lambda case: case.knowing(relationship_active=False),
    "the node last answered 30 seconds ago": node_silent(30),
    "the node last answered 31 seconds ago": node_silent(31),
    "the ledger is 5 blocks behind": behind(5),
    "the ledger is 6 blocks behind": behind(6),
    "the network makes blocks only when there is work": lambda case: case.knowing(
        freshness=replace(case.facts.freshness, age_counts=False)
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    line: int
    who: str
    what: str
    chain: str
    time: str
    answer: str
    why: str


def read_table() -> list[Row]:
    rows = []
    for line, (who, what, chain, time, answer, why) in rows_of(TABLE, COLUMNS):
        rows.append(
            Row(line=line, who=who, what=what, chain=chain, time=time, answer=answer, why=why)
        )
    return rows


ROWS = read_table()


def moment(text: str) -> datetime:
    return datetime.strptime(f"2026 {text}", "%Y %d %B %H:%M:%S").replace(tzinfo=UTC)


def case_of(row: Row) -> Case:
    asked = re.fullmatch(r"(search|read) ([A-Za-z]+), (.+)", row.what)
    assert asked, f"line {row.line}: {row.what}"
    case = usual(
        WHO[row.who],
        interaction={"search": "s", "read": "r"}[asked[1]],
        resource_type=asked[2],
        purpose=PURPOSES[asked[3]],
    )
    if row.time != "as usual":
        clocks = re.fullmatch(r"clock (.+), chain (.+)", row.time)
        assert clocks, f"line {row.line}: {row.time}"
        case = case.at(moment(clocks[1]), moment(clocks[2]))
    return CHAIN[row.chain](case)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"line {row.line}")
def test_decide_answers_as_the_table_says(row: Row) -> None:
    outcome, _, detail = row.answer.partition(": ")
    case = case_of(row)

    if outcome == "permitted":
        assert case.decide().basis is Basis(detail)
    else:
        assert outcome == "refused"
        with pytest.raises(AccessRefused) as refused:
            case.decide()
        assert refused.value.reason is Refusal(detail)
        assert refused.value.detail.endswith(".")
    assert row.why


def test_table_has_every_refusal_that_decide_can_give() -> None:
    refused = {row.answer.partition(": ")[2] for row in ROWS if row.answer.startswith("refused")}

    assert refused == set(Refusal) - NOT_DECIDED_HERE


def test_table_uses_every_phrase_that_the_test_knows() -> None:
    assert {row.chain for row in ROWS} == set(CHAIN)


def test_permit_says_what_it_rests_on() -> None:
    permit = usual().decide()

    assert permit.query == usual().query
    assert [grant.consent_id for grant in permit.grants] == [CONSENT.consent_id]
    assert permit.grants[0].terms == TERMS
    assert permit.grants[0].scopes == TERMS.scopes
    assert permit.reasons == (
        f"Consent 0x{CONSENT.consent_id.hex()} is in force until 2026-03-31T12:00:00+00:00.",
    )
    assert permit.decided_at == usual().facts.freshness.head
    assert permit.expires_at == END


def test_permit_ends_with_the_first_of_its_consents() -> None:
    shorter = replace(CONSENT, consent_id=some_digest(99), valid_until=NOON + timedelta(seconds=1))

    permit = usual().knowing(consents=((CONSENT, TERMS), (shorter, TERMS))).decide()

    assert [grant.consent_id for grant in permit.grants] == [some_digest(99), CONSENT.consent_id]
    assert permit.expires_at == NOON + timedelta(seconds=1)


def test_permit_of_an_emergency_counts_consents_with_it() -> None:
    terms = replace(
        TERMS, scopes=(Scope.parse("patient/Observation.rs"),), purposes=(Purpose.ETREAT,)
    )
    consent = replace(CONSENT, grantee=DEPARTMENT_C, terms_commitment=terms.commitment)

    permit = (
        usual(DEPARTMENT_C, purpose=Purpose.ETREAT).knowing(consents=((consent, terms),)).decide()
    )

    assert permit.basis is Basis.EMERGENCY
    assert [grant.consent_id for grant in permit.grants] == [None, CONSENT.consent_id]
    assert permit.expires_at == EMERGENCY.valid_until


def test_permit_of_a_consent_stands_when_the_emergency_is_closed() -> None:
    terms = replace(TERMS, purposes=(Purpose.ETREAT,))
    consent = replace(CONSENT, grantee=DEPARTMENT_C, terms_commitment=terms.commitment)
    closed = replace(EMERGENCY, open=False)

    case = usual(DEPARTMENT_C, purpose=Purpose.ETREAT)
    permit = case.knowing(consents=((consent, terms),), emergency=closed).decide()

    assert permit.basis is Basis.CONSENT
    assert permit.expires_at == END


def test_refusal_names_the_smallest_id_of_equally_near_misses() -> None:
    first = replace(CONSENT, consent_id=some_digest(1), revoked=True)
    second = replace(CONSENT, consent_id=some_digest(2), revoked=True)

    with pytest.raises(AccessRefused) as refused:
        usual().knowing(consents=((second, TERMS), (first, TERMS))).decide()

    assert refused.value.detail == f"Consent 0x{some_digest(1).hex()} was revoked."


def test_decide_refuses_the_state_of_another_organisation_for_the_requester() -> None:
    case = usual().knowing(requester_state=usual(HOSPITAL_D).facts.requester_state)

    with pytest.raises(AccessRefused) as refused:
        case.decide()

    assert refused.value.reason is Refusal.NOT_AN_ORGANISATION


def test_decide_refuses_the_state_of_another_organisation_for_the_steward() -> None:
    case = usual().knowing(steward=HOSPITAL_D)

    with pytest.raises(AccessRefused) as refused:
        case.decide()

    assert refused.value.reason is Refusal.STEWARD_NOT_ACTIVE


def test_decide_refuses_terms_that_name_the_steward_on_another_chain() -> None:
    elsewhere = replace(account(TERMS.stewards[0].address), chain_id=1)

    with pytest.raises(AccessRefused) as refused:
        usual().with_terms(replace(TERMS, stewards=(elsewhere,))).decide()

    assert refused.value.reason is Refusal.STEWARD_NOT_NAMED


def test_decide_refuses_an_answer_from_the_future() -> None:
    ahead = replace(usual().facts.freshness, answered_at=NOON + timedelta(seconds=16))

    with pytest.raises(AccessRefused) as refused:
        usual().knowing(freshness=ahead).decide()

    assert refused.value.reason is Refusal.CLOCKS_APART


def test_decide_refuses_a_head_whose_age_counts_when_no_bound_is_set() -> None:
    case = usual()
    unbounded = replace(case, bounds=replace(case.bounds, max_head_age=None))

    with pytest.raises(AccessRefused) as refused:
        unbounded.decide()

    assert refused.value.reason is Refusal.HEAD_TOO_OLD


def test_decide_refuses_a_time_without_timezone() -> None:
    with pytest.raises(InvalidInput, match="needs a timezone"):
        replace(usual(), now=NOON.replace(tzinfo=None)).decide()


@pytest.mark.parametrize("interaction", ["c", "u", "d", "rs", ""])
def test_query_refuses_an_interaction_that_no_scope_grants(interaction: str) -> None:
    with pytest.raises(InvalidRequest, match=f"not '{interaction}'"):
        usual(interaction=interaction)


@pytest.mark.parametrize("resource_type", ["*", "Everything", "observation", ""])
def test_query_refuses_an_unknown_resource_type(resource_type: str) -> None:
    with pytest.raises(InvalidRequest, match="is no FHIR R4 resource type"):
        usual(resource_type=resource_type)


def test_bounds_refuse_to_be_negative() -> None:
    with pytest.raises(InvalidInput, match="not negative"):
        Bounds(
            max_node_silence=timedelta(seconds=-1),
            max_blocks_behind=0,
            max_clock_skew=timedelta(),
            max_head_age=None,
        )
