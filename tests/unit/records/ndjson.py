"""Files of several patients, as a bulk export writes them."""

import json
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from medaccord.store import reading, tables
from tests.unit.records.conftest import Hospital


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


def of_two(path: Path) -> Path:
    """Two patients, two practitioners, and one observation of each patient's."""
    return write(
        path,
        patient("anna-1"),
        practitioner("dr-1"),
        observation("hb", "anna-1"),
        patient("berta-2"),
        observation("hb2", "berta-2"),
        practitioner("dr-2"),
    )


def count(hospital: Hospital) -> dict[str, int]:
    names = ("batch", "record_version", "record_index", "imported_file")
    with reading(hospital.engine) as connection:
        return {
            name: connection.execute(
                select(func.count()).select_from(tables.metadata.tables[name])
            ).scalar_one()
            for name in names
        }
