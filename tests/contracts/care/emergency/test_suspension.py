"""Suspension and roles of the grantee: a pause, and never a way around an ending."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount

from tests.contracts.care_actions import EmergencyActions
from tests.contracts.consortium_actions import ConsortiumActions
from tests.contracts.deployed import expect_revert
from tests.contracts.evm import Evm, Receipt
from tests.contracts.keys import Key
from tests.contracts.masks import EMERGENCY_ROLE
from tests.contracts.periods import EMERGENCY_DELAY, MAX_EMERGENCY
from tests.contracts.registry_actions import RegistryActions


def test_access_pauses_while_the_grantee_is_suspended(
    act: EmergencyActions,
    opening: dict[str, Any],
    suspend: Callable[[Key], Receipt],
    reinstate: Callable[[Key], Receipt],
    is_active: Callable[[], bool],
    department: LocalAccount,
) -> None:
    act.open(opening, department).relay()
    suspend(department)
    assert not is_active()
    reinstate(department)
    assert is_active()


def test_open_is_refused_after_reinstatement_when_one_was_only_paused(
    act: EmergencyActions,
    opening: dict[str, Any],
    suspend: Callable[[Key], Receipt],
    reinstate: Callable[[Key], Receipt],
    patient: LocalAccount,
    department: LocalAccount,
) -> None:
    act.open(opening, department).relay()
    suspend(department)
    reinstate(department)
    with expect_revert(
        "EmergencyOpenAlready",
        patient=patient.address,
        grantee=department.address,
        validUntil=opening["validUntil"],
    ):
        act.open(opening | {"nonce": 1}, department).relay()


@pytest.mark.parametrize("ending", ["closed", "forbidden", "revoked", "run out"])
def test_access_stays_ended_after_reinstatement_when_it_ended_meanwhile(
    ending: str,
    act: EmergencyActions,
    opening: dict[str, Any],
    accounts: RegistryActions,
    evm: Evm,
    suspend: Callable[[Key], Receipt],
    reinstate: Callable[[Key], Receipt],
    is_active: Callable[[], bool],
    patient: LocalAccount,
    department: LocalAccount,
) -> None:
    act.open(opening, department).relay()
    suspend(department)
    endings: dict[str, Callable[[], object]] = {
        "closed": act.close(patient, department).relay,
        "forbidden": act.forbid(patient).relay,
        "revoked": accounts.revoke_all(patient).relay,
        "run out": lambda: evm.travel_to(opening["validUntil"]),
    }
    endings[ending]()
    reinstate(department)
    assert not is_active()


def test_access_is_dead_when_the_role_was_taken_and_given_again(
    act: EmergencyActions,
    opening: dict[str, Any],
    evm: Evm,
    motions: ConsortiumActions,
    is_active: Callable[[], bool],
    hospital: LocalAccount,
    department: LocalAccount,
) -> None:
    act.open(opening | {"validUntil": evm.now + MAX_EMERGENCY}, department).relay()
    motions.set_roles(department, 0, members=[hospital])
    assert not is_active()
    given = motions.set_roles(department, EMERGENCY_ROLE, members=[hospital])
    assert not is_active()
    evm.travel_to(given.timestamp + EMERGENCY_DELAY)
    assert not is_active()
