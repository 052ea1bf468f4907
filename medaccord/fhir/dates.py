"""The days a record is about, by a table of the elements that tell them.

A consent reaches back to a day; which records that lets out depends on this table alone. The first
element of a type that tells a date counts. One that cannot be read leaves the record undated, as
does a type that is not in the table: nothing is guessed, and undated records are left out unless
the terms say otherwise.

A day is taken as it was written, whatever time and timezone stand behind it; a year or a month
stands for all of its days; a period without an end goes on.

Source: FHIR R4, CompartmentDefinition/patient for the types, their search parameters "date" for the
elements, or the ones that play their part; datatypes date, dateTime, instant, Period and Timing.
"""

import calendar
import re
from collections.abc import Iterable, Mapping
from datetime import date
from types import MappingProxyType
from typing import Final

from medaccord.core.canonical import Object, Value
from medaccord.core.periods import DatePeriod
from medaccord.fhir.resource import Resource

__all__ = ["DATE_ELEMENTS", "UNDATED_TYPES", "date_of"]

_SELF: Final = ""
"""Stands for the resource itself, which has a start and an end as a Period does."""


def _any(stem: str, *types: str) -> tuple[str, ...]:
    return tuple(stem + kind for kind in types)


_ONSET: Final = _any("onset", "DateTime", "Period")
_OCCURRENCE: Final = _any("occurrence", "DateTime", "Period", "Timing")
_EFFECTIVE: Final = _any("effective", "DateTime", "Period")
_SERVICED: Final = _any("serviced", "Date", "Period")

DATE_ELEMENTS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "Account": ("servicePeriod",),
        "AdverseEvent": ("date", "detected", "recordedDate"),
        "AllergyIntolerance": (*_ONSET, "recordedDate", "lastOccurrence"),
        "Appointment": (_SELF, "created"),
        "AppointmentResponse": (_SELF,),
        "AuditEvent": ("period", "recorded"),
        "Basic": ("created",),
        "CarePlan": ("period", "created"),
        "CareTeam": ("period",),
        "ChargeItem": (*_OCCURRENCE, "enteredDate"),
        "Claim": ("billablePeriod", "created"),
        "ClaimResponse": ("created",),
        "ClinicalImpression": (*_EFFECTIVE, "date"),
        "Communication": ("sent", "received"),
        "CommunicationRequest": (*_any("occurrence", "DateTime", "Period"), "authoredOn"),
        "Composition": ("date",),
        "Condition": (*_ONSET, "recordedDate"),
        "Consent": ("dateTime",),
        "Coverage": ("period",),
        "CoverageEligibilityRequest": (*_SERVICED, "created"),
        "CoverageEligibilityResponse": (*_SERVICED, "created"),
        "DetectedIssue": _any("identified", "DateTime", "Period"),
        "DeviceRequest": (*_OCCURRENCE, "authoredOn"),
        "DeviceUseStatement": (*_any("timing", "DateTime", "Period", "Timing"), "recordedOn"),
        "DiagnosticReport": (*_EFFECTIVE, "issued"),
        "DocumentManifest": ("created",),
        "DocumentReference": ("context.period", "date"),
        "Encounter": ("period",),
        "EnrollmentRequest": ("created",),
        "EpisodeOfCare": ("period",),
        "ExplanationOfBenefit": ("billablePeriod", "created"),
        "FamilyMemberHistory": ("date",),
        "Flag": ("period",),
        "Goal": ("startDate", "statusDate"),
        "GuidanceResponse": ("occurrenceDateTime",),
        "ImagingStudy": ("started",),
        "Immunization": ("occurrenceDateTime", "recorded"),
        "ImmunizationEvaluation": ("date",),
        "ImmunizationRecommendation": ("date",),
        "Invoice": ("date",),
        "List": ("date",),
        "MeasureReport": ("period", "date"),
        "Media": (*_any("created", "DateTime", "Period"), "issued"),
        "MedicationAdministration": _EFFECTIVE,
        "MedicationDispense": ("whenHandedOver", "whenPrepared"),
        "MedicationRequest": ("authoredOn",),
        "MedicationStatement": (*_EFFECTIVE, "dateAsserted"),
        "NutritionOrder": ("dateTime",),
        "Observation": (*_EFFECTIVE, *_any("effective", "Timing", "Instant"), "issued"),
        "Procedure": _any("performed", "DateTime", "Period"),
        "Provenance": (*_any("occurred", "Period", "DateTime"), "recorded"),
        "QuestionnaireResponse": ("authored",),
        "RelatedPerson": ("period",),
        "RequestGroup": ("authoredOn",),
        "ResearchSubject": ("period",),
        "RiskAssessment": _any("occurrence", "DateTime", "Period"),
        "Schedule": ("planningHorizon",),
        "ServiceRequest": (*_OCCURRENCE, "authoredOn"),
        "Specimen": (*_any("collection.collected", "DateTime", "Period"), "receivedTime"),
        "SupplyDelivery": _OCCURRENCE,
        "SupplyRequest": (*_OCCURRENCE, "authoredOn"),
        "Task": ("executionPeriod", "authoredOn", "lastModified"),
        "VisionPrescription": ("dateWritten", "created"),
    }
)
"""The elements with a record's date, by type, in the order they count; a dot leads within one."""

UNDATED_TYPES: Final = frozenset(
    {"BodyStructure", "Group", "MolecularSequence", "Patient", "Person"}
)
"""Types of the patient's compartment that have no element with a date of what they are about."""

_DATE = re.compile(
    r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2})"
    r"(?:T(?:[01][0-9]|2[0-3]):[0-5][0-9](?::(?:[0-5][0-9]|60)(?:\.[0-9]+)?)?"
    r"(?:Z|[+-][0-9]{2}:[0-9]{2})?)?)?)?"
)


def date_of(resource: Resource) -> DatePeriod | None:
    """The days a record is about; None where it tells none that can be read."""
    for element in DATE_ELEMENTS.get(resource.type, ()):
        value = _within(resource.value, element)
        if value is None or (element.endswith("Timing") and not _tells_days(value)):
            continue
        if element == _SELF and not {"start", "end"} & resource.value.keys():
            continue
        return _timing(value) if element.endswith("Timing") else _days(value)
    return None


def _within(resource: Object, path: str) -> Value:
    value: Value = resource
    for name in path.split(".") if path else ():
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _days(value: Value) -> DatePeriod | None:
    return _period(value) if isinstance(value, dict) else _written(value)


def _period(value: Object) -> DatePeriod | None:
    """The days of a Period; None where it names none, or one that cannot be read."""
    limits = {name: value.get(name) for name in ("start", "end")}
    days = {name: _written(limit) for name, limit in limits.items()}
    if all(limit is None for limit in limits.values()) or any(
        limit is not None and days[name] is None for name, limit in limits.items()
    ):
        return None
    start, end = days["start"], days["end"]
    first = start.start if start else None
    last = end.end if end else None
    if first is not None and last is not None and last < first:
        return None
    return DatePeriod(start=first, end=last)


def _bounds(timing: Object) -> Value:
    repeat = timing.get("repeat")
    return repeat.get("boundsPeriod") if isinstance(repeat, dict) else None


def _tells_days(timing: Value) -> bool:
    """Whether a Timing names any day, and not how often alone."""
    return not isinstance(timing, dict) or bool(timing.get("event") or _bounds(timing))


def _timing(value: Value) -> DatePeriod | None:
    """From the first to the last of a Timing's days; None where one of them cannot be read."""
    if not isinstance(value, dict):
        return None
    events = value.get("event", [])
    bounds = _bounds(value)
    found: list[DatePeriod | None] = [None]
    if isinstance(events, list):
        found = [_written(event) for event in events]
    if bounds is not None:
        found.append(_period(bounds) if isinstance(bounds, dict) else None)
    return _spanned([days for days in found if days is not None]) if all(found) else None


def _spanned(periods: Iterable[DatePeriod]) -> DatePeriod:
    starts = [period.start for period in periods]
    ends = [period.end for period in periods]
    return DatePeriod(
        start=None if None in starts else min(day for day in starts if day),
        end=None if None in ends else max(day for day in ends if day),
    )


def _written(value: Value) -> DatePeriod | None:
    """The days of a date, dateTime or instant; a year or month stands for all its days."""
    match = _DATE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    year, month, day = (None if part is None else int(part) for part in match.groups())
    try:
        # A month or a day of 00 is none: date() refuses it.
        first = date(year or 0, 1 if month is None else month, 1 if day is None else day)
        if day is not None:
            return DatePeriod(start=first, end=first)
        last_month = 12 if month is None else month
        last_day = calendar.monthrange(first.year, last_month)[1]
        return DatePeriod(start=first, end=date(first.year, last_month, last_day))
    except ValueError:
        return None
