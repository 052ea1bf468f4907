"""`medaccord request`: what a hospital asks a patient for, whichever way it goes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from medaccord.client import Patient
from medaccord.core.consent_status import ConsentStatus
from medaccord.core.identifiers import hex_digest
from medaccord.core.request_carriers import SignedRequest
from tests.e2e.ward import LABORATORY, Ward

MEDICATION = "patient/MedicationRequest.rs"
UNKNOWN = "0x" + 64 * "7"


@pytest.fixture
def patient(ward: Ward) -> Iterator[Patient]:
    """The patient's own software."""
    with Patient(ward.patient.signer, ward.contracts, ward.url) as made:
        yield made


def new(ward: Ward, *options: str) -> tuple[str, ...]:
    return ("request", "new", ward.patient.account, "--scope", LABORATORY, *options)


def test_request_goes_to_the_inbox_and_can_be_taken_back(ward: Ward, patient: Patient) -> None:
    asked = ward.b.person.done(
        *new(ward, "--scope", MEDICATION, "--purpose", "HRESCH", "--days", "30"),
        *("--first-day", "2020-01-01", "--undated", "--leave-out", "PSY"),
    )
    assert (asked["inInbox"], asked["status"]) == (True, "proposed")
    (found,) = [
        each for each in patient.inbox.list() if hex_digest(each.digest) == asked["request"]
    ]
    terms = found.request.terms
    assert asked["terms"] == terms.document()
    assert [str(each) for each in terms.scopes] == [MEDICATION, LABORATORY]
    assert (list(terms.purposes), terms.excluded_labels) == (["HRESCH"], ("PSY",))
    assert terms.period is not None
    assert terms.include_undated

    listed = ward.b.person.done("request", "list", "--status", "proposed")["requests"]
    assert asked["request"] in [each["request"] for each in listed]
    told = ward.b.person.done("request", "cancel", asked["request"])
    assert told == {"request": asked["request"], "status": "inactive"}
    again = ward.b.person.done("request", "list", "--status", "inactive")["requests"]
    assert asked["request"] in [each["request"] for each in again]
    refused = ward.b.person.refused("request", "cancel", asked["request"], code=2)
    assert refused == f"{asked['request']} cannot be taken back any more: it is inactive"


def test_request_is_the_same_as_a_file_a_link_and_a_code(
    ward: Ward, patient: Patient, tmp_path: Path
) -> None:
    file = tmp_path / "request.json"
    before = len(patient.inbox.list())
    made = ward.b.person.done(
        *new(ward, "--days", "1", "--file", str(file), "--link", "--qr"),
    )
    assert made["inInbox"] is False
    assert len(patient.inbox.list()) == before
    carried = [SignedRequest.read(each) for each in (file.read_bytes(), made["link"], made["qr"])]
    assert carried[0] == carried[1] == carried[2]
    received = patient.inbox.receive(file.read_bytes())
    assert (hex_digest(received.digest), received.status) == (
        made["request"],
        ConsentStatus.PROPOSED,
    )


def test_code_is_drawn_for_a_camera(ward: Ward) -> None:
    shown = ward.b.person.run(*new(ward, "--days", "1", "--qr"))
    assert (shown.code, shown.errors) == (0, "")
    assert shown.output.count("█") > 100  # half of a code's modules are dark


BAD = {
    "no address": (("new", "0x12", "--scope", LABORATORY, "--days", "1"), "not an address"),
    "no end": (("new", "ADDRESS", "--scope", LABORATORY), "until when? Give --until or --days"),
    "two ends": (
        ("new", "ADDRESS", "--scope", LABORATORY, "--days", "1", "--until", "2030-01-01"),
        "until when? Give --until or --days",
    ),
    "no scope": (("new", "ADDRESS", "--days", "1"), "what is asked for? Give --scope"),
    "bad scope": (("new", "ADDRESS", "--scope", "everything", "--days", "1"), "everything"),
    "bad label": (
        ("new", "ADDRESS", "--scope", LABORATORY, "--days", "1", "--leave-out", "SECRET"),
        "unknown sensitivity label: 'SECRET'",
    ),
    "bad time": (
        ("new", "ADDRESS", "--scope", LABORATORY, "--until", "tomorrow"),
        "'tomorrow' is no time: write it as 2026-01-31",
    ),
    "bad day": (
        ("new", "ADDRESS", "--scope", LABORATORY, "--days", "1", "--last-day", "1.1.2020"),
        "'1.1.2020' is no day",
    ),
    "in the past": (
        ("new", "ADDRESS", "--scope", LABORATORY, "--until", "2020-01-01"),
        "the request ends at 2020-01-01",
    ),
    "bad purpose": (
        ("new", "ADDRESS", "--scope", LABORATORY, "--days", "1", "--purpose", "FUN"),
        "invalid value for '--purpose'",
    ),
    "bad status": (("list", "--status", "open"), "invalid value for '--status'"),
    "unknown request": (("cancel", UNKNOWN), f"no request {UNKNOWN} was left here"),
    "no digest": (("cancel", "1"), "not 32 bytes in hexadecimal"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_gets_one_line(ward: Ward, name: str) -> None:
    arguments, says = BAD[name]
    given = [ward.patient.account if each == "ADDRESS" else each for each in arguments]
    assert says in ward.b.person.refused("request", *given, code=2)


def test_request_of_somebody_who_is_no_organisation_is_refused(ward: Ward) -> None:
    told = ward.stranger.person.refused(*new(ward, "--days", "1"))
    assert told.startswith("not-an-organisation: ")


def test_folder_that_is_not_there_gets_one_line(ward: Ward, tmp_path: Path) -> None:
    missing = tmp_path / "none" / "request.json"
    told = ward.b.person.refused(*new(ward, "--days", "1", "--file", str(missing)), code=2)
    assert told == f"{missing} cannot be written: No such file or directory"
