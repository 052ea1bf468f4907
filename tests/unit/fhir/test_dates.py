"""Every type of the patient's compartment tells the days it is about, or is known to tell none."""

from collections import Counter
from datetime import date
from typing import Any

import pytest

from medaccord.core.canonical import Object
from medaccord.core.periods import DatePeriod
from medaccord.core.resource_types import RESOURCE_TYPES
from medaccord.fhir import Resource, Source
from medaccord.fhir.dates import DATE_ELEMENTS, UNDATED_TYPES, date_of
from tests.synthea import BUNDLES, needs_bundles

COMPARTMENT = """
    Account AdverseEvent AllergyIntolerance Appointment AppointmentResponse AuditEvent Basic
    BodyStructure CarePlan CareTeam ChargeItem Claim ClaimResponse ClinicalImpression Communication
    CommunicationRequest Composition Condition Consent Coverage CoverageEligibilityRequest
    CoverageEligibilityResponse DetectedIssue DeviceRequest DeviceUseStatement DiagnosticReport
    DocumentManifest DocumentReference Encounter EnrollmentRequest EpisodeOfCare
    ExplanationOfBenefit FamilyMemberHistory Flag Goal Group ImagingStudy Immunization
    ImmunizationEvaluation ImmunizationRecommendation Invoice List MeasureReport Media
    MedicationAdministration MedicationDispense MedicationRequest MedicationStatement
    MolecularSequence NutritionOrder Observation Patient Person Procedure Provenance
    QuestionnaireResponse RelatedPerson RequestGroup ResearchSubject RiskAssessment Schedule
    ServiceRequest Specimen SupplyDelivery SupplyRequest VisionPrescription
    """.split()  # noqa: SIM905 - a list of sixty names reads better as text
"""Source: FHIR R4, CompartmentDefinition/patient."""

DAY = "2024-02-29"
MOMENT = f"{DAY}T23:30:00+11:00"
PERIOD = {"start": DAY, "end": "2024-03"}
ONE_DAY = (DAY, DAY)
SOME_DAYS = (DAY, "2024-03-31")


def dated(kind: str, **members: Any) -> tuple[str | None, str | None] | None:
    """The days of a resource with these members; None where it is undated."""
    value = {"resourceType": kind, "id": "1", **members}
    days = date_of(Resource(type=kind, id="1", value=value))
    return None if days is None else (written(days.start), written(days.end))


def bounded(**limits: str) -> dict[str, Any]:
    return {"boundsPeriod": limits}


def written(day: date | None) -> str | None:
    return day.isoformat() if day else None


EXAMPLES: list[tuple[str, dict[str, Any], tuple[str | None, str | None]]] = [
    ("Account", {"servicePeriod": PERIOD}, SOME_DAYS),
    ("AdverseEvent", {"date": MOMENT, "recordedDate": "2025"}, ONE_DAY),
    ("AdverseEvent", {"detected": MOMENT}, ONE_DAY),
    ("AllergyIntolerance", {"onsetPeriod": PERIOD, "recordedDate": "2025"}, SOME_DAYS),
    ("AllergyIntolerance", {"onsetAge": {"value": "4"}, "recordedDate": DAY}, ONE_DAY),
    ("Appointment", {"start": MOMENT, "end": "2024-03-01T01:00:00Z"}, (DAY, "2024-03-01")),
    ("Appointment", {"created": DAY}, ONE_DAY),
    ("AppointmentResponse", {"start": MOMENT}, (DAY, None)),
    ("AuditEvent", {"recorded": f"{DAY}T10:00:00.123Z"}, ONE_DAY),
    ("Basic", {"created": DAY}, ONE_DAY),
    ("CarePlan", {"period": {"start": DAY}, "created": "2020"}, (DAY, None)),
    ("CareTeam", {"period": {"end": DAY}}, (None, DAY)),
    ("ChargeItem", {"occurrenceTiming": {"event": [DAY]}}, ONE_DAY),
    ("Claim", {"billablePeriod": PERIOD, "created": "2025"}, SOME_DAYS),
    ("ClaimResponse", {"created": DAY}, ONE_DAY),
    ("ClinicalImpression", {"effectiveDateTime": MOMENT, "date": "2025"}, ONE_DAY),
    ("Communication", {"sent": MOMENT, "received": "2025"}, ONE_DAY),
    ("CommunicationRequest", {"occurrencePeriod": PERIOD}, SOME_DAYS),
    ("Composition", {"date": MOMENT}, ONE_DAY),
    ("Condition", {"onsetDateTime": "2024", "recordedDate": DAY}, ("2024-01-01", "2024-12-31")),
    ("Condition", {"onsetString": "as a child", "recordedDate": DAY}, ONE_DAY),
    ("Consent", {"dateTime": DAY}, ONE_DAY),
    ("Coverage", {"period": {"start": "2024-02"}}, ("2024-02-01", None)),
    ("CoverageEligibilityRequest", {"servicedDate": DAY, "created": "2025"}, ONE_DAY),
    ("CoverageEligibilityResponse", {"servicedPeriod": PERIOD}, SOME_DAYS),
    ("DetectedIssue", {"identifiedPeriod": PERIOD}, SOME_DAYS),
    ("DeviceRequest", {"occurrenceTiming": {"repeat": {"boundsPeriod": PERIOD}}}, SOME_DAYS),
    ("DeviceUseStatement", {"timingTiming": {"event": [DAY]}, "recordedOn": "2025"}, ONE_DAY),
    ("DiagnosticReport", {"effectivePeriod": PERIOD, "issued": MOMENT}, SOME_DAYS),
    ("DiagnosticReport", {"issued": f"{DAY}T01:02:03.456+02:00"}, ONE_DAY),
    ("DocumentManifest", {"created": DAY}, ONE_DAY),
    ("DocumentReference", {"date": "2025", "context": {"period": PERIOD}}, SOME_DAYS),
    ("DocumentReference", {"date": MOMENT, "context": {}}, ONE_DAY),
    ("Encounter", {"period": PERIOD}, SOME_DAYS),
    ("EnrollmentRequest", {"created": DAY}, ONE_DAY),
    ("EpisodeOfCare", {"period": PERIOD}, SOME_DAYS),
    ("ExplanationOfBenefit", {"created": DAY}, ONE_DAY),
    ("FamilyMemberHistory", {"date": "2024-02"}, ("2024-02-01", DAY)),
    ("Flag", {"period": PERIOD}, SOME_DAYS),
    ("Goal", {"startDate": DAY, "statusDate": "2025"}, ONE_DAY),
    ("Goal", {"startCodeableConcept": {}, "statusDate": DAY}, ONE_DAY),
    ("GuidanceResponse", {"occurrenceDateTime": DAY}, ONE_DAY),
    ("ImagingStudy", {"started": MOMENT}, ONE_DAY),
    ("Immunization", {"occurrenceString": "in spring", "recorded": DAY}, ONE_DAY),
    ("ImmunizationEvaluation", {"date": DAY}, ONE_DAY),
    ("ImmunizationRecommendation", {"date": DAY}, ONE_DAY),
    ("Invoice", {"date": DAY}, ONE_DAY),
    ("List", {"date": DAY}, ONE_DAY),
    ("MeasureReport", {"period": PERIOD, "date": "2025"}, SOME_DAYS),
    ("Media", {"createdPeriod": PERIOD, "issued": MOMENT}, SOME_DAYS),
    ("MedicationAdministration", {"effectivePeriod": PERIOD}, SOME_DAYS),
    ("MedicationDispense", {"whenPrepared": DAY}, ONE_DAY),
    ("MedicationRequest", {"authoredOn": MOMENT}, ONE_DAY),
    ("MedicationStatement", {"effectivePeriod": {"start": "2024"}}, ("2024-01-01", None)),
    ("NutritionOrder", {"dateTime": MOMENT}, ONE_DAY),
    ("Observation", {"effectiveInstant": MOMENT, "issued": "2025"}, ONE_DAY),
    ("Observation", {"effectiveTiming": {"event": ["2024-03-31", DAY]}}, SOME_DAYS),
    ("Procedure", {"performedPeriod": PERIOD}, SOME_DAYS),
    ("Provenance", {"occurredDateTime": DAY, "recorded": "2025"}, ONE_DAY),
    ("QuestionnaireResponse", {"authored": MOMENT}, ONE_DAY),
    ("RelatedPerson", {"period": PERIOD}, SOME_DAYS),
    ("RequestGroup", {"authoredOn": DAY}, ONE_DAY),
    ("ResearchSubject", {"period": PERIOD}, SOME_DAYS),
    ("RiskAssessment", {"occurrencePeriod": PERIOD}, SOME_DAYS),
    ("Schedule", {"planningHorizon": PERIOD}, SOME_DAYS),
    ("ServiceRequest", {"occurrenceTiming": {"event": [DAY]}, "authoredOn": "2020"}, ONE_DAY),
    (
        "Specimen",
        {"collection": {"collectedPeriod": PERIOD}, "receivedTime": DAY},
        SOME_DAYS,
    ),
    ("Specimen", {"collection": {"method": {}}, "receivedTime": DAY}, ONE_DAY),
    ("SupplyDelivery", {"occurrenceDateTime": DAY}, ONE_DAY),
    ("SupplyRequest", {"occurrenceTiming": {"event": [DAY]}}, ONE_DAY),
    ("Task", {"executionPeriod": PERIOD, "authoredOn": "2020"}, SOME_DAYS),
    ("VisionPrescription", {"dateWritten": DAY, "created": "2025"}, ONE_DAY),
]


@pytest.mark.parametrize(("kind", "members", "days"), EXAMPLES)
def test_record_is_dated_by_the_first_element_that_tells_a_day(
    kind: str, members: dict[str, Any], days: tuple[str | None, str | None]
) -> None:
    assert dated(kind, **members) == days


def test_examples_are_of_every_type_in_the_table() -> None:
    assert {kind for kind, _, _ in EXAMPLES} == DATE_ELEMENTS.keys()


def test_table_covers_the_patients_compartment() -> None:
    assert set(COMPARTMENT) <= DATE_ELEMENTS.keys() | UNDATED_TYPES <= RESOURCE_TYPES
    assert not DATE_ELEMENTS.keys() & UNDATED_TYPES


@pytest.mark.parametrize(
    "timing",
    [
        {"repeat": {"frequency": "1", "period": "1", "periodUnit": "d"}},
        {"repeat": {"boundsDuration": {"value": "5"}}},
        {"event": []},
        {"code": {"text": "BID"}},
        {},
    ],
    ids=str,
)
def test_timing_is_passed_over_when_it_tells_how_often_alone(timing: dict[str, Any]) -> None:
    assert dated("ServiceRequest", occurrenceTiming=timing, authoredOn=DAY) == ONE_DAY
    assert dated("Observation", effectiveTiming=timing) is None


@pytest.mark.parametrize(
    ("timing", "days"),
    [
        ({"event": ["2024-05-01", "2024-02", "2024-04"]}, ("2024-02-01", "2024-05-01")),
        (
            {"event": ["2024"], "repeat": {"boundsPeriod": {"start": "2023-05-01"}}},
            ("2023-05-01", None),
        ),
        (
            {"event": ["2024"], "repeat": {"boundsPeriod": {"end": "2023-05-01"}}},
            (None, "2024-12-31"),
        ),
    ],
    ids=str,
)
def test_timing_spans_all_days_that_it_names(
    timing: dict[str, Any], days: tuple[str | None, str | None]
) -> None:
    assert dated("SupplyRequest", occurrenceTiming=timing) == days


@pytest.mark.parametrize(
    "timing",
    [
        {"event": [DAY, "soon"]},
        {"event": "2024"},
        {"event": [DAY], "repeat": {"boundsPeriod": {}}},
        {"repeat": {"boundsPeriod": {"start": DAY, "end": "2024-01-01"}}},
        {"repeat": {"boundsPeriod": "2024"}},
        "2024",
    ],
    ids=str,
)
def test_record_is_undated_when_its_timing_cannot_be_read(timing: Any) -> None:
    assert dated("ServiceRequest", occurrenceTiming=timing, authoredOn=DAY) is None


@pytest.mark.parametrize(
    "text",
    [
        *("", "soon", "24-02-29", "2024-2-29", "20240229", "2024-13", "2024-00", "2024-01-00"),
        *("2023-02-29", "2024-02-30", "0000", f"{DAY}T", f"{DAY}T25:00:00Z", f"{DAY}T10:60:00Z"),
        *(f"{DAY} 10:00", f"{DAY}T10:00:00+1", f"{DAY}Tnoon", f" {DAY}", f"{DAY}\n", "\u0662024"),
    ],
)
def test_record_is_undated_when_its_date_cannot_be_read(text: str) -> None:
    assert dated("Observation", effectiveDateTime=text, issued=MOMENT) is None
    assert dated("Encounter", period={"start": text or " "}) is None


@pytest.mark.parametrize(
    "moment",
    [
        *(f"{DAY}T00:00:00+14:00", f"{DAY}T23:59:60Z", f"{DAY}T23:59:59.999999999-12:00"),
        *(f"{DAY}T10:00", f"{DAY}T10:00:00"),
    ],
)
def test_day_is_the_one_that_was_written_whatever_the_timezone(moment: str) -> None:
    assert dated("Procedure", performedDateTime=moment) == ONE_DAY
    assert dated("Encounter", period={"start": moment, "end": moment}) == ONE_DAY


@pytest.mark.parametrize("kind", sorted(UNDATED_TYPES))
def test_record_is_undated_when_its_type_tells_no_day(kind: str) -> None:
    assert dated(kind, date=DAY, period=PERIOD, birthDate=DAY, created=DAY) is None


@needs_bundles
def test_all_of_synthea_is_dated_but_patients_and_goals() -> None:
    found: Counter[tuple[str, bool]] = Counter()
    for file in BUNDLES:
        source = Source.open(file.read_bytes())
        for one in source.patients:
            found.update((r.type, date_of(r) is not None) for r in source.resources(one))
    undated = {kind: count for (kind, is_dated), count in found.items() if not is_dated}
    assert undated == {"Goal": found["Goal", False], "Patient": len(BUNDLES)}
    assert {kind for kind, is_dated in found if is_dated} == {
        *("CarePlan", "Claim", "Condition", "DiagnosticReport", "Encounter"),
        *("ExplanationOfBenefit", "ImagingStudy", "Immunization", "MedicationRequest"),
        *("Observation", "Procedure"),
    }


def test_periods_are_read_as_days_with_open_ends() -> None:
    value: Object = {"resourceType": "Flag", "id": "1", "period": {"end": "2024"}}
    assert date_of(Resource(type="Flag", id="1", value=value)) == DatePeriod(end=date(2024, 12, 31))
