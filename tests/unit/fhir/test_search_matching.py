"""A search finds exactly the records that meet every parameter of it by one of its values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medaccord.fhir.search import SearchQuery
from tests.unit.fhir.searched import coded, searched


def parse(*pairs: tuple[str, str], of: str = "Observation") -> SearchQuery:
    return SearchQuery.parse(of, pairs)


RECORD = searched(
    "Observation",
    name="o1",
    status="final",
    code=coded(("http://loinc.org", "2160-0"), (None, "crea")),
    category=[coded(("http://hl7.org/cat", "laboratory"))],
    effectiveDateTime="2025-11-03T09:30:00Z",
)


@pytest.mark.parametrize(
    ("pairs", "wanted"),
    [
        ([], True),
        ([("category", "laboratory")], True),
        ([("category", "vital-signs")], False),
        ([("category", "vital-signs,laboratory")], True),
        ([("category", "vital-signs"), ("category", "laboratory")], False),
        ([("code", "2160-0"), ("code", "crea")], True),
        ([("code", "2160-0")], True),
        ([("code", "http://loinc.org|2160-0")], True),
        ([("code", "http://snomed.info/sct|2160-0")], False),
        ([("code", "http://loinc.org|")], True),
        ([("code", "http://snomed.info/sct|")], False),
        ([("code", "|crea")], True),
        ([("code", "|2160-0")], False),
        ([("code", "http://loinc.org|crea")], False),
        ([("code", "CREA")], False),
        ([("code:not", "2160-0")], False),
        ([("code:not", "718-7")], True),
        ([("code:not", "718-7,crea")], False),
        ([("value-date:missing", "true")], True),
        ([("value-date:missing", "false")], False),
        ([("date:missing", "true")], False),
        ([("status", "final")], True),
        ([("status", "|final")], True),
        ([("status", "http://hl7.org/fhir/observation-status|final")], True),
        ([("status", "http://hl7.org/fhir/observation-status|")], True),
        ([("status", "http://hl7.org/fhir/event-status|final")], False),
        ([("status", "preliminary,amended")], False),
        ([("status:not", "entered-in-error")], True),
        ([("date", "2025-11-03"), ("status", "final")], True),
        ([("date", "ge2025-11-03"), ("date", "lt2025-11-04")], True),
        ([("date", "ge2025-11-04")], False),
        ([("_id", "o1,o2")], True),
        ([("_id", "o2")], False),
        ([("_id", "o1"), ("_id", "o2")], False),
        ([("_lastUpdated", "ge2026-03-01")], True),
        ([("_lastUpdated", "ge2026-03-02")], False),
    ],
)
def test_matches_a_record_when_every_parameter_is_met(
    pairs: list[tuple[str, str]], wanted: bool
) -> None:
    assert parse(*pairs).matches(RECORD) is wanted


def test_matches_no_record_of_another_type() -> None:
    assert not parse(of="Condition").matches(RECORD)


def test_not_is_met_by_a_record_without_the_element() -> None:
    assert parse(("code:not", "2160-0")).matches(searched("Observation"))


SYSTEMS = st.sampled_from([None, "s", "t|", "u,"])
CODES = st.sampled_from(["a", "b|", "c,d", "\\", "$"])


@given(
    held=st.lists(st.tuples(SYSTEMS, CODES), max_size=3),
    asked=st.lists(
        st.tuples(st.none() | st.just("") | SYSTEMS.filter(bool), st.none() | CODES).filter(
            lambda each: any(each)
        ),
        min_size=1,
        max_size=3,
    ),
)
def test_token_is_met_when_a_coding_has_system_and_code(
    held: list[tuple[str | None, str]], asked: list[tuple[str | None, str | None]]
) -> None:
    def plain(text: str) -> str:
        return "".join("\\" + each if each in ",|$\\" else each for each in text)

    def is_meant(system: str | None, code: str | None, coding: tuple[str | None, str]) -> bool:
        has_system = system is None or (coding[0] or "") == system
        return has_system and (code is None or coding[1] == code)

    value = ",".join(
        ("" if system is None else plain(system) + "|") + plain(code or "")
        for system, code in asked
    )
    record = searched("Observation", code=coded(*held))
    expected = any(is_meant(*each, coding) for each in asked for coding in held)
    assert parse(("code", value)).matches(record) is expected


@pytest.mark.parametrize("value", ["' OR 1=1 --", "../../etc/passwd", "%00", "${jndi:ldap://x}"])
def test_hostile_token_is_a_code_that_nothing_has(value: str) -> None:
    assert not parse(("code", value)).matches(RECORD)
