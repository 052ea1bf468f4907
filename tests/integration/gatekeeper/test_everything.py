"""Everything at once: the union of what is covered, and of the directory what that refers to."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from medaccord.chain import actions
from medaccord.core.proofs import RecordProof, verify_record
from medaccord.core.refusals import Refusal
from medaccord.fhir import parse_searchset, read_bundle
from medaccord.fhir.references import references
from medaccord.gatekeeper import Gatekeeper
from medaccord.keys import LocalSigner
from tests.integration.gatekeeper.conftest import BUNDLE, PATIENT_ID
from tests.integration.gatekeeper.desk import Desk, assert_refused

LABORATORY = "patient/Observation.rs?category=laboratory"
EVERYTHING = f"/fhir/Patient/{PATIENT_ID}/$everything"
RECORDS = 23
DIRECTORY = 2


def ask(desk: Desk, headers: dict[str, str], **parameters: str) -> httpx.Response:
    return desk.http.get(EVERYTHING, headers=headers, params=parameters)


def names_of(answer: httpx.Response, mode: str = "match") -> list[str]:
    assert answer.status_code == 200, answer.text
    entries = parse_searchset(answer.content).entries
    return [
        f"{each.resource['resourceType']}/{each.resource['id']}"
        for each in entries
        if each.mode == mode
    ]


def test_everything_gives_a_patient_all_of_it_and_what_it_refers_to_when_it_asks(
    desk: Desk, patient: LocalSigner
) -> None:
    answer = ask(desk, desk.sign_in(patient))
    bundle = read_bundle(BUNDLE)
    imported = [each.record for each in (*bundle.resources, *bundle.directory)]
    assert sorted(names_of(answer) + names_of(answer, "include")) == sorted(imported)
    assert parse_searchset(answer.content).total == RECORDS
    line = desk.audit(patient)["entries"][-1]
    assert (line["action"], len(line["records"])) == ("everything", RECORDS + DIRECTORY)


def test_everything_gives_exactly_what_the_consents_cover_when_there_are_two(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner, laboratory: list[str]
) -> None:
    desk.grant(patient, clinician, LABORATORY)
    desk.grant(patient, clinician, "patient/Condition.rs")
    conditions = [each.record for each in read_bundle(BUNDLE).resources if each.type == "Condition"]
    found = names_of(ask(desk, desk.sign_in(clinician)))
    assert found == sorted([*conditions, *(f"Observation/{each}" for each in laboratory)])


def test_everything_includes_only_what_the_records_released_refer_to(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner, laboratory: list[str]
) -> None:
    desk.grant(patient, clinician, LABORATORY)
    referred = {
        str(holder["reference"]).removeprefix("urn:uuid:")
        for each in read_bundle(BUNDLE).resources
        if each.id in laboratory
        for holder in references(each.value)
    }
    directory = [
        each.record
        for each in read_bundle(BUNDLE).directory
        if each.id in referred or each.record in referred
    ]
    assert 0 < len(directory) < DIRECTORY
    assert names_of(ask(desk, desk.sign_in(clinician)), "include") == directory


def test_included_entries_verify_when_released(
    desk: Desk, gatekeeper: Gatekeeper, patient: LocalSigner
) -> None:
    entries = parse_searchset(ask(desk, desk.sign_in(patient)).content).entries
    included = [each for each in entries if each.mode == "include"]
    assert len(included) == DIRECTORY
    for each in included:
        assert each.proof is not None
        proof = RecordProof.parse(each.proof)
        anchors = gatekeeper.ledger.anchors(desk.steward, proof.pointer.topic)
        verify_record(each.record, proof, anchors.__contains__)


def test_everything_holds_each_record_once_when_its_pages_are_followed(
    desk: Desk, patient: LocalSigner
) -> None:
    headers = desk.sign_in(patient)
    answer = ask(desk, headers, _count="10")
    seen, pages = names_of(answer), 1
    while (url := parse_searchset(answer.content).next_url) is not None:
        answer = desk.http.get(url, headers=headers)
        assert parse_searchset(answer.content).total == RECORDS
        seen, pages = seen + names_of(answer), pages + 1
    assert (seen, len(seen), pages) == (sorted(set(seen)), RECORDS, 3)


def test_page_of_everything_is_refused_when_all_was_revoked_meanwhile(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner
) -> None:
    consent = desk.grant(patient, clinician, LABORATORY)
    headers = desk.sign_in(clinician)
    url = parse_searchset(ask(desk, headers, _count="2").content).next_url
    assert url is not None
    action = actions.revoke(desk.contracts, patient=patient.address, consent_id=consent)
    assert desk.relay(action, patient).status_code == 200
    assert_refused(desk.http.get(url, headers=headers), 403, Refusal.CONSENT_REVOKED)


@pytest.mark.parametrize(
    ("parameters", "wanted"),
    [
        ({"_type": "Condition"}, {"Condition"}),
        ({"_type": "Condition,Immunization"}, {"Condition", "Immunization"}),
        ({"_type": "Observation,Practitioner"}, {"Observation"}),
    ],
)
def test_everything_gives_only_the_types_asked_for(
    desk: Desk, patient: LocalSigner, parameters: dict[str, str], wanted: set[str]
) -> None:
    answer = ask(desk, desk.sign_in(patient), **parameters)
    assert {name.partition("/")[0] for name in names_of(answer)} == wanted
    included = {name.partition("/")[0] for name in names_of(answer, "include")}
    assert included <= set(parameters["_type"].split(","))


def test_everything_leaves_out_what_is_dated_otherwise_when_days_are_named(
    desk: Desk, patient: LocalSigner
) -> None:
    headers = desk.sign_in(patient)
    dated = names_of(ask(desk, headers, _type="Observation", start="2026-03-09", end="2026-03-09"))
    wanted = [
        each.record
        for each in read_bundle(BUNDLE).resources
        if each.type == "Observation" and b'"effectiveDateTime":"2026-03-09T' in each.canonical()
    ]
    assert dated == sorted(wanted)
    assert names_of(ask(desk, headers, _type="Observation", end="1999")) == []
    assert names_of(ask(desk, headers, _type="Patient", end="1999")) == [f"Patient/{PATIENT_ID}"]


def test_everything_leaves_out_what_was_taken_in_before_when_asked_since(
    desk: Desk, patient: LocalSigner
) -> None:
    headers = desk.sign_in(patient)
    assert len(names_of(ask(desk, headers, _since="2020-01-01T00:00:00Z"))) == RECORDS
    assert names_of(ask(desk, headers, _since="2126-01-01T00:00:00Z")) == []


def test_everything_takes_its_parameters_in_a_body_when_posted(
    desk: Desk, patient: LocalSigner
) -> None:
    body: dict[str, Any] = {
        "resourceType": "Parameters",
        "parameter": [
            {"name": "_type", "valueCode": "Condition"},
            {"name": "_count", "valueInteger": 2},
        ],
    }
    headers = desk.sign_in(patient)
    answer = desk.http.post(
        EVERYTHING,
        headers=headers | {"Content-Type": "application/fhir+json"},
        content=json.dumps(body),
    )
    first = names_of(answer)
    url = parse_searchset(answer.content).next_url
    assert url is not None
    rest = names_of(desk.http.get(url, headers=headers))
    assert (len(first), len(rest)) == (2, 1)
    assert {name.partition("/")[0] for name in first + rest} == {"Condition"}


@pytest.mark.parametrize(
    "parameters",
    [
        {"code": "1"},
        {"_type": "Spell"},
        {"_count": "0"},
        {"start": "yesterday"},
        {"start": "2026", "end": "2025"},
        {"_since": "never"},
    ],
)
def test_everything_is_refused_when_a_parameter_is_not_understood(
    desk: Desk, patient: LocalSigner, parameters: dict[str, str]
) -> None:
    assert_refused(ask(desk, desk.sign_in(patient), **parameters), 400, "InvalidRequest")


def test_everything_is_refused_when_nothing_asked_for_is_covered(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner
) -> None:
    desk.grant(patient, clinician, LABORATORY)
    answer = ask(desk, desk.sign_in(clinician), _type="Condition,Encounter")
    assert_refused(answer, 403, Refusal.SCOPE_NOT_COVERED)


def test_everything_is_refused_when_the_account_is_of_another_patient_than_the_id(
    desk: Desk, patient: LocalSigner
) -> None:
    answer = desk.http.get(
        "/fhir/Patient/somebody-else/$everything",
        headers=desk.sign_in(patient),
        params={"patient": desk.account(patient)},
    )
    assert_refused(answer, 403, Refusal.SCOPE_NOT_COVERED)


# --- One of the directory ---


def _practitioner() -> str:
    return next(
        each.record for each in read_bundle(BUNDLE).directory if each.type == "Practitioner"
    )


def test_practitioner_is_released_when_a_record_that_is_covered_refers_to_it(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner
) -> None:
    desk.grant(patient, clinician, "patient/*.rs")
    answer = desk.get(_practitioner(), desk.sign_in(clinician), patient)
    assert (answer.status_code, answer.json()["resourceType"]) == (200, "Practitioner")
    assert desk.audit(patient)["entries"][-1]["records"] == [f"{_practitioner()}/1"]


def test_practitioner_is_refused_as_an_unknown_one_when_nothing_covered_refers_to_it(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner
) -> None:
    desk.grant(patient, clinician, "patient/Patient.rs")
    headers = desk.sign_in(clinician)
    there = desk.get(_practitioner(), headers, patient)
    missing = desk.get(f"{_practitioner()[:-1]}x", headers, patient)
    for answer in (there, missing):
        assert_refused(answer, 403, Refusal.SCOPE_NOT_COVERED)
    assert there.text.replace(_practitioner(), "?") == missing.text.replace(
        f"{_practitioner()[:-1]}x", "?"
    )
