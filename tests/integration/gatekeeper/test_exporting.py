"""An export of everything is logged first, and holds what the gatekeeper keeps beside records."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from sqlalchemy import Engine, update

from medaccord.core.errors import AccessRefused, LogMismatch
from medaccord.core.refusals import Refusal
from medaccord.gatekeeper import Gatekeeper
from medaccord.keys import LocalSigner
from medaccord.records.export import ExportForm
from medaccord.store import tables, writing
from tests.integration.gatekeeper.desk import Desk


def documents(path: Path) -> dict[str, bytes]:
    """The gatekeeper's documents in an export, by their names."""
    resources = (json.loads(line) for line in path.read_bytes().splitlines())
    return {
        each["meta"]["tag"][0]["code"]: base64.b64decode(each["data"])
        for each in resources
        if each["resourceType"] == "Binary"
    }


def test_export_holds_records_requests_log_and_accounts(
    desk: Desk,
    gatekeeper: Gatekeeper,
    patient: LocalSigner,
    clinician: LocalSigner,
    tmp_path: Path,
) -> None:
    desk.get("Condition", desk.sign_in(patient), patient)
    assert desk.ask(desk.request(clinician, patient), clinician).status_code == 201
    path = tmp_path / "everything.ndjson"

    exported = gatekeeper.export(patient.address, path, ExportForm.NDJSON)

    assert (exported.records, exported.superseded, exported.not_anchored) == (23, 0, 0)
    found = documents(path)
    assert exported.documents == len(found)
    accounts = json.loads(found["accounts"])["accounts"]
    assert [each["account"] for each in accounts] == [patient.address]
    log = [json.loads(text) for name, text in found.items() if name.startswith("audit_entry/")]
    assert [each["action"] for each in log][-1] == "export"
    assert "search" in {each["action"] for each in log}
    requests = [text for name, text in found.items() if name.startswith("request_inbox/")]
    assert len(requests) == 1
    assert clinician.address.encode() in requests[0]


def test_export_is_logged_before_anything_is_opened(
    desk: Desk, gatekeeper: Gatekeeper, patient: LocalSigner, database: Engine, tmp_path: Path
) -> None:
    with writing(database) as connection:
        connection.execute(update(tables.record_version).values(ciphertext=bytes(60)))
    path = tmp_path / "everything.json"
    with pytest.raises(AccessRefused) as caught:
        gatekeeper.export(patient.address, path, ExportForm.BUNDLE)
    assert caught.value.reason is Refusal.RECORD_UNVERIFIABLE
    assert not path.exists()
    entry = desk.audit(patient)["entries"][-1]
    assert (entry["action"], entry["query"], entry["outcome"]) == ("export", "bundle", "released")
    assert entry["requester"] == desk.steward


def test_export_is_refused_when_a_line_of_the_log_was_changed(
    desk: Desk, gatekeeper: Gatekeeper, patient: LocalSigner, database: Engine, tmp_path: Path
) -> None:
    """Left out in silence, it would be missing from everything that is held."""
    desk.get("Condition", desk.sign_in(patient), patient)
    with writing(database) as connection:
        first = update(tables.audit_entry).where(tables.audit_entry.c.number == 1)
        connection.execute(first.values(ciphertext=bytes(60)))
    path = tmp_path / "everything.ndjson"
    with pytest.raises(LogMismatch) as caught:
        gatekeeper.export(patient.address, path, ExportForm.NDJSON)
    assert caught.value.number == 1
    assert list(tmp_path.glob("*everything*")) == []


def test_export_is_refused_when_the_patient_is_unknown(
    gatekeeper: Gatekeeper, stranger: LocalSigner, tmp_path: Path
) -> None:
    with pytest.raises(AccessRefused) as caught:
        gatekeeper.export(stranger.address, tmp_path / "everything", ExportForm.BUNDLE)
    assert caught.value.reason is Refusal.UNKNOWN_PATIENT
    assert list(tmp_path.glob("*everything*")) == []
