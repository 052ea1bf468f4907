"""Closing: one organisation, at once, until it is allowed again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount

from tests.contracts.care_actions import MAX_STEP, EmergencyActions
from tests.contracts.conftest import Contracts
from tests.contracts.deployed import Deployed, Event, expect_revert
from tests.contracts.evm import Evm, Receipt
from tests.contracts.keys import Key, key_of
from tests.contracts.masks import EMERGENCY_ROLE, RESTRICT
from tests.contracts.periods import EMERGENCY_DELAY
from tests.contracts.registry_actions import RegistryActions
from tests.contracts.storage import only_writes


@pytest.mark.parametrize("way", ["send", "relay"])
def test_close_ends_and_bars_when_access_is_open(
    way: str,
    act: EmergencyActions,
    opening: dict[str, Any],
    contracts: Contracts,
    is_active: Callable[[], bool],
    stored: Callable[[], Any],
    patient: LocalAccount,
    department: LocalAccount,
) -> None:
    opened = act.open(opening, department).relay()
    others = (contracts.registry, contracts.relationships, contracts.anchors)
    with only_writes(1, contracts.consents, *others):
        receipt = getattr(act.close(patient, department, 3), way)()

    assert not is_active()
    assert stored() == (opened.timestamp, receipt.timestamp, 0, 3, True)
    assert contracts.consents.events(receipt) == [
        Event(
            "EmergencyClosed",
            {
                "patient": patient.address,
                "grantee": department.address,
                "by": patient.address,
                "serial": 3,
            },
        )
    ]


def test_close_ends_access_in_the_second_it_was_opened(
    act: EmergencyActions,
    opening: dict[str, Any],
    evm: Evm,
    is_active: Callable[[], bool],
    patient: LocalAccount,
    department: LocalAccount,
) -> None:
    act.open(opening, department).relay()
    act.close(patient, department).relay()
    evm.travel_to(opening["validUntil"] - 1)
    assert not is_active()


def test_close_bars_when_nothing_was_ever_open(
    act: EmergencyActions,
    opening: dict[str, Any],
    stored: Callable[[], Any],
    patient: LocalAccount,
    department: LocalAccount,
) -> None:
    act.close(patient, department).relay()
    assert stored() == (0, 0, 0, 0, True)
    with expect_revert("EmergencyBarred", patient=patient.address, grantee=department.address):
        act.open(opening, department).relay()


def test_close_leaves_the_times_when_access_had_run_out(
    act: EmergencyActions,
    opening: dict[str, Any],
    stored: Callable[[], Any],
    patient: LocalAccount,
    department: LocalAccount,
) -> None:
    opened = act.open(opening, department).relay()
    act.close(patient, department).relay(at=opening["validUntil"] + 5)
    assert stored() == (opened.timestamp, opening["validUntil"], 0, 0, True)


def test_closed_pair_cannot_reopen_until_it_is_allowed(
    act: EmergencyActions,
    opening: dict[str, Any],
    is_active: Callable[[], bool],
    patient: LocalAccount,
    department: LocalAccount,
) -> None:
    act.open(opening, department).relay()
    act.close(patient, department).relay()
    reopening = act.open(opening | {"nonce": 1}, department)
    with expect_revert("EmergencyBarred", patient=patient.address, grantee=department.address):
        reopening.relay()
    act.allow(patient, department.address).relay()
    assert not is_active()
    reopening.relay()
    assert is_active()


def test_close_is_refused_when_the_serial_is_below_the_last(
    act: EmergencyActions, patient: LocalAccount, department: LocalAccount
) -> None:
    act.close(patient, department, 5).relay()
    with expect_revert("StaleSerial", serial=4, stored=5):
        act.close(patient, department, 4).relay()


@pytest.mark.parametrize("serial", [5, 6, 5 + MAX_STEP])
def test_close_works_when_the_serial_is_not_below_the_last(
    serial: int,
    act: EmergencyActions,
    stored: Callable[[], Any],
    patient: LocalAccount,
    department: LocalAccount,
) -> None:
    act.close(patient, department, 5).relay()
    act.close(patient, department, serial).relay()
    assert stored()[3:] == (serial, True)


def test_close_is_refused_when_the_serial_runs_too_far_ahead(
    act: EmergencyActions, patient: LocalAccount, department: LocalAccount
) -> None:
    act.close(patient, department, 5).relay()
    latest = 5 + MAX_STEP
    with expect_revert("SerialTooFar", serial=latest + 1, latest=latest):
        act.close(patient, department, latest + 1).relay()


def test_close_is_refused_when_it_is_replayed_after_the_patient_allowed_again(
    act: EmergencyActions, patient: LocalAccount, department: LocalAccount
) -> None:
    closure = act.close(patient, department, 1)
    closure.relay()
    act.allow(patient, department.address, 2).relay()
    with expect_revert("StaleSerial", serial=1, stored=2):
        closure.relay()


@pytest.mark.parametrize("name", ["hospital", "relayer", "stranger"])
def test_close_is_refused_when_another_than_the_patient_signs(
    name: str,
    request: pytest.FixtureRequest,
    act: EmergencyActions,
    patient: LocalAccount,
    department: LocalAccount,
) -> None:
    other: LocalAccount = request.getfixturevalue(name)
    with expect_revert("NotAuthorised", account=patient.address, by=other.address, power=RESTRICT):
        act.close(patient, department, by=other).relay()


def test_close_by_a_delegate_works_when_it_may_only_restrict(
    act: EmergencyActions,
    opening: dict[str, Any],
    accounts: RegistryActions,
    is_active: Callable[[], bool],
    patient: LocalAccount,
    department: LocalAccount,
) -> None:
    carer = key_of("carer")
    accounts.delegation(patient, carer.address, RESTRICT).relay()
    act.open(opening, department).relay()
    act.close(patient, department, by=carer).relay()
    assert not is_active()


def test_close_leaves_another_department_open(
    act: EmergencyActions,
    opening: dict[str, Any],
    admit: Callable[[Key, int], Receipt],
    evm: Evm,
    consents: Deployed,
    patient: LocalAccount,
    department: LocalAccount,
) -> None:
    other = key_of("other emergency department")
    evm.travel_to(admit(other, EMERGENCY_ROLE).timestamp + EMERGENCY_DELAY)
    act.open(act.opening(patient, department), department).relay()
    act.open(act.opening(patient, other), other).relay()
    act.close(patient, department).relay()
    assert consents.call("isEmergencyActive", patient.address, other.address) is True
