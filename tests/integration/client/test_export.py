"""A patient's own export: everything with its proofs in one file, or no file."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

from medaccord.client import Patient
from medaccord.client.evidence import ChainEvidence
from medaccord.core.audit import AuditEntry
from medaccord.core.canonical import encode, parse_object
from medaccord.core.errors import AccessRefused, InvalidRequest, ProofMismatch
from medaccord.core.identifiers import digest
from medaccord.core.proofs import RecordProof, verify_record
from medaccord.core.terms import Terms
from medaccord.demo import sample_bundle
from medaccord.demo.stage import Stage
from medaccord.fhir import read_bundle
from tests.integration.client.conftest import LABORATORY, World
from tests.integration.client.middle import Middle, at, instead


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A folder with nothing in it."""
    folder = tmp_path / "mine"
    folder.mkdir()
    return folder


def read(path: Path) -> Any:
    return parse_object(path.read_bytes())


def test_export_has_every_record_byte_for_byte_with_its_proof(
    patient: Patient, stage: Stage, tmp_path: Path
) -> None:
    path = tmp_path / "everything.json"
    done = patient.export(path)
    written, bundle = read(path), read_bundle(sample_bundle())
    expected = {each.record: each.canonical() for each in bundle.resources}
    found = {
        f"{each['record']['resourceType']}/{each['record']['id']}": encode(each["record"])
        for each in written["records"]
    }
    assert found == expected
    assert {encode(each["record"]) for each in written["included"]} == {
        each.canonical() for each in bundle.directory
    }
    evidence = ChainEvidence(stage.contracts)
    for each in (*written["records"], *written["included"]):
        proof = RecordProof.parse(encode(each["proof"]))
        verify_record(encode(each["record"]), proof, evidence.is_anchored)
    assert (done.records, done.consents, done.bytes) == (len(expected), 1, path.stat().st_size)


def test_export_has_consents_with_their_terms_and_the_log_with_this_export(
    patient: Patient, world: World, stage: Stage, tmp_path: Path
) -> None:
    path = tmp_path / "everything.json"
    done = patient.export(path)
    written = read(path)
    assert written["account"] == str(stage.contracts.account_id(patient.account))
    assert written["steward"] == str(stage.contracts.account_id(stage.a.account))
    (consent,) = written["consents"]
    assert digest(consent["consent"]) == world.consent
    terms = Terms.parse(encode(consent["opening"]))
    assert (terms.scopes, terms.commitment) == ((LABORATORY,), digest(consent["terms"]))
    lines = [AuditEntry.parse(encode(each)) for each in written["log"]]
    assert [line.number for line in lines] == list(range(1, len(lines) + 1))
    assert (lines[-1].action, lines[-1].requester) == ("everything", patient.account)
    assert done.log_lines == len(lines)
    assert len(written["receipts"]) == 1


def test_export_can_be_read_by_its_owner_alone(patient: Patient, tmp_path: Path) -> None:
    path = tmp_path / "everything.json"
    patient.export(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_export_leaves_what_was_there_when_something_does_not_check(
    patient: Patient, middle: Middle, mine: Path
) -> None:
    path = mine / "everything.json"
    path.write_text("before", encoding="utf-8")
    identity = read_bundle(sample_bundle()).patient_id
    changed = at(
        f"/fhir/Patient/{identity}/$everything",
        lambda answer: instead(answer, answer.content.replace(b":1.00", b":1.01")),
    )
    middle.alter = changed
    with pytest.raises(ProofMismatch):
        patient.export(path)
    assert path.read_text(encoding="utf-8") == "before"
    assert list(mine.iterdir()) == [path]


def test_export_is_refused_when_the_relationship_is_over(patient: Patient, mine: Path) -> None:
    patient.relationships.end()
    with pytest.raises(AccessRefused):
        patient.export(mine / "everything.json")
    assert list(mine.iterdir()) == []


def test_export_is_refused_when_its_folder_is_not_there(patient: Patient, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match=r"cannot be written: No such file"):
        patient.export(tmp_path / "nowhere" / "everything.json")
