"""FHIR on the command line: what is printed is valid, and a Consent goes in as it came out."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.ward import LABORATORY, Ward
from tests.unit.fhir import pcf
from tests.unit.fhir.r4b import check_r4, resources_of

ANOTHER = "0x" + 40 * "1"

Document = dict[str, Any]


@pytest.fixture(scope="module")
def consent(ward: Ward) -> Document:
    """What `consents` printed of one that B was given."""
    patient, whom = ward.patient.person, ward.patient.account
    asked = ward.b.person.done(
        *("request", "new", whom, "--scope", LABORATORY, "--scope", "patient/Patient.rs"),
        *("--days", "1", "--undated", "--leave-out", "PSY", "--first-day", "1950-01-01"),
    )
    given = patient.done("grant", asked["request"], "--yes")
    printed: Document = patient.done("consents", given["consent"], "--form", "fhir")
    return printed


@pytest.fixture
def file(consent: Document, tmp_path: Path) -> str:
    """The same in a file."""
    return written(tmp_path, consent)


def written(folder: Path, resource: object) -> str:
    path = folder / "consent.json"
    path.write_text(json.dumps(resource), encoding="utf-8")
    return str(path)


def without_salt(terms: Document) -> Document:
    return {name: value for name, value in terms.items() if name != "salt"}


def terms_given(ward: Ward, consent: Document) -> Document:
    shown = ward.patient.person.done("consents", f"0x{consent['id']}")
    return without_salt(shown["terms"])


# --- out


def test_consents_are_printed_in_fhir_one_or_all(ward: Ward, consent: Document) -> None:
    check_r4(consent)
    pcf.check(consent)
    found = resources_of(ward.patient.person.done("consents", "--form", "fhir"))
    for each in found:
        pcf.check(each)
    assert consent in found
    listed = ward.patient.person.done("consents")["consents"]
    assert [f"0x{each['id']}" for each in found] == [each["consent"] for each in listed]
    plain = ward.patient.person.run("consents", f"0x{consent['id']}", "--form", "fhir")
    assert json.loads(plain.output) == consent


def test_no_consents_are_a_bundle_without_entries(ward: Ward, consent: Document) -> None:
    printed = ward.patient.person.done("consents", "--grantee", ANOTHER, "--form", "fhir")
    assert resources_of(printed) == []


def test_requests_are_printed_as_tasks_on_both_sides(ward: Ward, consent: Document) -> None:
    tasks = resources_of(ward.patient.person.done("inbox", "--all", "--form", "fhir"))
    (completed,) = [
        each
        for each in tasks
        if consent["identifier"][0]["value"] in json.dumps(each.get("output"))
    ]
    assert completed["status"] == "completed"
    sent = resources_of(ward.b.person.done("request", "list", "--form", "fhir"))
    assert completed in sent


def test_form_that_is_not_known_is_refused(ward: Ward) -> None:
    told = ward.patient.person.refused("inbox", "--form", "csv", code=2)
    assert "invalid value for '--form'" in told


def test_who_anchored_records_is_written_beside_them(
    ward: Ward, consent: Document, tmp_path: Path
) -> None:
    origins, records = tmp_path / "origins.json", tmp_path / "records.ndjson"
    told = ward.b.person.done(
        *("records", "fetch", "--search", "Observation?category=laboratory"),
        *("--patient", ward.patient.account, "--out", str(records)),
        *("--provenance", str(origins)),
    )
    assert told["provenance"] == str(origins)
    assert origins.stat().st_mode & 0o077 == 0
    found = resources_of(json.loads(origins.read_text(encoding="utf-8")))
    assert {each["resourceType"] for each in found} == {"Provenance"}
    targets = [target["reference"] for each in found for target in each["target"]]
    lines = [json.loads(line) for line in records.read_text(encoding="utf-8").splitlines()]
    named = [line["record"] for line in lines if "record" in line]
    assert sorted(targets) == sorted(
        f"{each['resourceType']}/{each['id']}/_history/1" for each in named
    )


def test_who_anchored_a_record_is_written_when_it_is_printed(
    ward: Ward, consent: Document, tmp_path: Path
) -> None:
    origins = tmp_path / "origins.json"
    printed = ward.patient.person.done(
        "records", "fetch", "--search", "Patient", "--provenance", str(origins)
    )
    (record,) = printed["records"]
    (origin,) = resources_of(json.loads(origins.read_text(encoding="utf-8")))
    name = f"Patient/{record['record']['id']}/_history/1"
    assert [each["reference"] for each in origin["target"]] == [name]


def test_link_is_a_document_reference_that_r4_takes(ward: Ward, consent: Document) -> None:
    (found,) = ward.patient.person.done("records", "list", "--search", "Patient")["records"]
    check_r4(ward.patient.person.done("records", "link", found["record"]))


# --- in


def test_consent_is_asked_for_again_in_the_same_terms(
    ward: Ward, consent: Document, file: str
) -> None:
    asked = ward.b.person.done("request", "new", ward.patient.account, "--consent", file)
    shown = ward.patient.person.done("consents", f"0x{consent['id']}")
    assert without_salt(asked["terms"]) == without_salt(shown["terms"])
    assert asked["terms"]["salt"] != shown["terms"]["salt"]
    assert (asked["validFrom"], asked["expires"]) == (shown["validFrom"], shown["expires"])
    (task,) = [
        each
        for each in resources_of(ward.patient.person.done("inbox", "--form", "fhir"))
        if f"0x{each['id']}" == asked["request"]
    ]
    pcf.check(task["contained"][0])
    assert task["contained"][0]["provision"] == consent["provision"]


def test_consent_is_asked_for_with_another_end_when_one_is_given(ward: Ward, file: str) -> None:
    asked = ward.b.person.done(
        *("request", "new", ward.patient.account, "--consent", file),
        *("--until", "2090-01-01", "--link"),
    )
    assert asked["expires"].startswith("2090-01-01T00:00:00")


def test_patient_allows_what_a_consent_says(ward: Ward, consent: Document, file: str) -> None:
    given = ward.patient.person.done("grant", "--consent", file, "--yes")
    assert given["request"] is None
    b = ward.contracts.account_id(ward.b.account)
    assert given["sentence"].startswith(f"“{b}” may read your laboratory Observations")
    again = ward.patient.person.done("consents", given["consent"], "--form", "fhir")
    assert again["id"] != consent["id"]
    assert again["provision"] == consent["provision"]
    assert terms_given(ward, again) == terms_given(ward, consent)


def test_allowing_is_refused_and_nothing_signed_when_nobody_is_there_to_be_asked(
    ward: Ward, file: str
) -> None:
    before = ward.patient.person.done("consents")
    told = ward.patient.person.refused("grant", "--consent", file, code=2)
    assert "” may read your laboratory Observations" in told
    assert ward.patient.person.done("consents") == before


def test_allowing_is_refused_when_a_request_is_named_besides(ward: Ward, file: str) -> None:
    told = ward.patient.person.refused("grant", "0x12", "--consent", file, "--yes", code=2)
    assert told == "a Consent answers no request: name the request, or give --consent"


def test_allowing_is_refused_when_it_is_narrowed_besides(ward: Ward, file: str) -> None:
    told = ward.patient.person.refused(
        *("grant", "--consent", file, "--leave-out", "HIV", "--yes"), code=2
    )
    assert told == "--consent says it all: leave out --leave-out, or change the Consent"


def test_allowing_is_refused_when_the_consent_is_another_patients(
    ward: Ward, consent: Document, tmp_path: Path
) -> None:
    others = deepcopy(consent)
    for reference in (others["patient"], *others["performer"]):
        reference["identifier"]["value"] = f"eip155:1337:{ANOTHER}"
    told = ward.patient.person.refused(
        "grant", "--consent", written(tmp_path, others), "--yes", code=2
    )
    own = ward.contracts.account_id(ward.patient.account)
    assert told == f"the Consent is of eip155:1337:{ANOTHER}, not of {own}"


def asking(ward: Ward, *options: str) -> str:
    """What is said when B is refused."""
    return ward.b.person.refused("request", "new", ward.patient.account, *options, code=2)


def test_asking_is_refused_when_scopes_are_given_besides(ward: Ward, file: str) -> None:
    told = asking(ward, "--consent", file, "--scope", LABORATORY)
    assert told == "--consent says it all: leave out --scope, or change the Consent"


def test_asking_is_refused_when_the_consent_is_another_patients(ward: Ward, file: str) -> None:
    told = ward.b.person.refused("request", "new", ANOTHER, "--consent", file, code=2)
    assert told == f"the Consent is of {ward.patient.account}, not of {ANOTHER}"


def test_asking_is_refused_when_the_consent_permits_another_organisation(
    ward: Ward, file: str
) -> None:
    told = ward.a.person.refused("request", "new", ward.patient.account, "--consent", file, code=2)
    b, a = (ward.contracts.account_id(each.account) for each in (ward.b, ward.a))
    assert told == f"the Consent permits {b}, not {a}"


def test_asking_is_refused_with_what_cannot_be_expressed(
    ward: Ward, consent: Document, tmp_path: Path
) -> None:
    changed = deepcopy(consent)
    changed["policyRule"] = {"text": "the law of the country"}
    told = asking(ward, "--consent", written(tmp_path, changed))
    assert told == "Consent.policyRule: cannot be expressed"


def test_asking_is_refused_when_the_file_holds_a_bundle(
    ward: Ward, consent: Document, tmp_path: Path
) -> None:
    bundle = ward.patient.person.done("consents", "--form", "fhir")
    told = asking(ward, "--consent", written(tmp_path, bundle))
    assert told == "resourceType: is 'Bundle', not Consent"


def test_asking_is_refused_when_the_file_is_not_there(ward: Ward) -> None:
    told = asking(ward, "--consent", "none.json")
    assert told == "the Consent none.json cannot be read: No such file or directory"


def test_asking_is_refused_when_neither_scope_nor_consent_is_given(ward: Ward) -> None:
    told = asking(ward, "--days", "1")
    assert told == "what is asked for? Give --scope or --consent"
