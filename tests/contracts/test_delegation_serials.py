"""Serials of delegations: nothing withheld holds up an undelegation, and nobody uses them up.

delegate
├── with a serial not above the pair's highest, or more than 2^32 - 1 above it: refused
└── else: it is the pair's highest
undelegate
├── with a serial below the pair's highest, or more than 2^32 - 1 above it: refused
└── else: it is the pair's highest, and delegations up to it are dead
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from eth_account.signers.local import LocalAccount

from tests.contracts.care_actions import MAX_STEP
from tests.contracts.deployed import Deployed, expect_revert
from tests.contracts.evm import Receipt
from tests.contracts.masks import GRANT, READ
from tests.contracts.periods import RECOVERY_DELAY
from tests.contracts.registry_actions import RegistryActions

LAST = 2**64 - 1


# delegate


@pytest.mark.parametrize("serial", [4, 5])
def test_delegate_is_refused_when_its_serial_does_not_rise(
    accounts: RegistryActions, patient: LocalAccount, clinician: LocalAccount, serial: int
) -> None:
    accounts.delegation(patient, clinician.address, READ, serial=5).relay()
    with expect_revert("StaleSerial", serial=serial, stored=5):
        accounts.delegation(patient, clinician.address, GRANT, serial=serial).relay()


def test_delegate_is_refused_when_its_serial_is_zero(
    accounts: RegistryActions, patient: LocalAccount, clinician: LocalAccount
) -> None:
    with expect_revert("StaleSerial", serial=0, stored=0):
        accounts.delegation(patient, clinician.address, GRANT, serial=0).relay()


@pytest.mark.parametrize("stored", [0, 5, MAX_STEP])
def test_delegate_succeeds_when_its_serial_is_the_furthest(
    accounts: RegistryActions,
    registry: Deployed,
    patient: LocalAccount,
    clinician: LocalAccount,
    stored: int,
) -> None:
    accounts.undelegation(patient, clinician.address, serial=stored).relay()
    accounts.delegation(patient, clinician.address, GRANT, serial=stored + MAX_STEP).relay()
    held = registry.call("delegationOf", patient.address, clinician.address)
    assert (held[0], held[3]) == (GRANT, stored + MAX_STEP)


@pytest.mark.parametrize("stored", [0, 5, MAX_STEP])
@pytest.mark.parametrize("beyond", [1, None])
def test_delegate_is_refused_when_its_serial_is_beyond_the_furthest(
    accounts: RegistryActions,
    patient: LocalAccount,
    clinician: LocalAccount,
    stored: int,
    beyond: int | None,
) -> None:
    accounts.undelegation(patient, clinician.address, serial=stored).relay()
    latest = stored + MAX_STEP
    serial = latest + beyond if beyond else LAST
    with expect_revert("SerialTooFar", serial=serial, latest=latest):
        accounts.delegation(patient, clinician.address, GRANT, serial=serial).relay()


def test_delegate_counts_serials_apart_when_another_pair_is_far_ahead(
    accounts: RegistryActions,
    patient: LocalAccount,
    clinician: LocalAccount,
    stranger: LocalAccount,
) -> None:
    accounts.delegation(patient, stranger.address, READ, serial=MAX_STEP).relay()
    serial = MAX_STEP + 1
    with expect_revert("SerialTooFar", serial=serial, latest=MAX_STEP):
        accounts.delegation(patient, clinician.address, READ, serial=serial).relay()


# undelegate


@pytest.mark.parametrize("serial", [1, 8, 9])
def test_undelegate_kills_a_withheld_delegation_when_its_serial_is_not_above(
    accounts: RegistryActions, patient: LocalAccount, clinician: LocalAccount, serial: int
) -> None:
    withheld = accounts.delegation(patient, clinician.address, GRANT, serial=serial)
    accounts.undelegation(patient, clinician.address, serial=9).relay()
    with expect_revert("StaleSerial", serial=serial, stored=9):
        withheld.relay()


@pytest.mark.parametrize("serial", [1, MAX_STEP])
def test_undelegate_succeeds_when_a_withheld_delegation_came_first(
    accounts: RegistryActions,
    registry: Deployed,
    patient: LocalAccount,
    clinician: LocalAccount,
    serial: int,
) -> None:
    withheld = accounts.delegation(patient, clinician.address, GRANT, serial=serial)
    removal = accounts.undelegation(patient, clinician.address, serial=serial)
    withheld.relay()
    removal.relay()
    assert not registry.call("isAuthorised", patient.address, clinician.address, GRANT)


def test_undelegate_is_undone_when_a_later_delegation_follows(
    accounts: RegistryActions, registry: Deployed, patient: LocalAccount, clinician: LocalAccount
) -> None:
    accounts.undelegation(patient, clinician.address, serial=9).relay()
    accounts.delegation(patient, clinician.address, GRANT, serial=10).relay()
    assert registry.call("isAuthorised", patient.address, clinician.address, GRANT)


def test_undelegate_is_refused_when_its_serial_is_below_the_highest(
    accounts: RegistryActions, patient: LocalAccount, clinician: LocalAccount
) -> None:
    accounts.delegation(patient, clinician.address, GRANT, serial=5).relay()
    with expect_revert("StaleSerial", serial=4, stored=5):
        accounts.undelegation(patient, clinician.address, serial=4).relay()


@pytest.mark.parametrize("stored", [0, 5, MAX_STEP])
@pytest.mark.parametrize("beyond", [1, None])
def test_undelegate_is_refused_when_its_serial_is_beyond_the_furthest(
    accounts: RegistryActions,
    patient: LocalAccount,
    clinician: LocalAccount,
    stored: int,
    beyond: int | None,
) -> None:
    accounts.undelegation(patient, clinician.address, serial=stored).relay()
    latest = stored + MAX_STEP
    serial = latest + beyond if beyond else LAST
    with expect_revert("SerialTooFar", serial=serial, latest=latest):
        accounts.undelegation(patient, clinician.address, serial=serial).relay()


def test_undelegate_leaves_room_to_delegate_again_when_its_serial_is_the_furthest(
    accounts: RegistryActions, registry: Deployed, patient: LocalAccount, clinician: LocalAccount
) -> None:
    accounts.undelegation(patient, clinician.address, serial=MAX_STEP).relay()
    accounts.delegation(patient, clinician.address, GRANT, serial=MAX_STEP + 1).relay()
    assert registry.call("isAuthorised", patient.address, clinician.address, GRANT)


def test_thief_cannot_bar_a_delegate_for_ever_when_the_account_is_recovered(
    accounts: RegistryActions,
    registry: Deployed,
    start: Callable[..., Receipt],
    guardians: list[LocalAccount],
    relayer: LocalAccount,
    patient: LocalAccount,
    new_device: LocalAccount,
    clinician: LocalAccount,
) -> None:
    """The patient's own key is the stolen one."""
    with expect_revert("SerialTooFar", serial=LAST, latest=MAX_STEP):
        accounts.undelegation(patient, clinician.address, serial=LAST).relay()
    accounts.undelegation(patient, clinician.address, serial=MAX_STEP).relay()
    ready = start(*guardians[:2]).timestamp + RECOVERY_DELAY
    registry.send(relayer, "completeRecovery", patient.address, at=ready)
    accounts.delegation(
        patient, clinician.address, GRANT, by=new_device, epoch=1, serial=MAX_STEP + 1
    ).relay()
    assert registry.call("isAuthorised", patient.address, clinician.address, GRANT)
