"""A client that knows FHIR and nothing of us: fhirpy signs in, searches, pages and reads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from fhirpy import SyncFHIRClient
from fhirpy.base.exceptions import ForbiddenError, OperationOutcome

from medaccord.core.canonical import parse_object
from tests.e2e.served import BUNDLE, PATIENT_ID, Hospital, Service, hospital
from tests.integration.anvil import NEEDS_ANVIL
from tests.integration.gatekeeper.backend_system import BackendSystem
from tests.integration.gatekeeper.desk import Desk

pytestmark = NEEDS_ANVIL

SCOPES = ("patient/Patient.rs", "patient/Observation.rs?category=laboratory")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    home = tmp_path_factory.mktemp("hospital")
    with hospital(home, f"sqlite:///{home / 'records.db'}") as made:
        yield made


@pytest.fixture(scope="module")
def service(place: Hospital) -> Service:
    return place.serve()


@pytest.fixture(scope="module")
def desk(place: Hospital, service: Service) -> Desk:
    found = place.desk(service)
    found.grant(place.patient, place.setting.clinician, *SCOPES)
    return found


@pytest.fixture(scope="module")
def clinic(place: Hospital, desk: Desk) -> SyncFHIRClient:
    """A system of the clinic, which found out how to sign in and did, as SMART says."""
    system = BackendSystem(
        desk=desk,
        contracts=place.contracts,
        sender=place.setting.sender,
        organisation=place.setting.clinician,
        key=ec.generate_private_key(ec.SECP384R1()),
    )
    system.publish(system.profile())
    token = system.ask().json()["access_token"]
    return client(desk.url, f"Bearer {token}")


def client(url: str, authorization: str) -> SyncFHIRClient:
    return SyncFHIRClient(f"{url}/fhir", authorization=authorization)


@pytest.fixture(scope="module")
def laboratory() -> list[str]:
    """Ids of the laboratory Observations of the patient, sorted."""
    entries: Any = parse_object(BUNDLE.read_bytes())["entry"]
    return sorted(
        resource["id"]
        for resource in (entry["resource"] for entry in entries)
        if resource["resourceType"] == "Observation"
        and "laboratory"
        in {code["code"] for kind in resource.get("category", ()) for code in kind["coding"]}
    )


def test_patient_is_found_by_account_and_its_records_page_by_page(
    clinic: SyncFHIRClient, desk: Desk, place: Hospital, laboratory: list[str]
) -> None:
    found = clinic.resources("Patient").search(identifier=desk.account(place.patient)).fetch_all()
    assert [each["id"] for each in found] == [PATIENT_ID]
    search = clinic.resources("Observation").search(
        patient=found[0].to_reference().reference, category="laboratory"
    )
    assert len(laboratory) > 2
    pages = search.limit(2)
    assert len(pages.fetch()) == 2
    assert sorted(each["id"] for each in pages.fetch_all()) == laboratory


def test_count_is_told_when_a_parameter_of_another_server_may_be_left_out(
    clinic: SyncFHIRClient, laboratory: list[str]
) -> None:
    """fhirpy counts with a parameter of its makers' own server."""
    search = {"patient": f"Patient/{PATIENT_ID}", "category": "laboratory"}
    with pytest.raises(OperationOutcome) as refused:
        clinic.resources("Observation").search(**search).count()
    assert "_totalMethod" in refused.value.resource["issue"][0]["diagnostics"]
    lenient = SyncFHIRClient(
        clinic.url, clinic.authorization, extra_headers={"Prefer": "handling=lenient"}
    )
    assert lenient.resources("Observation").search(**search).count() == len(laboratory)


def test_reference_to_the_patient_is_followed_with_no_header_of_ours(
    clinic: SyncFHIRClient, laboratory: list[str]
) -> None:
    observation = clinic.reference("Observation", laboratory[0]).to_resource()
    assert observation["id"] == laboratory[0]
    patient = observation["subject"].to_resource()
    assert (patient["resourceType"], patient["id"]) == ("Patient", PATIENT_ID)


def test_dates_and_order_are_those_of_the_standard(
    clinic: SyncFHIRClient, laboratory: list[str]
) -> None:
    search = clinic.resources("Observation").search(
        patient=f"Patient/{PATIENT_ID}", category="laboratory"
    )
    ordered = search.sort("-date").fetch_all()
    dates = [each["effectiveDateTime"] for each in ordered]
    assert dates == sorted(dates, reverse=True)
    day = dates[0][:10]
    at, before = (search.search(date=f"{prefix}{day}").fetch_all() for prefix in ("ge", "lt"))
    assert sorted(each["id"] for each in at + before) == laboratory
    assert {each["effectiveDateTime"][:10] for each in at} == {day}


def test_refusal_is_an_outcome_that_the_client_understands(
    clinic: SyncFHIRClient,
) -> None:
    search = clinic.resources("Condition").search(patient=f"Patient/{PATIENT_ID}")
    with pytest.raises(ForbiddenError, match="scope-not-covered"):
        search.fetch()
    with pytest.raises(ForbiddenError, match="unknown-patient"):
        clinic.reference("Observation", "no-such-record").to_resource()


def test_patient_reads_its_own_records_when_signed_in_by_its_key(
    desk: Desk, place: Hospital, laboratory: list[str]
) -> None:
    own = client(desk.url, desk.sign_in(place.patient)["Authorization"])
    found = own.resources("Observation").search(
        patient=f"Patient/{PATIENT_ID}", category="laboratory"
    )
    assert sorted(each["id"] for each in found.fetch_all()) == laboratory


def test_capability_statement_says_what_the_client_asked_for(desk: Desk) -> None:
    told = httpx.get(f"{desk.url}/fhir/metadata").json()
    (observation,) = [each for each in told["rest"][0]["resource"] if each["type"] == "Observation"]
    assert {"patient", "category", "date"} <= {each["name"] for each in observation["searchParam"]}
