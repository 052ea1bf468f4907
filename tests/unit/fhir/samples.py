"""Bundles to read: one that is good, and what to make others of."""

import json
from pathlib import Path
from typing import Any

import medaccord

OWN_BUNDLE = Path(medaccord.__file__).parent / "demo" / "data" / "patient.json"

PATIENT_URN = "urn:uuid:0b6b8a1c-6a6e-4d0e-8f1c-0f6d3c0f7a01"
OBSERVATION_URN = "urn:uuid:0b6b8a1c-6a6e-4d0e-8f1c-0f6d3c0f7a02"


def patient(**changes: Any) -> dict[str, Any]:
    """An entry with a patient."""
    resource = {
        "resourceType": "Patient",
        "identifier": [{"system": "https://hospital.example/patients", "value": "7"}],
    }
    return {"fullUrl": PATIENT_URN, "resource": {**resource, **changes}}


def observation(**changes: Any) -> dict[str, Any]:
    """An entry with an observation about that patient."""
    resource = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "2160-0"}]},
        "subject": {"reference": PATIENT_URN},
    }
    return {"fullUrl": OBSERVATION_URN, "resource": {**resource, **changes}}


def bundle(*entries: Any, **changes: Any) -> dict[str, Any]:
    """A Bundle of these entries; of the two above where none are given."""
    held = list(entries) or [patient(), observation()]
    return {"resourceType": "Bundle", "type": "collection", "entry": held, **changes}


def data(*entries: Any, **changes: Any) -> bytes:
    """The same as JSON text."""
    return json.dumps(bundle(*entries, **changes)).encode()
