"""Killed at any step, an erasure is finished by the next start, and a rotation by the next turn."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import medaccord
from medaccord.core.identifiers import Address
from tests.unit.records.conftest import Hospital, bundle, observation
from tests.unit.records.erasing import open_office
from tests.unit.records.test_rotation import add_sealed_rows

# A dependency of ours installs a package named `tests`: ours has to be named first.
PROGRAM = """
import sys, types
sys.modules["tests"] = types.ModuleType("tests")
sys.modules["tests"].__path__ = [sys.argv.pop(1)]
from tests.unit.records.erasing_killed import main
main()
"""
TESTS = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("job", "fewest"),
    [("patient", 15), ("record", 5), ("restore", 8), ("rotation", 30), ("destroying", 30)],
)
def test_job_is_finished_or_never_begun_when_it_is_killed_at_any_step(
    hospital: Hospital,
    tmp_path: Path,
    patient: Address,
    other_patient: Address,
    database_url: str,
    job: str,
    fewest: int,
) -> None:
    hospital.take_in(bundle(observation("o1", "13.50"), observation("o2", "12")), patient)
    berta = observation("o1", "9") | {"subject": {"reference": "Patient/berta-2"}}
    hospital.take_in(bundle(berta, patient_id="berta-2"), other_patient)
    add_sealed_rows(open_office(hospital, tmp_path / "keys"), patient)
    hospital.engine.dispose()
    kept = tmp_path / "kept"
    kept.mkdir()
    told = subprocess.run(
        [sys.executable, "-c", PROGRAM, TESTS, job, database_url, tmp_path / "keys", kept],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(medaccord.__file__).parents[1])},
    )
    assert told.returncode == 0, told.stderr
    assert int(told.stdout) >= fewest
