"""What a resource is about: the descriptor that scopes and terms look at.

One table says which elements hold codes, type by type; `fhir.dates` says which hold dates. What
stands in neither is not guessed at: the record then has no code, or no date, and only terms that
ask for none cover it.

Source: FHIR R4, the search parameters code and category of each type, or the ones that play their
part (vaccine-code, type).
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from medaccord.core.canonical import Value
from medaccord.core.descriptor import Descriptor
from medaccord.core.labels import (
    CONFIDENTIALITY_CODES,
    CONFIDENTIALITY_SYSTEM,
    RESTRICTED,
    SENSITIVITY_SYSTEM,
)
from medaccord.fhir.dates import date_of
from medaccord.fhir.label_table import LabelTable
from medaccord.fhir.resource import Resource

__all__ = ["CODE_ELEMENTS", "NORMAL", "UNLABELLED", "describe"]

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

UNLABELLED: Final = frozenset({RESTRICTED, f"{CONFIDENTIALITY_SYSTEM}|{RESTRICTED}"})
"""What an unlabelled record counts as, unless its steward says otherwise."""

NORMAL: Final = frozenset({"N", f"{CONFIDENTIALITY_SYSTEM}|N"})
"""What it counts as where its steward says that what carries no label is not restricted."""

_GUARDED: Final = frozenset({RESTRICTED, "V"})

_CONFIDENTIALITY_SYSTEMS: Final = frozenset(
    {
        None,
        CONFIDENTIALITY_SYSTEM,
        "http://hl7.org/fhir/v3/Confidentiality",
        "urn:oid:2.16.840.1.113883.5.25",
    }
)
"""Code systems whose N is normal confidentiality: HL7's under its names, or none that is named. In
another one an N may mean anything, and must not take the place of what counts where none is named.
"""


def describe(
    resource: Resource,
    *,
    unlabelled: frozenset[str] = UNLABELLED,
    labels: LabelTable | None = None,
) -> Descriptor:
    """Describe a resource.

    Args:
        resource: the resource.
        unlabelled: label tokens that it gets beside its own if its `meta.security` names no
            confidentiality: a record marked as sensitive only, or in a way that nobody knows, must
            not count as less confidential than one without any mark.
        labels: table of the codes that mark a record as sensitive; None for none. What it marks
            counts as restricted, whatever `unlabelled` says, unless the record itself names a
            confidentiality.
    """
    value = resource.value
    element = CODE_ELEMENTS.get(resource.type)
    return Descriptor(
        resource_type=resource.type,
        record=resource.record,
        codes=frozenset(_tokens(value.get(element))) if element else frozenset(),
        categories=frozenset(_tokens(value.get("category"))),
        date=date_of(resource),
        labels=_labels(resource, unlabelled, labels),
    )


def _labels(
    resource: Resource, unlabelled: frozenset[str], table: LabelTable | None
) -> frozenset[str]:
    meta = resource.value.get("meta")
    security = meta.get("security") if isinstance(meta, dict) else None
    own = frozenset(_tokens(security))
    told = table.labels_of(resource) if table is not None else frozenset()
    marks = own.union(*({label, f"{SENSITIVITY_SYSTEM}|{label}"} for label in told))
    if _names_confidentiality(security):
        return marks
    return marks | (UNLABELLED if told and not unlabelled & _GUARDED else unlabelled)


def _names_confidentiality(security: Value) -> bool:
    """Whether one of the Codings in `meta.security` says how confidential the record is."""
    return any(
        isinstance(coding, dict)
        and isinstance(code := coding.get("code"), str)
        and isinstance(system := coding.get("system"), str | None)
        and code in CONFIDENTIALITY_CODES
        and system in _CONFIDENTIALITY_SYSTEMS
        for coding in (security if isinstance(security, list) else [security])
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
