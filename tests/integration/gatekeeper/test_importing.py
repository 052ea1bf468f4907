"""Importing: for patients who accepted, whole or not at all, and released only once anchored."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from sqlalchemy import Engine, select, update

from medaccord.chain import Contracts
from medaccord.chain.embedded import EmbeddedChain
from medaccord.chain.events import Anchored
from medaccord.client import Patient
from medaccord.core.errors import AccessRefused, InvalidBundle, TransportError
from medaccord.core.identifiers import digest
from medaccord.core.refusals import Refusal
from medaccord.gatekeeper import Gatekeeper
from medaccord.keys import LocalSigner
from medaccord.store import tables, writing
from tests.integration.gatekeeper.cable import Cable
from tests.integration.gatekeeper.conftest import BUNDLE, PATIENT_ID, World
from tests.integration.gatekeeper.desk import Desk, assert_refused

CHANGED = BUNDLE.replace(b'"code": "active"', b'"code": "resolved"', 1)
"""One Condition is over."""


def test_import_reports_what_it_took_in_and_anchored_when_new(
    world: World, gatekeeper: Gatekeeper
) -> None:
    report = world.report
    assert (report.records, report.directory) == (23, 2)
    assert (report.new_versions, report.unchanged) == (25, 0)
    anchored = [event for receipt in report.receipts for event in receipt.events]
    assert all(isinstance(event, Anchored) for event in anchored)
    assert [event.root for event in anchored if isinstance(event, Anchored)] == list(report.roots)
    assert len(report.roots) == 2


def test_import_sends_nothing_when_everything_is_there(
    gatekeeper: Gatekeeper, patient: LocalSigner
) -> None:
    report = gatekeeper.import_bundle(BUNDLE, patient.address)
    assert (report.new_versions, report.unchanged) == (0, 25)
    assert (report.roots, report.receipts) == ((), ())


def test_import_adds_a_version_when_a_record_changed(
    gatekeeper: Gatekeeper, patient: LocalSigner
) -> None:
    assert CHANGED != BUNDLE
    report = gatekeeper.import_bundle(CHANGED, patient.address)
    assert (report.new_versions, report.unchanged) == (1, 24)


def test_import_is_refused_when_the_patient_is_unknown(
    gatekeeper: Gatekeeper, stranger: LocalSigner
) -> None:
    with pytest.raises(AccessRefused) as caught:
        gatekeeper.import_bundle(BUNDLE, stranger.address)
    assert caught.value.reason is Refusal.NO_RELATIONSHIP


def test_import_is_refused_when_the_patient_has_not_accepted_yet(
    desk: Desk, gatekeeper: Gatekeeper, stranger: LocalSigner
) -> None:
    assert desk.enrol(stranger, gatekeeper.enrolment.issue_code(PATIENT_ID)).status_code == 201
    with pytest.raises(AccessRefused) as caught:
        gatekeeper.import_bundle(BUNDLE, stranger.address)
    assert caught.value.reason is Refusal.NO_RELATIONSHIP


def test_import_is_refused_when_the_bundle_is_of_another_patient(
    gatekeeper: Gatekeeper, patient: LocalSigner
) -> None:
    other = BUNDLE.replace(PATIENT_ID.encode(), b"00000000-0000-0000-0000-000000000000")
    with pytest.raises(InvalidBundle):
        gatekeeper.import_bundle(other, patient.address)


def test_import_is_released_only_when_it_is_anchored(
    desk: Desk, gatekeeper: Gatekeeper, cable: Cable, patient: LocalSigner
) -> None:
    headers = desk.sign_in(patient)
    before = desk.get("Condition", headers, patient).json()
    cable.cut_after = "eth_call"
    with pytest.raises(TransportError):
        gatekeeper.import_bundle(CHANGED, patient.address)
    cable.mend()
    assert desk.get("Condition", headers, patient).json()["entry"] == before["entry"]
    assert gatekeeper.anchor_pending() == 1
    assert desk.get("Condition", headers, patient).json()["entry"] != before["entry"]
    assert gatekeeper.anchor_pending() == 0


def test_import_is_anchored_once_when_the_answer_to_its_sending_was_lost(
    desk: Desk, gatekeeper: Gatekeeper, cable: Cable, patient: LocalSigner
) -> None:
    cable.cut_after = "eth_sendRawTransaction"
    with pytest.raises(TransportError):
        gatekeeper.import_bundle(CHANGED, patient.address)
    cable.mend()
    topic = json.loads(
        desk.get("Patient", desk.sign_in(patient), patient).json()["entry"][0]["extension"][0][
            "valueString"
        ]
    )["pointer"]["topic"]
    gatekeeper.ledger.sync()
    sent = gatekeeper.ledger.anchors(desk.steward, digest(topic))
    assert len(sent) == 2
    assert gatekeeper.anchor_pending() == 1
    gatekeeper.ledger.sync()
    assert gatekeeper.ledger.anchors(desk.steward, digest(topic)) == sent


def _released(desk: Desk, patient: LocalSigner) -> set[str]:
    """The versions that a read of the patient's Conditions releases, as the log says."""
    assert desk.get("Condition", desk.sign_in(patient), patient).status_code == 200
    return {record.rpartition("/")[2] for record in desk.audit(patient)["entries"][-1]["records"]}


def test_import_is_anchored_again_when_a_reorganisation_took_the_anchor_back(
    desk: Desk, gatekeeper: Gatekeeper, chain: EmbeddedChain, patient: LocalSigner
) -> None:
    before = chain.snapshot()
    gatekeeper.import_bundle(CHANGED, patient.address)
    chain.revert(before)
    chain.advance(timedelta(seconds=1))
    assert _released(desk, patient) == {"1"}
    assert gatekeeper.anchor_pending() == 1
    assert "2" in _released(desk, patient)
    assert gatekeeper.anchor_pending() == 0


def test_record_is_refused_when_it_was_changed_in_the_database(
    desk: Desk, database: Engine, patient: LocalSigner
) -> None:
    headers = desk.sign_in(patient)
    assert desk.get("Immunization", headers, patient).status_code == 200
    with writing(database) as connection:
        versions = tables.record_version
        for row in connection.execute(select(versions.c.id, versions.c.ciphertext)).all():
            cut = row.ciphertext[:-16] + bytes(16)
            connection.execute(
                update(versions).where(versions.c.id == row.id).values(ciphertext=cut)
            )
    answer = desk.get("Immunization", headers, patient)
    assert_refused(answer, 403, Refusal.RECORD_UNVERIFIABLE)
    assert desk.audit(patient)["entries"][-1]["reason"] == Refusal.RECORD_UNVERIFIABLE.value


def test_records_are_read_under_either_account_when_the_patient_enrolled_again(
    desk: Desk, gatekeeper: Gatekeeper, contracts: Contracts, patient: LocalSigner
) -> None:
    fresh = LocalSigner.create()
    assert desk.enrol(fresh, gatekeeper.enrolment.issue_code(PATIENT_ID)).status_code == 201
    assert desk.accept(fresh).status_code == 200
    changed = json.loads(BUNDLE)
    next(
        entry["resource"]
        for entry in changed["entry"]
        if entry["resource"]["resourceType"] == "Observation"
    )["language"] = "de"
    gatekeeper.import_bundle(json.dumps(changed).encode(), fresh.address)
    for signer in (patient, fresh):
        with Patient(signer, contracts, desk.url) as reader:
            released = list(reader.records.search("Observation"))
            assert {record.proof.pointer.version for record in released} == {1, 2}
