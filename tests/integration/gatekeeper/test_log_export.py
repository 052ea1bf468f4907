"""The whole log in a file: as FHIR, as NDJSON that can be checked, and as CSV that harms nobody."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, update

from medaccord.core.audit import AuditEntry, verify_log
from medaccord.core.identifiers import digest
from medaccord.core.refusals import Refusal
from medaccord.gatekeeper import Gatekeeper, log_pages
from medaccord.gatekeeper.audit_log import Event
from medaccord.gatekeeper.log_export import COLUMNS, LogForm
from medaccord.gatekeeper.refusal_tallies import LINES
from medaccord.keys import LocalSigner
from medaccord.store import tables, writing
from tests.integration.gatekeeper.desk import Desk, assert_refused
from tests.unit.fhir.balp import check, profile

ENTRIES = tables.audit_entry


@pytest.fixture
def filled(
    desk: Desk,
    gatekeeper: Gatekeeper,
    patient: LocalSigner,
    clinician: LocalSigner,
    monkeypatch: pytest.MonkeyPatch,
) -> Desk:
    """A log of more than one page: reads, refusals, an export, and refusals that were counted."""
    monkeypatch.setattr(log_pages, "MOST_COVERED", 7)
    own, other = desk.sign_in(patient), desk.sign_in(clinician)
    desk.get("Observation", other, patient)
    desk.grant(patient, clinician, "patient/Observation.rs")
    found = desk.get("Observation", other, patient, _count="1").json()["entry"][0]["resource"]
    desk.get(f"Observation/{found['id']}", own, patient)
    desk.get(f"Observation/{found['id']}", other, patient)
    for _ in range(LINES + 3):
        desk.get("Condition", other, patient)
    gatekeeper.audit.export(patient.address, LogForm.NDJSON)
    return desk


def export(desk: Desk, patient: LocalSigner, form: str) -> Any:
    answer = desk.http.get("/audit/export", params={"format": form}, headers=desk.sign_in(patient))
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == LogForm(form).media_type
    return answer.text


def test_fhir_holds_an_event_for_each_line_and_count(filled: Desk, patient: LocalSigner) -> None:
    bundle = json.loads(export(filled, patient, "fhir"))
    events = [each["resource"] for each in bundle["entry"]]
    for event in events:
        check(event)
    assert (bundle["resourceType"], bundle["type"]) == ("Bundle", "collection")
    named = [profile(event) for event in events]
    # refused, a search, two reads, refusals under a consent, the export, what was counted
    released = ["AuthZconsent", "PatientQuery", "PatientRead", "AuthZconsent", "PatientRead"]
    assert named == [None, *released, *(["AuthZconsent"] * (LINES - 1)), None, None]
    assert "4 refusals from" in events[-1]["outcomeDesc"]
    assert len({each["fullUrl"] for each in bundle["entry"]}) == len(events)


def test_fhir_has_no_entries_when_the_log_is_empty(desk: Desk, patient: LocalSigner) -> None:
    assert "entry" not in json.loads(export(desk, patient, "fhir"))


def test_ndjson_checks_as_the_log_does_when_lines_were_erased(
    filled: Desk, database: Engine, patient: LocalSigner
) -> None:
    log = filled.audit(patient)
    with writing(database) as connection:
        emptied = {"ciphertext": b"", "wrapped_key": b"", "key_generation": 0}
        connection.execute(update(ENTRIES).where(ENTRIES.c.number == 2).values(emptied))
    lines = [json.loads(each) for each in export(filled, patient, "ndjson").splitlines()]
    counted, lines = lines[-1], lines[:-1]
    assert counted["count"] == 4
    checked = [
        digest(each["erased"]) if "erased" in each else AuditEntry.parse(each) for each in lines
    ]
    verify_log(checked, log["count"], digest(log["head"]))
    assert [each for each in checked if not isinstance(each, AuditEntry)] == [checked[1]]


def test_csv_has_a_row_for_each_line_and_count(filled: Desk, patient: LocalSigner) -> None:
    log = filled.audit(patient)
    text = export(filled, patient, "csv")
    assert text.count("\r\n") == text.count("\n")
    header, *rows = csv.reader(io.StringIO(text, newline=""))
    assert tuple(header) == COLUMNS
    assert [row[0] for row in rows] == [str(n) for n in range(1, log["count"] + 1)] + [""]
    for row, entry in zip(rows, log["entries"], strict=False):
        assert row[1:6] == [entry[name] or "" for name in ("at", "requester", "by")] + [
            entry["action"],
            entry["query"],
        ]
    assert rows[-1][4:7] == ["refusals", rows[-1][5], "refused"]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx"])
def test_csv_holds_no_formula_when_a_query_looks_like_one(
    desk: Desk, gatekeeper: Gatekeeper, patient: LocalSigner, text: str
) -> None:
    event = Event(
        requester=None,
        by=None,
        action="search",
        query=text,
        outcome="refused",
        reason='a "quoted", reason',
        basis="",
        consent=None,
        records=(),
        block=None,
    )
    log = gatekeeper.audit.subject(patient.address)
    gatekeeper._base.log.append(log, event)
    _, row = csv.reader(io.StringIO(export(desk, patient, "csv"), newline=""))
    assert (row[5], row[7]) == ("'" + text, 'a "quoted", reason')


def test_export_of_the_steward_is_logged_before_it_is_given(
    desk: Desk, gatekeeper: Gatekeeper, patient: LocalSigner
) -> None:
    pieces = gatekeeper.audit.export(patient.address, LogForm.NDJSON)
    (line,) = b"".join(pieces).splitlines()
    assert AuditEntry.parse(line).action == "export-log"
    assert [each["action"] for each in desk.audit(patient)["entries"]] == ["export-log"]


def test_export_of_the_stewards_own_log_is_about_no_patient(
    desk: Desk, gatekeeper: Gatekeeper, clinician: LocalSigner, stranger: LocalSigner
) -> None:
    desk.get("Observation", desk.sign_in(clinician), stranger)
    written = b"".join(gatekeeper.audit.export(gatekeeper.steward, LogForm.FHIR))
    events = [each["resource"] for each in json.loads(written)["entry"]]
    assert [event["outcome"] for event in events] == ["8", "0"]
    assert b'"Patient"' not in written


def test_export_is_refused_when_a_line_was_changed(
    filled: Desk, database: Engine, patient: LocalSigner
) -> None:
    with writing(database) as connection:
        changed = update(ENTRIES).where(ENTRIES.c.number == 3).values(ciphertext=b"\0")
        assert connection.execute(changed).rowcount == 1
    answer = filled.http.get("/audit/export", headers=filled.sign_in(patient))
    assert_refused(answer, 403, Refusal.RECORD_UNVERIFIABLE)


def test_export_is_broken_off_when_a_later_page_was_changed(
    filled: Desk, database: Engine, patient: LocalSigner
) -> None:
    with writing(database) as connection:
        changed = update(ENTRIES).where(ENTRIES.c.number == 15).values(ciphertext=b"\0")
        assert connection.execute(changed).rowcount == 1
    headers = filled.sign_in(patient)
    with pytest.raises(httpx.RemoteProtocolError):
        filled.http.get("/audit/export", headers=headers)


def test_export_is_refused_when_no_such_form_is_known(desk: Desk, patient: LocalSigner) -> None:
    answer = desk.http.get("/audit/export", params={"format": "xml"}, headers=desk.sign_in(patient))
    assert_refused(answer, 400, "InvalidRequest")


def test_export_is_refused_when_no_patient_is_signed_in(desk: Desk, clinician: LocalSigner) -> None:
    answer = desk.http.get("/audit/export", headers=desk.sign_in(clinician))
    assert_refused(answer, 403, Refusal.UNKNOWN_PATIENT)
