"""Patients' records as a bulk export would hold them: invented, of several types, linked up."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

RECORDS_EACH: Final = 100
"""Resources of one patient."""

_LOINC: Final = "http://loinc.org"
_SNOMED: Final = "http://snomed.info/sct"
_CATEGORY: Final = "http://terminology.hl7.org/CodeSystem/observation-category"
_MEASURED: Final = (
    ("718-7", "Hemoglobin [Mass/volume] in Blood", "g/dL"),
    ("2339-0", "Glucose [Mass/volume] in Blood", "mg/dL"),
    ("8302-2", "Body Height", "cm"),
    ("29463-7", "Body Weight", "kg"),
    ("2093-3", "Cholesterol [Mass/volume] in Serum or Plasma", "mg/dL"),
)
_KINDS: Final = ("Observation", "Condition", "Encounter", "DiagnosticReport")
_SHARES: Final = (6, 1, 2, 1)
_DISEASES: Final = (
    ("44054006", "Diabetes mellitus type 2"),
    ("38341003", "Hypertensive disorder"),
    ("195662009", "Acute viral pharyngitis"),
)


def patient_ids(resources: int) -> list[str]:
    """The patients that so many resources are of."""
    return [f"patient-{number}" for number in range(max(1, resources // RECORDS_EACH))]


def write_ndjson(path: Path, resources: int) -> int:
    """Write a file of resources, one a line; always the same for the same number.

    Returns:
        How many there are: a few more, since practitioners and organisations come along.
    """
    chance = random.Random(resources)
    count = 0
    with path.open("w", encoding="utf-8") as out:
        for each in _resources(chance, resources):
            out.write(json.dumps(each, separators=(",", ":")) + "\n")
            count += 1
    return count


def _resources(chance: random.Random, count: int) -> Iterator[dict[str, Any]]:
    for number in range(10):
        yield {
            "resourceType": "Practitioner",
            "id": f"doctor-{number}",
            "name": [{"family": f"Family{number}", "given": ["Given"], "prefix": ["Dr."]}],
        }
    patients = patient_ids(count)
    for patient in patients:
        yield {
            "resourceType": "Patient",
            "id": patient,
            "name": [{"use": "official", "family": f"F{chance.random()}", "given": ["G"]}],
            "gender": chance.choice(("female", "male")),
            "birthDate": _day(chance),
            "address": [{"line": ["1 Some Street"], "city": "Town", "postalCode": "12345"}],
        }
        for number in range(count // len(patients) - 1):
            yield _of(chance, patient, f"{patient}-{number}")


def observation(chance: random.Random, patient: str, identity: str) -> dict[str, Any]:
    """A value that a laboratory measured."""
    day = _day(chance)
    code, display, unit = chance.choice(_MEASURED)
    return {
        "resourceType": "Observation",
        "id": identity,
        "subject": {"reference": f"Patient/{patient}"},
        "status": "final",
        "category": [{"coding": [{"system": _CATEGORY, "code": "laboratory"}]}],
        "code": _coded(_LOINC, code, display),
        "effectiveDateTime": f"{day}T09:30:00+01:00",
        "issued": f"{day}T09:30:00.123+01:00",
        "valueQuantity": {
            "value": round(chance.uniform(1, 200), 2),
            "unit": unit,
            "system": "http://unitsofmeasure.org",
            "code": unit,
        },
    }


def _of(chance: random.Random, patient: str, identity: str) -> dict[str, Any]:
    subject = {"reference": f"Patient/{patient}"}
    (kind,) = chance.choices(_KINDS, _SHARES)
    common = {"resourceType": kind, "id": identity, "subject": subject}
    day = _day(chance)
    if kind == "Observation":
        performer = {"reference": f"Practitioner/doctor-{chance.randrange(10)}"}
        return observation(chance, patient, identity) | {"performer": [performer]}
    if kind == "Condition":
        code, display = chance.choice(_DISEASES)
        return common | {
            "clinicalStatus": _coded("http://hl7.org/clinical", "active", "Active"),
            "code": _coded(_SNOMED, code, display),
            "onsetDateTime": day,
            "recordedDate": day,
        }
    if kind == "Encounter":
        return common | {
            "status": "finished",
            "class": {"code": "AMB"},
            "type": [_coded(_SNOMED, "162673000", "General examination of patient")],
            "period": {"start": f"{day}T09:00:00Z", "end": f"{day}T09:45:00Z"},
            "participant": [
                {"individual": {"reference": f"Practitioner/doctor-{chance.randrange(10)}"}}
            ],
        }
    return common | {
        "status": "final",
        "code": _coded(_LOINC, "34117-2", "History and physical note"),
        "effectiveDateTime": f"{day}T10:00:00Z",
        "presentedForm": [
            {"contentType": "text/plain", "data": chance.randbytes(900).hex()},
        ],
    }


def _coded(system: str, code: str, display: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code, "display": display}], "text": display}


def _day(chance: random.Random) -> str:
    return (
        f"{chance.randrange(1950, 2025)}-{chance.randrange(1, 13):02}-{chance.randrange(1, 29):02}"
    )
