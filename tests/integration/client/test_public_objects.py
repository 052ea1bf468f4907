"""What hangs on a patient, a provider and a seat, by name: command line and pages build on it."""

from __future__ import annotations

from collections.abc import Sequence

from medaccord.client import Consortium, Patient, Provider
from tests.unit.test_public_names import (
    OF_A_PATIENT,
    OF_A_PROVIDER,
    OF_A_SEAT,
    OF_BOTH,
    public,
)


def test_patient_has_these_objects_with_these_methods(patient: Patient) -> None:
    assert public(patient) == OF_BOTH | OF_A_PATIENT.keys() | {"balance", "export"}
    assert {name: public(getattr(patient, name)) for name in OF_A_PATIENT} == OF_A_PATIENT


def test_provider_has_these_objects_with_these_methods(clinician: Provider) -> None:
    assert public(clinician) == OF_BOTH | OF_A_PROVIDER.keys() | {"publish"}
    assert {name: public(getattr(clinician, name)) for name in OF_A_PROVIDER} == OF_A_PROVIDER


def test_seat_has_these_methods(members: Sequence[Consortium]) -> None:
    assert public(members[0]) == OF_A_SEAT
