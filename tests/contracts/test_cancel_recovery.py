"""Cancelling a recovery: the controller and one guardian together, never the controller alone.

cancelRecovery
├── none pending, another one, by another than the controller, under other guardians than it
│   started under, with one who is no guardian, the controller itself or the account, with either
│   signature missing or of another: refused
└── else, also after the delay: the account is as before
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from eth_account.signers.local import LocalAccount

from tests.contracts.consortium_actions import NOBODY, NONE
from tests.contracts.deployed import Deployed, Event, expect_revert
from tests.contracts.evm import Evm, Receipt
from tests.contracts.guardian_circle import GuardianCircle, salt_of
from tests.contracts.keys import Key
from tests.contracts.masks import GRANT
from tests.contracts.periods import RECOVERY_DELAY
from tests.contracts.registry_actions import RegistryActions
from tests.contracts.storage import only_writes

NO_RECOVERY = (NOBODY, 0, 0, NONE)


@pytest.fixture
def pending(start: Callable[..., Receipt], guardians: list[LocalAccount]) -> int:
    """The patient's recovery is pending; from when it can be completed."""
    return start(*guardians[:2]).timestamp + RECOVERY_DELAY


@pytest.fixture
def cancel(
    circle: GuardianCircle, relayer: LocalAccount, patient: LocalAccount
) -> Callable[..., Receipt]:
    """Has a controller and a guardian cancel the patient's recovery."""

    def go(by: Key, guardian: Key, **details: int) -> Receipt:
        return circle.cancel(relayer, patient.address, by, guardian, **details)

    return go


@pytest.mark.parametrize("position", [0, 1, 2])
def test_cancel_recovery_restores_the_account_when_controller_and_any_guardian_sign(
    pending: int,
    cancel: Callable[..., Receipt],
    registry: Deployed,
    circle: GuardianCircle,
    guardians: list[LocalAccount],
    patient: LocalAccount,
    position: int,
) -> None:
    guardian = guardians[position]
    receipt = cancel(patient, guardian)
    assert registry.call("recoveryOf", patient.address) == NO_RECOVERY
    assert registry.call("controllerOf", patient.address) == patient.address
    assert registry.call("epochOf", patient.address) == 0
    assert registry.call("guardiansOf", patient.address)[0] == circle.commitment
    assert registry.call("isAuthorised", patient.address, patient.address, GRANT)
    assert registry.events(receipt) == [
        Event(
            "RecoveryCancelled",
            {
                "account": patient.address,
                "by": patient.address,
                "guardian": guardian.address,
                "nonce": 0,
            },
        )
    ]


def test_cancel_recovery_touches_one_account_when_another_waits_too(
    pending: int,
    cancel: Callable[..., Receipt],
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
    accounts.guardians_change(stranger, circle.commitment).relay()
    circle.start(relayer, stranger.address, new_device.address, guardians[:2])
    slots = 4  # the controller's and three of the recovery
    with only_writes(slots, registry, consents):
        cancel(patient, guardians[0])
    assert registry.call("recoveryOf", stranger.address) != NO_RECOVERY


def test_cancel_recovery_succeeds_when_the_controller_sends_it_unsigned(
    pending: int,
    registry: Deployed,
    evm: Evm,
    circle: GuardianCircle,
    guardians: list[LocalAccount],
    patient: LocalAccount,
) -> None:
    evm.fund(patient.address)
    word = circle.word(guardians[0].address, circle.cancellation(guardians[0], patient.address))
    circle.send_cancel(patient, patient.address, patient.address, word, b"")
    assert registry.call("recoveryOf", patient.address) == NO_RECOVERY


def test_cancel_recovery_succeeds_when_the_guardian_sends_it_with_its_word_unsigned(
    pending: int,
    registry: Deployed,
    evm: Evm,
    circle: GuardianCircle,
    guardians: list[LocalAccount],
    patient: LocalAccount,
) -> None:
    guardian = guardians[2]
    evm.fund(guardian.address)
    word = circle.word(guardian.address, b"")
    signature = circle.cancellation(patient, patient.address)
    circle.send_cancel(guardian, patient.address, patient.address, word, signature)
    assert registry.call("recoveryOf", patient.address) == NO_RECOVERY


def test_cancel_recovery_succeeds_when_the_delay_has_run_but_nobody_has_completed(
    pending: int,
    cancel: Callable[..., Receipt],
    registry: Deployed,
    guardians: list[LocalAccount],
    patient: LocalAccount,
) -> None:
    cancel(patient, guardians[0], at=pending + 1)
    assert registry.call("recoveryOf", patient.address) == NO_RECOVERY


def test_cancel_recovery_is_final_when_the_guardians_signatures_are_sent_again(
    pending: int,
    cancel: Callable[..., Receipt],
    start: Callable[..., Receipt],
    guardians: list[LocalAccount],
    patient: LocalAccount,
) -> None:
    cancel(patient, guardians[0])
    with expect_revert("InvalidAccountNonce", account=patient.address, currentNonce=3 << 64 | 1):
        start(*guardians[:2])


def test_cancel_recovery_is_refused_when_none_is_pending(
    guarded: None,
    cancel: Callable[..., Receipt],
    guardians: list[LocalAccount],
    patient: LocalAccount,
) -> None:
    with expect_revert("NoRecovery", account=patient.address):
        cancel(patient, guardians[0])


def test_cancel_recovery_is_refused_when_it_was_signed_for_an_earlier_one(
    pending: int,
    cancel: Callable[..., Receipt],
    start: Callable[..., Receipt],
    guardians: list[LocalAccount],
    patient: LocalAccount,
) -> None:
    cancel(patient, guardians[0])
    start(*guardians[:2], nonce=1)
    with expect_revert("WrongRecovery", account=patient.address, nonce=0, pending=1):
        cancel(patient, guardians[0])


def test_cancel_recovery_is_refused_when_a_stranger_acts(
    pending: int,
    cancel: Callable[..., Receipt],
    guardians: list[LocalAccount],
    patient: LocalAccount,
    stranger: LocalAccount,
) -> None:
    with expect_revert("NotController", account=patient.address, by=stranger.address):
        cancel(stranger, guardians[0])


def test_cancel_recovery_is_refused_when_two_guardians_act_without_the_controller(
    pending: int,
    cancel: Callable[..., Receipt],
    guardians: list[LocalAccount],
    patient: LocalAccount,
) -> None:
    with expect_revert("NotController", account=patient.address, by=guardians[0].address):
        cancel(guardians[0], guardians[1])


def test_cancel_recovery_is_refused_when_a_delegate_with_every_power_acts(
    accounts: RegistryActions,
    start: Callable[..., Receipt],
    cancel: Callable[..., Receipt],
    guardians: list[LocalAccount],
    patient: LocalAccount,
    clinician: LocalAccount,
) -> None:
    accounts.delegation(patient, clinician.address, 2**16 - 1).relay()
    start(*guardians[:2])
    with expect_revert("NotController", account=patient.address, by=clinician.address):
        cancel(clinician, guardians[0])


def test_cancel_recovery_is_refused_when_the_guardians_choice_acts(
    pending: int,
    cancel: Callable[..., Receipt],
    guardians: list[LocalAccount],
    patient: LocalAccount,
    new_device: LocalAccount,
) -> None:
    with expect_revert("NotController", account=patient.address, by=new_device.address):
        cancel(new_device, guardians[0])


def test_cancel_recovery_is_refused_when_the_threshold_is_another(
    pending: int,
    circle: GuardianCircle,
    guardians: list[LocalAccount],
    relayer: LocalAccount,
    patient: LocalAccount,
) -> None:
    other = replace(circle, threshold=1)
    with expect_revert(
        "WrongGuardians",
        account=patient.address,
        commitment=other.commitment,
        expected=circle.commitment,
    ):
        other.cancel(relayer, patient.address, patient, guardians[0])


def test_cancel_recovery_is_refused_when_the_guardian_came_into_force_after_it_started(
    guarded: None,
    accounts: RegistryActions,
    start: Callable[..., Receipt],
    registry: Deployed,
    circle: GuardianCircle,
    guardians: list[LocalAccount],
    relayer: LocalAccount,
    patient: LocalAccount,
    clinician: LocalAccount,
) -> None:
    later = GuardianCircle(registry, (clinician.address,), 1)
    set_at = accounts.guardians_change(patient, later.commitment, nonce=1).relay().timestamp
    start(*guardians[:2])
    with expect_revert(
        "WrongGuardians",
        account=patient.address,
        commitment=later.commitment,
        expected=circle.commitment,
    ):
        later.cancel(relayer, patient.address, patient, clinician, at=set_at + RECOVERY_DELAY)


def test_cancel_recovery_succeeds_when_the_guardian_is_of_those_it_started_under(
    guarded: None,
    accounts: RegistryActions,
    start: Callable[..., Receipt],
    cancel: Callable[..., Receipt],
    registry: Deployed,
    guardians: list[LocalAccount],
    patient: LocalAccount,
) -> None:
    other = b"\x07" * 32
    set_at = accounts.guardians_change(patient, other, nonce=1).relay().timestamp
    start(*guardians[:2])
    cancel(patient, guardians[2], at=set_at + RECOVERY_DELAY)
    assert registry.call("recoveryOf", patient.address) == NO_RECOVERY
    assert registry.call("guardiansOf", patient.address)[0] == other


def test_cancel_recovery_is_refused_when_one_is_no_guardian(
    pending: int,
    cancel: Callable[..., Receipt],
    patient: LocalAccount,
    stranger: LocalAccount,
) -> None:
    with expect_revert("NotGuardian", account=patient.address, guardian=stranger.address):
        cancel(patient, stranger)


def test_cancel_recovery_is_refused_when_the_guardians_salt_is_anothers(
    pending: int,
    circle: GuardianCircle,
    guardians: list[LocalAccount],
    relayer: LocalAccount,
    patient: LocalAccount,
) -> None:
    guardian, other, _ = guardians
    address, _, proof, _ = circle.word(guardian.address, b"")
    word = (address, salt_of(other.address), proof, circle.cancellation(guardian, patient.address))
    signature = circle.cancellation(patient, patient.address)
    with expect_revert("NotGuardian", account=patient.address, guardian=guardian.address):
        circle.send_cancel(relayer, patient.address, patient.address, word, signature)


def test_cancel_recovery_is_refused_when_the_guardian_has_not_signed(
    pending: int,
    circle: GuardianCircle,
    guardians: list[LocalAccount],
    relayer: LocalAccount,
    patient: LocalAccount,
) -> None:
    guardian = guardians[0].address
    signature = circle.cancellation(patient, patient.address)
    with expect_revert("NotSender", by=guardian, sender=relayer.address):
        circle.send_cancel(
            relayer, patient.address, patient.address, circle.word(guardian, b""), signature
        )


def test_cancel_recovery_is_refused_when_the_controller_has_not_signed(
    pending: int,
    circle: GuardianCircle,
    guardians: list[LocalAccount],
    relayer: LocalAccount,
    patient: LocalAccount,
) -> None:
    guardian = guardians[0]
    word = circle.word(guardian.address, circle.cancellation(guardian, patient.address))
    with expect_revert("NotSender", by=patient.address, sender=relayer.address):
        circle.send_cancel(relayer, patient.address, patient.address, word, b"")


def test_cancel_recovery_is_refused_when_the_controllers_signature_stands_for_the_guardians(
    pending: int,
    registry: Deployed,
    circle: GuardianCircle,
    guardians: list[LocalAccount],
    relayer: LocalAccount,
    patient: LocalAccount,
) -> None:
    guardian = guardians[0].address
    signature = circle.cancellation(patient, patient.address)
    message = {"account": patient.address, "signer": guardian, "nonce": 0}
    digest = registry.digest("Cancellation", message)
    with expect_revert("InvalidSignature", by=guardian, digest=digest):
        circle.send_cancel(
            relayer, patient.address, patient.address, circle.word(guardian, signature), signature
        )
