"""The story on the project's own bundle: every point of it is told, and nothing else than true."""

from __future__ import annotations

import json
import re

import pytest

from medaccord.demo import sample_bundle
from medaccord.demo.tampering import another_way
from tests.e2e.tale import Tale, tell


@pytest.fixture(scope="module")
def tale() -> Tale:
    return tell(sample_bundle())


def _laboratory(bundle: bytes) -> int:
    resources = [entry["resource"] for entry in json.loads(bundle)["entry"]]
    return sum(
        coding["code"] == "laboratory"
        for resource in resources
        if resource["resourceType"] == "Observation"
        for category in resource.get("category", ())
        for coding in category["coding"]
    )


def test_story_has_nine_chapters(tale: Tale) -> None:
    assert tale.chapters == list(range(1, 10))


def test_story_tells_gas_of_everything_that_went_on_chain(tale: Tale) -> None:
    told = re.search(r"All of it cost ([\d,]+) gas, of which the patient paid none", tale.text)
    assert told is not None
    assert sum(tale.gas()) == int(told[1].replace(",", ""))
    counts = {chapter: len(tale.gas(chapter)) for chapter in tale.chapters}
    assert counts == {1: 10, 2: 2, 3: 2, 4: 0, 5: 1, 6: 0, 7: 2, 8: 1, 9: 1}
    assert len(tale.gas()) == sum(line.strip().startswith("chain ") for line in lines(tale))


def lines(tale: Tale) -> list[str]:
    return tale.text.splitlines()


def test_contracts_are_deployed_by_the_founder_first(tale: Tale) -> None:
    first = tale.lines(1, "chain")[0]
    assert first.startswith(
        "Registry, Consortium, Relationships, Consents, Anchors; Health Authority is the founding"
    )


def test_first_hospital_is_admitted_by_the_founder_alone(tale: Tale) -> None:
    assert any(
        line.startswith("Hospital A is admitted (member, steward) by the founder alone")
        for line in tale.lines(1, "chain")
    )


@pytest.mark.parametrize("name", ["Hospital B (steward)", "Emergency Department C (emergency)"])
def test_later_organisation_is_admitted_only_once_both_members_approved(
    tale: Tale, name: str
) -> None:
    organisation, _, role = name.partition(" (")
    told = tale.chapter(1)
    steps = [
        f"Health Authority approves {organisation}",
        "One of two members is not enough: NoMajority(",
        f"Hospital A approves {organisation}",
        f"{organisation} is admitted ({role}",
    ]
    start = told.index(steps[0])
    places = [told.index(step, start) for step in steps]
    assert places == sorted(places)
    refused = told[places[1] : told.index("\n", places[1])]
    assert refused.endswith("approvals=1, members=2)")


def test_patient_holds_no_money_before_and_after_enrolling(tale: Tale) -> None:
    told = tale.chapter(2)
    (before,) = re.findall(r"The patient's account 0x[0-9a-fA-F]{40} holds (\d+) wei\.", told)
    (after,) = re.findall(r"The patient's account still holds (\d+) wei\.", told)
    assert (before, after) == ("0", "0")
    assert re.search(r"The patient's balance is 0\.$", tale.text.rstrip())


def test_patient_is_enrolled_with_a_code_that_counts_once(tale: Tale) -> None:
    assert re.search(r"one-time code \S{4}(-\S{4}){3}, and signs it", tale.chapter(2))
    assert tale.lines(2, "refused") == [
        "The code a second time: this code enrols nobody: ask the steward for a new one"
    ]


def test_records_are_sealed_and_anchored_apart_from_the_hospitals_own(tale: Tale) -> None:
    entries = json.loads(sample_bundle())["entry"]
    kinds = [entry["resource"]["resourceType"] for entry in entries]
    directory = sum(kind in ("Practitioner", "PractitionerRole", "Organization") for kind in kinds)
    directory += kinds.count("Location")
    assert (
        f"{len(kinds) - directory} records of the patient and {directory} practitioners and "
        "organisations, each encrypted with a key of its own." in tale.chapter(3)
    )
    theirs, own = tale.lines(3, "chain")
    assert theirs.startswith("One root for all of the patient's: 0x")
    assert own.startswith("One for the others, in a stream of their own: 0x")


def test_reading_is_refused_with_the_reason_before_any_consent(tale: Tale) -> None:
    (refused,) = tale.lines(4, "refused")
    assert refused.startswith("Observation: no-consent: ")


def test_inbox_and_consent_are_plain_sentences_made_from_structure(tale: Tale) -> None:
    asked, granted = re.findall(r"(?:Inbox|Granted): (.+)$", tale.chapter(5), re.MULTILINE)
    assert asked.startswith(
        "“Hospital B” asks to read your MedicationRequests and laboratory Observations kept by "
        "“Hospital A”, "
    )
    assert granted.startswith(
        "“Hospital B” may read your laboratory Observations kept by “Hospital A”, "
    )
    for sentence in (asked, granted):
        assert "for treatment, from " in sentence


def test_reader_gets_exactly_what_was_granted(tale: Tale) -> None:
    assert tale.lines(6, "answer") == [
        f"asked for every Observation, got the {_laboratory(sample_bundle())} laboratory ones; "
        "every proof checks against the chain"
    ]
    (refused,) = tale.lines(6, "refused")
    assert refused.startswith("MedicationRequest: scope-not-covered: ")


def test_emergency_is_seen_closed_and_cannot_be_opened_again(tale: Tale) -> None:
    told = tale.chapter(7)
    steps = [
        "C opens emergency access for an hour",
        "Condition(s), every proof checked",
        "The patient sees at once: Emergency Department C, opened",
        "The patient closes it",
        "Condition: emergency-closed: ",
        "C opens again: EmergencyBarred(patient=0x",
    ]
    places = [told.index(step) for step in steps]
    assert places == sorted(places)


def test_revoked_consent_is_refused_before_and_after_it_is_mined(tale: Tale) -> None:
    told = tale.chapter(8)
    steps = [
        "The patient signs the revocation",
        "Observation, before it is mined: consent-revoked: ",
        "The revocation is mined",
        "Observation, after it is mined: consent-revoked: ",
    ]
    places = [told.index(step) for step in steps]
    assert places == sorted(places)


def test_patient_sees_who_looked_when_why_and_what_was_refused(tale: Tale) -> None:
    rows = [
        [cell.strip() for cell in line.split("│")]
        for line in tale.chapter(9).splitlines()
        if "│" in line
    ]
    assert [[row[0], *row[2:]] for row in rows] == [
        ["1", "Hospital B", "search Observation", "refused", "no-consent"],
        ["2", "Hospital B", "search Observation", "released", "TREAT"],
        ["3", "Hospital B", "search MedicationRequest", "refused", "scope-not-covered"],
        ["4", "Emergency Department C", "search Condition", "released", "BTG"],
        ["5", "Emergency Department C", "search Condition", "refused", "emergency-closed"],
        ["6", "Hospital B", "search Observation", "refused", "consent-revoked"],
        ["7", "Hospital B", "search Observation", "refused", "consent-revoked"],
    ]
    for row in rows:
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", row[1])
    assert tale.lines(9, "answer") == ["7 lines, 7 of them covered by the anchored root"]


def test_all_three_tamperings_are_found_and_named(tale: Tale) -> None:
    byte, number, line = tale.lines(9, "found")
    assert re.match(r"One byte of Patient/\S+ was changed: record-unverifiable: Patient/", byte)
    assert re.match(
        r"1\.0 written where 1\.00 stood in (\S+), sealed with the right key: "
        r"record-unverifiable: \1, version 1, is not what was anchored",
        number,
    )
    assert re.match(r"Line (\d+) of the audit log was deleted: entry \1: ", line)


@pytest.mark.parametrize(
    ("number", "other"),
    [("1.00", "1.0"), ("1.0", "1.00"), ("7", "7.0"), ("100", "100.0"), ("-0.500", "-0.50")],
)
def test_number_written_another_way_keeps_its_value(number: str, other: str) -> None:
    assert another_way(number) == other
    assert float(other) == float(number)
