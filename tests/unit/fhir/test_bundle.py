"""A Bundle of one patient is read without loss; anything else gets one clear line."""

import json
from typing import Any

import pytest

from medaccord.core.canonical import Number, encode, parse
from medaccord.core.errors import InvalidBundle
from medaccord.core.resource_types import RESOURCE_TYPES, is_record
from medaccord.fhir import DIRECTORY_TYPES, read_bundle
from tests.synthea import BUNDLES, needs_bundles
from tests.unit.fhir.samples import (
    OBSERVATION_URN,
    OWN_BUNDLE,
    PATIENT_URN,
    bundle,
    data,
    observation,
    patient,
)

GOOD = data()


def refusal(file: bytes) -> str:
    """The line a file gets."""
    with pytest.raises(InvalidBundle) as refused:
        read_bundle(file)
    assert "\n" not in refused.value.problem
    return refused.value.problem


def test_read_bundle_gives_the_patient_and_the_records() -> None:
    read = read_bundle(GOOD)

    assert read.patient_id == PATIENT_URN.removeprefix("urn:uuid:")
    assert [resource.type for resource in read.resources] == ["Patient", "Observation"]
    assert read.directory == ()


def test_read_bundle_gives_a_resource_the_id_of_its_urn_when_it_has_none() -> None:
    identity = OBSERVATION_URN.removeprefix("urn:uuid:")

    resource = read_bundle(GOOD).resources[1]

    assert resource.record == f"Observation/{identity}"
    assert resource.value["id"] == identity


def test_read_bundle_keeps_the_id_that_a_resource_has() -> None:
    read = read_bundle(data(patient(id="p.1"), observation(id="o-1")))

    assert [resource.record for resource in read.resources] == ["Patient/p.1", "Observation/o-1"]


def test_read_bundle_keeps_numbers_as_written() -> None:
    text = GOOD.replace(b'"final"', b'"final", "valueQuantity": {"value": 1.00}')

    resource = read_bundle(text).resources[1]

    assert resource.value["valueQuantity"] == {"value": Number("1.00")}
    assert b'"value":1.00}' in resource.canonical()


def test_read_bundle_changes_nothing_of_a_resource_that_has_an_id_but_a_reference() -> None:
    entry = observation(id="o-1", extension=[{"url": "https://x.example", "valueDecimal": 2}])

    resource = read_bundle(data(patient(id="p1"), entry)).resources[1]

    entry["resource"]["subject"] = {"reference": "Patient/p1"}
    assert resource.value == parse(json.dumps(entry["resource"]))
    assert resource.canonical() == encode(resource.value)


@pytest.mark.parametrize("kind", sorted(DIRECTORY_TYPES))
def test_read_bundle_sets_the_directory_apart(kind: str) -> None:
    read = read_bundle(data(patient(), {"resource": {"resourceType": kind, "id": "d1"}}))

    assert [resource.record for resource in read.directory] == [f"{kind}/d1"]
    assert [resource.type for resource in read.resources] == ["Patient"]


@pytest.mark.parametrize(
    "kind", ["batch", "collection", "document", "message", "searchset", "transaction"]
)
def test_read_bundle_takes_every_type_that_holds_records(kind: str) -> None:
    assert read_bundle(data(type=kind)).patient_id


@pytest.mark.parametrize(
    ("file", "line"),
    [
        (b"", "the file is empty"),
        (b" \n\t ", "the file is empty"),
        (b"hello", "the file cannot be read: not JSON"),
        (b"<Bundle xmlns='http://hl7.org/fhir'/>", "the file cannot be read: not JSON"),
        (GOOD[: len(GOOD) // 2], "the file cannot be read: the text is cut off"),
        (GOOD[:-1], "the file cannot be read: the text is cut off"),
        (GOOD + GOOD, "the file cannot be read: not JSON: Extra data"),
        (
            GOOD.replace(b'"status"', b'"code": 1, "status"'),
            "the file cannot be read: the member 'code' stands twice",
        ),
        (b"\xef\xbb\xbf" + GOOD, "the file cannot be read: the text begins with a byte order mark"),
        (GOOD.decode().encode("utf-16"), "the file cannot be read: the text is not UTF-8"),
        (GOOD.replace(b'"final"', b"NaN"), "the file cannot be read: NaN is no JSON number"),
        (GOOD.replace(b"final", b"\\ud800"), "the file cannot be read: half a surrogate pair"),
        (b"[" * 201, "the file cannot be read: nested more than 200 deep"),
        (b"[]", "the file is JSON, but no FHIR Bundle: it is not an object"),
        (b'"Bundle"', "the file is JSON, but no FHIR Bundle: it is not an object"),
        (
            b"{}",
            "the file is JSON, but no FHIR Bundle: it is an object without resourceType",
        ),
        (
            json.dumps(patient(id="p1")["resource"]).encode(),
            "the file is no FHIR Bundle, but one resource or several, as NDJSON",
        ),
        (
            json.dumps({"resourceType": "Patience"}).encode(),
            "the file is JSON, but no FHIR Bundle: it is a Patience",
        ),
    ],
)
def test_read_bundle_refuses_a_file_that_is_no_bundle(file: bytes, line: str) -> None:
    assert refusal(file).startswith(line)


@pytest.mark.parametrize("kind", ["history", "transaction-response", "nonsense", None])
def test_read_bundle_refuses_a_type_that_holds_no_records(kind: str | None) -> None:
    assert refusal(data(type=kind)).startswith(f"Bundle.type is {kind!r}")


@pytest.mark.parametrize("entries", [[], None, {}, "none"])
def test_read_bundle_refuses_a_bundle_without_entries(entries: object) -> None:
    assert refusal(data(entry=entries)) == "the Bundle has no entries"


@pytest.mark.parametrize("entry", [{}, {"resource": None}, {"resource": []}, "entry", None])
def test_read_bundle_refuses_an_entry_without_a_resource(entry: object) -> None:
    assert refusal(data(patient(), entry)) == "entry 2 of the Bundle has no resource"


@pytest.mark.parametrize("kind", [None, "Nonsense", "patient", 7])
def test_read_bundle_refuses_an_unknown_type_of_resource(kind: object) -> None:
    line = refusal(data(patient(), observation(resourceType=kind)))

    assert line.startswith("entry 2 has no resourceType of FHIR R4")


def test_read_bundle_refuses_a_bundle_within() -> None:
    assert refusal(data(patient(), {"resource": bundle()})).startswith("entry 2 is a Bundle itself")


@pytest.mark.parametrize(
    "full_url",
    [
        None,
        "",
        "https://hospital.example/Observation/1",
        "urn:uuid:",
        "urn:uuid:not-a-uuid",
        "urn:oid:1.2.3",
    ],
)
def test_read_bundle_refuses_an_entry_with_neither_id_nor_urn(full_url: str | None) -> None:
    entry = observation()
    entry["fullUrl"] = full_url

    assert refusal(data(patient(), entry)) == (
        "entry 2 (Observation) has neither an id nor a urn:uuid fullUrl"
    )


def test_read_bundle_refuses_a_full_url_that_is_no_text() -> None:
    assert refusal(data({**patient(), "fullUrl": 5})) == (
        "entry 1 (Patient) has a fullUrl that is no text"
    )


@pytest.mark.parametrize("identity", ["", "a b", "a/b", "x" * 65, 7, None, "é"])
def test_read_bundle_refuses_an_id_that_fhir_does_not_allow(identity: object) -> None:
    assert refusal(data(patient(), observation(id=identity))) == (
        "entry 2 (Observation) has an id that FHIR does not allow"
    )


def test_read_bundle_refuses_two_patients() -> None:
    second = {"resource": {"resourceType": "Patient", "id": "other"}}

    assert refusal(data(patient(), second)) == ("the Bundle holds 2 patients; split it, one a file")


def test_read_bundle_refuses_a_bundle_without_a_patient() -> None:
    entry = observation(subject={"reference": "Patient/p1"})

    assert refusal(data(entry)) == "the Bundle holds no Patient"


def test_read_bundle_refuses_one_record_twice() -> None:
    twice = observation(id="o1"), {"resource": observation(id="o1")["resource"]}

    assert refusal(data(patient(), *twice)) == "Observation/o1 stands in the Bundle twice"


def test_read_bundle_refuses_one_full_url_twice() -> None:
    twice = observation(id="o1"), observation(id="o2")

    assert refusal(data(patient(), *twice)) == (
        f"the fullUrl {OBSERVATION_URN} stands in the Bundle twice"
    )


def about(reference: Any, *, member: str = "subject", subject: dict[str, Any]) -> bytes:
    entry = observation(id="o1", subject=None)
    del entry["resource"]["subject"]
    entry["resource"][member] = reference
    return data(subject, entry)


@pytest.mark.parametrize(
    "reference",
    [
        {"reference": PATIENT_URN},
        {"reference": PATIENT_URN.upper().replace("URN:UUID", "urn:uuid")},
        {"reference": "Patient/p1"},
        {"reference": "Patient/p1/_history/3"},
        {"reference": "Patient?identifier=https://hospital.example/patients|7"},
        {"identifier": {"system": "https://hospital.example/patients", "value": "7"}},
        [{"reference": PATIENT_URN}],
    ],
    ids=str,
)
@pytest.mark.parametrize("member", ["subject", "patient", "beneficiary", "individual", "for"])
def test_read_bundle_takes_a_record_that_is_about_the_patient(
    member: str, reference: object
) -> None:
    assert read_bundle(about(reference, member=member, subject=patient(id="p1"))).resources


@pytest.mark.parametrize(
    "reference",
    [
        {"reference": "https://hospital.example/fhir/Patient/p1"},
        {"reference": "https://hospital.example/fhir/Patient/p1/_history/1"},
        {"reference": "Patient/p1"},
    ],
    ids=str,
)
def test_read_bundle_takes_a_record_about_the_patient_by_address(reference: object) -> None:
    subject = {
        **patient(id="p1"),
        "fullUrl": "https://hospital.example/fhir/Patient/p1",
    }

    assert read_bundle(about(reference, subject=subject)).resources


@pytest.mark.parametrize(
    "reference",
    [
        {"reference": OBSERVATION_URN},
        {"reference": "urn:uuid:ffffffff-6a6e-4d0e-8f1c-0f6d3c0f7a01"},
        {"reference": "Patient/p2"},
        {"reference": "Patient/p1x"},
        {"reference": "https://elsewhere.example/Patient/p1"},
        {"reference": "Group/p1"},
        {"reference": "#p1"},
        {"reference": "Patient?identifier=https://hospital.example/patients|8"},
        {"reference": "Patient?identifier=7"},
        {"reference": "Patient?name=Brandvold"},
        {"identifier": {"system": "https://hospital.example/patients", "value": "8"}},
        {"identifier": {"system": "https://hospital.example/patients"}},
        {"display": "the same patient, really"},
        [{"reference": PATIENT_URN}, {"reference": "Patient/p2"}],
    ],
    ids=str,
)
@pytest.mark.parametrize("member", ["subject", "patient"])
def test_read_bundle_refuses_a_record_about_somebody_else(member: str, reference: object) -> None:
    assert refusal(about(reference, member=member, subject=patient(id="p1"))) == (
        f"entry 2 (Observation/o1) is not about the Bundle's patient: its {member} is another"
    )


def test_read_bundle_reads_the_projects_own() -> None:
    read = read_bundle(OWN_BUNDLE.read_bytes())

    assert {resource.type for resource in (*read.resources, *read.directory)} == {
        "AllergyIntolerance",
        "Condition",
        "DiagnosticReport",
        "Encounter",
        "Immunization",
        "MedicationRequest",
        "Observation",
        "Organization",
        "Patient",
        "Practitioner",
    }
    assert any(
        b'"value":1.00}' in r.canonical() or b'"value":1.00,' in r.canonical()
        for r in read.resources
    )


@needs_bundles
def test_read_bundle_reads_all_of_synthea() -> None:
    read = [read_bundle(file.read_bytes()) for file in BUNDLES]

    assert len(read) == 16
    assert len({one.patient_id for one in read}) == 16
    records = [resource for one in read for resource in one.resources]
    assert sum(resource.type == "Observation" for resource in records) == 1866
    assert sum(len(one.directory) for one in read) == 52


@needs_bundles
@pytest.mark.parametrize("share", [0.01, 0.5, 0.999])
def test_read_bundle_refuses_a_file_of_synthea_that_is_cut_off(share: float) -> None:
    whole = BUNDLES[-1].read_bytes().rstrip()

    assert "cut off" in refusal(whole[: int(len(whole) * share)])


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("Observation/1", True),
        ("Observation/", False),
        ("Observation/a/b", False),
        ("Nonsense/1", False),
        ("Observation", False),
        ("Observation/1\n", False),
    ],
)
def test_is_record_knows_the_form_of_a_name(name: str, is_one: bool) -> None:
    assert is_record(name) is is_one


def test_resource_types_hold_the_directory() -> None:
    assert DIRECTORY_TYPES < RESOURCE_TYPES
