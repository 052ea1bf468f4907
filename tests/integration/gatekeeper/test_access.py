"""Checks: whether something may be read, decided as reading it is, with nothing released."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from medaccord.chain import Contracts, Power, Sender, actions
from medaccord.core.identifiers import hex_digest
from medaccord.core.refusals import Refusal
from medaccord.keys import LocalSigner
from medaccord.store import reading
from medaccord.store.tables import audit_entry
from tests.integration.gatekeeper.checks import LABORATORY, asking, check, refusal, verdict
from tests.integration.gatekeeper.conftest import World, delegate
from tests.integration.gatekeeper.desk import Desk, assert_refused, code_of
from tests.integration.gatekeeper.organisations import suspend

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


def test_check_tells_that_the_requester_is_suspended_when_it_is(
    desk: Desk, world: World, patient: LocalSigner, clinician: LocalSigner
) -> None:
    desk.grant(patient, clinician, LABORATORY)
    suspend(world, clinician)
    assert refusal(check(desk, clinician, asking(patient)))[1] == "suspended"
