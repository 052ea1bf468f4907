"""The words of guardians: each of a distinct guardian, proven under the root, and signed."""

from __future__ import annotations

from collections.abc import Callable

from eth_abi.abi import encode
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak

from tests.contracts.consortium_actions import NOBODY
from tests.contracts.deployed import Deployed, expect_revert
from tests.contracts.evm import Receipt
from tests.contracts.guardian_circle import GuardianCircle, salt_of
from tests.contracts.periods import FOREVER
from tests.contracts.registry_actions import RegistryActions


def test_start_recovery_is_refused_when_one_guardian_approves_twice(
    start: Callable[..., Receipt], guardians: list[LocalAccount]
) -> None:
    twice = guardians[0]
    with expect_revert("GuardiansOutOfOrder", previous=twice.address, next=twice.address):
        start(twice, twice)


def test_start_recovery_is_refused_when_one_guardian_approves_twice_under_two_salts(
    accounts: RegistryActions,
    registry: Deployed,
    guardians: list[LocalAccount],
    relayer: LocalAccount,
    patient: LocalAccount,
    new_device: LocalAccount,
) -> None:
    twice = guardians[0].address
    doubled = GuardianCircle(registry, (twice, twice), 2)
    accounts.guardians_change(patient, doubled.commitment).relay()
    approval = doubled.approval(guardians[0], patient.address, new_device.address)
    recovery = (patient.address, new_device.address, 0, FOREVER)
    with expect_revert("GuardiansOutOfOrder", previous=twice, next=twice):
        doubled.send_start(relayer, recovery, [approval, approval])


def test_start_recovery_is_refused_when_guardians_are_out_of_order(
    start: Callable[..., Receipt], guardians: list[LocalAccount]
) -> None:
    first, second, _ = guardians
    with expect_revert("GuardiansOutOfOrder", previous=second.address, next=first.address):
        start(second, first)


def test_start_recovery_is_refused_when_a_guardian_is_the_zero_address(
    guarded: None,
    circle: GuardianCircle,
    relayer: LocalAccount,
    patient: LocalAccount,
    new_device: LocalAccount,
) -> None:
    recovery = (patient.address, new_device.address, 0, FOREVER)
    nobody = circle.word(NOBODY, b"")
    with expect_revert("GuardiansOutOfOrder", previous=NOBODY, next=NOBODY):
        circle.send_start(relayer, recovery, [nobody, nobody])


def test_start_recovery_is_refused_when_one_is_no_guardian(
    start: Callable[..., Receipt],
    guardians: list[LocalAccount],
    patient: LocalAccount,
    stranger: LocalAccount,
) -> None:
    present = sorted([guardians[0], stranger], key=lambda key: int(key.address, 16))
    with expect_revert("NotGuardian", account=patient.address, guardian=stranger.address):
        start(*present)


def test_start_recovery_is_refused_when_a_salt_is_wrong(
    guarded: None,
    circle: GuardianCircle,
    guardians: list[LocalAccount],
    relayer: LocalAccount,
    patient: LocalAccount,
    new_device: LocalAccount,
) -> None:
    first, second, _ = guardians
    address, _, proof, signature = circle.approval(first, patient.address, new_device.address)
    approvals = [
        (address, salt_of(second.address), proof, signature),
        circle.approval(second, patient.address, new_device.address),
    ]
    recovery = (patient.address, new_device.address, 0, FOREVER)
    with expect_revert("NotGuardian", account=patient.address, guardian=first.address):
        circle.send_start(relayer, recovery, approvals)


def test_start_recovery_is_refused_when_the_leaf_was_hashed_once(
    accounts: RegistryActions,
    registry: Deployed,
    guardians: list[LocalAccount],
    relayer: LocalAccount,
    patient: LocalAccount,
    new_device: LocalAccount,
) -> None:
    guardian = guardians[0]
    alone = GuardianCircle(registry, (guardian.address,), 1)
    root = keccak(encode(["address", "bytes32"], [guardian.address, salt_of(guardian.address)]))
    commitment = keccak(encode(["bytes32", "uint8"], [root, 1]))
    accounts.guardians_change(patient, commitment).relay()
    recovery = (patient.address, new_device.address, 0, FOREVER)
    words = [alone.approval(guardian, patient.address, new_device.address)]
    with expect_revert("NotGuardian", account=patient.address, guardian=guardian.address):
        registry.send(relayer, "startRecovery", recovery, root, 1, words)


def test_start_recovery_is_refused_when_a_guardian_has_not_signed(
    guarded: None,
    circle: GuardianCircle,
    guardians: list[LocalAccount],
    relayer: LocalAccount,
    patient: LocalAccount,
    new_device: LocalAccount,
) -> None:
    first, second, _ = guardians
    approvals = [
        circle.approval(first, patient.address, new_device.address),
        circle.word(second.address, b""),
    ]
    recovery = (patient.address, new_device.address, 0, FOREVER)
    with expect_revert("NotSender", by=second.address, sender=relayer.address):
        circle.send_start(relayer, recovery, approvals)


def test_start_recovery_is_refused_when_a_guardian_signed_for_another_key(
    guarded: None,
    registry: Deployed,
    circle: GuardianCircle,
    guardians: list[LocalAccount],
    relayer: LocalAccount,
    patient: LocalAccount,
    new_device: LocalAccount,
    thief: LocalAccount,
) -> None:
    first, second, _ = guardians
    approvals = [
        circle.approval(first, patient.address, new_device.address),
        circle.approval(second, patient.address, new_device.address),
    ]
    message = {
        "account": patient.address,
        "guardian": first.address,
        "newController": thief.address,
        "nonce": 0,
        "deadline": FOREVER,
    }
    digest = registry.digest("RecoveryApproval", message)
    recovery = (patient.address, thief.address, 0, FOREVER)
    with expect_revert("InvalidSignature", by=first.address, digest=digest):
        circle.send_start(relayer, recovery, approvals)
