"""Ids of patients and records: of use to who may know of them, alike to everybody else."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from medaccord.chain import actions
from medaccord.core.refusals import Refusal
from medaccord.fhir import read_bundle
from medaccord.gatekeeper import Gatekeeper
from medaccord.gatekeeper.fhir_answers import RECEIPT_HEADER
from medaccord.gatekeeper.log_pages import LogPages
from medaccord.keys import LocalSigner
from tests.integration.gatekeeper.cable import Cable
from tests.integration.gatekeeper.conftest import BUNDLE, PATIENT_ID
from tests.integration.gatekeeper.desk import Desk, assert_refused, ids_of, receipt_of

LABORATORY = "patient/Observation.rs?category=laboratory"
NOBODY = f"{PATIENT_ID[:-1]}x"
"""An id that no patient and no record has, as long as those that are there."""

OF_THE_MOMENT = ("date", "x-request-id")

Ask = Callable[[httpx.Client, dict[str, str], str], httpx.Response]

BY_PATIENT: dict[str, Ask] = {
    "search": lambda http, headers, identity: http.get(
        "/fhir/Observation", headers=headers, params={"patient": f"Patient/{identity}"}
    ),
    "count": lambda http, headers, identity: http.get(
        "/fhir/Observation",
        headers=headers,
        params={"patient": f"Patient/{identity}", "_summary": "count"},
    ),
    "read": lambda http, headers, identity: http.get(f"/fhir/Patient/{identity}", headers=headers),
    "vread": lambda http, headers, identity: http.get(
        f"/fhir/Patient/{identity}/_history/1", headers=headers
    ),
    "proof": lambda http, headers, identity: http.get(
        f"/fhir/Patient/{identity}/$proof", headers=headers
    ),
    "everything": lambda http, headers, identity: http.get(
        f"/fhir/Patient/{identity}/$everything", headers=headers
    ),
    "find": lambda http, headers, identity: http.get(
        "/fhir/Patient", headers=headers, params={"_id": identity}
    ),
}

BY_RECORD: dict[str, Ask] = {
    "read": lambda http, headers, identity: http.get(
        f"/fhir/Observation/{identity}", headers=headers
    ),
    "vread": lambda http, headers, identity: http.get(
        f"/fhir/Observation/{identity}/_history/1", headers=headers
    ),
    "proof": lambda http, headers, identity: http.get(
        f"/fhir/Observation/{identity}/$proof", headers=headers
    ),
}


def assert_alike(one: httpx.Response, other: httpx.Response, ids: tuple[str, str]) -> None:
    """All that is told is the same, byte for byte; but for the ids and the time of day."""
    texts = [
        answer.content.replace(identity.encode(), b"?")
        for answer, identity in zip((one, other), ids, strict=True)
    ]
    heads = [
        {name: value for name, value in answer.headers.items() if name not in OF_THE_MOMENT}
        for answer in (one, other)
    ]
    assert (one.status_code, texts[0], heads[0]) == (other.status_code, texts[1], heads[1])
    assert RECEIPT_HEADER not in one.headers


def lines_of(gatekeeper: Gatekeeper) -> list[tuple[str, str, str]]:
    """The steward's own log: action, outcome and reason."""
    base = gatekeeper._base
    pages = LogPages(base.engine, base.sealer).all(base.log.own())
    return [(each.action, each.outcome, each.reason) for page in pages for each in page.entries]


@pytest.fixture
def uncovered() -> str:
    """Id of an Observation that a consent to laboratory results does not cover."""
    return next(
        each.id
        for each in read_bundle(BUNDLE).resources
        if each.type == "Observation" and b"vital-signs" in each.canonical()
    )


# --- Who may know ---


def test_search_by_reference_and_reading_on_need_no_account_when_consented(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner, laboratory: list[str]
) -> None:
    desk.grant(patient, clinician, LABORATORY)
    headers = desk.sign_in(clinician)
    found = desk.http.get(
        "/fhir/Observation", headers=headers, params={"patient": f"Patient/{PATIENT_ID}"}
    )
    assert ids_of(found) == laboratory
    read = desk.http.get(f"/fhir/Observation/{laboratory[0]}", headers=headers)
    assert (read.status_code, read.json()["id"]) == (200, laboratory[0])
    entries = desk.audit(patient)["entries"]
    assert [each["action"] for each in entries[-2:]] == ["search", "read"]
    assert receipt_of(read).receipt.number == len(entries)


def test_reference_is_told_why_it_is_refused_when_the_consent_was_revoked(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner
) -> None:
    consent = desk.grant(patient, clinician, LABORATORY)
    action = actions.revoke(desk.contracts, patient=patient.address, consent_id=consent)
    assert desk.relay(action, patient).status_code == 200
    answer = BY_PATIENT["search"](desk.http, desk.sign_in(clinician), PATIENT_ID)
    assert_refused(answer, 403, Refusal.CONSENT_REVOKED)
    receipt_of(answer)


def test_record_is_the_patients_own_when_the_patient_asks_by_its_name(
    desk: Desk, patient: LocalSigner, uncovered: str
) -> None:
    answer = desk.http.get(f"/fhir/Observation/{uncovered}", headers=desk.sign_in(patient))
    assert (answer.status_code, answer.json()["id"]) == (200, uncovered)
    assert desk.audit(patient)["entries"][-1]["reason"] == "PATRQT"


# --- Everybody else ---


@pytest.mark.parametrize("ask", BY_PATIENT.values(), ids=BY_PATIENT)
def test_patient_is_refused_as_nobody_is_when_an_organisation_holds_no_consent(
    desk: Desk, gatekeeper: Gatekeeper, patient: LocalSigner, clinician: LocalSigner, ask: Ask
) -> None:
    headers = desk.sign_in(clinician)
    before, own = len(desk.audit(patient)["entries"]), lines_of(gatekeeper)
    there, nowhere = (ask(desk.http, headers, identity) for identity in (PATIENT_ID, NOBODY))
    assert_refused(there, 403, Refusal.UNKNOWN_PATIENT)
    assert_alike(there, nowhere, (PATIENT_ID, NOBODY))
    lines = lines_of(gatekeeper)[len(own) :]
    assert len(lines) == 2
    assert lines[0] == lines[1]
    assert lines[0][1:] == ("refused", "unknown-patient")
    assert len(desk.audit(patient)["entries"]) == before


@pytest.mark.parametrize("ask", BY_RECORD.values(), ids=BY_RECORD)
def test_record_is_refused_as_none_is_when_the_consent_does_not_cover_it(
    desk: Desk,
    patient: LocalSigner,
    clinician: LocalSigner,
    uncovered: str,
    ask: Ask,
) -> None:
    desk.grant(patient, clinician, LABORATORY)
    headers = desk.sign_in(clinician)
    before = len(desk.audit(patient)["entries"])
    there, nowhere = (ask(desk.http, headers, identity) for identity in (uncovered, NOBODY))
    assert_refused(there, 403, Refusal.UNKNOWN_PATIENT)
    assert_alike(there, nowhere, (uncovered, NOBODY))
    # Not in the patient's log either: its numbers, which receipts name, would tell.
    assert len(desk.audit(patient)["entries"]) == before


@pytest.mark.parametrize("consented", [True, False])
def test_record_is_refused_as_none_is_when_there_is_no_consent_any_more(
    desk: Desk,
    patient: LocalSigner,
    clinician: LocalSigner,
    laboratory: list[str],
    consented: bool,
) -> None:
    if consented:
        consent = desk.grant(patient, clinician, LABORATORY)
        action = actions.revoke(desk.contracts, patient=patient.address, consent_id=consent)
        assert desk.relay(action, patient).status_code == 200
    headers = desk.sign_in(clinician)
    ids = laboratory[0], NOBODY
    there, nowhere = (BY_RECORD["read"](desk.http, headers, identity) for identity in ids)
    assert_alike(there, nowhere, ids)
    assert_refused(there, 403, Refusal.UNKNOWN_PATIENT)


def test_record_is_refused_as_none_is_when_a_stranger_asks(
    desk: Desk, stranger: LocalSigner, laboratory: list[str]
) -> None:
    headers = desk.sign_in(stranger)
    ids = laboratory[0], NOBODY
    there, nowhere = (BY_RECORD["read"](desk.http, headers, identity) for identity in ids)
    assert_alike(there, nowhere, ids)
    assert_refused(there, 403, Refusal.UNKNOWN_PATIENT)


@pytest.mark.parametrize("freshness", ["bounded", "latest"])
def test_accounts_are_alike_when_a_stranger_asks(
    desk: Desk, cable: Cable, patient: LocalSigner, stranger: LocalSigner, freshness: str
) -> None:
    headers = desk.sign_in(stranger) | {"Medaccord-Freshness": freshness}
    accounts = patient.address, LocalSigner.create().address
    cable.is_cut = freshness == "latest"
    there, nowhere = (desk.get("Observation", headers, account) for account in accounts)
    assert_alike(there, nowhere, accounts)
    cable.is_cut = False
    last = desk.audit(patient)["entries"][-1]
    assert (last["requester"], last["outcome"]) == (stranger.address, "refused")


def test_ids_are_alike_when_the_chain_is_out_of_reach(
    desk: Desk,
    cable: Cable,
    patient: LocalSigner,
    clinician: LocalSigner,
    laboratory: list[str],
) -> None:
    desk.grant(patient, clinician, LABORATORY)
    headers = desk.sign_in(clinician) | {"Medaccord-Freshness": "latest"}
    cable.is_cut = True
    ids = laboratory[0], NOBODY
    there, nowhere = (BY_RECORD["read"](desk.http, headers, identity) for identity in ids)
    assert_alike(there, nowhere, ids)
    assert_refused(there, 503, Refusal.CHAIN_UNREACHABLE)


def test_uncovered_record_leaves_no_gap_in_the_receipts_when_it_was_tried(
    desk: Desk,
    patient: LocalSigner,
    clinician: LocalSigner,
    laboratory: list[str],
    uncovered: str,
) -> None:
    desk.grant(patient, clinician, LABORATORY)
    headers = desk.sign_in(clinician)
    first = receipt_of(BY_RECORD["read"](desk.http, headers, laboratory[0])).receipt.number
    BY_RECORD["read"](desk.http, headers, uncovered)
    second = receipt_of(BY_RECORD["read"](desk.http, headers, laboratory[0])).receipt.number
    assert second == first + 1


# --- Ids that stand for several ---


def test_reference_finds_the_account_that_consents_when_the_patient_has_two(
    desk: Desk, gatekeeper: Gatekeeper, patient: LocalSigner, clinician: LocalSigner
) -> None:
    again = LocalSigner.create()
    assert desk.enrol(again, gatekeeper.enrolment.issue_code(PATIENT_ID)).status_code == 201
    assert desk.accept(again).status_code == 200
    for account, revoked in ((patient, False), (again, True)):
        consent = desk.grant(account, clinician, LABORATORY)
        if revoked:
            action = actions.revoke(desk.contracts, patient=account.address, consent_id=consent)
            assert desk.relay(action, account).status_code == 200
    answer = BY_PATIENT["search"](desk.http, desk.sign_in(clinician), PATIENT_ID)
    assert answer.status_code == 200, answer.text
    assert desk.audit(patient)["entries"][-1]["outcome"] == "released"


@pytest.fixture
def neighbour(desk: Desk, gatekeeper: Gatekeeper) -> LocalSigner:
    """A patient whose records have the same ids, but for the Patient's own."""
    made = LocalSigner.create()
    bundle = BUNDLE.replace(PATIENT_ID.encode(), NOBODY.encode()).replace(b"7.1", b"9.9")
    assert desk.enrol(made, gatekeeper.enrolment.issue_code(NOBODY)).status_code == 201
    assert desk.accept(made).status_code == 200
    gatekeeper.import_bundle(bundle, made.address)
    return made


def test_record_is_the_one_that_may_be_read_when_two_patients_have_one_of_its_name(
    desk: Desk,
    patient: LocalSigner,
    neighbour: LocalSigner,
    clinician: LocalSigner,
    laboratory: list[str],
) -> None:
    desk.grant(neighbour, clinician, "patient/Condition.rs")
    desk.grant(patient, clinician, LABORATORY)
    answer = BY_RECORD["read"](desk.http, desk.sign_in(clinician), laboratory[0])
    assert (answer.status_code, answer.json()["id"]) == (200, laboratory[0])
    assert desk.audit(patient)["entries"][-1]["action"] == "read"


def test_record_is_refused_when_two_patients_have_one_of_its_name_and_both_may_be_read(
    desk: Desk,
    patient: LocalSigner,
    neighbour: LocalSigner,
    clinician: LocalSigner,
    laboratory: list[str],
) -> None:
    for each in (patient, neighbour):
        desk.grant(each, clinician, LABORATORY)
    answer = BY_RECORD["read"](desk.http, desk.sign_in(clinician), laboratory[0])
    assert_refused(answer, 400, "InvalidRequest")
    assert "name the patient" in answer.text


def test_record_is_the_patients_own_when_another_patient_has_one_of_its_name(
    desk: Desk, patient: LocalSigner, neighbour: LocalSigner, laboratory: list[str]
) -> None:
    own = BY_RECORD["read"](desk.http, desk.sign_in(patient), laboratory[0])
    theirs = BY_RECORD["read"](desk.http, desk.sign_in(neighbour), laboratory[0])
    assert PATIENT_ID.encode() in own.content
    assert NOBODY.encode() in theirs.content
