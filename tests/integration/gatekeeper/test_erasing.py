"""The data officer's desk: erasures, holds and new keys are logged, told to the chain, final."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from medaccord.chain import Contracts, actions
from medaccord.chain.events import RelationshipProposed
from medaccord.client import Patient
from medaccord.core.errors import ErasureRefused, InvalidRequest, KeyStoreFailed
from medaccord.core.refusals import Refusal
from medaccord.gatekeeper import Gatekeeper
from medaccord.keys import LocalSigner
from medaccord.records.erasure_list import ErasureLine, ErasureList
from tests.integration.gatekeeper.cable import Cable
from tests.integration.gatekeeper.conftest import BUNDLE, PATIENT_ID, Opener, Visit
from tests.integration.gatekeeper.desk import Desk, assert_refused


@pytest.fixture
def observation(laboratory: list[str]) -> str:
    return f"Observation/{laboratory[0]}"


def found(desk: Desk, patient: LocalSigner) -> set[str]:
    """The names of all Observations that the patient gets."""
    answer = desk.get("Observation", desk.sign_in(patient), patient, _count="100")
    assert answer.status_code == 200, answer.text
    entries = answer.json().get("entry", [])
    return {
        f"{each['resource']['resourceType']}/{each['resource']['id']}"
        for each in entries
        if each["resource"]["resourceType"] == "Observation"
    }


def done(desk: Desk, patient: LocalSigner) -> list[tuple[str, str, str, str]]:
    """What the patient's log says that the steward did."""
    log = desk.audit(patient)
    return [
        (each["action"], each["query"], each["outcome"], each["reason"])
        for each in log["entries"]
        if each["action"] != "search"
    ]


def test_record_is_served_no_more_when_it_was_erased(
    gatekeeper: Gatekeeper, desk: Desk, patient: LocalSigner, observation: str
) -> None:
    before = found(desk, patient)
    erasing = gatekeeper.erasing
    report = erasing.erase_record(erasing.patient(PATIENT_ID), observation)
    assert (report.versions, report.anchored, report.rotated) == (1, True, None)
    assert found(desk, patient) == before - {observation}
    assert ("erase-record", observation, "done", "") in done(desk, patient)


def test_record_stays_erased_when_its_bundle_is_imported_again(
    gatekeeper: Gatekeeper, desk: Desk, patient: LocalSigner, observation: str
) -> None:
    erasing = gatekeeper.erasing
    erasing.erase_record(erasing.patient_of(patient.address), observation)
    report = gatekeeper.import_bundle(BUNDLE, patient.address)
    assert report.imported.erased == 1
    assert observation not in found(desk, patient)


def test_record_is_served_no_more_when_the_chain_cannot_be_told_yet(
    gatekeeper: Gatekeeper, cable: Cable, desk: Desk, patient: LocalSigner, observation: str
) -> None:
    erasing = gatekeeper.erasing
    cable.is_cut = True
    report = erasing.erase_record(erasing.patient(PATIENT_ID), observation)
    assert not report.anchored
    cable.mend()
    assert gatekeeper.anchor_pending() == 1
    assert observation not in found(desk, patient)


def test_other_records_are_served_when_a_key_is_retired_with_the_erasure(
    gatekeeper: Gatekeeper, desk: Desk, patient: LocalSigner, observation: str
) -> None:
    before = found(desk, patient)
    erasing = gatekeeper.erasing
    report = erasing.erase_record(erasing.patient(PATIENT_ID), observation, and_retire_key=True)
    assert report.rotated is not None
    assert (report.rotated.generation, report.rotated.retired) == (2, True)
    assert found(desk, patient) == before - {observation}


def test_patient_is_unknown_when_it_was_erased(
    gatekeeper: Gatekeeper, desk: Desk, patient: LocalSigner, folder: Path
) -> None:
    found(desk, patient)
    headers = desk.sign_in(patient)
    report = gatekeeper.erasing.erase_patient(gatekeeper.erasing.patient(PATIENT_ID))
    assert report.versions == 23
    answer = desk.get("Observation", headers, patient)
    assert_refused(answer, 401, Refusal.NOT_SIGNED_IN)
    answer = desk.get("Observation", desk.sign_in(patient), patient)
    assert_refused(answer, 403, Refusal.UNKNOWN_PATIENT)


def test_log_still_verifies_when_its_patient_was_erased_and_enrolled_anew(
    gatekeeper: Gatekeeper, desk: Desk, patient: LocalSigner, contracts: Contracts
) -> None:
    for _ in range(3):
        found(desk, patient)
    gatekeeper.audit.anchor()
    with Patient(patient, contracts, desk.url) as software:
        before = software.audit.verify()
        assert (before.count, before.anchored, before.erased) == (3, 3, ())
        gatekeeper.erasing.erase_patient(gatekeeper.erasing.patient(PATIENT_ID))
        software.relationships.end()
        enrolled = software.relationships.enrol(gatekeeper.enrolment.issue_code(PATIENT_ID))
        assert enrolled.event(RelationshipProposed).round == 2
        software.relationships.accept()
        gatekeeper.import_bundle(BUNDLE, patient.address)
        assert len(found(desk, patient)) > 0
        gatekeeper.audit.anchor()
        log = software.audit.verify()
    assert log.erased == (1, 2, 3)
    assert [(each.number, each.action) for each in log.entries] == [
        (4, "erase-patient"),
        (5, "search"),
    ]
    assert log.anchored == log.count == 5


def test_everyone_elses_log_verifies_when_a_patient_was_erased(
    gatekeeper: Gatekeeper, desk: Desk, patient: LocalSigner, contracts: Contracts
) -> None:
    neighbour = LocalSigner.create()
    code = gatekeeper.enrolment.issue_code("neighbour-1")
    assert desk.enrol(neighbour, code).status_code == 201
    assert desk.accept(neighbour).status_code == 200
    found(desk, neighbour)
    gatekeeper.audit.anchor()
    with Patient(neighbour, contracts, desk.url) as software:
        before = software.audit.verify()
        gatekeeper.erasing.erase_patient(gatekeeper.erasing.patient(PATIENT_ID))
        gatekeeper.audit.anchor()
        after = software.audit.verify()
    assert after.entries == before.entries
    assert (after.erased, after.anchored) == ((), 1)


def test_hold_refuses_the_erasure_and_both_are_logged(
    gatekeeper: Gatekeeper, desk: Desk, patient: LocalSigner, observation: str
) -> None:
    erasing = gatekeeper.erasing
    anna, before = erasing.patient(PATIENT_ID), found(desk, patient)
    hold = erasing.place_hold(anna, observation, "litigation")
    with pytest.raises(ErasureRefused, match="a legal hold is on it since"):
        erasing.erase_record(anna, observation)
    with pytest.raises(ErasureRefused, match="a legal hold is on it since"):
        erasing.erase_patient(anna)
    assert found(desk, patient) == before
    assert erasing.holds() == (hold,)
    erasing.lift_hold(hold.id)
    assert erasing.holds() == ()
    assert done(desk, patient) == [
        ("place-hold", observation, "done", ""),
        ("erase-record", observation, "refused", "legal-hold"),
        ("erase-patient", "", "refused", "legal-hold"),
        ("lift-hold", observation, "done", ""),
    ]


def test_reason_of_a_hold_is_not_told_to_the_patient(
    gatekeeper: Gatekeeper, desk: Desk, patient: LocalSigner
) -> None:
    erasing = gatekeeper.erasing
    erasing.place_hold(erasing.patient(PATIENT_ID), None, "Litigation-Canary")
    assert ("place-hold", "", "done", "") in done(desk, patient)
    assert "Litigation-Canary" not in str(desk.audit(patient))


def test_records_are_served_and_the_log_reads_when_keys_were_renewed(
    gatekeeper: Gatekeeper, desk: Desk, patient: LocalSigner
) -> None:
    before, erasing = found(desk, patient), gatekeeper.erasing
    assert erasing.rotate(erasing.patient(PATIENT_ID), destroy_old=True).retired
    assert erasing.rotate(erasing.steward, destroy_old=True).retired
    assert found(desk, patient) == before
    assert ("rotate-key-and-destroy-old", "", "done", "") in done(desk, patient)


def test_patient_is_gone_again_when_an_older_backup_is_opened(
    gatekeeper: Gatekeeper, opened: Opener, visit: Visit, patient: LocalSigner, folder: Path
) -> None:
    backup = folder.with_name("backup.db")
    with (
        closing(sqlite3.connect(folder / "records.db")) as live,
        closing(sqlite3.connect(backup)) as copy,
    ):
        live.backup(copy)
    gatekeeper.erasing.erase_patient(gatekeeper.erasing.patient(PATIENT_ID))
    gatekeeper.close()
    for name in ("records.db-wal", "records.db-shm"):
        (folder / name).unlink(missing_ok=True)
    shutil.copy(backup, folder / "records.db")
    desk = visit(opened())
    answer = desk.get("Observation", desk.sign_in(patient), patient)
    assert_refused(answer, 403, Refusal.UNKNOWN_PATIENT)


def test_erasure_is_refused_when_there_is_no_such_patient(gatekeeper: Gatekeeper) -> None:
    with pytest.raises(InvalidRequest, match="there is no such patient here"):
        gatekeeper.erasing.erase_patient(gatekeeper.erasing.patient("nobody"))


def test_nothing_is_erased_when_the_key_store_is_gone(
    gatekeeper: Gatekeeper, desk: Desk, patient: LocalSigner, folder: Path
) -> None:
    before = found(desk, patient)
    (folder / "keys").rename(folder / "away")
    with pytest.raises(KeyStoreFailed):
        gatekeeper.erasing.erase_patient(gatekeeper.erasing.patient(PATIENT_ID))
    (folder / "away").rename(folder / "keys")
    assert found(desk, patient) == before


def test_erasure_that_was_decided_is_finished_in_the_background(
    gatekeeper: Gatekeeper, desk: Desk, patient: LocalSigner, folder: Path
) -> None:
    anna = gatekeeper.erasing.patient(PATIENT_ID)
    line = ErasureLine(
        owner=anna, record=None, upto_generation=1, erased_at=gatekeeper.network.clock()
    )
    ErasureList(folder / "keys").append(line)
    assert len(found(desk, patient)) > 0
    assert gatekeeper.erasing.carry_on() == ()
    answer = desk.get("Observation", desk.sign_in(patient), patient)
    assert_refused(answer, 403, Refusal.UNKNOWN_PATIENT)


def test_revocation_of_an_erased_patient_stays_until_the_chain_has_it(
    gatekeeper: Gatekeeper,
    cable: Cable,
    desk: Desk,
    patient: LocalSigner,
    contracts: Contracts,
    folder: Path,
) -> None:
    revocation = actions.forbid_emergency(contracts, patient=patient.address, serial=1)
    cable.is_cut = True
    assert desk.relay(revocation, patient).json()["obeyed"]
    cable.mend()
    erasing = gatekeeper.erasing
    erasing.erase_patient(erasing.patient(PATIENT_ID))
    erasing.carry_on()
    assert len(gatekeeper.ledger.held()) == 1
    gatekeeper.relay.retry()
    gatekeeper.ledger.sync()
    assert gatekeeper.ledger.held() == ()
    with closing(sqlite3.connect(folder / "records.db")) as database:
        count = "select count(*) from pending_revocation"
        assert database.execute(count).fetchone() != (0,)
        erasing.carry_on()
        assert database.execute(count).fetchone() == (0,)
