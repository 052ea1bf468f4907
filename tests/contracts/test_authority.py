"""Authority: who may use which power of an account, the one question all contracts ask.

isAuthorised, authority
├── the controller: every power; while a recovery is pending RESTRICT and ANCHOR alone
├── a delegate: the powers given, before the end, in the epoch; in a recovery the same two alone
├── the key that a pending recovery hands the account to: see test_incoming_controller
└── anybody else, a delegate's delegate or controller, and the power zero: no
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import pytest
from eth_account.signers.local import LocalAccount

from tests.contracts.deployed import Deployed, expect_revert
from tests.contracts.evm import Evm
from tests.contracts.keys import Key
from tests.contracts.masks import ANCHOR, GRANT, POWERS, RESTRICT
from tests.contracts.periods import FOREVER
from tests.contracts.registry_actions import RegistryActions

PAIRS = [first | second for first, second in combinations(POWERS, 2)]


@pytest.mark.parametrize("power", POWERS)
def test_controller_holds_every_power_when_no_recovery_is_pending(
    registry: Deployed, patient: LocalAccount, power: int
) -> None:
    assert registry.call("isAuthorised", patient.address, patient.address, power)
    assert registry.call("authority", patient.address, patient.address, power) == (0, FOREVER)


@pytest.mark.parametrize("given", POWERS)
@pytest.mark.parametrize("asked", POWERS)
def test_delegate_holds_a_power_exactly_when_it_was_given(
    accounts: RegistryActions,
    registry: Deployed,
    patient: LocalAccount,
    clinician: LocalAccount,
    given: int,
    asked: int,
) -> None:
    accounts.delegation(patient, clinician.address, given).relay()
    held = registry.call("isAuthorised", patient.address, clinician.address, asked)
    assert held == (given == asked)


@pytest.mark.parametrize("asked", PAIRS)
def test_delegate_does_not_hold_two_powers_when_only_one_was_given(
    accounts: RegistryActions,
    registry: Deployed,
    patient: LocalAccount,
    clinician: LocalAccount,
    asked: int,
) -> None:
    accounts.delegation(patient, clinician.address, asked & -asked).relay()
    assert not registry.call("isAuthorised", patient.address, clinician.address, asked)
    accounts.delegation(patient, clinician.address, asked, serial=2).relay()
    assert registry.call("isAuthorised", patient.address, clinician.address, asked)


def test_authority_names_epoch_and_end_when_a_delegate_holds_the_power(
    accounts: RegistryActions,
    registry: Deployed,
    evm: Evm,
    patient: LocalAccount,
    clinician: LocalAccount,
) -> None:
    until = evm.now + 1000
    accounts.revoke_all(patient).relay()
    accounts.delegation(patient, clinician.address, GRANT, until=until, epoch=1).relay()
    answer = registry.call("authority", patient.address, clinician.address, GRANT)
    assert answer == (1, until)


def test_authority_is_refused_when_a_delegate_lacks_the_power(
    accounts: RegistryActions, registry: Deployed, patient: LocalAccount, clinician: LocalAccount
) -> None:
    accounts.delegation(patient, clinician.address, ANCHOR).relay()
    with expect_revert("NotAuthorised", account=patient.address, by=clinician.address, power=GRANT):
        registry.call("authority", patient.address, clinician.address, GRANT)


@pytest.mark.parametrize("power", POWERS)
def test_authority_is_refused_when_a_stranger_asks(
    registry: Deployed, patient: LocalAccount, stranger: LocalAccount, power: int
) -> None:
    with expect_revert("NotAuthorised", account=patient.address, by=stranger.address, power=power):
        registry.call("authority", patient.address, stranger.address, power)


def test_authority_is_refused_when_the_controller_asks_for_no_power(
    registry: Deployed, patient: LocalAccount
) -> None:
    assert not registry.call("isAuthorised", patient.address, patient.address, 0)
    with expect_revert("NotAuthorised", account=patient.address, by=patient.address, power=0):
        registry.call("authority", patient.address, patient.address, 0)


def test_authority_is_refused_when_a_delegate_asks_for_no_power(
    accounts: RegistryActions, registry: Deployed, patient: LocalAccount, clinician: LocalAccount
) -> None:
    accounts.delegation(patient, clinician.address, GRANT).relay()
    with expect_revert("NotAuthorised", account=patient.address, by=clinician.address, power=0):
        registry.call("authority", patient.address, clinician.address, 0)


@pytest.mark.parametrize(("seconds", "held"), [(-1, True), (0, False), (1, False)])
def test_delegate_holds_its_powers_until_the_end_and_not_in_that_second(
    accounts: RegistryActions,
    registry: Deployed,
    evm: Evm,
    patient: LocalAccount,
    clinician: LocalAccount,
    seconds: int,
    held: bool,
) -> None:
    until = evm.now + 1000
    accounts.delegation(patient, clinician.address, GRANT, until=until).relay()
    evm.travel_to(until + seconds)
    assert registry.call("isAuthorised", patient.address, clinician.address, GRANT) is held


def test_delegate_keeps_its_powers_when_the_controller_rotates(
    accounts: RegistryActions,
    registry: Deployed,
    patient: LocalAccount,
    clinician: LocalAccount,
    new_device: LocalAccount,
) -> None:
    accounts.delegation(patient, clinician.address, GRANT).relay()
    accounts.rotation(patient, new_device.address).relay()
    assert registry.call("isAuthorised", patient.address, clinician.address, GRANT)


def test_delegate_is_not_resolved_further_when_it_has_a_delegate_of_its_own(
    accounts: RegistryActions,
    registry: Deployed,
    patient: LocalAccount,
    clinician: LocalAccount,
    stranger: LocalAccount,
) -> None:
    accounts.delegation(patient, clinician.address, GRANT).relay()
    accounts.delegation(clinician, stranger.address, GRANT).relay()
    assert not registry.call("isAuthorised", patient.address, stranger.address, GRANT)


def test_delegate_is_not_resolved_further_when_its_own_account_was_rotated(
    accounts: RegistryActions,
    registry: Deployed,
    patient: LocalAccount,
    clinician: LocalAccount,
    new_device: LocalAccount,
) -> None:
    accounts.delegation(patient, clinician.address, GRANT).relay()
    accounts.rotation(clinician, new_device.address).relay()
    assert registry.call("isAuthorised", patient.address, clinician.address, GRANT)
    assert not registry.call("isAuthorised", patient.address, new_device.address, GRANT)


@pytest.mark.parametrize("power", [*POWERS, RESTRICT | ANCHOR, RESTRICT | GRANT])
def test_controller_can_only_restrict_and_anchor_when_a_recovery_is_pending(
    registry: Deployed,
    patient: LocalAccount,
    start_recovery: Callable[[Key], None],
    power: int,
) -> None:
    start_recovery(patient)
    held = registry.call("isAuthorised", patient.address, patient.address, power)
    assert held == (power in (RESTRICT, ANCHOR, RESTRICT | ANCHOR))


@pytest.mark.parametrize("power", POWERS)
def test_delegate_can_only_restrict_and_anchor_when_a_recovery_is_pending(
    accounts: RegistryActions,
    registry: Deployed,
    patient: LocalAccount,
    clinician: LocalAccount,
    start_recovery: Callable[[Key], None],
    power: int,
) -> None:
    accounts.delegation(patient, clinician.address, sum(POWERS)).relay()
    start_recovery(patient)
    held = registry.call("isAuthorised", patient.address, clinician.address, power)
    assert held == (power in (RESTRICT, ANCHOR))
