"""Checks: whether something may be read, decided as reading it is, with nothing released."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, event, func, select

from medaccord.chain import Contracts, Power, Sender, actions
from medaccord.core.consistency import ConsistencyToken
from medaccord.core.identifiers import hex_digest
from medaccord.core.refusals import Refusal
from medaccord.fhir import read_bundle
from medaccord.gatekeeper import Gatekeeper
from medaccord.keys import LocalSigner
from medaccord.store import reading
from medaccord.store.tables import audit_entry
from tests.integration.gatekeeper.conftest import BUNDLE, World, delegate
from tests.integration.gatekeeper.desk import Desk, assert_refused, code_of
from tests.integration.gatekeeper.organisations import suspend

LABORATORY = "patient/Observation.rs?category=laboratory"


def asking(patient: LocalSigner, **changes: Any) -> dict[str, Any]:
    """A check of searching Observations for treatment."""
    usual = {
        "patient": patient.address,
        "purpose": "TREAT",
        "interaction": "s",
        "resourceType": "Observation",
    }
    return {name: value for name, value in (usual | changes).items() if value is not None}


def check(desk: Desk, asker: LocalSigner, body: dict[str, Any], **headers: str) -> httpx.Response:
    return desk.http.post("/access/check", json=body, headers=desk.sign_in(asker) | headers)


def verdict(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def refusal(answer: httpx.Response) -> tuple[bool, str, str]:
    """What is told of something that is not allowed."""
    found = verdict(answer)
    assert (found["basis"], found["restsOn"], found["expiresAt"]) == (None, [], None)
    return found["allowed"], found["reason"]["code"], found["reason"]["text"]


# --- What is told ---


def test_check_tells_consent_and_end_when_it_is_allowed(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner
) -> None:
    consent = desk.grant(patient, clinician, LABORATORY)
    answer = check(desk, clinician, asking(patient))
    told = verdict(answer)
    reason = told["reason"]
    assert (told["allowed"], reason["code"], told["basis"]) == (True, "permitted", "consent")
    assert told["restsOn"] == [hex_digest(consent)]
    assert reason["text"].startswith(f"Consent {hex_digest(consent)} is in force until ")
    assert told["expiresAt"] in reason["text"].replace("+00:00.", "Z")
    assert told["consistencyToken"] == answer.headers["medaccord-block"]


def test_check_tells_the_reason_when_it_is_not_allowed(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner
) -> None:
    consent = hex_digest(desk.grant(patient, clinician, LABORATORY))
    told = refusal(check(desk, clinician, asking(patient, resourceType="Claim")))
    assert told == (False, "scope-not-covered", f"Consent {consent} does not cover Claim.")


def test_check_says_what_reading_would_when_the_consent_is_revoked(
    desk: Desk, contracts: Contracts, patient: LocalSigner, clinician: LocalSigner
) -> None:
    consent = desk.grant(patient, clinician, LABORATORY)
    revocation = actions.revoke(contracts, patient=patient.address, consent_id=consent)
    desk.relay(revocation, patient, wait=False)
    assert refusal(check(desk, clinician, asking(patient)))[1] == "consent-revoked"
    read = desk.get("Observation", desk.sign_in(clinician), patient)
    assert_refused(read, 403, Refusal.CONSENT_REVOKED)


def test_check_of_a_patients_own_records_is_allowed_without_an_end(
    desk: Desk, patient: LocalSigner
) -> None:
    told = verdict(check(desk, patient, asking(patient, purpose="PATRQT")))
    assert (told["allowed"], told["basis"], told["expiresAt"]) == (True, "patient", None)


def test_check_by_the_patient_tells_of_another_requester(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner
) -> None:
    desk.grant(patient, clinician, LABORATORY)
    told = verdict(check(desk, patient, asking(patient, requester=clinician.address)))
    assert (told["allowed"], told["basis"]) == (True, "consent")


def test_check_by_a_delegate_of_the_patient_is_the_patients_own(
    desk: Desk,
    contracts: Contracts,
    sender: Sender,
    patient: LocalSigner,
    clinician: LocalSigner,
    stranger: LocalSigner,
) -> None:
    delegate(contracts, sender, patient, stranger, Power.READ)
    headers = desk.sign_in(stranger, patient.address)
    body = asking(patient, requester=clinician.address)
    answer = desk.http.post("/access/check", json=body, headers=headers)
    assert refusal(answer)[1] == "no-consent"


# --- Who may not ask, and what nobody learns ---


def test_check_is_refused_when_an_organisation_asks_about_another(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner, hospital: LocalSigner
) -> None:
    body = asking(patient, requester=hospital.address)
    assert_refused(check(desk, clinician, body), 403, Refusal.MAY_NOT_ASK)


def test_check_is_refused_when_a_stranger_asks_about_itself(
    desk: Desk, patient: LocalSigner, stranger: LocalSigner
) -> None:
    assert_refused(check(desk, stranger, asking(patient)), 403, Refusal.MAY_NOT_ASK)


def test_check_is_refused_without_a_token(desk: Desk, patient: LocalSigner) -> None:
    answer = desk.http.post("/access/check", json=asking(patient))
    assert_refused(answer, 401, Refusal.NOT_SIGNED_IN)


def test_refusals_do_not_tell_whether_the_patient_is_known_here(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner, stranger: LocalSigner
) -> None:
    """A patient of this steward, and an account of nobody, to one who was given no access."""

    def said(asker: LocalSigner, **changes: Any) -> list[bytes]:
        answers = [
            check(desk, asker, asking(each, **changes)) for each in (patient, LocalSigner.create())
        ]
        return [each.content for each in answers]

    for changes in ({}, {"resourceType": None, "record": "Observation/1", "interaction": "r"}):
        known, unknown = said(clinician, **changes)
        assert known == unknown
        assert b"no-consent" in known
        refused, unknown = said(stranger, **changes)
        assert refused == unknown


def test_record_that_is_not_covered_is_answered_as_one_that_is_not_there(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner, laboratory: list[str]
) -> None:
    desk.grant(patient, clinician, LABORATORY)

    def told(record: str) -> dict[str, Any]:
        body = asking(patient, resourceType=None, record=record, interaction="r")
        return verdict(check(desk, clinician, body))

    vital = desk.get("Observation", desk.sign_in(patient), patient, category="vital-signs")
    hidden = vital.json()["entry"][0]["resource"]["id"]
    covered, not_covered = told(f"Observation/{laboratory[0]}"), told(f"Observation/{hidden}")
    nowhere = told("Observation/not-there")
    assert covered["allowed"]
    assert not_covered["reason"] == {
        "code": "scope-not-covered",
        "text": f"Nothing that you may read is named Observation/{hidden}.",
    }
    nowhere["reason"]["text"] = nowhere["reason"]["text"].replace("not-there", hidden)
    assert nowhere == not_covered


# --- One of the directory ---


def practitioner() -> str:
    """The one that records of the patient refer to: Encounters, and no Patient."""
    (name,) = (each.record for each in read_bundle(BUNDLE).directory if each.type == "Practitioner")
    return name


def read_and_check(
    desk: Desk, asker: LocalSigner, patient: LocalSigner, record: str, **changes: Any
) -> tuple[httpx.Response, httpx.Response]:
    """The answers to reading a record, and to checking it for treatment."""
    body = asking(patient, resourceType=None, record=record, **changes)
    return desk.get(record, desk.sign_in(asker), patient), check(desk, asker, body)


@pytest.mark.parametrize("interaction", ["r", "s"])
@pytest.mark.parametrize("scope", ["patient/Encounter.r", "patient/Encounter.s", "patient/*.rs"])
def test_check_of_a_practitioner_is_allowed_as_reading_is_when_a_covered_record_refers_to_it(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner, scope: str, interaction: str
) -> None:
    consent = desk.grant(patient, clinician, scope)
    read, checked = read_and_check(
        desk, clinician, patient, practitioner(), interaction=interaction
    )
    assert (read.status_code, read.json()["resourceType"]) == (200, "Practitioner")
    told = verdict(checked)
    assert (told["allowed"], told["basis"]) == (True, "consent")
    assert told["restsOn"] == [hex_digest(consent)]


def test_check_of_a_practitioner_says_what_reading_does_when_no_covered_record_refers_to_it(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner
) -> None:
    desk.grant(patient, clinician, "patient/Patient.rs")
    read, checked = read_and_check(desk, clinician, patient, practitioner())
    assert_refused(read, 403, Refusal.SCOPE_NOT_COVERED)
    text = f"Nothing that you may read is named {practitioner()}."
    assert refusal(checked) == (False, "scope-not-covered", text)


def test_check_of_a_practitioner_says_what_reading_does_when_no_record_refers_to_it(
    desk: Desk, gatekeeper: Gatekeeper, patient: LocalSigner, clinician: LocalSigner
) -> None:
    bundle = json.loads(BUNDLE)
    bundle["entry"].append({"resource": {"resourceType": "Practitioner", "id": "nobodys"}})
    report = gatekeeper.import_bundle(json.dumps(bundle).encode(), patient.address)
    assert report.directory == len(read_bundle(BUNDLE).directory) + 1
    desk.grant(patient, clinician, "patient/*.rs")
    read, checked = read_and_check(desk, clinician, patient, "Practitioner/nobodys")
    assert_refused(read, 403, Refusal.SCOPE_NOT_COVERED)
    text = "Nothing that you may read is named Practitioner/nobodys."
    assert refusal(checked) == (False, "scope-not-covered", text)


def test_check_of_a_practitioner_says_what_reading_does_when_none_of_the_name_is_here(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner
) -> None:
    desk.grant(patient, clinician, "patient/*.rs")
    read, checked = read_and_check(desk, clinician, patient, "Practitioner/not-there")
    assert_refused(read, 403, Refusal.SCOPE_NOT_COVERED)
    text = "Nothing that you may read is named Practitioner/not-there."
    assert refusal(checked) == (False, "scope-not-covered", text)


# --- What it leaves, and what makes no sense ---


def test_check_leaves_no_line_in_the_log(
    desk: Desk, database: Engine, patient: LocalSigner, clinician: LocalSigner
) -> None:
    def lines() -> int:
        with reading(database) as connection:
            query = select(func.count()).select_from(audit_entry)
            return int(connection.execute(query).scalar_one())

    before = lines()
    refusal(check(desk, clinician, asking(patient)))
    assert lines() == before


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"record": "Observation/1"}, "name a resourceType, or one record as Type/id"),
        ({"resourceType": None}, "name a resourceType, or one record as Type/id"),
        ({"resourceType": None, "record": "../x"}, "a record is named Type/id, not '../x'"),
        ({"resourceType": "Secret"}, "'Secret' is no FHIR R4 resource type"),
    ],
)
def test_check_is_refused_when_it_asks_for_nothing_there_is(
    desk: Desk,
    patient: LocalSigner,
    clinician: LocalSigner,
    changes: dict[str, Any],
    problem: str,
) -> None:
    answer = check(desk, clinician, asking(patient, **changes))
    assert_refused(answer, 400, "InvalidRequest")
    assert problem in answer.text.replace('\\"', '"')


@pytest.mark.parametrize(
    "changes", [{"patient": "0x12"}, {"purpose": "FUN"}, {"interaction": "rs"}, {"more": 1}]
)
def test_check_is_refused_when_a_field_is_malformed(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner, changes: dict[str, Any]
) -> None:
    answer = check(desk, clinician, asking(patient) | changes)
    assert (answer.status_code, code_of(answer)[:7]) == (400, "Invalid")


# --- Several at once ---


def batch(desk: Desk, asker: LocalSigner, checks: list[dict[str, Any]]) -> httpx.Response:
    headers = desk.sign_in(asker)
    return desk.http.post("/access/check/batch", json={"checks": checks}, headers=headers)


def test_batch_answers_in_order_and_with_one_token(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner, laboratory: list[str]
) -> None:
    desk.grant(patient, clinician, LABORATORY)
    nobody = LocalSigner.create()
    answer = batch(
        desk,
        clinician,
        [
            asking(patient),
            asking(nobody),
            asking(patient, resourceType=None, record=f"Observation/{laboratory[0]}"),
            asking(patient, resourceType=None, record="Observation/not-there"),
            asking(patient, purpose="HRESCH"),
        ],
    )
    told = verdict(answer)
    assert [each["reason"]["code"] for each in told["answers"]] == [
        *("permitted", "no-consent", "permitted", "scope-not-covered", "purpose-not-covered")
    ]
    assert [each["allowed"] for each in told["answers"]] == [True, False, True, False, False]
    assert told["consistencyToken"] == str(ConsistencyToken.of(desk.contracts.network.head()))
    assert answer.headers["medaccord-block"] == told["consistencyToken"]


def test_batch_answers_each_as_its_check_alone_would(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner, laboratory: list[str]
) -> None:
    desk.grant(patient, clinician, LABORATORY)
    checks = [
        asking(patient, resourceType=kind, interaction=letter)
        for kind in ("Observation", "Condition")
        for letter in ("r", "s")
    ] + [asking(patient, resourceType=None, record=f"Observation/{laboratory[-1]}")]
    together = verdict(batch(desk, clinician, checks))
    token = together["consistencyToken"]
    alone = [verdict(check(desk, clinician, each)) for each in checks]
    assert [each | {"consistencyToken": token} for each in together["answers"]] == alone


def test_batch_is_refused_whole_when_one_check_is_not_the_askers_to_ask(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner, hospital: LocalSigner
) -> None:
    answer = batch(desk, clinician, [asking(patient), asking(patient, requester=hospital.address)])
    assert_refused(answer, 403, Refusal.MAY_NOT_ASK)


@pytest.mark.parametrize("count", [0, 51])
def test_batch_is_refused_when_it_has_none_or_too_many(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner, count: int
) -> None:
    answer = batch(desk, clinician, [asking(patient)] * count)
    assert_refused(answer, 400, "InvalidRequest")


def asked_of_database(
    desk: Desk, gatekeeper: Gatekeeper, asker: LocalSigner, path: str, body: dict[str, Any]
) -> list[str]:
    """What checks are decided from, each time that the database is asked for it, sorted."""
    headers = desk.sign_in(asker)
    statements: list[str] = []
    engine = gatekeeper.exporting._engine  # the gatekeeper's own: what it sends is counted
    asked_for_checks = ("FROM patient_account", "FROM terms_opening", "FROM record_index")

    def count(*arguments: Any) -> None:
        statements.extend(each for each in asked_for_checks if each in arguments[2])

    event.listen(engine, "before_cursor_execute", count)
    try:
        assert desk.http.post(path, json=body, headers=headers).status_code == 200
    finally:
        event.remove(engine, "before_cursor_execute", count)
    return sorted(statements)


def test_batch_asks_the_database_as_often_as_one_check_does(
    desk: Desk, gatekeeper: Gatekeeper, patient: LocalSigner, clinician: LocalSigner
) -> None:
    desk.grant(patient, clinician, LABORATORY)

    def asked(path: str, body: dict[str, Any]) -> list[str]:
        return asked_of_database(desk, gatekeeper, clinician, path, body)

    others = [asking(LocalSigner.create()) for _ in range(49)]
    once = ["FROM patient_account", "FROM terms_opening"]
    assert asked("/access/check", asking(patient)) == once
    assert asked("/access/check/batch", {"checks": [asking(patient), *others]}) == once


def test_batch_of_records_is_decided_from_one_state_of_the_database(
    desk: Desk,
    gatekeeper: Gatekeeper,
    patient: LocalSigner,
    clinician: LocalSigner,
    laboratory: list[str],
) -> None:
    """Within one transaction whose they are, and what there is, is asked for once."""
    desk.grant(patient, clinician, LABORATORY)
    checks = [
        asking(patient, resourceType=None, record=f"Observation/{each}") for each in laboratory
    ]
    asked = asked_of_database(
        desk, gatekeeper, clinician, "/access/check/batch", {"checks": checks}
    )
    assert asked == ["FROM patient_account", "FROM record_index", "FROM terms_opening"]


def test_check_tells_that_the_requester_is_suspended_when_it_is(
    desk: Desk, world: World, patient: LocalSigner, clinician: LocalSigner
) -> None:
    desk.grant(patient, clinician, LABORATORY)
    suspend(world, clinician)
    assert refusal(check(desk, clinician, asking(patient)))[1] == "suspended"
