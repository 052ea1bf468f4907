"""A descriptor says what a resource is about, and claims nothing it does not say."""

from datetime import date
from typing import Any

import pytest

from medaccord.core.canonical import parse_object
from medaccord.core.descriptor import Descriptor
from medaccord.core.periods import DatePeriod
from medaccord.core.resource_types import RESOURCE_TYPES
from medaccord.core.scopes import Scope
from medaccord.fhir import UNLABELLED, Resource, describe, read_bundle
from medaccord.fhir.dates import DATE_ELEMENTS
from medaccord.fhir.resources import CODE_ELEMENTS
from tests.synthea import BUNDLES, needs_bundles
from tests.unit.fhir.samples import OWN_BUNDLE

CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"


def described(kind: str, **members: Any) -> Descriptor:
    value = {"resourceType": kind, "id": "1", **members}
    return describe(Resource(type=kind, id="1", value=value))


def days(start: str | None, end: str | None) -> DatePeriod:
    return DatePeriod(
        start=date.fromisoformat(start) if start else None,
        end=date.fromisoformat(end) if end else None,
    )


def test_describe_gives_codes_and_categories_with_and_without_system() -> None:
    record = described(
        "Observation",
        code={"coding": [{"system": "http://loinc.org", "code": "2160-0"}, {"code": "crea"}]},
        category=[{"coding": [{"system": CATEGORY, "code": "laboratory"}]}],
    )

    assert record.record == "Observation/1"
    assert record.codes == {"http://loinc.org|2160-0", "2160-0", "crea"}
    assert record.categories == {f"{CATEGORY}|laboratory", "laboratory"}


def test_describe_takes_categories_that_are_plain_codes() -> None:
    assert described("AllergyIntolerance", category=["food"]).categories == {"food"}


def test_describe_takes_one_category_that_is_no_list() -> None:
    record = described("Procedure", category={"coding": [{"code": "24642003"}]})

    assert record.categories == {"24642003"}


def test_describe_does_not_look_into_components() -> None:
    record = described(
        "Observation",
        code={"coding": [{"code": "85354-9"}]},
        component=[{"code": {"coding": [{"code": "8480-6"}]}}],
    )

    assert record.codes == {"85354-9"}


@pytest.mark.parametrize("code", ["http://loinc.org|2160-0", "|", "a|b"])
def test_describe_gives_no_token_for_a_code_that_could_be_taken_for_another(code: str) -> None:
    record = described(
        "Observation", code={"coding": [{"code": code}]}, category=[{"coding": [{"code": code}]}]
    )

    assert (record.codes, record.categories) == (frozenset(), frozenset())


@pytest.mark.parametrize("code", [None, 7, [], {"coding": "x"}, {"coding": [7]}, {"text": "crea"}])
def test_describe_gives_no_code_when_there_is_none(code: object) -> None:
    assert described("Claim", code=code).codes == frozenset()


@pytest.mark.parametrize(
    ("written", "start", "end"),
    [
        ("2020", "2020-01-01", "2020-12-31"),
        ("2020-02", "2020-02-01", "2020-02-29"),
        ("2021-02", "2021-02-01", "2021-02-28"),
        ("2020-12", "2020-12-01", "2020-12-31"),
        ("9999", "9999-01-01", "9999-12-31"),
        ("2020-02-03", "2020-02-03", "2020-02-03"),
        ("2020-02-03T23:59:59-11:00", "2020-02-03", "2020-02-03"),
        ("2020-02-03T00:00:00.000Z", "2020-02-03", "2020-02-03"),
    ],
)
def test_describe_reads_the_days_as_written(written: str, start: str, end: str) -> None:
    assert described("Observation", effectiveDateTime=written).date == days(start, end)


@pytest.mark.parametrize(
    "written", ["", "yesterday", "2020-13", "2020-02-30", "0000", "20200203", 7, None, "2020-2-3"]
)
def test_describe_gives_no_date_when_it_cannot_be_read(written: object) -> None:
    assert described("MedicationRequest", authoredOn=written).date is None


@pytest.mark.parametrize(
    ("period", "expected"),
    [
        ({"start": "2020-01-02", "end": "2020-03"}, days("2020-01-02", "2020-03-31")),
        ({"start": "2020-01-02"}, days("2020-01-02", None)),
        ({"end": "2020-01-02"}, days(None, "2020-01-02")),
        ({}, None),
        ({"start": "2020-01-02", "end": "soon"}, None),
        ({"start": "2020-01-02", "end": "2020-01-01"}, None),
    ],
)
def test_describe_reads_a_period(period: dict[str, str], expected: DatePeriod | None) -> None:
    assert described("Encounter", period=period).date == expected


def test_describe_takes_the_first_date_of_the_table() -> None:
    record = described("Condition", recordedDate="2021-05-05", onsetDateTime="2019-01-01")

    assert record.date == days("2019-01-01", "2019-01-01")


def test_describe_takes_no_later_date_when_the_first_cannot_be_read() -> None:
    assert described("Condition", recordedDate="2021-05-05", onsetDateTime="?").date is None


def test_describe_gives_no_date_to_a_type_that_is_not_in_the_table() -> None:
    assert described("Patient", birthDate="1968-04-17").date is None


def test_describe_counts_an_unlabelled_record_as_restricted() -> None:
    assert described("Observation").labels == UNLABELLED
    assert "R" in UNLABELLED


def test_describe_takes_what_the_steward_says_of_unlabelled_records() -> None:
    resource = Resource(type="Observation", id="1", value={"resourceType": "Observation"})

    assert describe(resource, unlabelled=frozenset({"N"})).labels == {"N"}


def test_describe_takes_the_labels_that_are_there() -> None:
    system = "http://terminology.hl7.org/CodeSystem/v3-ActCode"

    record = described("Observation", meta={"security": [{"system": system, "code": "PSY"}]})

    assert record.labels == {"PSY", f"{system}|PSY"} | UNLABELLED


@pytest.mark.parametrize("code", ["N", "R", "V", "L", "M", "U"])
def test_describe_adds_nothing_when_a_confidentiality_is_named(code: str) -> None:
    record = described("Observation", meta={"security": [{"code": "PSY"}, {"code": code}]})

    assert record.labels == {"PSY", code}


@pytest.mark.parametrize(
    "system",
    [
        "http://terminology.hl7.org/CodeSystem/v3-Confidentiality",
        "http://hl7.org/fhir/v3/Confidentiality",
        "urn:oid:2.16.840.1.113883.5.25",
    ],
)
def test_describe_takes_the_confidentiality_of_hl7_under_each_of_its_names(system: str) -> None:
    record = described("Observation", meta={"security": [{"system": system, "code": "N"}]})

    assert record.labels == {"N", f"{system}|N"}


@pytest.mark.parametrize("code", ["N", "L", "U"])
@pytest.mark.parametrize(
    "system", ["https://hospital.example/flags", "http://terminology.hl7.org/CodeSystem/v3-ActCode"]
)
def test_describe_restricts_a_record_when_another_system_has_a_code_spelled_alike(
    system: str, code: str
) -> None:
    record = described("Observation", meta={"security": [{"system": system, "code": code}]})

    assert record.labels == {code, f"{system}|{code}"} | UNLABELLED


@pytest.mark.parametrize("code", ["NOAUTH", "r", "X"])
def test_describe_restricts_a_record_when_its_label_names_no_confidentiality(code: str) -> None:
    assert described("Observation", meta={"security": [{"code": code}]}).labels == (
        {code} | UNLABELLED
    )


@pytest.mark.parametrize(
    "meta",
    [
        {},
        {"security": []},
        {"security": "PSY"},
        {"security": [{"code": ["N"]}, {"code": {}, "system": []}]},
        "PSY",
        None,
    ],
)
def test_describe_restricts_a_record_when_its_labels_cannot_be_read(meta: object) -> None:
    labels = described("Observation", meta=meta).labels

    assert labels - {"PSY"} == UNLABELLED


@pytest.mark.parametrize("kind", sorted(CODE_ELEMENTS.keys() | DATE_ELEMENTS.keys()))
def test_tables_name_types_of_fhir(kind: str) -> None:
    assert kind in RESOURCE_TYPES


def test_describe_finds_the_laboratory_in_the_projects_own_bundle() -> None:
    scope = Scope.parse("patient/Observation.rs?category=laboratory")
    records = [describe(r) for r in read_bundle(OWN_BUNDLE.read_bytes()).resources]

    assert sum(scope.matches(record, "s") for record in records) == 6
    assert [record.resource_type for record in records if record.date is None] == ["Patient"]


@needs_bundles
def test_describe_dates_all_of_synthea_but_patients_and_goals() -> None:
    records = [
        describe(resource)
        for file in BUNDLES
        for resource in read_bundle(file.read_bytes()).resources
    ]

    assert {r.resource_type for r in records if r.date is None} == {"Patient", "Goal"}
    assert sum("laboratory" in record.categories for record in records) == 1033
    assert {record.labels for record in records} == {UNLABELLED}


def test_resource_reads_back_from_its_canonical_record() -> None:
    resource = read_bundle(OWN_BUNDLE.read_bytes()).resources[0]

    assert parse_object(resource.canonical()) == resource.value
