"""`medaccord emergency` as a hospital uses it: find a patient, open access, say why."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from medaccord.client import Patient
from medaccord.core.emergency import EmergencyCode
from medaccord.core.identifiers import hex_digest
from tests.e2e.cut_line import cut_line
from tests.e2e.ward import BUNDLE, PATIENT_ID, Ward


def described(folder: Path) -> str:
    """A file with the patient as an ambulance would find it described."""
    bundle = json.loads(BUNDLE.read_bytes())
    (patient,) = [
        each["resource"]
        for each in bundle["entry"]
        if each["resource"]["resourceType"] == "Patient"
    ]
    file = folder / "patient.json"
    names = ("resourceType", "identifier", "name", "birthDate")
    file.write_text(json.dumps({each: patient[each] for each in names if each in patient}))
    return str(file)


def test_patient_is_found_opened_told_why_and_closes_it(ward: Ward, tmp_path: Path) -> None:
    b, patient = ward.b.person, ward.patient.person
    found = b.done("emergency", "match", described(tmp_path))["patients"]
    assert [each["account"] for each in found] == [ward.patient.account]
    before = len(b.done("emergency", "list")["emergencies"])

    opened = b.done(
        *("emergency", "open", ward.patient.account),
        *("--reason", "unconscious", "--minutes", "30"),
    )
    assert opened["undisclosed"] is None
    assert [each["event"] for each in opened["events"]] == ["EmergencyOpened"]
    assert list(b.program_folder.glob("undisclosed/*")) == []
    (own,) = b.done("emergency", "list", "--open")["emergencies"]
    (seen,) = patient.done("emergency", "list", "--open")["emergencies"]
    assert own.items() <= seen.items()
    assert seen["reason"] == "unconscious"
    assert (own["emergency"], own["grantee"]) == (opened["emergency"], ward.b.account)
    with Patient(ward.patient.signer, ward.contracts, ward.url) as client:
        (shown,) = [each for each in client.emergency.list() if each.open]
        assert hex_digest(shown.emergency_id) == opened["emergency"]
        assert client.emergency.reason_of(shown).code is EmergencyCode.UNCONSCIOUS
    read = b.done(
        *("records", "list", "--search", "Condition", "--patient", ward.patient.account),
        *("--purpose", "ETREAT"),
    )
    assert read["records"]

    twice = b.refused("emergency", "open", ward.patient.account, "--reason", "unconscious")
    assert twice.startswith("emergency access is open already: use it")
    patient.done("emergency", "close", ward.b.account)
    assert b.done("emergency", "list", "--open")["emergencies"] == []
    assert len(b.done("emergency", "list")["emergencies"]) == before + 1
    barred = b.refused("emergency", "open", ward.patient.account, "--reason", "unconscious")
    assert barred.startswith("the patient barred this organisation from emergency access")
    patient.done("emergency", "allow", ward.b.account)


def test_reason_is_kept_and_told_later_when_the_gatekeeper_does_not_answer(ward: Ward) -> None:
    b, patient = ward.b.person, ward.patient.person
    with cut_line("/openings/emergency") as proxy:
        opened = b.done(
            *("emergency", "open", ward.patient.account, "--reason", "life-threatening"),
            HTTP_PROXY=proxy,
            NO_PROXY="",
        )
    kept = Path(opened["undisclosed"])
    assert kept.stat().st_mode & 0o077 == 0
    search = ("records", "list", "--search", "Condition", "--patient", ward.patient.account)
    assert b.refused(*search, "--purpose", "ETREAT")
    told = b.done("emergency", "disclose", str(kept))
    assert told == {"emergency": opened["emergency"], "patient": ward.patient.account}
    assert not kept.exists()
    assert b.done(*search, "--purpose", "ETREAT")["records"]
    patient.done("emergency", "close", ward.b.account)
    patient.done("emergency", "allow", ward.b.account)


BAD = {
    "no reason": (("open", "ADDRESS"), 2, "missing option '--reason'"),
    "unknown reason": (
        ("open", "ADDRESS", "--reason", "curious"),
        2,
        "invalid value for '--reason'",
    ),
    "no address": (("open", "me", "--reason", "unconscious"), 2, "not an address"),
    "no time": (
        ("open", "ADDRESS", "--reason", "unconscious", "--minutes", "0"),
        2,
        "invalid value for '--minutes'",
    ),
    "too long": (
        ("open", "ADDRESS", "--reason", "unconscious", "--minutes", "1000000"),
        1,
        "emergency access never lasts that long here: open it for less",
    ),
    "no file": (("match", "none.json"), 2, "the patient none.json cannot be read"),
    "nothing kept": (("disclose", "none.json"), 2, "the reason none.json cannot be read"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_gets_one_line(ward: Ward, name: str) -> None:
    arguments, code, says = BAD[name]
    given = [ward.patient.account if each == "ADDRESS" else each for each in arguments]
    assert says in ward.b.person.refused("emergency", *given, code=code)


@pytest.mark.parametrize("content", ['{"resourceType": "Observation"}', "no JSON"])
def test_description_that_is_no_patient_gets_one_line(
    ward: Ward, tmp_path: Path, content: str
) -> None:
    file = tmp_path / "patient.json"
    file.write_text(content, encoding="utf-8")
    told = ward.b.person.refused("emergency", "match", str(file), code=2)
    assert told.startswith(f"the patient {file}")


def test_nobody_is_found_when_nobody_fits(ward: Ward, tmp_path: Path) -> None:
    file = tmp_path / "patient.json"
    unknown = {"resourceType": "Patient", "identifier": [{"system": "urn:x", "value": PATIENT_ID}]}
    file.write_text(json.dumps(unknown), encoding="utf-8")
    shown = ward.b.person.run("emergency", "match", str(file))
    assert (shown.code, shown.output) == (0, "Nobody here fits.\n")


def test_hospital_without_the_role_is_refused(ward: Ward) -> None:
    told = ward.a.person.refused(
        "emergency", "open", ward.patient.account, "--reason", "unconscious"
    )
    assert told.startswith("this organisation may open no emergency access, or not yet")
