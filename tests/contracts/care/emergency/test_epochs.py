"""Epochs: revoking everything and recovering end what is open, and keep bar and ban."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from eth_account.signers.local import LocalAccount

from tests.contracts.care_actions import EmergencyActions
from tests.contracts.deployed import Deployed, expect_revert
from tests.contracts.evm import Receipt
from tests.contracts.masks import GRANT
from tests.contracts.periods import FOREVER, RECOVERY_DELAY
from tests.contracts.registry_actions import RegistryActions


def test_access_is_dead_when_everything_was_revoked(
    act: EmergencyActions,
    opening: dict[str, Any],
    accounts: RegistryActions,
    is_active: Callable[[], bool],
    patient: LocalAccount,
    department: LocalAccount,
) -> None:
    act.open(opening, department).relay()
    accounts.revoke_all(patient).relay()
    assert not is_active()


def test_open_works_in_the_new_epoch_when_the_pair_is_not_barred(
    act: EmergencyActions,
    opening: dict[str, Any],
    accounts: RegistryActions,
    is_active: Callable[[], bool],
    stored: Callable[[], Any],
    patient: LocalAccount,
    department: LocalAccount,
) -> None:
    act.open(opening, department).relay()
    accounts.revoke_all(patient).relay()
    act.open(opening | {"nonce": 1}, department).relay()
    assert is_active()
    assert stored()[2] == 1


def test_bar_stays_when_everything_was_revoked(
    act: EmergencyActions,
    opening: dict[str, Any],
    accounts: RegistryActions,
    patient: LocalAccount,
    department: LocalAccount,
) -> None:
    act.close(patient, department).relay()
    accounts.revoke_all(patient).relay()
    with expect_revert("EmergencyBarred", patient=patient.address, grantee=department.address):
        act.open(opening, department).relay()


def test_ban_stays_when_everything_was_revoked(
    act: EmergencyActions,
    opening: dict[str, Any],
    accounts: RegistryActions,
    patient: LocalAccount,
    department: LocalAccount,
) -> None:
    act.forbid(patient).relay()
    accounts.revoke_all(patient).relay()
    with expect_revert("EmergencyForbiddenBy", patient=patient.address):
        act.open(opening, department).relay()


def test_close_and_forbid_work_while_a_recovery_is_pending(
    act: EmergencyActions,
    opening: dict[str, Any],
    start_recovery: Callable[[], Receipt],
    stored: Callable[[], Any],
    ban: Callable[[], Any],
    patient: LocalAccount,
    department: LocalAccount,
) -> None:
    act.open(opening, department).relay()
    start_recovery()
    act.close(patient, department).relay()
    act.forbid(patient).relay()
    assert stored()[4] is True
    assert ban() == (0, True)


def test_allow_is_refused_while_a_recovery_is_pending(
    act: EmergencyActions, start_recovery: Callable[[], Receipt], patient: LocalAccount
) -> None:
    act.forbid(patient).relay()
    start_recovery()
    with expect_revert("NotAuthorised", account=patient.address, by=patient.address, power=GRANT):
        act.allow(patient).relay()


def test_withheld_allowance_of_the_lost_key_is_dead_when_the_account_was_recovered(
    act: EmergencyActions,
    start_recovery: Callable[[], Receipt],
    registry: Deployed,
    relayer: LocalAccount,
    patient: LocalAccount,
) -> None:
    act.forbid(patient).relay()
    withheld = act.allow(patient, serial=1, deadline=FOREVER)
    ready = start_recovery().timestamp + RECOVERY_DELAY
    registry.send(relayer, "completeRecovery", patient.address, at=ready)
    with expect_revert("NotAuthorised", account=patient.address, by=patient.address, power=GRANT):
        withheld.relay()
