"""`medaccord audit` for a patient and for the steward: listed, verified, exported."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from medaccord.core.audit import AuditEntry
from tests.e2e.ward import LABORATORY, PATIENT_ID, Ward, json_lines
from tests.unit.fhir.balp import check


@pytest.fixture(scope="module", autouse=True)
def looked_at(ward: Ward, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """B read some, and was refused some; the log is anchored. Gives B's receipts."""
    ward.consent(LABORATORY)
    file = tmp_path_factory.mktemp("receipts") / "found.ndjson"
    asked = ("--patient", ward.patient.account, "--search", "Observation?category=laboratory")
    ward.b.person.done("records", "fetch", *asked, "--out", str(file))
    ward.b.person.refused(
        "records", "list", "--patient", ward.patient.account, "--search", "Procedure"
    )
    ward.gatekeeper.audit.anchor()
    return file


def test_patient_sees_who_looked(ward: Ward) -> None:
    told = ward.patient.person.done("audit", "list", "--requester", ward.b.account)
    entries = [AuditEntry.parse(each) for each in told["entries"]]
    assert {each.requester for each in entries} == {ward.b.account}
    assert {"released", "refused"} <= {each.outcome for each in entries}
    shown = {each.number for each in entries} | set(told["leftOut"])
    assert shown == set(range(1, told["count"] + 1))
    only = ward.patient.person.done(
        "audit", "list", "--outcome", "refused", "--since", "2020-01-01"
    )
    assert {each["outcome"] for each in only["entries"]} == {"refused"}


def test_lines_name_who_it_was(ward: Ward) -> None:
    ward.patient.person.done("records", "list", "--search", "Observation")
    shown = ward.patient.person.run("audit", "list", "--outcome", "released")
    assert (shown.code, shown.errors) == (0, "")
    assert all(line.count("\t") == 5 for line in shown.output.splitlines())
    assert "\tObservation?category=laboratory for TREAT\t" in shown.output
    assert "\tthe patient\t" in shown.output
    assert ward.patient.account not in shown.output  # it is so in every line


def test_patient_verifies_the_log_and_what_others_hold_of_it(
    ward: Ward, looked_at: Path, tmp_path: Path
) -> None:
    before = tmp_path / "before.ndjson"
    exported = ward.patient.person.done("audit", "export", str(before))
    told = ward.patient.person.done(
        "audit", "verify", "--receipts", str(looked_at), "--against", str(before)
    )
    receipts = [each for each in json_lines(looked_at) if "receipt" in each]
    assert (told["receipts"], told["compared"]) == (len(receipts), exported["count"])
    assert 0 < told["anchored"] <= told["count"]


def test_log_that_differs_from_an_earlier_export_is_refused(ward: Ward, tmp_path: Path) -> None:
    before = tmp_path / "before.ndjson"
    ward.patient.person.done("audit", "export", str(before))
    lines = json_lines(before)
    lines[1]["reason"] = "HRESCH"
    before.write_text("".join(f"{json.dumps(each)}\n" for each in lines), encoding="utf-8")
    told = ward.patient.person.refused("audit", "verify", "--against", str(before))
    assert told == f"entry 2: it is another than in {before}"
    added = {**lines[0], "number": 9999}
    before.write_text(json.dumps(added), encoding="utf-8")
    told = ward.patient.person.refused("audit", "verify", "--against", str(before))
    assert told == f"entry 9999: it is missing: {before} has it, and the log ends before"


def test_export_is_the_same_log_in_every_form(ward: Ward, tmp_path: Path) -> None:
    files = {form: tmp_path / f"log.{form}" for form in ("ndjson", "csv", "fhir")}
    for form, file in files.items():
        told = ward.patient.person.done("audit", "export", str(file), "--form", form)
        assert told["form"] == form
        assert file.stat().st_mode & 0o077 == 0
    numbers = [each["number"] for each in json_lines(files["ndjson"])]
    with files["csv"].open(encoding="utf-8", newline="") as table:
        rows = list(csv.DictReader(table))
    assert [int(row["number"]) for row in rows] == numbers == list(range(1, len(numbers) + 1))
    assert rows[-1]["head"] == told["head"]
    events = [each["resource"] for each in json.loads(files["fhir"].read_bytes())["entry"]]
    for event in events:
        check(event)
    assert {int(each["id"].split("-")[1]) for each in events} == set(numbers)


def test_steward_reads_the_log_of_a_patient_and_that_is_logged(
    ward: Ward, looked_at: Path, tmp_path: Path
) -> None:
    a, whose = ward.a.person, ("--patient", ward.patient.account)
    listed = a.done("audit", "list", *whose, "--outcome", "released", "--action", "export-log")
    assert listed["entries"][-1]["requester"] == ward.a.account
    told = a.done("audit", "verify", *whose, "--receipts", str(looked_at))
    assert told["receipts"] > 0
    assert 0 < told["anchored"] < told["count"] == listed["count"] + 1
    file = tmp_path / "log.ndjson"
    exported = a.done("audit", "export", str(file), *whose)
    assert len(json_lines(file)) == exported["count"] == told["count"] + 1
    own = ward.patient.person.done("audit", "verify", "--against", str(file))
    assert own["compared"] == exported["count"]


def test_steward_reads_its_own_log(ward: Ward) -> None:
    told = ward.a.person.done("audit", "verify", "--own")
    assert told["patient"] == told["steward"]


BAD = {
    "no time": (("list", "--since", "yesterday"), "'yesterday' is no time"),
    "no outcome": (("list", "--outcome", "lost"), "an outcome is one of released, refused, done"),
    "no address": (("list", "--requester", "me"), "not an address"),
    "no form": (("export", "log.pdf", "--form", "pdf"), "invalid value for '--form'"),
    "no folder": (("export", "none/log.csv"), "none/log.csv cannot be written"),
    "no receipts": (("verify", "--receipts", "none.ndjson"), "the file none.ndjson cannot be read"),
    "nothing earlier": (
        ("verify", "--against", "none.ndjson"),
        "the log none.ndjson cannot be read",
    ),
    "two logs": (("verify", "--own", "--patient", "x"), "whose log? Say --patient or --own"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_gets_one_line(ward: Ward, name: str) -> None:
    arguments, says = BAD[name]
    assert says in ward.patient.person.refused("audit", *arguments, code=2)


def test_file_that_is_no_earlier_export_gets_one_line(ward: Ward, tmp_path: Path) -> None:
    file = tmp_path / "log.ndjson"
    file.write_text('{"number": 1}\n', encoding="utf-8")
    told = ward.patient.person.refused("audit", "verify", "--against", str(file), code=2)
    assert told.startswith(f"{file}, line 1: ")


def test_steward_has_no_log_of_somebody_unknown(ward: Ward) -> None:
    told = ward.a.person.refused("audit", "list", "--patient", ward.stranger.account)
    assert told.startswith("unknown-patient: ")


def test_patient_of_nobody_has_no_log(ward: Ward) -> None:
    assert ward.stranger.person.refused("audit", "list").startswith("unknown-patient: ")


def test_reader_is_told_how_to_ask_for_what_is_covered_when_everything_is_not(ward: Ward) -> None:
    asked = ("records", "list", "--patient", ward.patient.account)
    told = ward.b.person.refused(*asked)
    assert told.startswith("scope-not-covered: ")
    assert told.endswith(" or name the Patient with --id for all that it covers.")
    found = ward.b.person.done(*asked, "--id", PATIENT_ID)["records"]
    kinds = {each["record"].partition("/")[0] for each in found}
    assert kinds == {"Observation", "Organization"}  # which the Observations refer to
