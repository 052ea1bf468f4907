"""The table of search parameters has R4's names, and each path of it leads somewhere."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from medaccord.core.resource_types import RESOURCE_TYPES
from medaccord.fhir.bundle import read_bundle
from medaccord.fhir.dates import DATE_ELEMENTS, UNDATED_TYPES
from medaccord.fhir.resource import Resource
from medaccord.fhir.resources import CODE_ELEMENTS
from medaccord.fhir.search import SearchQuery
from medaccord.fhir.search_parameters import SEARCHED_TYPES, Kind, parameters_of
from medaccord.fhir.search_values import SearchValues, references_of, values_of
from tests.synthea import BUNDLES, needs_bundles
from tests.unit.fhir.searched import coded, searched, searched_as

DEMO = files("medaccord.demo") / "data" / "patient.json"
TABLE = files("medaccord.fhir") / "data" / "search_parameters.csv"


def rows() -> list[dict[str, str]]:
    return list(csv.DictReader(TABLE.read_text(encoding="utf-8").splitlines()))


def searched_for(kind: str) -> set[str]:
    """The parameters of a type that look into its records."""
    found = parameters_of(kind).items()
    return {name for name, each in found if each.kind is not Kind.REFERENCE and name[0] != "_"}


def found_in(resources: Iterable[Resource]) -> dict[str, Counter[str]]:
    """How many records of each type have a value, by parameter, and under "" how many there are."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for resource in resources:
        found[resource.type].update(["", *values_of(resource).written])
    return found


# --- The table itself ---


def test_table_has_every_type_that_is_dated_or_coded_and_patients() -> None:
    compartment = {"Patient", *DATE_ELEMENTS, *CODE_ELEMENTS, *UNDATED_TYPES}
    assert set(SEARCHED_TYPES) == compartment & RESOURCE_TYPES


def test_table_has_no_row_twice_and_is_in_order() -> None:
    names = [(row["type"], row["parameter"]) for row in rows()]
    assert names == sorted(set(names))


def test_definitions_are_search_parameters_of_the_same_name() -> None:
    """R4 names a parameter of one type ``Type-name``, and one of several ``group-name``."""
    start = "http://hl7.org/fhir/SearchParameter/"
    groups = ("clinical", "individual", "medications")
    assert [
        row
        for row in rows()
        if row["definition"]
        not in {f"{start}{group}-{row['parameter']}" for group in (row["type"], *groups)}
    ] == []


@pytest.mark.parametrize(
    ("kind", "r4", "other"),
    [
        ("Immunization", "vaccine-code", "code"),
        ("Encounter", "type", "code"),
        ("DocumentReference", "type", "code"),
        ("Specimen", "type", "code"),
        ("MedicationRequest", "authoredon", "authored-on"),
        ("Condition", "clinical-status", "status"),
        ("Goal", "lifecycle-status", "status"),
        ("Goal", "start-date", "date"),
    ],
)
def test_parameters_have_the_names_of_r4_and_no_others(kind: str, r4: str, other: str) -> None:
    assert r4 in parameters_of(kind)
    assert other not in parameters_of(kind)


def test_type_that_is_not_in_the_table_has_what_every_type_has() -> None:
    assert set(parameters_of("Organization")) == {"_id", "_lastUpdated"}


# --- The demo's bundle ---

STATUS_AND_DATES = {
    "AllergyIntolerance": ("clinical-status", "active", ("date",)),
    "Condition": ("clinical-status", "active", ("onset-date", "recorded-date")),
    "DiagnosticReport": ("status", "final", ("date", "issued")),
    "Encounter": ("status", "finished", ("date",)),
    "Immunization": ("status", "completed", ("date",)),
    "MedicationRequest": ("status", "active", ("authoredon",)),
    "Observation": ("status", "final", ("date",)),
    "Patient": ("gender", "female", ("birthdate",)),
}


def test_every_type_of_the_demo_is_found_by_its_status_and_date() -> None:
    resources = read_bundle(DEMO.read_bytes()).resources
    assert {each.type for each in resources} == STATUS_AND_DATES.keys()
    for kind, (status, code, dates) in STATUS_AND_DATES.items():
        records = [searched_as(each) for each in resources if each.type == kind]
        for pair in [(status, code), *((date, "le2027-01-01") for date in dates)]:
            query = SearchQuery.parse(kind, [pair])
            assert [each for each in records if query.matches(each)], (kind, pair)


DEMO_LACKS = {
    "AllergyIntolerance": {"last-date", "onset"},
    "Encounter": {"location-period"},
    "Immunization": {"reaction-date"},
    "MedicationRequest": {"date"},
    "Observation": {"value-date"},
    "Patient": {"death-date"},
}


def test_paths_lead_somewhere_in_the_demo() -> None:
    found = found_in(read_bundle(DEMO.read_bytes()).resources)
    lacks = {kind: searched_for(kind) - held.keys() for kind, held in found.items()}
    assert {kind: names for kind, names in lacks.items() if names} == DEMO_LACKS


SYNTHEA_LACKS = {
    "CarePlan": {"activity-date"},
    "Condition": {"category"},
    "Encounter": {"location-period"},
    "Goal": {"category", "start-date", "target-date"},
    "Immunization": {"reaction-date"},
    "MedicationRequest": {"category", "date"},
    "Observation": {"value-date"},
    "Procedure": {"category"},
}
"""What no record in the bundles says: the elements are not there."""

SYNTHEA_SOME = {("Condition", "abatement-date"), ("Patient", "death-date")}
"""What some of them say: who has recovered, who has died."""


@needs_bundles
def test_paths_lead_somewhere_in_all_of_synthea() -> None:
    found = found_in(each for file in BUNDLES for each in _resources(file))
    lacks = {kind: searched_for(kind) - held.keys() for kind, held in found.items()}
    assert {kind: names for kind, names in lacks.items() if names} == SYNTHEA_LACKS
    some = {(kind, name) for kind, held in found.items() for name in held if held[name] < held[""]}
    assert some == SYNTHEA_SOME


def _resources(file: Path) -> tuple[Resource, ...]:
    return read_bundle(file.read_bytes()).resources


# --- How values are told ---


def values(kind: str, **members: Any) -> SearchValues:
    return searched(kind, **members).values


def test_tokens_are_told_of_codes_codings_concepts_and_identifiers() -> None:
    assert values("Observation", status="final").written == {"status": [[None, "final"]]}
    in_class = {"system": "urn:act", "code": "AMB"}
    assert values("Encounter", **{"class": in_class}).written == {"class": [["urn:act", "AMB"]]}
    concept = coded(("urn:a", "1"), (None, "2"))
    categories = [concept, coded(("urn:b", "3"))]
    told = values("Observation", code=concept, category=categories).written
    assert told["code"] == [["urn:a", "1"], [None, "2"]]
    assert told["category"] == [["urn:a", "1"], [None, "2"], ["urn:b", "3"]]
    number = {"system": "urn:hospital", "value": "4711"}
    assert values("Patient", identifier=[number]).written == {
        "identifier": [["urn:hospital", "4711"]]
    }


def test_tokens_are_told_from_every_element_of_a_parameter() -> None:
    reaction = [{"substance": coded((None, "nut"))}, {"substance": coded((None, "milk"))}]
    told = values("AllergyIntolerance", code=coded((None, "food")), reaction=reaction)
    assert {each.code for each in told.tokens("code")} == {"food", "nut", "milk"}


@pytest.mark.parametrize(
    "members",
    [
        {"status": 1},
        {"status": None},
        {"code": {"text": "free text alone"}},
        {"code": {"coding": "x"}},
        {"code": {"coding": [{"system": 1, "code": "x"}, {"code": 2}, None, "x"]}},
        {"effectiveDateTime": "soon"},
        {"effectiveDateTime": 2025},
        {"effectivePeriod": {}},
        {"effectivePeriod": {"start": "soon", "end": "2025"}},
        {"effectivePeriod": {"start": 1}},
        {"effectivePeriod": {"start": "2025", "end": "2024"}},
        {"effectiveTiming": {"event": "2025"}},
        {"effectiveTiming": {"event": ["2025", "soon"]}},
        {"effectiveTiming": {"repeat": {"boundsPeriod": "2025"}}},
        {"effectiveTiming": {"repeat": {"frequency": 1}}},
    ],
)
def test_nothing_is_told_of_what_cannot_be_read(members: dict[str, Any]) -> None:
    assert values("Observation", **members).written == {}


def test_dates_are_kept_as_they_were_written() -> None:
    told = values("Encounter", period={"start": "2025-11-03T09:30:00.50+01:00"})
    assert told.written == {"date": [["2025-11-03T09:30:00.50+01:00", None]]}
    found = values("Observation", effectiveDateTime="2025-11").written
    assert found == {"date": ["2025-11"]}


def test_references_are_those_to_the_directory_alone() -> None:
    resource = Resource(
        type="Encounter",
        id="e",
        value={
            "resourceType": "Encounter",
            "subject": {"reference": "Patient/p"},
            "participant": [{"individual": {"reference": "Practitioner/d/_history/2"}}],
            "serviceProvider": {"reference": "Organization/o"},
            "location": [{"location": {"reference": "Location/l"}}, {"location": {"display": "x"}}],
            "partOf": {"reference": "https://elsewhere.org/Organization/x"},
            "extension": [{"valueReference": {"reference": "#Practitioner/contained"}}],
        },
    )
    assert references_of(resource) == {"Practitioner/d", "Organization/o", "Location/l"}
