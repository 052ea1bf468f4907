"""may_ask() answers every case of asking.md as it says there, and what is told tells no more."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medaccord.core.asking import may_ask, told
from medaccord.core.errors import AccessRefused
from medaccord.core.facts import OrganisationState
from medaccord.core.refusals import Refusal
from tests.unit.core.case_tables import rows_of
from tests.unit.core.decision_strategies import ACCOUNTS
from tests.unit.core.decision_world import (
    EMERGENCY,
    HOSPITAL_B,
    HOSPITAL_D,
    OTHER_PATIENT,
    PATIENT,
    STRANGER,
    organisation,
    usual,
)

TABLE = Path(__file__).with_name("asking.md")
COLUMNS = ["Who asks", "Of whose records", "About whom", "How the asker stands", "Answer", "Why"]
WHO = {
    "the patient": PATIENT,
    "another patient": OTHER_PATIENT,
    "Hospital B": HOSPITAL_B,
    "Hospital D": HOSPITAL_D,
    "a stranger": STRANGER,
    "the stranger": STRANGER,
}
ADMITTED = organisation(HOSPITAL_B, 1)
STANDINGS: dict[str, OrganisationState | None] = {
    "no organisation": None,
    "admitted": ADMITTED,
    "suspended": replace(ADMITTED, active=False),
    "never admitted": replace(ADMITTED, admitted=False, active=False),
    "somebody else's standing": organisation(HOSPITAL_D, 1),
}
SENTENCE = (
    "A patient may ask who can read their own records, an admitted organisation what it can "
    "read itself; nobody may ask for others."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    line: int
    who: str
    patient: str
    about: str
    standing: str
    answer: str
    why: str


ROWS = [
    Row(line=line, who=who, patient=of, about=about, standing=standing, answer=answer, why=why)
    for line, (who, of, about, standing, answer, why) in rows_of(TABLE, COLUMNS)
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"line {row.line}")
def test_may_ask_answers_as_the_table_says(row: Row) -> None:
    def ask() -> None:
        may_ask(
            WHO[row.who],
            patient=WHO[row.patient.removesuffix("'s")],
            about=None if row.about == "everybody" else WHO[row.about],
            standing=STANDINGS[row.standing],
        )

    assert row.why
    if row.answer == "may":
        ask()
        return
    assert row.answer == "may not"
    with pytest.raises(AccessRefused) as refused:
        ask()
    assert (refused.value.reason, refused.value.detail) == (Refusal.MAY_NOT_ASK, SENTENCE)


@given(
    asker=st.sampled_from(ACCOUNTS),
    about=st.none() | st.sampled_from(ACCOUNTS),
    one=st.sampled_from(ACCOUNTS),
    other=st.sampled_from(ACCOUNTS),
    standing=st.sampled_from(list(STANDINGS.values())),
)
def test_refusal_is_the_same_whoever_the_patient_is(
    asker: str, about: str | None, one: str, other: str, standing: OrganisationState | None
) -> None:
    def answer(patient: str) -> str | None:
        try:
            may_ask(asker, patient=patient, about=about, standing=standing)  # type: ignore[arg-type]  # drawn from addresses
        except AccessRefused as refused:
            return str(refused)
        return None

    if asker not in (one, other):
        assert answer(one) == answer(other)


# --- What is told of a decision that was no ---


def refused(**changes: object) -> AccessRefused:
    case = usual().knowing(relationship_active=False, **changes)
    with pytest.raises(AccessRefused) as caught:
        case.decide()
    return told(caught.value, case.facts)


def test_told_is_no_consent_when_nothing_was_ever_given_and_the_patient_is_nobody_here() -> None:
    without = usual().knowing(consents=())
    with pytest.raises(AccessRefused) as caught:
        without.decide()
    known, unknown = told(caught.value, without.facts), refused(consents=())
    assert known.reason is unknown.reason is Refusal.NO_CONSENT
    assert known.detail == unknown.detail


def test_told_is_the_reason_when_a_consent_was_given() -> None:
    assert refused().reason is Refusal.NO_RELATIONSHIP


def test_told_is_the_reason_when_emergency_access_was_opened() -> None:
    assert refused(consents=(), emergency=EMERGENCY).reason is Refusal.NO_RELATIONSHIP
