"""Starting a recovery: enough guardians, proven and distinct, name the account's next controller.

startRecovery
├── after the deadline, while one is pending, to the zero address, under other guardians than
│   those in force, with too few approvals or a threshold of zero, out of order or twice, with one
│   who is no guardian, with a signature of another, with a nonce other than the next: refused
└── else: the account can only restrict until it is cancelled or completed
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from eth_account.signers.local import LocalAccount

from tests.contracts.consortium_actions import NOBODY, NONE
from tests.contracts.deployed import Deployed, Event, expect_revert
from tests.contracts.evm import Evm, Receipt
from tests.contracts.guardian_circle import GuardianCircle
from tests.contracts.keys import Wallet
from tests.contracts.masks import GRANT
from tests.contracts.periods import FOREVER, RECOVERY_DELAY
from tests.contracts.registry_actions import RegistryActions
from tests.contracts.storage import only_writes

RECOVERY = 3 << 64
"""The nonce 0 under the key of recoveries, as OpenZeppelin packs it."""

NO_RECOVERY = (NOBODY, 0, 0, NONE)


def test_start_recovery_announces_the_new_controller_when_enough_guardians_sign(
    guarded: None,
    registry: Deployed,
    circle: GuardianCircle,
    guardians: list[LocalAccount],
    relayer: LocalAccount,
    patient: LocalAccount,
    new_device: LocalAccount,
) -> None:
    receipt = circle.start(relayer, patient.address, new_device.address, guardians[:2])
    ready = receipt.timestamp + RECOVERY_DELAY
    pending = (new_device.address, 0, ready, circle.commitment)
    assert registry.call("recoveryOf", patient.address) == pending
    assert registry.call("controllerOf", patient.address) == patient.address
    assert registry.events(receipt) == [
        Event(
            "RecoveryStarted",
            {
                "account": patient.address,
                "newController": new_device.address,
                "nonce": 0,
                "readyAt": ready,
            },
        )
    ]


@pytest.mark.parametrize("present", [(0, 1), (0, 2), (1, 2), (0, 1, 2)])
def test_start_recovery_succeeds_when_any_of_the_guardians_reach_the_threshold(
    start: Callable[..., Receipt],
    registry: Deployed,
    guardians: list[LocalAccount],
    patient: LocalAccount,
    present: tuple[int, ...],
) -> None:
    start(*(guardians[i] for i in present))
    assert registry.call("recoveryOf", patient.address) != NO_RECOVERY


def test_start_recovery_succeeds_when_there_is_one_guardian_alone(
    accounts: RegistryActions,
    registry: Deployed,
    guardians: list[LocalAccount],
    relayer: LocalAccount,
    patient: LocalAccount,
    new_device: LocalAccount,
) -> None:
    alone = GuardianCircle(registry, (guardians[0].address,), 1)
    accounts.guardians_change(patient, alone.commitment).relay()
    alone.start(relayer, patient.address, new_device.address, guardians[:1])
    assert registry.call("recoveryOf", patient.address) != NO_RECOVERY


def test_start_recovery_succeeds_when_a_guardian_sends_it_with_its_own_word_unsigned(
    guarded: None,
    registry: Deployed,
    evm: Evm,
    circle: GuardianCircle,
    guardians: list[LocalAccount],
    patient: LocalAccount,
    new_device: LocalAccount,
) -> None:
    first, second, _ = guardians
    evm.fund(first.address)
    approvals = [
        circle.word(first.address, b""),
        circle.approval(second, patient.address, new_device.address),
    ]
    recovery = (patient.address, new_device.address, 0, FOREVER)
    circle.send_start(first, recovery, approvals)
    assert registry.call("recoveryOf", patient.address) != NO_RECOVERY


def test_start_recovery_succeeds_when_a_guardian_is_a_wallet(
    accounts: RegistryActions,
    registry: Deployed,
    guardians: list[LocalAccount],
    relayer: LocalAccount,
    patient: LocalAccount,
    new_device: LocalAccount,
    wallet_of: Callable[[LocalAccount], Wallet],
) -> None:
    wallet = wallet_of(guardians[0])
    circle = GuardianCircle(registry, (wallet.address,), 1)
    accounts.guardians_change(patient, circle.commitment).relay()
    circle.start(relayer, patient.address, new_device.address, [wallet])
    assert registry.call("recoveryOf", patient.address) != NO_RECOVERY


def test_start_recovery_touches_one_account_when_another_has_the_same_guardians(
    accounts: RegistryActions,
    registry: Deployed,
    consents: Deployed,
    circle: GuardianCircle,
    start: Callable[..., Receipt],
    guardians: list[LocalAccount],
    patient: LocalAccount,
    stranger: LocalAccount,
) -> None:
    accounts.guardians_change(stranger, circle.commitment).relay()
    slots = 5  # the controller's, the nonce, and three of the recovery
    with only_writes(slots, registry, consents):
        start(*guardians[:2])
    assert registry.call("recoveryOf", stranger.address) == NO_RECOVERY
    assert registry.call("isAuthorised", stranger.address, stranger.address, GRANT)


def test_start_recovery_succeeds_when_sent_in_the_second_of_the_deadline(
    start: Callable[..., Receipt],
    registry: Deployed,
    evm: Evm,
    guardians: list[LocalAccount],
    patient: LocalAccount,
) -> None:
    deadline = evm.now + 100
    start(*guardians[:2], deadline=deadline, at=deadline)
    assert registry.call("recoveryOf", patient.address) != NO_RECOVERY


def test_start_recovery_is_refused_when_sent_a_second_after_the_deadline(
    start: Callable[..., Receipt], evm: Evm, guardians: list[LocalAccount]
) -> None:
    deadline = evm.now + 100
    with expect_revert("DeadlinePassed", deadline=deadline):
        start(*guardians[:2], deadline=deadline, at=deadline + 1)


def test_start_recovery_is_refused_when_one_is_pending(
    start: Callable[..., Receipt], guardians: list[LocalAccount], patient: LocalAccount
) -> None:
    start(*guardians[:2])
    with expect_revert("RecoveryPending", account=patient.address):
        start(*guardians[:2], nonce=1)


def test_start_recovery_is_refused_when_it_leads_to_nobody(
    guarded: None,
    circle: GuardianCircle,
    guardians: list[LocalAccount],
    relayer: LocalAccount,
    patient: LocalAccount,
) -> None:
    with expect_revert("ZeroController", account=patient.address):
        circle.start(relayer, patient.address, NOBODY, guardians[:2])


def test_start_recovery_is_refused_when_the_account_has_no_guardians(
    circle: GuardianCircle,
    guardians: list[LocalAccount],
    relayer: LocalAccount,
    patient: LocalAccount,
    new_device: LocalAccount,
) -> None:
    with expect_revert(
        "WrongGuardians",
        account=patient.address,
        commitment=circle.commitment,
        expected=NONE,
    ):
        circle.start(relayer, patient.address, new_device.address, guardians[:2])


def test_start_recovery_is_refused_when_the_threshold_is_understated(
    guarded: None,
    circle: GuardianCircle,
    guardians: list[LocalAccount],
    relayer: LocalAccount,
    patient: LocalAccount,
    new_device: LocalAccount,
) -> None:
    understated = replace(circle, threshold=1)
    with expect_revert(
        "WrongGuardians",
        account=patient.address,
        commitment=understated.commitment,
        expected=circle.commitment,
    ):
        understated.start(relayer, patient.address, new_device.address, guardians[:1])


def test_start_recovery_is_refused_when_the_guardians_are_not_in_force_yet(
    guarded: None,
    accounts: RegistryActions,
    registry: Deployed,
    circle: GuardianCircle,
    relayer: LocalAccount,
    patient: LocalAccount,
    new_device: LocalAccount,
    clinician: LocalAccount,
) -> None:
    later = GuardianCircle(registry, (clinician.address,), 1)
    set_at = accounts.guardians_change(patient, later.commitment, nonce=1).relay().timestamp
    with expect_revert(
        "WrongGuardians",
        account=patient.address,
        commitment=later.commitment,
        expected=circle.commitment,
    ):
        later.start(
            relayer,
            patient.address,
            new_device.address,
            [clinician],
            at=set_at + RECOVERY_DELAY - 1,
        )


def test_start_recovery_succeeds_when_the_new_guardians_have_come_into_force(
    guarded: None,
    accounts: RegistryActions,
    registry: Deployed,
    relayer: LocalAccount,
    patient: LocalAccount,
    new_device: LocalAccount,
    clinician: LocalAccount,
) -> None:
    later = GuardianCircle(registry, (clinician.address,), 1)
    set_at = accounts.guardians_change(patient, later.commitment, nonce=1).relay().timestamp
    at = set_at + RECOVERY_DELAY
    later.start(relayer, patient.address, new_device.address, [clinician], at=at)
    assert registry.call("recoveryOf", patient.address)[3] == later.commitment
    assert registry.call("guardiansOf", patient.address) == (later.commitment, NONE, 0)


def test_start_recovery_is_refused_when_former_guardians_act(
    guarded: None,
    accounts: RegistryActions,
    circle: GuardianCircle,
    guardians: list[LocalAccount],
    relayer: LocalAccount,
    patient: LocalAccount,
    new_device: LocalAccount,
) -> None:
    other = b"\x07" * 32
    set_at = accounts.guardians_change(patient, other, nonce=1).relay().timestamp
    at = set_at + RECOVERY_DELAY
    with expect_revert(
        "WrongGuardians", account=patient.address, commitment=circle.commitment, expected=other
    ):
        circle.start(relayer, patient.address, new_device.address, guardians[:2], at=at)


@pytest.mark.parametrize("present", [0, 1])
def test_start_recovery_is_refused_when_too_few_guardians_approve(
    start: Callable[..., Receipt],
    guardians: list[LocalAccount],
    patient: LocalAccount,
    present: int,
) -> None:
    with expect_revert("TooFewGuardians", account=patient.address, approvals=present, threshold=2):
        start(*guardians[:present])


@pytest.mark.parametrize("present", [0, 1])
def test_start_recovery_is_refused_when_the_threshold_is_zero(
    accounts: RegistryActions,
    circle: GuardianCircle,
    guardians: list[LocalAccount],
    relayer: LocalAccount,
    patient: LocalAccount,
    new_device: LocalAccount,
    present: int,
) -> None:
    careless = replace(circle, threshold=0)
    accounts.guardians_change(patient, careless.commitment).relay()
    with expect_revert("TooFewGuardians", account=patient.address, approvals=present, threshold=0):
        careless.start(relayer, patient.address, new_device.address, guardians[:present])


def test_start_recovery_is_refused_when_a_nonce_is_not_the_next(
    start: Callable[..., Receipt], guardians: list[LocalAccount], patient: LocalAccount
) -> None:
    with expect_revert("InvalidAccountNonce", account=patient.address, currentNonce=RECOVERY):
        start(*guardians[:2], nonce=1)
