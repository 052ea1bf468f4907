"""Every answer is logged and signed for, whatever it says."""

from __future__ import annotations

import json

from sqlalchemy import Engine, select

from medaccord.core.audit import AuditEntry
from medaccord.core.receipts import verify_receipt
from medaccord.core.refusals import Refusal
from medaccord.fhir import parse_searchset
from medaccord.gatekeeper.fhir_answers import RECEIPT_HEADER
from medaccord.gatekeeper.freshness import BLOCK_HEADER
from medaccord.keys import LocalSigner
from medaccord.store import reading, tables
from tests.integration.gatekeeper.conftest import World
from tests.integration.gatekeeper.desk import Desk, assert_refused, receipt_of

LABORATORY = "patient/Observation.rs?category=laboratory"


def test_answer_carries_a_receipt_of_its_log_entry_when_released(
    desk: Desk, world: World, patient: LocalSigner, clinician: LocalSigner
) -> None:
    desk.grant(patient, clinician, LABORATORY)
    answer = desk.get("Observation", desk.sign_in(clinician), patient)
    signed = receipt_of(answer)
    verify_receipt(
        signed,
        desk.contracts.off_chain_domain,
        steward=desk.steward,
        signers={world.server_key.address},
    )
    log = desk.audit(patient)
    entry = AuditEntry.parse(log["entries"][-1])
    assert (signed.receipt.number, signed.receipt.entry) == (entry.number, entry.commitment)
    assert entry.block is not None
    block = entry.block
    assert answer.headers[BLOCK_HEADER] == f"{block.chain_id}:{block.number}:0x{block.hash.hex()}"
    assert json.loads(json.dumps(parse_searchset(answer.content).receipt)) == signed.document()


def test_log_says_who_what_why_and_on_what_when_released(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner, laboratory: list[str]
) -> None:
    consent = desk.grant(patient, clinician, LABORATORY)
    desk.get("Observation", desk.sign_in(clinician), patient)
    entry = AuditEntry.parse(desk.audit(patient)["entries"][-1])
    assert (entry.requester, entry.by) == (clinician.address, clinician.address)
    assert (entry.action, entry.outcome, entry.reason) == ("search", "released", "TREAT")
    assert (entry.basis, entry.consent) == ("consent", consent)
    assert entry.records == tuple(f"Observation/{each}/1" for each in laboratory)


def test_log_says_who_what_and_why_not_when_refused(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner
) -> None:
    answer = desk.get("Observation", desk.sign_in(clinician), patient)
    entry = AuditEntry.parse(desk.audit(patient)["entries"][-1])
    assert (entry.requester, entry.action) == (clinician.address, "search")
    assert (entry.outcome, entry.reason) == ("refused", Refusal.NO_CONSENT.value)
    assert (entry.basis, entry.consent, entry.records) == ("", None, ())
    assert entry.query.endswith(" for TREAT")
    assert receipt_of(answer).receipt.entry == entry.commitment


def test_unknown_patient_is_logged_under_the_steward_when_asked_for(
    desk: Desk,
    database: Engine,
    clinician: LocalSigner,
    stranger: LocalSigner,
    patient: LocalSigner,
) -> None:
    before = desk.audit(patient)["count"]
    answer = desk.get("Observation", desk.sign_in(clinician), stranger)
    assert_refused(answer, 403, Refusal.UNKNOWN_PATIENT)
    assert RECEIPT_HEADER not in answer.headers
    log = desk.audit(patient)
    assert log["count"] == before
    entry = tables.audit_entry.c
    theirs = entry.relationship != bytes.fromhex(log["relationship"][2:])
    with reading(database) as connection:
        assert len(connection.execute(select(entry.number).where(theirs)).all()) == 1
