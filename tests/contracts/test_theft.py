"""A thief with the key alone: what it can try at the Registry, and why none of it works in time."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from eth_account.signers.local import LocalAccount

from tests.contracts.consortium_actions import NONE
from tests.contracts.deployed import Deployed, expect_revert
from tests.contracts.evm import Evm, Receipt
from tests.contracts.guardian_circle import GuardianCircle
from tests.contracts.masks import ANCHOR, GRANT, POWERS, RESTRICT
from tests.contracts.periods import RECOVERY_DELAY
from tests.contracts.registry_actions import RegistryActions


@pytest.fixture
def thiefs_circle(registry: Deployed, thief: LocalAccount) -> GuardianCircle:
    """The thief as the only guardian, of whom it takes one."""
    return GuardianCircle(registry, (thief.address,), 1)


@pytest.fixture
def complete(
    registry: Deployed, relayer: LocalAccount, patient: LocalAccount
) -> Callable[[], None]:
    """Completes the patient's recovery as soon as it can be."""

    def go() -> None:
        ready = registry.call("recoveryOf", patient.address)[2]
        at = max(ready, registry.evm.now + 1)
        registry.send(relayer, "completeRecovery", patient.address, at=at)

    return go


def test_thief_is_driven_out_when_it_rotated_to_a_key_of_its_own(
    guarded: None,
    accounts: RegistryActions,
    registry: Deployed,
    start: Callable[..., Receipt],
    complete: Callable[[], None],
    guardians: list[LocalAccount],
    patient: LocalAccount,
    new_device: LocalAccount,
    thief: LocalAccount,
) -> None:
    accounts.rotation(patient, thief.address).relay()
    start(*guardians[:2])
    complete()
    assert registry.call("controllerOf", patient.address) == new_device.address
    for power in POWERS:
        assert not registry.call("isAuthorised", patient.address, thief.address, power)


def test_thief_cannot_cancel_when_it_has_the_key_alone(
    start: Callable[..., Receipt],
    circle: GuardianCircle,
    guardians: list[LocalAccount],
    relayer: LocalAccount,
    patient: LocalAccount,
) -> None:
    start(*guardians[:2])
    with expect_revert("GuardianIsController", account=patient.address, guardian=patient.address):
        circle.cancel(relayer, patient.address, patient, patient)


def test_thief_cannot_cancel_when_the_owner_made_its_own_key_a_guardian(
    accounts: RegistryActions,
    registry: Deployed,
    guardians: list[LocalAccount],
    relayer: LocalAccount,
    patient: LocalAccount,
    new_device: LocalAccount,
) -> None:
    addresses = tuple(key.address for key in (patient, *guardians))
    careless = GuardianCircle(registry, addresses, 2)
    accounts.guardians_change(patient, careless.commitment).relay()
    careless.start(relayer, patient.address, new_device.address, guardians[:2])
    with expect_revert("GuardianIsController", account=patient.address, guardian=patient.address):
        careless.cancel(relayer, patient.address, patient, patient)


def test_thief_cannot_cancel_when_it_rotated_away_from_a_key_that_is_a_guardian(
    accounts: RegistryActions,
    registry: Deployed,
    guardians: list[LocalAccount],
    relayer: LocalAccount,
    patient: LocalAccount,
    new_device: LocalAccount,
    thief: LocalAccount,
) -> None:
    addresses = tuple(key.address for key in (patient, *guardians))
    careless = GuardianCircle(registry, addresses, 2)
    accounts.guardians_change(patient, careless.commitment).relay()
    accounts.rotation(patient, thief.address).relay()
    careless.start(relayer, patient.address, new_device.address, guardians[:2])
    with expect_revert("GuardianIsController", account=patient.address, guardian=patient.address):
        careless.cancel(relayer, patient.address, thief, patient)


def test_thief_of_a_guardians_key_cannot_cancel_alone_when_the_account_was_rotated_to_it(
    guarded: None,
    accounts: RegistryActions,
    start: Callable[..., Receipt],
    circle: GuardianCircle,
    guardians: list[LocalAccount],
    relayer: LocalAccount,
    patient: LocalAccount,
) -> None:
    stolen = guardians[2]
    accounts.rotation(patient, stolen.address).relay()
    start(*guardians[:2])
    with expect_revert("GuardianIsController", account=patient.address, guardian=stolen.address):
        circle.cancel(relayer, patient.address, stolen, stolen)


def test_thief_cannot_cancel_with_guardians_of_its_own_when_they_came_into_force_meanwhile(
    guarded: None,
    accounts: RegistryActions,
    start: Callable[..., Receipt],
    circle: GuardianCircle,
    thiefs_circle: GuardianCircle,
    guardians: list[LocalAccount],
    relayer: LocalAccount,
    patient: LocalAccount,
    thief: LocalAccount,
) -> None:
    change = accounts.guardians_change(patient, thiefs_circle.commitment, nonce=1)
    in_force = change.relay().timestamp + RECOVERY_DELAY
    start(*guardians[:2], at=in_force - 1)
    with expect_revert(
        "WrongGuardians",
        account=patient.address,
        commitment=thiefs_circle.commitment,
        expected=circle.commitment,
    ):
        thiefs_circle.cancel(relayer, patient.address, patient, thief, at=in_force)


def test_thiefs_guardians_are_dropped_when_a_recovery_completes_after_their_time_came(
    guarded: None,
    accounts: RegistryActions,
    registry: Deployed,
    evm: Evm,
    start: Callable[..., Receipt],
    complete: Callable[[], None],
    circle: GuardianCircle,
    thiefs_circle: GuardianCircle,
    guardians: list[LocalAccount],
    patient: LocalAccount,
) -> None:
    change = accounts.guardians_change(patient, thiefs_circle.commitment, nonce=1)
    in_force = change.relay().timestamp + RECOVERY_DELAY
    start(*guardians[:2], at=in_force - 1)
    complete()
    assert registry.call("guardiansOf", patient.address) == (circle.commitment, NONE, 0)
    evm.travel_to(evm.now + 2 * RECOVERY_DELAY)
    assert registry.call("guardiansOf", patient.address) == (circle.commitment, NONE, 0)


def test_thief_cannot_recover_with_guardians_of_its_own_when_they_are_not_in_force(
    guarded: None,
    accounts: RegistryActions,
    circle: GuardianCircle,
    thiefs_circle: GuardianCircle,
    relayer: LocalAccount,
    patient: LocalAccount,
    thief: LocalAccount,
) -> None:
    change = accounts.guardians_change(patient, thiefs_circle.commitment, nonce=1)
    in_force = change.relay().timestamp + RECOVERY_DELAY
    with expect_revert(
        "WrongGuardians",
        account=patient.address,
        commitment=thiefs_circle.commitment,
        expected=circle.commitment,
    ):
        thiefs_circle.start(relayer, patient.address, thief.address, [thief], at=in_force - 1)


def test_thiefs_guardians_never_count_when_the_owner_sets_others_in_time(
    guarded: None,
    accounts: RegistryActions,
    registry: Deployed,
    evm: Evm,
    circle: GuardianCircle,
    thiefs_circle: GuardianCircle,
    patient: LocalAccount,
) -> None:
    change = accounts.guardians_change(patient, thiefs_circle.commitment, nonce=1)
    in_force = change.relay().timestamp + RECOVERY_DELAY
    accounts.guardians_change(patient, circle.commitment, nonce=2).relay(at=in_force - 1)
    evm.travel_to(in_force + RECOVERY_DELAY)
    assert registry.call("guardiansOf", patient.address) == (circle.commitment, NONE, 0)


def test_thiefs_delegate_can_open_nothing_when_a_recovery_is_pending(
    guarded: None,
    accounts: RegistryActions,
    registry: Deployed,
    start: Callable[..., Receipt],
    guardians: list[LocalAccount],
    patient: LocalAccount,
    thief: LocalAccount,
) -> None:
    accounts.delegation(patient, thief.address, sum(POWERS)).relay()
    start(*guardians[:2])
    held = {p for p in POWERS if registry.call("isAuthorised", patient.address, thief.address, p)}
    assert held == {RESTRICT, ANCHOR}


def test_thiefs_delegate_is_dead_when_a_recovery_was_completed(
    guarded: None,
    accounts: RegistryActions,
    registry: Deployed,
    start: Callable[..., Receipt],
    complete: Callable[[], None],
    guardians: list[LocalAccount],
    patient: LocalAccount,
    thief: LocalAccount,
) -> None:
    accounts.delegation(patient, thief.address, sum(POWERS)).relay()
    start(*guardians[:2])
    complete()
    for power in POWERS:
        assert not registry.call("isAuthorised", patient.address, thief.address, power)


@pytest.mark.parametrize("action", ["rotation", "delegation", "undelegation", "guardians_change"])
def test_lost_keys_withheld_signatures_are_dead_when_a_recovery_was_completed(
    guarded: None,
    accounts: RegistryActions,
    start: Callable[..., Receipt],
    complete: Callable[[], None],
    guardians: list[LocalAccount],
    patient: LocalAccount,
    thief: LocalAccount,
    action: str,
) -> None:
    withheld = {
        "rotation": accounts.rotation(patient, thief.address),
        "delegation": accounts.delegation(patient, thief.address, GRANT, epoch=1),
        "undelegation": accounts.undelegation(patient, thief.address),
        "guardians_change": accounts.guardians_change(patient, NONE, nonce=1),
    }[action]
    start(*guardians[:2])
    complete()
    with expect_revert("NotController", account=patient.address, by=patient.address):
        withheld.relay()


def test_lost_key_can_no_longer_revoke_when_a_recovery_was_completed(
    start: Callable[..., Receipt],
    complete: Callable[[], None],
    accounts: RegistryActions,
    guardians: list[LocalAccount],
    patient: LocalAccount,
) -> None:
    start(*guardians[:2])
    complete()
    with expect_revert(
        "NotAuthorised", account=patient.address, by=patient.address, power=RESTRICT
    ):
        accounts.revoke_all(patient, epoch=1).relay()


def test_thief_cannot_hold_up_a_recovery_when_it_revokes_all_meanwhile(
    start: Callable[..., Receipt],
    complete: Callable[[], None],
    accounts: RegistryActions,
    registry: Deployed,
    guardians: list[LocalAccount],
    patient: LocalAccount,
    new_device: LocalAccount,
) -> None:
    start(*guardians[:2])
    accounts.revoke_all(patient).relay()
    complete()
    assert registry.call("controllerOf", patient.address) == new_device.address
    assert registry.call("epochOf", patient.address) == 2
