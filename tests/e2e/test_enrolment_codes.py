"""`medaccord relationship code`: a hospital makes a code beside the gatekeeper that serves."""

from __future__ import annotations

from datetime import datetime

import pytest

from medaccord.client import Patient
from medaccord.client.relationships import relationship_of
from medaccord.core.errors import MedaccordError
from medaccord.keys import LocalSigner
from tests.e2e.ward import Ward


def test_code_that_was_made_enrols_one_patient_once(ward: Ward) -> None:
    made = ward.a.person.done("relationship", "code", "somebody-new", "--days", "2")
    assert made.keys() == {"patientId", "code", "expires"}
    assert made["patientId"] == "somebody-new"
    hours = (datetime.fromisoformat(made["expires"]) - ward.now()).total_seconds() / 3600
    assert 47 < hours < 48.1
    newcomer, other = LocalSigner.create(), LocalSigner.create()
    with Patient(newcomer, ward.contracts, ward.url) as client:
        client.relationships.enrol(made["code"])
        client.relationships.decline()
    assert relationship_of(ward.contracts, newcomer.address, ward.a.account).round == 1
    with (
        Patient(other, ward.contracts, ward.url) as client,
        pytest.raises(MedaccordError, match="this code enrols nobody"),
    ):
        client.relationships.enrol(made["code"])


def test_code_is_printed_for_a_person(ward: Ward) -> None:
    shown = ward.a.person.run("relationship", "code", "somebody-new")
    assert (shown.code, shown.errors) == (0, "")
    code, told = shown.output.splitlines()
    assert [len(part) for part in code.split("-")] == [4, 4, 4, 4]
    assert told.startswith("Hand it to the patient alone: ")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("some body",), "'some body' is no id of a FHIR resource"),
        (("x", "--days", "0"), "greater than or equal to 1"),
        (("x", "--days", "9999999"), "9999999 days are too many"),
        (("x", "--account", "me"), "--account is 'me'"),
        ((), "missing argument 'ID'"),
    ],
)
def test_bad_input_gets_one_line(ward: Ward, arguments: tuple[str, ...], says: str) -> None:
    assert says in ward.a.person.refused("relationship", "code", *arguments, code=2)


def test_organisation_that_keeps_no_records_here_is_refused(ward: Ward) -> None:
    told = ward.stranger.person.refused("relationship", "code", "somebody-new", code=2)
    assert told.startswith(f"{ward.stranger.account} is no organisation of this network")
