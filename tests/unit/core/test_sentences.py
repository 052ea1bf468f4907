"""The sentence a patient reads says what the terms say, and nothing a requester wrote."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medaccord.core.identifiers import AccountId, Digest, address
from medaccord.core.periods import DatePeriod
from medaccord.core.purposes import Purpose
from medaccord.core.scopes import Scope
from medaccord.core.sentences import MAX_NAME, clean_name, listing
from medaccord.core.terms import Terms

HOSPITAL_A = AccountId(chain_id=1337, address=address("0x" + "a0" * 20))
HOSPITAL_D = AccountId(chain_id=1337, address=address("0x" + "d0" * 20))
NAMES = {HOSPITAL_A: "Hospital A", HOSPITAL_D: "Hospital D"}
START = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
END = datetime(2026, 12, 21, 9, 30, tzinfo=UTC)

TERMS = Terms(
    stewards=(HOSPITAL_A,),
    scopes=(Scope.parse("patient/Observation.rs?category=laboratory"),),
    purposes=(Purpose.TREAT,),
    salt=Digest(bytes(32)),
)


def scopes(*texts: str) -> tuple[Scope, ...]:
    return tuple(map(Scope.parse, texts))


def test_sentence_names_grantee_records_steward_purpose_and_window() -> None:
    assert TERMS.sentence("Hospital B", NAMES, START, END) == (
        "“Hospital B” may read your laboratory Observations kept by “Hospital A”, for treatment, "
        "from 21 November 2026 until 21 December 2026."
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {
                "scopes": scopes(
                    "patient/Observation.rs?category=laboratory", "patient/MedicationRequest.rs"
                )
            },
            "your MedicationRequests and laboratory Observations kept",
        ),
        ({"scopes": scopes("patient/*.rs")}, "your records of every kind kept"),
        ({"scopes": scopes("patient/FamilyMemberHistory.rs")}, "your FamilyMemberHistories kept"),
        (
            {"scopes": scopes("patient/Observation.rs?category=laboratory,vital-signs")},
            "your laboratory or vital-sign Observations kept",
        ),
        (
            {"scopes": scopes("patient/Condition.r?category=problem-list-item")},
            "your Conditions of the category “problem-list-item” kept",
        ),
        (
            {"scopes": scopes("patient/Observation.r?code=http://loinc.org|4548-4")},
            "your Observations with the code “4548-4” of http://loinc.org kept",
        ),
        (
            {"scopes": scopes("patient/Observation.r?category=http://x.example|laboratory")},
            "your Observations of the category “laboratory” of http://x.example kept",
        ),
        ({"stewards": (HOSPITAL_A, HOSPITAL_D)}, "kept by “Hospital A” and “Hospital D”,"),
        (
            {"purposes": (Purpose.HRESCH, Purpose.TREAT)},
            ", for healthcare research and treatment,",
        ),
        ({"records": ("Observation/1",)}, "Observations (only Observation/1) kept"),
        (
            {"records": tuple(f"Observation/{n}" for n in range(6))},
            "Observations (only 6 single records) kept",
        ),
        ({"period": DatePeriod(start=date(2020, 1, 1))}, ", dated from 1 January 2020, for"),
        (
            {
                "period": DatePeriod(start=date(2020, 1, 1), end=date(2020, 5, 31)),
                "include_undated": True,
            },
            ", dated from 1 January 2020 up to 31 May 2020 and those without a date, for",
        ),
        ({"include_undated": True}, ", of any date and those without a date, for"),
        (
            {"excluded_labels": ("PSY", "HIV")},
            ", except records marked as about HIV or about mental health, for",
        ),
    ],
)
def test_sentence_says_each_part_of_the_terms(changes: dict[str, object], words: str) -> None:
    terms = replace(TERMS, **changes)  # type: ignore[arg-type]  # names are checked by replace

    assert words in terms.sentence("Hospital B", NAMES, START, END)


def test_sentence_shows_the_account_of_a_steward_without_a_name() -> None:
    assert f"kept by {HOSPITAL_A}," in TERMS.sentence("Hospital B", {}, START, END)


def test_sentence_tells_the_hour_when_it_is_a_matter_of_hours() -> None:
    almost_two_days = START + timedelta(days=2) - timedelta(seconds=1)

    assert TERMS.sentence("B", NAMES, START, almost_two_days).endswith(
        "from 21 November 2026, 09:30 until 23 November 2026, 09:29 (UTC)."
    )
    assert TERMS.sentence("B", NAMES, START, START + timedelta(days=2)).endswith(
        "from 21 November 2026 until 23 November 2026."
    )


def test_sentence_does_not_depend_on_the_order_that_terms_were_given_in() -> None:
    several = scopes("patient/Condition.rs", "patient/Observation.rs", "patient/Immunization.rs")
    one, other = replace(TERMS, scopes=several), replace(TERMS, scopes=several[::-1])

    assert one.sentence("B", NAMES, START, END) == other.sentence("B", NAMES, START, END)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Hospital B", "“Hospital B”"),
        ("A” may read. “B", "“A may read. B”"),
        ("St. Mary\u2019s", "“St. Mary\u2019s”"),
        ("  Hospital \n\t B  ", "“Hospital B”"),
        ("Hospital \u202eB", "“Hospital B”"),
        ("Hospital\u200bB", "“Hospital B”"),
        ("", "an organisation without a name"),
        ("\u202e\n", "an organisation without a name"),
        ("H" * 81, f"“{'H' * 80}”"),
    ],
)
def test_clean_name_shows_one_printable_line(name: str, shown: str) -> None:
    assert clean_name(name) == shown


@given(st.text())
def test_clean_name_is_printable_and_short_whatever_it_is_given(name: str) -> None:
    cleaned = clean_name(name)

    assert cleaned.isprintable()
    assert 0 < len(cleaned) <= MAX_NAME + 2
    assert clean_name(cleaned.strip("“”")) in (cleaned, f"“{cleaned}”")
    assert sum(cleaned.count(mark) for mark in "“”") in (0, 2)


@pytest.mark.parametrize(
    ("words", "listed"),
    [(["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")],
)
def test_listing_reads_as_english(words: list[str], listed: str) -> None:
    assert listing(words) == listed
