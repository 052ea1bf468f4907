"""Files of several patients, as a bulk export writes them."""

import json
from pathlib import Path
from typing import Any


def patient(identity: str) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": identity, "name": [{"family": "Canary"}]}


def observation(identity: str, of: str, value: str = "1.0") -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": identity,
        "status": "final",
        "subject": {"reference": f"Patient/{of}"},
        "effectiveDateTime": "2025-11-03",
        "valueString": value,
    }


def practitioner(identity: str, family: str = "Wolkenstein") -> dict[str, Any]:
    return {"resourceType": "Practitioner", "id": identity, "name": [{"family": family}]}


def write(path: Path, *resources: dict[str, Any]) -> Path:
    """Write them, one a line."""
    path.write_text("".join(json.dumps(each) + "\n" for each in resources), encoding="utf-8")
    return path
