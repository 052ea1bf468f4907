"""What a resource is about: the descriptor that scopes and terms look at.

One table says which elements hold codes, and one which hold dates, type by type. What stands in
neither is not guessed at: the record then has no code, or no date, and only terms that ask for none
cover it.

Source: FHIR R4, the search parameters code, category and date of each type, or the ones that play
their part (vaccine-code, type).
"""

import calendar
import re
from collections.abc import Iterator, Mapping
from datetime import date
from types import MappingProxyType
from typing import Final

from medaccord.core.canonical import Value
from medaccord.core.descriptor import Descriptor
from medaccord.core.labels import (
    CONFIDENTIALITY_CODES,
    CONFIDENTIALITY_SYSTEM,
    RESTRICTED,
)
from medaccord.core.periods import DatePeriod
from medaccord.fhir.resource import Resource

__all__ = ["CODE_ELEMENTS", "DATE_ELEMENTS", "UNLABELLED", "describe"]

CODE_ELEMENTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "AllergyIntolerance": "code",
        "Condition": "code",
        "Device": "type",
        "DiagnosticReport": "code",
        "DocumentReference": "type",
        "Encounter": "type",
        "Immunization": "vaccineCode",
        "Media": "type",
        "Medication": "code",
        "MedicationAdministration": "medicationCodeableConcept",
        "MedicationDispense": "medicationCodeableConcept",
        "MedicationRequest": "medicationCodeableConcept",
        "MedicationStatement": "medicationCodeableConcept",
        "Observation": "code",
        "Procedure": "code",
        "RiskAssessment": "code",
        "ServiceRequest": "code",
        "Specimen": "type",
    }
)
"""The element with a record's codes, by type. Components are not looked into: a record is released
whole, so that a scope on one component would release the others."""

DATE_ELEMENTS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "AdverseEvent": ("date", "detected", "recordedDate"),
        "AllergyIntolerance": ("onsetDateTime", "onsetPeriod", "recordedDate", "lastOccurrence"),
        "CarePlan": ("period", "created"),
        "CareTeam": ("period",),
        "Claim": ("billablePeriod", "created"),
        "ClaimResponse": ("created",),
        "ClinicalImpression": ("effectiveDateTime", "effectivePeriod", "date"),
        "Communication": ("sent", "received"),
        "Composition": ("date",),
        "Condition": ("onsetDateTime", "onsetPeriod", "recordedDate"),
        "Consent": ("dateTime",),
        "Coverage": ("period",),
        "DetectedIssue": ("identifiedDateTime", "identifiedPeriod"),
        "DeviceRequest": ("occurrenceDateTime", "occurrencePeriod", "authoredOn"),
        "DeviceUseStatement": ("timingDateTime", "timingPeriod", "recordedOn"),
        "DiagnosticReport": ("effectiveDateTime", "effectivePeriod", "issued"),
        "DocumentReference": ("date",),
        "Encounter": ("period",),
        "EpisodeOfCare": ("period",),
        "ExplanationOfBenefit": ("billablePeriod", "created"),
        "FamilyMemberHistory": ("date",),
        "Flag": ("period",),
        "Goal": ("startDate", "statusDate"),
        "ImagingStudy": ("started",),
        "Immunization": ("occurrenceDateTime", "recorded"),
        "List": ("date",),
        "Media": ("createdDateTime", "createdPeriod", "issued"),
        "MedicationAdministration": ("effectiveDateTime", "effectivePeriod"),
        "MedicationDispense": ("whenHandedOver", "whenPrepared"),
        "MedicationRequest": ("authoredOn",),
        "MedicationStatement": ("effectiveDateTime", "effectivePeriod", "dateAsserted"),
        "NutritionOrder": ("dateTime",),
        "Observation": ("effectiveDateTime", "effectivePeriod", "effectiveInstant", "issued"),
        "Procedure": ("performedDateTime", "performedPeriod"),
        "QuestionnaireResponse": ("authored",),
        "RiskAssessment": ("occurrenceDateTime", "occurrencePeriod"),
        "ServiceRequest": ("occurrenceDateTime", "occurrencePeriod", "authoredOn"),
        "Specimen": ("receivedTime",),
        "SupplyDelivery": ("occurrenceDateTime", "occurrencePeriod"),
        "VisionPrescription": ("dateWritten", "created"),
    }
)
"""The elements with a record's date, by type; the first that is there counts."""

UNLABELLED: Final = frozenset({RESTRICTED, f"{CONFIDENTIALITY_SYSTEM}|{RESTRICTED}"})
"""What an unlabelled record counts as, unless its steward says otherwise."""

_DATE = re.compile(r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2})(?:T.+)?)?)?")


def describe(resource: Resource, *, unlabelled: frozenset[str] = UNLABELLED) -> Descriptor:
    """Describe a resource.

    Args:
        resource: the resource.
        unlabelled: label tokens that it gets beside its own if its `meta.security` names no
            confidentiality: a record marked as sensitive only, or in a way that nobody knows, must
            not count as less confidential than one without any mark.
    """
    value = resource.value
    element = CODE_ELEMENTS.get(resource.type)
    meta = value.get("meta")
    labels = frozenset(_tokens(meta.get("security"))) if isinstance(meta, dict) else frozenset()
    return Descriptor(
        resource_type=resource.type,
        record=resource.record,
        codes=frozenset(_tokens(value.get(element))) if element else frozenset(),
        categories=frozenset(_tokens(value.get("category"))),
        date=_date(resource),
        labels=labels if labels & CONFIDENTIALITY_CODES else labels | unlabelled,
    )


def _tokens(value: Value) -> Iterator[str]:
    """Tokens of a code, Coding or CodeableConcept, or of a list of them.

    A code with a bar in it could be taken for a system and a code; it gives no token.
    """
    if isinstance(value, list):
        for item in value:
            yield from _tokens(item)
    elif isinstance(value, str):
        if "|" not in value:
            yield value
    elif isinstance(value, dict):
        yield from _tokens(value.get("coding"))
        system, code = value.get("system"), value.get("code")
        if isinstance(code, str) and "|" not in code:
            yield code
            if isinstance(system, str):
                yield f"{system}|{code}"


def _date(resource: Resource) -> DatePeriod | None:
    for element in DATE_ELEMENTS.get(resource.type, ()):
        value = resource.value.get(element)
        if value is not None:
            return _period(value) if isinstance(value, dict) else _days(value)
    return None


def _period(value: Mapping[str, Value]) -> DatePeriod | None:
    """The days of a Period; None where it names none, or one that cannot be read."""
    limits = {name: value.get(name) for name in ("start", "end")}
    days = {name: _days(limit) for name, limit in limits.items()}
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


def _days(value: Value) -> DatePeriod | None:
    """The days of a date, dateTime or instant; a year or month stands for all its days."""
    match = _DATE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    year, month, day = (int(part) if part else None for part in match.groups())
    try:
        first = date(year or 0, month or 1, day or 1)
        if day:
            return DatePeriod(start=first, end=first)
        last_month = month or 12
        last_day = calendar.monthrange(first.year, last_month)[1]
        return DatePeriod(start=first, end=date(first.year, last_month, last_day))
    except ValueError:
        return None
