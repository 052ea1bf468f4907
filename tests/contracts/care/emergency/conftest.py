"""An emergency department, its opening of the patient's records, and what is known of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount

from tests.contracts.care_actions import EmergencyActions
from tests.contracts.deployed import Deployed


@pytest.fixture
def act(consents: Deployed, relayer: LocalAccount) -> EmergencyActions:
    return EmergencyActions(consents, relayer)


@pytest.fixture
def opening(
    act: EmergencyActions, patient: LocalAccount, department: LocalAccount
) -> dict[str, Any]:
    """The department's opening for an hour, not sent yet."""
    return act.opening(patient, department)


@pytest.fixture
def is_active(
    consents: Deployed, patient: LocalAccount, department: LocalAccount
) -> Callable[[], bool]:
    def ask() -> bool:
        answer: bool = consents.call("isEmergencyActive", patient.address, department.address)
        return answer

    return ask


@pytest.fixture
def stored(
    consents: Deployed, patient: LocalAccount, department: LocalAccount
) -> Callable[[], Any]:
    return lambda: consents.call("emergencyOf", patient.address, department.address)


@pytest.fixture
def ban(consents: Deployed, patient: LocalAccount) -> Callable[[], Any]:
    return lambda: consents.call("emergencyBanOf", patient.address)
