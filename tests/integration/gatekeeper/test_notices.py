"""Notices: who is told of what, once, in the transaction of what it tells of."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine, text

from medaccord.chain import Contracts, Power, Sender, actions
from medaccord.chain.embedded import EmbeddedChain
from medaccord.core.identifiers import hex_digest
from medaccord.core.refusals import Refusal
from medaccord.gatekeeper import Gatekeeper
from medaccord.gatekeeper.notices import KEPT, MAX_PAGE, Notices
from medaccord.keys import FolderPatientKeys, LocalSigner
from tests.integration.gatekeeper.conftest import PATIENT_ID, Opener, delegate
from tests.integration.gatekeeper.desk import Desk, assert_refused
from tests.integration.gatekeeper.log_writer import SOMEBODY
from tests.integration.gatekeeper.recovering import circle_of, start_recovery
from tests.integration.gatekeeper.told import emergency, notices, open_emergency, told

LABORATORY = "patient/Observation.rs?category=laboratory"


# --- Who is told of what ---


def test_patient_is_told_of_a_request_when_it_lies_in_the_inbox(
    desk: Desk, contracts: Contracts, patient: LocalSigner, clinician: LocalSigner
) -> None:
    request = desk.request(clinician, patient)
    for _ in range(2):  # the same again tells nothing twice
        assert desk.ask(request, clinician).status_code == 201
    subject = hex_digest(request.digest(contracts.off_chain_domain))
    assert told(desk, patient) == [("request", subject, clinician.address)]
    assert told(desk, clinician) == []


def test_patient_and_grantee_are_told_when_a_consent_is_granted_and_revoked(
    desk: Desk, contracts: Contracts, patient: LocalSigner, clinician: LocalSigner
) -> None:
    consent = desk.grant(patient, clinician, LABORATORY)
    revocation = actions.revoke(contracts, patient=patient.address, consent_id=consent)
    assert desk.relay(revocation, patient).status_code == 200
    expected = [(kind, hex_digest(consent), patient.address) for kind in ("grant", "revocation")]
    assert told(desk, patient) == expected
    assert told(desk, clinician) == expected


def test_grantee_is_told_once_when_all_is_revoked(
    desk: Desk, contracts: Contracts, patient: LocalSigner, clinician: LocalSigner
) -> None:
    granted = [desk.grant(patient, clinician, f"patient/{kind}.rs") for kind in ("Condition", "*")]
    assert desk.relay(actions.revoke_all(contracts, account=patient.address), patient).is_success
    expected = [("grant", hex_digest(each), patient.address) for each in granted]
    expected.append(("revocation", f"{patient.address}/1", patient.address))
    assert told(desk, clinician) == expected
    assert told(desk, patient) == expected


def test_grantee_is_not_told_that_all_is_revoked_when_its_consent_was_over(
    desk: Desk, contracts: Contracts, patient: LocalSigner, clinician: LocalSigner
) -> None:
    consent = desk.grant(patient, clinician, LABORATORY)
    for action in (
        actions.revoke(contracts, patient=patient.address, consent_id=consent),
        actions.revoke_all(contracts, account=patient.address),
    ):
        assert desk.relay(action, patient).status_code == 200
    assert [kind for kind, _, _ in told(desk, clinician)] == ["grant", "revocation"]
    assert [kind for kind, _, _ in told(desk, patient)] == ["grant", "revocation", "revocation"]


def test_patient_is_told_when_emergency_access_is_opened(
    desk: Desk, sender: Sender, patient: LocalSigner, clinician: LocalSigner
) -> None:
    opening = open_emergency(desk, sender, patient, clinician)
    assert told(desk, patient) == [("emergency", opening, clinician.address)]
    assert told(desk, clinician) == []


def test_patient_is_told_when_guardians_begin_to_hand_the_account_to_another_key(
    desk: Desk, contracts: Contracts, sender: Sender, patient: LocalSigner, stranger: LocalSigner
) -> None:
    guardian = LocalSigner.create()
    start_recovery(contracts, sender, patient, guardian=guardian, new_controller=stranger)
    message = desk.challenge(patient)
    refused = desk.redeem(message, patient.sign_text(message))
    assert_refused(refused, 401, Refusal.NOT_SIGNED_IN)
    assert "handing this account to another key" in refused.text
    cancelling = actions.cancellation(contracts, account=patient.address, guardian=guardian.address)
    circle = circle_of(guardian)
    stopped = actions.cancel_recovery(
        contracts,
        account=patient.address,
        circle=circle,
        approval=circle.approval(guardian.address, guardian.sign(cancelling)),
    )
    actions.submit(sender, actions.signed(stopped, patient))
    assert told(desk, patient) == [("recovery", f"{patient.address}/0", stranger.address)]


def test_patient_is_told_the_line_of_the_log_when_records_are_released(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner
) -> None:
    headers = desk.sign_in(clinician)
    assert desk.get("Observation", headers, patient).status_code == 403  # line 1: refused
    desk.grant(patient, clinician, LABORATORY)
    for _ in range(2):
        assert desk.get("Observation", headers, patient).status_code == 200
    reads = [each for each in told(desk, patient) if each[0] == "read"]
    assert reads == [("read", "2", clinician.address), ("read", "3", clinician.address)]


def test_patient_is_not_told_when_it_reads_by_itself(desk: Desk, patient: LocalSigner) -> None:
    assert desk.get("Observation", desk.sign_in(patient), patient).status_code == 200
    assert told(desk, patient) == []


def test_patient_is_told_when_its_delegate_reads(
    desk: Desk, contracts: Contracts, sender: Sender, patient: LocalSigner, stranger: LocalSigner
) -> None:
    delegate(contracts, sender, patient, stranger, Power.READ)
    headers = desk.sign_in(stranger, patient.address)
    assert desk.get("Observation", headers, patient).status_code == 200
    assert told(desk, patient) == [("read", "1", patient.address)]


# --- Once, and nothing of long ago ---


def test_event_is_told_once_when_it_is_mined_again_on_another_branch(
    desk: Desk,
    gatekeeper: Gatekeeper,
    chain: EmbeddedChain,
    sender: Sender,
    patient: LocalSigner,
    clinician: LocalSigner,
) -> None:
    before = chain.snapshot()
    action = actions.signed(emergency(desk, patient, clinician), clinician)
    actions.submit(sender, action)
    gatekeeper.ledger.sync()
    (first,) = notices(desk, desk.sign_in(patient))
    chain.revert(before)
    chain.mine()
    actions.submit(sender, action)
    gatekeeper.ledger.sync()
    assert notices(desk, desk.sign_in(patient)) == [first]


def test_nothing_is_told_again_when_the_ledger_is_made_anew(
    desk: Desk,
    gatekeeper: Gatekeeper,
    chain: EmbeddedChain,
    database: Engine,
    sender: Sender,
    patient: LocalSigner,
    clinician: LocalSigner,
) -> None:
    open_emergency(desk, sender, patient, clinician)
    (first,) = notices(desk, desk.sign_in(patient))
    gatekeeper.ledger.rebuild()
    assert notices(desk, desk.sign_in(patient)) == [first]
    chain.advance(KEPT + timedelta(seconds=1))
    assert Notices(database, chain.clock).forget_old() == 1
    gatekeeper.ledger.rebuild()
    assert notices(desk, desk.sign_in(patient)) == []


def test_nothing_is_told_of_the_time_before_a_patient_enrolled(
    desk: Desk,
    gatekeeper: Gatekeeper,
    chain: EmbeddedChain,
    sender: Sender,
    stranger: LocalSigner,
    clinician: LocalSigner,
) -> None:
    open_emergency(desk, sender, stranger, clinician)
    chain.advance(timedelta(hours=3))
    assert desk.enrol(stranger, gatekeeper.enrolment.issue_code("late")).status_code == 201
    gatekeeper.ledger.rebuild()
    assert told(desk, stranger) == []
    later = open_emergency(desk, sender, stranger, clinician)
    assert told(desk, stranger) == [("emergency", later, clinician.address)]


def test_id_is_never_used_again_when_the_newest_notice_was_forgotten(
    desk: Desk,
    chain: EmbeddedChain,
    database: Engine,
    sender: Sender,
    patient: LocalSigner,
    clinician: LocalSigner,
) -> None:
    open_emergency(desk, sender, patient, clinician)
    (first,) = notices(desk, desk.sign_in(patient))
    chain.advance(KEPT)
    assert Notices(database, chain.clock).forget_old() == 0
    chain.advance(timedelta(seconds=1))
    assert Notices(database, chain.clock).forget_old() == 1
    open_emergency(desk, sender, patient, clinician)
    (second,) = notices(desk, desk.sign_in(patient))
    assert second["id"] > first["id"]


# --- In the transaction of what it tells of ---


def _refuse_notices(database: Engine) -> None:
    if database.dialect.name == "sqlite":
        statements = [
            "CREATE TRIGGER no_room BEFORE INSERT ON notice"
            " BEGIN SELECT RAISE(ABORT, 'no room'); END"
        ]
    else:
        statements = [
            "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE 'no room'; END $$",
            "CREATE TRIGGER no_room BEFORE INSERT ON notice"
            " FOR EACH ROW EXECUTE FUNCTION no_room()",
        ]
    with database.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def test_nothing_is_released_nor_logged_when_its_notice_cannot_be_written(
    desk: Desk, database: Engine, patient: LocalSigner, clinician: LocalSigner
) -> None:
    desk.grant(patient, clinician, LABORATORY)
    headers = desk.sign_in(clinician)
    _refuse_notices(database)
    assert desk.get("Observation", headers, patient).status_code >= 500
    assert desk.ask(desk.request(clinician, patient), clinician).status_code >= 500
    assert desk.audit(patient)["entries"] == []
    inbox = desk.http.get("/requests", headers=desk.sign_in(patient))
    assert inbox.json() == {"requests": []}


def test_notices_are_gone_when_the_patient_is_erased(
    desk: Desk,
    gatekeeper: Gatekeeper,
    chain: EmbeddedChain,
    sender: Sender,
    patient: LocalSigner,
    clinician: LocalSigner,
) -> None:
    open_emergency(desk, sender, patient, clinician)
    assert len(told(desk, patient)) == 1
    erasing = gatekeeper.erasing
    erasing.erase_patient(erasing.patient(PATIENT_ID))
    assert told(desk, patient) == []
    chain.advance(timedelta(hours=3))
    open_emergency(desk, sender, patient, clinician)
    assert told(desk, patient) == []


def test_notice_of_a_read_is_gone_when_it_comes_amid_the_erasure(
    desk: Desk, gatekeeper: Gatekeeper, monkeypatch: pytest.MonkeyPatch, patient: LocalSigner
) -> None:
    log, subject = gatekeeper._base.log, gatekeeper.audit.subject(patient.address)
    erase, amid = FolderPatientKeys.erase, []

    def erase_late(keys: FolderPatientKeys, ref: str) -> int:
        log.append(subject, SOMEBODY, tells=patient.address)  # it was decided before
        amid.extend(told(desk, patient))
        return erase(keys, ref)

    monkeypatch.setattr(FolderPatientKeys, "erase", erase_late)
    erasing = gatekeeper.erasing
    erasing.erase_patient(erasing.patient(PATIENT_ID))
    assert len(amid) == 1
    assert told(desk, patient) == []


# --- Pages ---


def test_page_goes_on_after_the_last_id_when_asked_for_the_next(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner
) -> None:
    for _ in range(3):
        desk.grant(patient, clinician, LABORATORY)
    headers = desk.sign_in(patient)
    every = notices(desk, headers)
    first = desk.http.get("/notices", headers=headers, params={"count": 2}).json()
    assert first == {"notices": every[:2], "next": every[1]["id"]}
    rest = desk.http.get("/notices", headers=headers, params={"after": first["next"]}).json()
    assert rest == {"notices": every[2:], "next": every[2]["id"]}
    last = desk.http.get("/notices", headers=headers, params={"after": rest["next"]}).json()
    assert last == {"notices": [], "next": rest["next"]}


def test_page_is_refused_when_nobody_is_signed_in(desk: Desk) -> None:
    assert_refused(desk.http.get("/notices"), 401, Refusal.NOT_SIGNED_IN)


def test_page_is_refused_when_its_bounds_are_out_of_range(desk: Desk, patient: LocalSigner) -> None:
    headers = desk.sign_in(patient)
    for name, value in (
        ("count", 0),
        ("count", MAX_PAGE + 1),
        ("after", -1),
        ("after", 2**53),
        ("after", "x"),
    ):
        answer = desk.http.get("/notices", headers=headers, params={name: value})
        assert_refused(answer, 400, "InvalidRequest")


def test_two_gatekeepers_of_one_database_tell_each_event_once(
    opened: Opener, desk: Desk, sender: Sender, patient: LocalSigner, clinician: LocalSigner
) -> None:
    other = opened()
    opening = open_emergency(desk, sender, patient, clinician)
    other.ledger.sync()
    consent = desk.grant(patient, clinician, LABORATORY)
    other.ledger.sync()
    subjects = [subject for _, subject, _ in told(desk, patient)]
    assert subjects == [opening, hex_digest(consent)]
