"""Completing a recovery: the account is handed over, once its owner had the time to object.

completeRecovery
├── none pending, before the delay has run: refused
└── else: the account has its new controller in a new epoch, and the guardians it started under
"""

from __future__ import annotations

from collections.abc import Callable

from eth_account.signers.local import LocalAccount

from tests.contracts.consortium_actions import NOBODY, NONE
from tests.contracts.deployed import Deployed, Event, expect_revert
from tests.contracts.evm import Receipt
from tests.contracts.guardian_circle import GuardianCircle
from tests.contracts.masks import ANCHOR, GRANT, RESTRICT
from tests.contracts.registry_actions import RegistryActions
from tests.contracts.storage import only_writes

NO_RECOVERY = (NOBODY, 0, 0, NONE)


def test_complete_recovery_hands_over_in_a_new_epoch_when_the_delay_has_run(
    start: Callable[..., Receipt],
    registry: Deployed,
    circle: GuardianCircle,
    relayer: LocalAccount,
    guardians: list[LocalAccount],
    patient: LocalAccount,
    new_device: LocalAccount,
) -> None:
    start(*guardians[:2])
    ready = registry.call("recoveryOf", patient.address)[2]
    receipt = registry.send(relayer, "completeRecovery", patient.address, at=ready)
    assert registry.call("controllerOf", patient.address) == new_device.address
    assert registry.call("epochOf", patient.address) == 1
    assert registry.call("recoveryOf", patient.address) == NO_RECOVERY
    assert registry.call("guardiansOf", patient.address) == (circle.commitment, NONE, 0)
    assert registry.call("isAuthorised", patient.address, new_device.address, GRANT)
    assert registry.events(receipt) == [
        Event(
            "RecoveryCompleted",
            {"account": patient.address, "newController": new_device.address, "epoch": 1},
        )
    ]


def test_complete_recovery_touches_one_account_when_another_waits_too(
    start: Callable[..., Receipt],
    accounts: RegistryActions,
    registry: Deployed,
    consents: Deployed,
    circle: GuardianCircle,
    guardians: list[LocalAccount],
    relayer: LocalAccount,
    patient: LocalAccount,
    stranger: LocalAccount,
    new_device: LocalAccount,
) -> None:
    start(*guardians[:2])
    accounts.guardians_change(stranger, circle.commitment).relay()
    circle.start(relayer, stranger.address, new_device.address, guardians[:2])
    ready = registry.call("recoveryOf", stranger.address)[2]
    slots = 4  # the controller's and three of the recovery
    with only_writes(slots, registry, consents):
        registry.send(relayer, "completeRecovery", patient.address, at=ready)
    assert registry.call("recoveryOf", stranger.address) != NO_RECOVERY
    assert registry.call("epochOf", stranger.address) == 0


def test_complete_recovery_is_refused_when_a_second_of_the_delay_is_left(
    start: Callable[..., Receipt],
    registry: Deployed,
    relayer: LocalAccount,
    guardians: list[LocalAccount],
    patient: LocalAccount,
) -> None:
    start(*guardians[:2])
    ready = registry.call("recoveryOf", patient.address)[2]
    with expect_revert("RecoveryNotReady", account=patient.address, readyAt=ready):
        registry.send(relayer, "completeRecovery", patient.address, at=ready - 1)


def test_complete_recovery_is_refused_when_none_is_pending(
    guarded: None, registry: Deployed, relayer: LocalAccount, patient: LocalAccount
) -> None:
    with expect_revert("NoRecovery", account=patient.address):
        registry.send(relayer, "completeRecovery", patient.address)


def test_complete_recovery_is_refused_when_it_was_completed(
    start: Callable[..., Receipt],
    registry: Deployed,
    relayer: LocalAccount,
    guardians: list[LocalAccount],
    patient: LocalAccount,
) -> None:
    start(*guardians[:2])
    ready = registry.call("recoveryOf", patient.address)[2]
    registry.send(relayer, "completeRecovery", patient.address, at=ready)
    with expect_revert("NoRecovery", account=patient.address):
        registry.send(relayer, "completeRecovery", patient.address)


def test_recovery_can_follow_a_recovery_when_the_next_key_is_lost_too(
    start: Callable[..., Receipt],
    registry: Deployed,
    relayer: LocalAccount,
    guardians: list[LocalAccount],
    patient: LocalAccount,
) -> None:
    for nonce in (0, 1):
        start(*guardians[:2], nonce=nonce)
        ready = registry.call("recoveryOf", patient.address)[2]
        registry.send(relayer, "completeRecovery", patient.address, at=ready)
    assert registry.call("epochOf", patient.address) == 2


def test_delegates_are_dead_when_a_recovery_was_completed(
    start: Callable[..., Receipt],
    accounts: RegistryActions,
    registry: Deployed,
    relayer: LocalAccount,
    guardians: list[LocalAccount],
    patient: LocalAccount,
    clinician: LocalAccount,
) -> None:
    accounts.delegation(patient, clinician.address, RESTRICT | ANCHOR).relay()
    start(*guardians[:2])
    ready = registry.call("recoveryOf", patient.address)[2]
    registry.send(relayer, "completeRecovery", patient.address, at=ready)
    assert not registry.call("isAuthorised", patient.address, clinician.address, ANCHOR)
