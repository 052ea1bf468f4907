"""The key that a pending recovery hands an account to: it may restrict already, and that alone.

isAuthorised, authority, and the Registry's actions, by that key
├── before the recovery started, after it was cancelled, for another account: nothing
├── while it is pending: RESTRICT, asked for alone, whatever whoever has the old key does;
│   no other power unless as a delegate, and none of what only the controller may
└── once it is completed: everything, as the controller
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import pytest
from eth_account.signers.local import LocalAccount

from tests.contracts.action import Action
from tests.contracts.consortium_actions import NONE
from tests.contracts.deployed import Deployed, Event, expect_revert
from tests.contracts.evm import Evm, Receipt
from tests.contracts.guardian_circle import GuardianCircle
from tests.contracts.masks import ANCHOR, GRANT, POWERS, READ, RESTRICT
from tests.contracts.periods import FOREVER, RECOVERY_DELAY
from tests.contracts.registry_actions import RegistryActions

MASKS = [0, *POWERS, *(first | second for first, second in combinations(POWERS, 2)), sum(POWERS)]


@pytest.fixture
def started(start: Callable[..., Receipt], guardians: list[LocalAccount]) -> Receipt:
    """The patient's account is on its way to the new device."""
    return start(*guardians[:2])


@pytest.fixture
def may(
    registry: Deployed, patient: LocalAccount, new_device: LocalAccount
) -> Callable[[int], bool]:
    """Whether the new device may use a power of the patient's account."""

    def ask(power: int) -> bool:
        answer: bool = registry.call("isAuthorised", patient.address, new_device.address, power)
        return answer

    return ask


# What it holds


def test_new_device_holds_nothing_when_no_recovery_was_started(
    guarded: None, may: Callable[[int], bool]
) -> None:
    assert [power for power in MASKS if may(power)] == []


def test_new_device_may_restrict_and_nothing_else_when_a_recovery_is_pending(
    started: Receipt, may: Callable[[int], bool]
) -> None:
    assert [power for power in MASKS if may(power)] == [RESTRICT]


@pytest.mark.parametrize("seconds", [-1, 0, 1])
def test_new_device_may_only_restrict_when_the_recovery_is_ready_and_not_completed(
    started: Receipt, evm: Evm, may: Callable[[int], bool], seconds: int
) -> None:
    evm.travel_to(started.timestamp + RECOVERY_DELAY + seconds)
    assert [power for power in MASKS if may(power)] == [RESTRICT]


def test_authority_to_restrict_has_no_end_when_a_recovery_is_pending(
    started: Receipt, registry: Deployed, patient: LocalAccount, new_device: LocalAccount
) -> None:
    answer = registry.call("authority", patient.address, new_device.address, RESTRICT)
    assert answer == (0, FOREVER)


@pytest.mark.parametrize("power", [power for power in MASKS if power != RESTRICT])
def test_authority_is_refused_when_the_new_device_asks_for_more(
    started: Receipt,
    registry: Deployed,
    patient: LocalAccount,
    new_device: LocalAccount,
    power: int,
) -> None:
    with expect_revert(
        "NotAuthorised", account=patient.address, by=new_device.address, power=power
    ):
        registry.call("authority", patient.address, new_device.address, power)


def test_new_device_holds_nothing_of_another_account_when_a_recovery_is_pending(
    started: Receipt, registry: Deployed, stranger: LocalAccount, new_device: LocalAccount
) -> None:
    assert not registry.call("isAuthorised", stranger.address, new_device.address, RESTRICT)


def test_new_device_holds_nothing_when_the_recovery_was_cancelled(
    started: Receipt,
    circle: GuardianCircle,
    guardians: list[LocalAccount],
    relayer: LocalAccount,
    patient: LocalAccount,
    may: Callable[[int], bool],
) -> None:
    circle.cancel(relayer, patient.address, patient, guardians[0])
    assert [power for power in MASKS if may(power)] == []


def test_only_the_newer_device_may_restrict_when_another_recovery_was_started_instead(
    started: Receipt,
    registry: Deployed,
    circle: GuardianCircle,
    guardians: list[LocalAccount],
    relayer: LocalAccount,
    patient: LocalAccount,
    stranger: LocalAccount,
    may: Callable[[int], bool],
) -> None:
    circle.cancel(relayer, patient.address, patient, guardians[0])
    circle.start(relayer, patient.address, stranger.address, guardians[:2], nonce=1)
    assert not may(RESTRICT)
    assert registry.call("isAuthorised", patient.address, stranger.address, RESTRICT)


def test_new_device_holds_every_power_when_the_recovery_was_completed(
    started: Receipt,
    registry: Deployed,
    relayer: LocalAccount,
    patient: LocalAccount,
    may: Callable[[int], bool],
) -> None:
    ready = started.timestamp + RECOVERY_DELAY
    registry.send(relayer, "completeRecovery", patient.address, at=ready)
    assert [power for power in MASKS if may(power)] == MASKS[1:]


def test_new_device_keeps_what_it_was_delegated_when_a_recovery_is_pending(
    accounts: RegistryActions,
    start: Callable[..., Receipt],
    guardians: list[LocalAccount],
    patient: LocalAccount,
    new_device: LocalAccount,
    may: Callable[[int], bool],
) -> None:
    """Each of the two by another right; what is asked for together must come by one."""
    accounts.delegation(patient, new_device.address, ANCHOR | READ).relay()
    start(*guardians[:2])
    assert [power for power in MASKS if may(power)] == [RESTRICT, ANCHOR]


def test_owner_may_restrict_and_anchor_when_guardians_name_its_own_key(
    registry: Deployed,
    guarded: None,
    circle: GuardianCircle,
    guardians: list[LocalAccount],
    relayer: LocalAccount,
    patient: LocalAccount,
) -> None:
    circle.start(relayer, patient.address, patient.address, guardians[:2])
    for power in MASKS:
        held = registry.call("isAuthorised", patient.address, patient.address, power)
        assert held == (power in (RESTRICT, ANCHOR, RESTRICT | ANCHOR))


# What it does


@pytest.mark.parametrize("way", ["send", "relay"])
def test_revoke_all_works_when_the_new_device_wants_it_during_its_recovery(
    started: Receipt,
    accounts: RegistryActions,
    registry: Deployed,
    patient: LocalAccount,
    new_device: LocalAccount,
    way: str,
) -> None:
    receipt = getattr(accounts.revoke_all(patient, by=new_device), way)()
    assert registry.events(receipt) == [
        Event("AllRevoked", {"account": patient.address, "by": new_device.address, "epoch": 1})
    ]
    assert registry.call("epochOf", patient.address) == 1


def test_thiefs_delegate_is_dead_when_the_new_device_revokes_all_during_its_recovery(
    guarded: None,
    accounts: RegistryActions,
    registry: Deployed,
    start: Callable[..., Receipt],
    guardians: list[LocalAccount],
    patient: LocalAccount,
    new_device: LocalAccount,
    thief: LocalAccount,
) -> None:
    accounts.delegation(patient, thief.address, sum(POWERS)).relay()
    start(*guardians[:2])
    accounts.revoke_all(patient, by=new_device).relay()
    for power in POWERS:
        assert not registry.call("isAuthorised", patient.address, thief.address, power)


def test_thief_cannot_keep_the_new_device_from_restricting(
    guarded: None,
    accounts: RegistryActions,
    start: Callable[..., Receipt],
    guardians: list[LocalAccount],
    patient: LocalAccount,
    new_device: LocalAccount,
    thief: LocalAccount,
    may: Callable[[int], bool],
) -> None:
    """Whatever the thief may still do: rotate before, then strip the device and revoke all."""
    accounts.rotation(patient, thief.address).relay()
    start(*guardians[:2])
    accounts.undelegation(patient, new_device.address, by=thief).relay()
    accounts.revoke_all(patient, by=thief).relay()
    assert may(RESTRICT)
    accounts.revoke_all(patient, by=new_device, epoch=1).relay()
    assert may(RESTRICT)


@pytest.mark.parametrize("name", ["rotation", "delegation", "undelegation", "guardians_change"])
def test_new_device_is_refused_when_it_does_what_only_the_controller_may(
    started: Receipt,
    accounts: RegistryActions,
    patient: LocalAccount,
    new_device: LocalAccount,
    stranger: LocalAccount,
    name: str,
) -> None:
    actions: dict[str, Action] = {
        "rotation": accounts.rotation(patient, stranger.address, by=new_device),
        "delegation": accounts.delegation(patient, stranger.address, GRANT, by=new_device),
        "undelegation": accounts.undelegation(patient, stranger.address, by=new_device),
        "guardians_change": accounts.guardians_change(patient, NONE, by=new_device, nonce=1),
    }
    with expect_revert("NotController", account=patient.address, by=new_device.address):
        actions[name].relay()


def test_new_device_is_refused_when_it_cancels_its_recovery_with_a_guardian(
    started: Receipt,
    circle: GuardianCircle,
    guardians: list[LocalAccount],
    relayer: LocalAccount,
    patient: LocalAccount,
    new_device: LocalAccount,
) -> None:
    with expect_revert("NotController", account=patient.address, by=new_device.address):
        circle.cancel(relayer, patient.address, new_device, guardians[0])


def test_revoke_all_is_refused_when_its_recovery_was_cancelled(
    started: Receipt,
    accounts: RegistryActions,
    circle: GuardianCircle,
    guardians: list[LocalAccount],
    relayer: LocalAccount,
    patient: LocalAccount,
    new_device: LocalAccount,
) -> None:
    withheld = accounts.revoke_all(patient, by=new_device)
    circle.cancel(relayer, patient.address, patient, guardians[0])
    with expect_revert(
        "NotAuthorised", account=patient.address, by=new_device.address, power=RESTRICT
    ):
        withheld.relay()
