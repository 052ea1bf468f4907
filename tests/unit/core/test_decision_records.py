"""A permit covers just the records that decisions.md says."""

from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import pytest

from medaccord.core.descriptor import Descriptor
from medaccord.core.errors import AccessRefused
from medaccord.core.periods import DatePeriod
from medaccord.core.purposes import Purpose
from medaccord.core.scopes import Scope
from medaccord.core.terms import Terms
from tests.unit.core.case_tables import rows_of
from tests.unit.core.decision_world import (
    CONSENT,
    DEPARTMENT_C,
    TERMS,
    Case,
    some_digest,
    usual,
)

TABLE = Path(__file__).with_name("decisions.md")
COLUMNS = ["The consent says", "Asked", "The record", "Answer", "Why"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    line: int
    consent: str
    asked: str
    record: str
    answer: str
    why: str


ROWS = [
    Row(line=line, consent=consent, asked=asked, record=record, answer=answer, why=why)
    for line, (consent, asked, record, answer, why) in rows_of(TABLE, COLUMNS)
]


def tokens(text: str) -> str:
    """A bar parts cells in the table, so that it is written as a hash there."""
    return text.replace("#", "|")


def terms_of(text: str) -> Terms:
    scopes, *rest = text.split("; ")
    changes: dict[str, object] = {
        "scopes": tuple(Scope.parse(tokens(each)) for each in scopes.split(" and "))
    }
    for part in rest:
        word, _, what = part.partition(" ")
        if word in ("from", "until"):
            days = dict(zip(part.split(" ")[::2], part.split(" ")[1::2], strict=True))
            read = {word: date.fromisoformat(day) for word, day in days.items()}
            changes["period"] = DatePeriod(start=read.get("from"), end=read.get("until"))
        elif word == "without":
            changes["excluded_labels"] = (what,)
        elif word == "only":
            changes["records"] = (what,)
        else:
            assert part == "undated too", part
            changes["include_undated"] = True
    return replace(TERMS, **changes)  # type: ignore[arg-type]  # names are checked by replace


def descriptor_of(text: str) -> Descriptor:
    name, *rest = text.split("; ")
    held: dict[str, set[str]] = {"category": set(), "code": set(), "label": set()}
    days: DatePeriod | None = None
    for part in rest:
        word, _, what = part.partition(" ")
        if word == "day":
            days = DatePeriod(start=date.fromisoformat(what), end=date.fromisoformat(what))
        elif word == "days":
            start, end = what.split(" to ")
            days = DatePeriod(
                start=date.fromisoformat(start),
                end=None if end == "later" else date.fromisoformat(end),
            )
        else:
            held[word] |= {tokens(what), tokens(what).rpartition("|")[2]}
    return Descriptor(
        resource_type=name.partition("/")[0],
        record=name,
        codes=frozenset(held["code"]),
        categories=frozenset(held["category"]),
        date=days,
        labels=frozenset(held["label"]),
    )


def case_of(row: Row) -> Case:
    interaction = {"search": "s", "read": "r"}[row.asked]
    resource_type = row.record.partition("/")[0]
    if row.consent == "an emergency":
        return usual(
            DEPARTMENT_C,
            interaction=interaction,
            resource_type=resource_type,
            purpose=Purpose.ETREAT,
        )
    every = [terms_of(each) for each in row.consent.split(" + ")]
    consents = tuple(
        (
            replace(
                CONSENT, consent_id=some_digest(100 + number), terms_commitment=terms.commitment
            ),
            terms,
        )
        for number, terms in enumerate(every)
    )
    case = usual(interaction=interaction, resource_type=resource_type)
    return case.knowing(consents=consents)


def is_released(row: Row) -> bool:
    try:
        permit = case_of(row).decide()
    except AccessRefused:
        return False  # nothing of the type is covered, and so not this one
    return permit.covers(descriptor_of(row.record))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"line {row.line}")
def test_permit_covers_what_the_table_says(row: Row) -> None:
    assert row.answer in ("released", "left out")
    assert is_released(row) is (row.answer == "released")
    assert row.why


def test_table_has_both_answers_for_everything_that_a_consent_can_say() -> None:
    for word in ("category=", "code=", "from ", "undated", "without ", "only ", " + ", "emergency"):
        said = {row.answer for row in ROWS if word in row.consent}
        assert "released" in said, word
    answers = {row.answer for row in ROWS}
    assert answers == {"released", "left out"}
