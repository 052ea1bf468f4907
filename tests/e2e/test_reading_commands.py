"""`medaccord records list`, `fetch`, `link` and `verify`: records as they come, checked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest

from medaccord.client import Patient
from medaccord.core.canonical import parse_object, record_bytes
from medaccord.core.proofs import RecordProof
from medaccord.fhir import read_bundle
from tests.e2e.ward import BUNDLE, LABORATORY, PATIENT_ID, Ward, json_lines

RESOURCES = {each.record: each.canonical() for each in read_bundle(BUNDLE.read_bytes()).resources}
EVERYTHING = "patient/*.rs"
NOBODY = "0x" + 40 * "1"


@pytest.fixture(scope="module", autouse=True)
def consented(ward: Ward) -> None:
    """B may read laboratory results, and the patient's own resource."""
    ward.consent(LABORATORY, "patient/Patient.rs")


@pytest.fixture(scope="module")
def laboratory(ward: Ward) -> list[str]:
    """Names of what B may read."""
    found = ward.b.person.done(*search(ward, "list"))
    return [each["record"] for each in found["records"]]


def search(ward: Ward, command: str, *options: str) -> tuple[str, ...]:
    asked = ("--search", "Observation?category=laboratory", "--patient", ward.patient.account)
    return ("records", command, *asked, *options)


def test_list_names_what_may_be_read(laboratory: list[str]) -> None:
    assert laboratory
    assert set(laboratory) <= RESOURCES.keys()


def test_search_is_written_with_proofs_and_receipts_that_check(
    ward: Ward, laboratory: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "found.ndjson"
    told = ward.b.person.done(*search(ward, "fetch", "--out", str(file)))
    assert (told["file"], told["records"]) == (str(file), len(laboratory))
    assert file.stat().st_mode & 0o077 == 0
    lines = json_lines(file)
    assert [each.keys() for each in lines] == (
        [{"record", "proof"}] * len(laboratory) + [{"receipt"}] * told["receipts"]
    )
    first = parse_object(file.read_bytes().splitlines()[0])["record"]
    assert isinstance(first, dict)
    assert record_bytes(first) == RESOURCES[laboratory[0]]

    checked = ward.stranger.person.done("records", "verify", str(file))
    assert [each["record"] for each in checked["records"]] == laboratory
    assert {each["standing"] for each in checked["records"]} == {"newest"}
    assert {each["steward"] for each in checked["records"]} == {ward.a.account}
    assert checked["receipts"] == told["receipts"] > 0


def test_everything_is_written_to_a_folder_that_checks(
    ward: Ward, laboratory: list[str], tmp_path: Path
) -> None:
    folder = tmp_path / "all"
    told = ward.b.person.done(
        *("records", "fetch", "--everything", "--patient", ward.patient.account),
        *("--folder", str(folder)),
    )
    assert told["records"] == len(laboratory) + 1
    for name in (*laboratory, f"Patient/{PATIENT_ID}"):
        assert (folder / f"{name}.json").read_bytes() == RESOURCES[name]
        RecordProof.parse((folder / f"{name}.json.proof").read_bytes())
    checked = ward.stranger.person.done("records", "verify", str(folder), "--by", ward.a.account)
    assert len(checked["records"]) == told["records"] + told["included"]
    assert checked["receipts"] == told["receipts"]


def test_patient_reads_everything_of_their_own(ward: Ward) -> None:
    printed = ward.patient.person.run("records", "fetch", "--everything")
    assert (printed.code, printed.errors) == (0, "")
    names = {
        f"{each['resourceType']}/{each['id']}"
        for each in map(json.loads, printed.output.splitlines())
    }
    with Patient(ward.patient.signer, ward.contracts, ward.url) as patient:
        found = patient.records.everything()
        assert names == {each.name for each in found} | {each.name for each in found.included}
    assert len(names) > len(found.included) > 0


def test_one_record_is_printed_in_the_bytes_that_were_anchored(
    ward: Ward, laboratory: list[str]
) -> None:
    name, account = laboratory[0], ward.patient.account
    printed = ward.b.person.run("records", "fetch", name, "--patient", account)
    assert printed.output.encode() == RESOURCES[name] + b"\n"
    shown = ward.b.person.run("records", "fetch", f"{name}/1", "--patient", account, "--json")
    (found,) = cast(list[Any], parse_object(shown.output)["records"])
    assert record_bytes(found["record"]) == RESOURCES[name]
    assert shown.output.count("\n") == 1


def test_options_may_stand_before_the_command(ward: Ward, laboratory: list[str]) -> None:
    account, settings = ward.b.account, {"MEDACCORD_ACCOUNT": ward.stranger.account}
    command = search(ward, "list")[1:]
    found = ward.b.person.done("records", "--account", account, *command, **settings)
    assert [each["record"] for each in found["records"]] == laboratory


def test_link_says_where_a_record_is_and_not_what_it_says(
    ward: Ward, laboratory: list[str], tmp_path: Path
) -> None:
    name, account = laboratory[0], ward.patient.account
    link = ward.b.person.done("records", "link", name, "--patient", account)
    assert (link["resourceType"], link["status"]) == ("DocumentReference", "current")
    (content,) = link["content"]
    assert content["attachment"]["url"] == f"{ward.url}/fhir/{name}/_history/1"
    assert link["subject"]["identifier"]["value"] == str(ward.contracts.account_id(account))
    assert link["custodian"]["identifier"]["value"].endswith(ward.a.account)
    assert "data" not in content["attachment"]
    file = tmp_path / "link.json"
    own = ward.patient.person.done("records", "link", name, "--out", str(file))
    assert own == {"file": str(file), "record": name}
    assert json.loads(file.read_text(encoding="utf-8"))["id"] == link["id"]


def test_changed_record_is_refused_with_its_place(ward: Ward, tmp_path: Path) -> None:
    file = tmp_path / "found.ndjson"
    ward.b.person.done(*search(ward, "fetch", "--out", str(file)))
    content = file.read_bytes()
    lines = content.splitlines(keepends=True)
    lines[1] = lines[1].replace(b'"status":"final"', b'"status":"amended"', 1)
    assert b"".join(lines) != content
    file.write_bytes(b"".join(lines))
    told = ward.stranger.person.refused("records", "verify", str(file))
    assert told.startswith(f"{file}, line 2: the record is not the one its steward anchored")


def test_record_of_another_steward_than_wanted_is_refused(
    ward: Ward, laboratory: list[str], tmp_path: Path
) -> None:
    folder = tmp_path / "one"
    account = ward.patient.account
    ward.b.person.done(
        *("records", "fetch", laboratory[0], "--patient", account, "--folder", str(folder))
    )
    record = folder / f"{laboratory[0]}.json"
    assert ward.b.person.done("records", "verify", str(record))["records"]
    told = ward.b.person.refused("records", "verify", str(record), "--by", ward.b.account)
    assert told == f"{record}: it is by {ward.a.account}, not by {ward.b.account}"


def test_reading_without_consent_is_refused(ward: Ward) -> None:
    told = ward.b.person.refused(
        *("records", "fetch", "--search", "Condition", "--patient", ward.patient.account)
    )
    assert told.startswith("scope-not-covered: ")


BAD: dict[str, tuple[tuple[str, ...], str]] = {
    "nothing named": (("fetch",), "which records? Name one, or say --search or --everything"),
    "two named": (
        ("fetch", "Observation/1", "--everything"),
        "which records? Name one, or say --search or --everything",
    ),
    "two places": (
        ("fetch", "--everything", "--out", "a", "--folder", "b"),
        "give either --out or --folder, not both",
    ),
    "no record": (("fetch", "Observation"), "'Observation' is no record: name it Type/id"),
    "no version": (("fetch", "Observation/1/new"), "is no record: name it Type/id"),
    "too long a name": (("link", "Observation/1/2/3"), "is no record: name it Type/id"),
    "unknown type": (("list", "--search", "Blood?code=1"), "'Blood' is no type of FHIR R4"),
    "patient in the search": (
        ("list", "--search", "Observation?patient=1"),
        "leave patient out of the search: --patient and --purpose say it",
    ),
    "unknown parameter": (("list", "--search", "Observation?colour=red"), "colour"),
    "no address": (("list", "--patient", "me"), "not an address"),
    "purpose of one's own": (
        ("list", "--purpose", "TREAT"),
        "your own records need no purpose: leave out --purpose",
    ),
    "id of a search": (
        ("list", "--search", "Observation", "--id", "1"),
        "--id is for everything alone",
    ),
    "no file": (("verify", "none.ndjson"), "the file none.ndjson cannot be read"),
    "no folder": (
        ("fetch", "--everything", "--out", "none/all.ndjson"),
        "none/all.ndjson cannot be written",
    ),
    "a proof for several": (
        ("verify", "a", "b", "--proof", "c"),
        "a proof is for one record: name one file with --proof",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_gets_one_line(ward: Ward, name: str) -> None:
    arguments, says = BAD[name]
    assert says in ward.patient.person.refused("records", *arguments, code=2)


CONTENTS: dict[str, tuple[Any, str]] = {
    "empty": (" \n", "is empty"),
    "no JSON": ("no JSON\n", ""),
    "no line of ours": ('{"receipt": {}}\n', "line 1"),
    "a record without proof": ('{"resourceType": "Observation", "id": "1"}', "what proves"),
}


@pytest.mark.parametrize("name", CONTENTS)
def test_file_that_holds_something_else_gets_one_line(
    ward: Ward, tmp_path: Path, name: str
) -> None:
    content, says = CONTENTS[name]
    file = tmp_path / "found.ndjson"
    file.write_text(content, encoding="utf-8")
    told = ward.patient.person.refused("records", "verify", str(file), code=2)
    assert str(file) in told
    assert says in told


def test_account_of_somebody_unknown_is_refused(ward: Ward) -> None:
    told = ward.b.person.refused("records", "list", "--patient", NOBODY)
    assert told.startswith("unknown-patient: ")


def import_condition(ward: Ward, text: str) -> str:
    """Bring one more Condition of the patient, or a new version of it; its name."""
    identity = "6f0a7a2e-0000-4000-8000-000000000001"
    bundle = json.loads(BUNDLE.read_bytes())
    kinds = {each["resource"]["resourceType"]: each for each in bundle["entry"]}
    condition = kinds["Condition"]["resource"]
    kept = {name: condition[name] for name in ("resourceType", "subject", "clinicalStatus")}
    resource = {**kept, "id": identity, "code": {"text": text}}
    added = {"fullUrl": f"urn:uuid:{identity}", "resource": resource}
    bundle["entry"] = [kinds["Patient"], added]
    ward.gatekeeper.import_bundle(json.dumps(bundle).encode(), ward.patient.account)
    return f"Condition/{identity}"


def test_verify_tells_which_version_is_the_newest_as_far_as_it_can(
    ward: Ward, tmp_path: Path
) -> None:
    person, files = ward.patient.person, [tmp_path / f"{each}.ndjson" for each in range(3)]

    def standing(file: Path) -> str:
        (found,) = person.done("records", "verify", str(file))["records"]
        return str(found["standing"])

    name = import_condition(ward, "Sprain")
    person.done("records", "fetch", name, "--out", str(files[0]))
    assert standing(files[0]) == "newest"
    import_condition(ward, "Sprain of the left ankle")
    assert standing(files[0]) == "unknown"
    person.done("records", "fetch", name, "--out", str(files[1]))
    assert standing(files[1]) == "newest"
    person.done("records", "fetch", f"{name}/1", "--out", str(files[2]))
    assert standing(files[2]) == "superseded"
