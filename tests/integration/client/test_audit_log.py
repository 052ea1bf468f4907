"""A log that was changed, cut or swapped on its way to the patient is found out, by its line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from medaccord.client import Patient, Provider
from medaccord.core.canonical import Number
from medaccord.core.errors import LogMismatch, ProofMismatch, TransportError
from medaccord.demo.stage import Hospital
from tests.integration.client.middle import Middle, at, edited

LOG = "/audit"
OTHER = "0x" + "7" * 64


def test_log_shows_who_looked_and_is_covered_by_the_chain(
    patient: Patient, clinician: Provider
) -> None:
    log = patient.audit.verify()
    assert len(log.entries) == log.anchored == 3
    assert {entry.requester for entry in log.entries} == {clinician.account}
    assert {entry.outcome for entry in log.entries} == {"released"}


def test_log_shows_what_was_refused_and_the_patients_own_reads(
    patient: Patient, clinician: Provider, hospital: Hospital
) -> None:
    with pytest.raises(Exception, match="scope-not-covered"):
        clinician.records.search("MedicationRequest", patient.account)
    patient.records.search("Condition")
    log = patient.audit.verify()
    assert [(entry.requester, entry.outcome) for entry in log.entries[3:]] == [
        (clinician.account, "refused"),
        (patient.account, "released"),
    ]
    assert (len(log.entries), log.anchored) == (5, 3)
    hospital.gatekeeper.audit.anchor()
    assert patient.audit.verify().anchored == 5


@pytest.mark.parametrize(
    ("member", "value"),
    [("reason", "no-consent"), ("requester", None), ("salt", OTHER), ("records", [])],
)
def test_log_is_refused_when_a_line_is_changed(
    patient: Patient, middle: Middle, member: str, value: Any
) -> None:
    middle.alter = at(LOG, edited(lambda log: log["entries"][1].update({member: value})))
    with pytest.raises(LogMismatch) as found:
        patient.audit.verify()
    assert found.value.number == 2


def test_log_is_refused_when_line_and_heads_are_changed_together(
    patient: Patient, middle: Middle
) -> None:
    def change(log: dict[str, Any]) -> None:
        log["entries"][0]["reason"] = "no-consent"
        log["heads"] = {}

    middle.alter = at(LOG, edited(change))
    with pytest.raises(LogMismatch) as found:
        patient.audit.verify()
    assert found.value.number == 3  # what is anchored is all there is to tell by


@pytest.mark.parametrize(("dropped", "found_at"), [(0, 1), (1, 2), (2, 3)])
def test_log_is_refused_when_a_line_is_dropped(
    patient: Patient, middle: Middle, dropped: int, found_at: int
) -> None:
    middle.alter = at(LOG, edited(lambda log: log["entries"].pop(dropped)))
    with pytest.raises(LogMismatch) as found:
        patient.audit.verify()
    assert found.value.number == found_at


def test_log_is_refused_when_a_line_is_told_twice(patient: Patient, middle: Middle) -> None:
    middle.alter = at(LOG, edited(lambda log: log["entries"].insert(1, log["entries"][0])))
    with pytest.raises(LogMismatch) as found:
        patient.audit.verify()
    assert found.value.number == 2


def test_log_is_refused_when_lines_change_places(patient: Patient, middle: Middle) -> None:
    middle.alter = at(LOG, edited(lambda log: log["entries"].reverse()))
    with pytest.raises(LogMismatch) as found:
        patient.audit.verify()
    assert found.value.number == 1


def test_log_is_refused_when_it_is_emptied(patient: Patient, middle: Middle) -> None:
    middle.alter = at(LOG, edited(lambda log: log["entries"].clear()))
    with pytest.raises(LogMismatch) as found:
        patient.audit.verify()
    assert found.value.number == 1


def test_log_is_refused_when_count_and_lines_are_cut_together(
    patient: Patient, middle: Middle
) -> None:
    def cut(log: dict[str, Any]) -> None:
        log["entries"].pop()
        log["anchored"] |= {"count": Number("2"), "head": log["heads"]["2"]}

    middle.alter = at(LOG, edited(cut))
    with pytest.raises(ProofMismatch):
        patient.audit.verify()


@pytest.mark.parametrize("member", ["root", "previous", "head", "transaction", "topic"])
def test_log_is_refused_when_its_anchor_is_forged(
    patient: Patient, middle: Middle, member: str
) -> None:
    middle.alter = at(LOG, edited(lambda log: log["anchored"]["anchor"].update({member: OTHER})))
    with pytest.raises(ProofMismatch):
        patient.audit.verify()


def test_log_is_refused_when_its_anchor_is_another_accounts(
    patient: Patient, clinician: Provider, middle: Middle
) -> None:
    middle.alter = at(
        LOG,
        edited(lambda log: log["anchored"]["anchor"].update({"account": clinician.account})),
    )
    with pytest.raises(ProofMismatch, match="another stream"):
        patient.audit.verify()


# --- against what was seen before


def logged_again(clinician: Provider, patient: Patient) -> None:
    clinician.records.search("Observation", patient.account)


def cut(log: dict[str, Any]) -> None:
    log["entries"].pop()


def replaced(log: dict[str, Any]) -> None:
    log["entries"][-1]["reason"] = "BTG"
    log["heads"].pop(str(len(log["entries"])))


@pytest.mark.parametrize(("change", "found_at"), [(cut, 4), (replaced, 4)])
def test_log_is_refused_when_its_unanchored_end_is_not_as_it_was_seen(
    patient: Patient,
    clinician: Provider,
    middle: Middle,
    change: Callable[[dict[str, Any]], None],
    found_at: int,
) -> None:
    logged_again(clinician, patient)
    assert len(patient.audit.verify().entries) == 4
    middle.alter = at(LOG, edited(change))
    with pytest.raises(LogMismatch) as found:
        patient.audit.verify()
    assert found.value.number == found_at


def test_log_is_refused_when_it_was_anchored_before_and_is_no_more(
    patient: Patient, middle: Middle
) -> None:
    patient.audit.verify()
    middle.alter = at(LOG, edited(lambda log: log.update({"anchored": None})))
    with pytest.raises(LogMismatch, match="the log was anchored before"):
        patient.audit.verify()


def test_log_is_refused_when_it_lacks_a_read_the_patient_holds_a_receipt_for(
    patient: Patient, middle: Middle
) -> None:
    patient.records.search("Condition")
    middle.alter = at(LOG, edited(cut))
    with pytest.raises(LogMismatch) as found:
        patient.audit.verify()
    assert found.value.number == 4


def test_log_is_refused_when_it_is_another_patients(
    patient: Patient, neighbour: Patient, middle: Middle
) -> None:
    """Complete, anchored and proven, but not the log that receipts were signed for."""
    theirs: dict[str, Any] = {}
    middle.alter = at(LOG, edited(theirs.update))
    neighbour.audit.verify()
    patient.records.search("Condition")

    def swap(log: dict[str, Any]) -> None:
        log.clear()
        log.update(theirs)

    middle.alter = at(LOG, edited(swap))
    with pytest.raises(LogMismatch, match="another log") as found:
        patient.audit.verify()
    assert found.value.number == 1


def test_sound_log_is_taken_again_after_a_false_one_was_refused(
    patient: Patient, clinician: Provider, middle: Middle
) -> None:
    middle.alter = at(LOG, edited(cut))
    with pytest.raises(LogMismatch):
        patient.audit.verify()
    middle.alter = lambda request, answer: None
    logged_again(clinician, patient)
    assert len(patient.audit.verify().entries) == 4


@pytest.mark.parametrize(
    "edit",
    [
        lambda log: log.pop("entries"),
        lambda log: log.update({"entries": {}}),
        lambda log: log["entries"].append({}),
        lambda log: log["heads"].update({"one": OTHER}),
        lambda log: log["heads"].update({"1": "0x77"}),
        lambda log: log["heads"].update({"1": None}),
        lambda log: log.update({"anchored": []}),
        lambda log: log["entries"][0].update({"number": Number("1" * 5_000)}),
    ],
)
def test_log_that_is_none_is_the_gatekeepers_fault(
    patient: Patient, middle: Middle, edit: Callable[[dict[str, Any]], Any]
) -> None:
    middle.alter = at(LOG, edited(edit))
    with pytest.raises(TransportError, match="does not answer as a gatekeeper does"):
        patient.audit.verify()
