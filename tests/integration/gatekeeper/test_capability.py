"""What the statement says works is asked for, and works."""

from __future__ import annotations

from typing import Any

import pytest

from medaccord.fhir import parse_searchset
from medaccord.keys import LocalSigner
from tests.integration.gatekeeper.desk import Desk, ids_of

VALUES = {"token": "x", "date": "ge2020"}
DEMO_TYPES = ["AllergyIntolerance", "Condition", "DiagnosticReport", "Encounter", "Immunization"]


@pytest.fixture
def stated(desk: Desk) -> dict[str, dict[str, Any]]:
    """What is stated of each type."""
    body = desk.http.get("/fhir/metadata").json()
    return {each["type"]: each for each in body["rest"][0]["resource"]}


def test_every_parameter_stated_is_taken_and_defined(
    desk: Desk, patient: LocalSigner, stated: dict[str, dict[str, Any]]
) -> None:
    headers = desk.sign_in(patient)
    for kind in ["Patient", *DEMO_TYPES]:
        asked = {
            each["name"]: VALUES.get(each["type"], desk.account(patient))
            for each in stated[kind]["searchParam"]
        } | {"identifier": desk.account(patient)}
        if kind != "Patient":
            del asked["identifier"]
        answer = desk.http.get(f"/fhir/{kind}", params=asked, headers=headers)
        assert ids_of(answer) == []
        assert {
            each["definition"].startswith("http://hl7.org/fhir/SearchParameter/")
            for each in stated[kind]["searchParam"]
        } == {True}


def test_every_operation_stated_is_there(
    desk: Desk, patient: LocalSigner, stated: dict[str, dict[str, Any]]
) -> None:
    headers = desk.sign_in(patient)
    (identity,) = ids_of(desk.get("Patient", headers, patient))
    asked = {
        "everything": ("GET", f"/fhir/Patient/{identity}/$everything"),
        "match": ("POST", "/fhir/Patient/$match"),
        "proof": ("GET", f"/fhir/Patient/{identity}/$proof"),
    }
    named = [each["name"] for each in stated["Patient"]["operation"]]
    assert len(set(named)) == len(named) > 1
    for name in named:
        answer = desk.http.request(*asked[name], headers=headers, json=_person(name))
        # A patient may not look for patients, and is told so.
        assert answer.status_code == (200 if name != "match" else 403), (name, answer.text)


def _person(name: str) -> dict[str, Any] | None:
    """Whom $match is asked for."""
    patient = {"resourceType": "Patient", "birthDate": "1980-01-01", "name": [{"family": "X"}]}
    parameter = {"name": "resource", "resource": patient}
    return {"resourceType": "Parameters", "parameter": [parameter]} if name == "match" else None


def test_every_interaction_stated_works(
    desk: Desk, patient: LocalSigner, stated: dict[str, dict[str, Any]]
) -> None:
    headers = desk.sign_in(patient)
    for kind in DEMO_TYPES:
        codes = [each["code"] for each in stated[kind]["interaction"]]
        assert codes == ["read", "vread", "search-type"]
        form = {"patient": desk.account(patient), "_sort": "-_lastUpdated"}
        found = desk.http.post(f"/fhir/{kind}/_search", data=form, headers=headers)
        for path in (f"{kind}/{ids_of(found)[0]}", f"{kind}/{ids_of(found)[0]}/_history/1"):
            assert desk.get(path, headers, patient).status_code == 200


def test_directory_is_stated_to_be_read_where_it_is_referred_to(
    desk: Desk, patient: LocalSigner, stated: dict[str, dict[str, Any]]
) -> None:
    headers = desk.sign_in(patient)
    (encounter, *_) = parse_searchset(desk.get("Encounter", headers, patient).content).entries
    provider: Any = encounter.resource["serviceProvider"]
    kind = provider["reference"].partition("/")[0]
    assert stated[kind]["interaction"] == [{"code": "read"}]
    assert desk.get(provider["reference"], headers, patient).status_code == 200
