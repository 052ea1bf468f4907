"""An emergency department, and the patient's account on its way to a new key."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from eth_account.signers.local import LocalAccount

from tests.contracts.deployed import Deployed
from tests.contracts.evm import Evm, Receipt
from tests.contracts.guardian_circle import GuardianCircle
from tests.contracts.keys import Key, key_of
from tests.contracts.masks import EMERGENCY_ROLE
from tests.contracts.periods import EMERGENCY_DELAY, RECOVERY_DELAY
from tests.contracts.registry_actions import RegistryActions


@pytest.fixture
def department(admit: Callable[[Key, int], Receipt], evm: Evm) -> LocalAccount:
    """An emergency department whose role is in effect."""
    department = key_of("emergency department")
    receipt = admit(department, EMERGENCY_ROLE)
    evm.travel_to(receipt.timestamp + EMERGENCY_DELAY)
    return department


@pytest.fixture
def start_recovery(
    accounts: RegistryActions,
    circle: GuardianCircle,
    guardians: list[LocalAccount],
    relayer: LocalAccount,
    patient: LocalAccount,
) -> Callable[[], Receipt]:
    """The guardians start to hand the patient's account to a new phone."""
    accounts.guardians_change(patient, circle.commitment).relay()
    new_phone = key_of("new phone").address
    return lambda: circle.start(relayer, patient.address, new_phone, guardians[:2])


@pytest.fixture
def recover(
    start_recovery: Callable[[], Receipt], registry: Deployed, relayer: LocalAccount, patient: Key
) -> Callable[[], LocalAccount]:
    """The account's whole way to a new phone, which is returned."""

    def go() -> LocalAccount:
        started = start_recovery()
        registry.send(
            relayer, "completeRecovery", patient.address, at=started.timestamp + RECOVERY_DELAY
        )
        return key_of("new phone")

    return go
