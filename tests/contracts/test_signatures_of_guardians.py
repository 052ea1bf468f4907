"""Signatures of guardians: each for one recovery of one account, by one guardian."""

from __future__ import annotations

import pytest
from eth_account.signers.local import LocalAccount

from tests.contracts.deployed import Deployed, expect_revert
from tests.contracts.guardian_circle import GuardianCircle
from tests.contracts.signature_forms import malleable


@pytest.mark.parametrize(
    "domain",
    [{"version": "2"}, {"chainId": 1}, {"verifyingContract": "0x" + "11" * 20}],
    ids=["version", "chain", "contract"],
)
def test_guardians_signature_is_refused_when_made_for_another_domain(
    guarded: None,
    registry: Deployed,
    circle: GuardianCircle,
    guardians: list[LocalAccount],
    relayer: LocalAccount,
    patient: LocalAccount,
    new_device: LocalAccount,
    domain: dict[str, object],
) -> None:
    first, second, _ = guardians
    deadline = registry.evm.now + 1000
    message = {
        "account": patient.address,
        "guardian": first.address,
        "newController": new_device.address,
        "nonce": 0,
        "deadline": deadline,
    }
    elsewhere = registry.sign(first, "RecoveryApproval", message, **domain)
    words = [
        circle.word(first.address, elsewhere),
        circle.approval(second, patient.address, new_device.address, deadline=deadline),
    ]
    recovery = (patient.address, new_device.address, 0, deadline)
    digest = registry.digest("RecoveryApproval", message)
    with expect_revert("InvalidSignature", by=first.address, digest=digest):
        circle.send_start(relayer, recovery, words)


@pytest.mark.parametrize("field", ["account", "guardian", "newController", "nonce", "deadline"])
def test_guardians_signature_is_refused_when_one_field_was_another(
    guarded: None,
    registry: Deployed,
    circle: GuardianCircle,
    guardians: list[LocalAccount],
    relayer: LocalAccount,
    patient: LocalAccount,
    new_device: LocalAccount,
    stranger: LocalAccount,
    field: str,
) -> None:
    first, second, _ = guardians
    deadline = registry.evm.now + 1000
    message: dict[str, object] = {
        "account": patient.address,
        "guardian": first.address,
        "newController": new_device.address,
        "nonce": 0,
        "deadline": deadline,
    }
    other = stranger.address if isinstance(message[field], str) else 1
    signature = registry.sign(first, "RecoveryApproval", {**message, field: other})
    words = [
        circle.word(first.address, signature),
        circle.approval(second, patient.address, new_device.address, deadline=deadline),
    ]
    recovery = (patient.address, new_device.address, 0, deadline)
    digest = registry.digest("RecoveryApproval", message)
    with expect_revert("InvalidSignature", by=first.address, digest=digest):
        circle.send_start(relayer, recovery, words)


def test_guardians_signature_is_refused_when_it_is_malleable(
    guarded: None,
    registry: Deployed,
    circle: GuardianCircle,
    guardians: list[LocalAccount],
    relayer: LocalAccount,
    patient: LocalAccount,
    new_device: LocalAccount,
) -> None:
    first, second, _ = guardians
    guardian, salt, proof, signature = circle.approval(first, patient.address, new_device.address)
    words = [
        (guardian, salt, proof, malleable(signature)),
        circle.approval(second, patient.address, new_device.address),
    ]
    deadline = 2**40 - 1
    message = {
        "account": patient.address,
        "guardian": first.address,
        "newController": new_device.address,
        "nonce": 0,
        "deadline": deadline,
    }
    digest = registry.digest("RecoveryApproval", message)
    with expect_revert("InvalidSignature", by=first.address, digest=digest):
        circle.send_start(relayer, (patient.address, new_device.address, 0, deadline), words)
