"""Checks of practitioners and the like, which belong to the steward: as reading them is."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from medaccord.core.identifiers import hex_digest
from medaccord.core.refusals import Refusal
from medaccord.fhir import read_bundle
from medaccord.gatekeeper import Gatekeeper
from medaccord.keys import LocalSigner
from tests.integration.gatekeeper.checks import asking, check, refusal, verdict
from tests.integration.gatekeeper.conftest import BUNDLE
from tests.integration.gatekeeper.desk import Desk, assert_refused


def practitioner() -> str:
    """The one that records of the patient refer to: Encounters, and no Patient."""
    (name,) = (each.record for each in read_bundle(BUNDLE).directory if each.type == "Practitioner")
    return name


def read_and_check(
    desk: Desk, asker: LocalSigner, patient: LocalSigner, record: str, **changes: Any
) -> tuple[httpx.Response, httpx.Response]:
    """The answers to reading a record, and to checking it for treatment."""
    body = asking(patient, resourceType=None, record=record, **changes)
    return desk.get(record, desk.sign_in(asker), patient), check(desk, asker, body)


@pytest.mark.parametrize("interaction", ["r", "s"])
@pytest.mark.parametrize("scope", ["patient/Encounter.r", "patient/Encounter.s", "patient/*.rs"])
def test_check_of_a_practitioner_is_allowed_as_reading_is_when_a_covered_record_refers_to_it(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner, scope: str, interaction: str
) -> None:
    consent = desk.grant(patient, clinician, scope)
    read, checked = read_and_check(
        desk, clinician, patient, practitioner(), interaction=interaction
    )
    assert (read.status_code, read.json()["resourceType"]) == (200, "Practitioner")
    told = verdict(checked)
    assert (told["allowed"], told["basis"]) == (True, "consent")
    assert told["restsOn"] == [hex_digest(consent)]


def test_check_of_a_practitioner_says_what_reading_does_when_no_covered_record_refers_to_it(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner
) -> None:
    desk.grant(patient, clinician, "patient/Patient.rs")
    read, checked = read_and_check(desk, clinician, patient, practitioner())
    assert_refused(read, 403, Refusal.SCOPE_NOT_COVERED)
    text = f"Nothing that you may read is named {practitioner()}."
    assert refusal(checked) == (False, "scope-not-covered", text)


def test_check_of_a_practitioner_says_what_reading_does_when_no_record_refers_to_it(
    desk: Desk, gatekeeper: Gatekeeper, patient: LocalSigner, clinician: LocalSigner
) -> None:
    bundle = json.loads(BUNDLE)
    bundle["entry"].append({"resource": {"resourceType": "Practitioner", "id": "nobodys"}})
    report = gatekeeper.import_bundle(json.dumps(bundle).encode(), patient.address)
    assert report.directory == len(read_bundle(BUNDLE).directory) + 1
    desk.grant(patient, clinician, "patient/*.rs")
    read, checked = read_and_check(desk, clinician, patient, "Practitioner/nobodys")
    assert_refused(read, 403, Refusal.SCOPE_NOT_COVERED)
    text = "Nothing that you may read is named Practitioner/nobodys."
    assert refusal(checked) == (False, "scope-not-covered", text)


def test_check_of_a_practitioner_says_what_reading_does_when_none_of_the_name_is_here(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner
) -> None:
    desk.grant(patient, clinician, "patient/*.rs")
    read, checked = read_and_check(desk, clinician, patient, "Practitioner/not-there")
    assert_refused(read, 403, Refusal.SCOPE_NOT_COVERED)
    text = "Nothing that you may read is named Practitioner/not-there."
    assert refusal(checked) == (False, "scope-not-covered", text)
