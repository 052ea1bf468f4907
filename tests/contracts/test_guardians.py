"""Guardians: whom an owner trusts to hand its account to a new key, hidden in a commitment.

setGuardians
├── after the deadline, by another than the controller, while a recovery is pending, with a nonce
│   other than the next, by a sender who is not `by`: refused
├── none in force: in force at once
└── some in force: in force after the delay; setting again starts the delay anew
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from eth_account.signers.local import LocalAccount

from tests.contracts.consortium_actions import NONE
from tests.contracts.deployed import Deployed, Event, expect_revert
from tests.contracts.evm import Evm
from tests.contracts.keys import Key
from tests.contracts.periods import RECOVERY_DELAY
from tests.contracts.registry_actions import RegistryActions
from tests.contracts.storage import only_writes

GUARDIANS = 2 << 64
"""The nonce 0 under the key of guardians, as OpenZeppelin packs it."""

FIRST, SECOND = b"\x01" * 32, b"\x02" * 32


@pytest.mark.parametrize("way", ["send", "relay"])
def test_set_guardians_counts_at_once_when_none_are_in_force(
    accounts: RegistryActions, registry: Deployed, evm: Evm, patient: LocalAccount, way: str
) -> None:
    receipt = getattr(accounts.guardians_change(patient, FIRST), way)()
    assert registry.call("guardiansOf", patient.address) == (FIRST, NONE, 0)
    assert registry.events(receipt) == [
        Event(
            "GuardiansSet",
            {
                "account": patient.address,
                "by": patient.address,
                "commitment": FIRST,
                "effectiveFrom": evm.now,
            },
        )
    ]


def test_set_guardians_waits_when_some_are_in_force(
    accounts: RegistryActions, registry: Deployed, patient: LocalAccount
) -> None:
    accounts.guardians_change(patient, FIRST).relay()
    receipt = accounts.guardians_change(patient, SECOND, nonce=1).relay()
    effective = receipt.timestamp + RECOVERY_DELAY
    assert registry.call("guardiansOf", patient.address) == (FIRST, SECOND, effective)
    assert registry.events(receipt) == [
        Event(
            "GuardiansSet",
            {
                "account": patient.address,
                "by": patient.address,
                "commitment": SECOND,
                "effectiveFrom": effective,
            },
        )
    ]


@pytest.mark.parametrize(
    ("seconds", "in_force"), [(-1, FIRST), (0, SECOND), (1, SECOND)], ids=["before", "at", "after"]
)
def test_set_guardians_takes_effect_when_the_delay_has_run(
    accounts: RegistryActions,
    registry: Deployed,
    evm: Evm,
    patient: LocalAccount,
    seconds: int,
    in_force: bytes,
) -> None:
    accounts.guardians_change(patient, FIRST).relay()
    set_at = accounts.guardians_change(patient, SECOND, nonce=1).relay().timestamp
    evm.travel_to(set_at + RECOVERY_DELAY + seconds)
    assert registry.call("guardiansOf", patient.address)[0] == in_force


def test_set_guardians_restarts_the_delay_when_set_again_before_it_has_run(
    accounts: RegistryActions, registry: Deployed, patient: LocalAccount
) -> None:
    third = b"\x03" * 32
    accounts.guardians_change(patient, FIRST).relay()
    set_at = accounts.guardians_change(patient, SECOND, nonce=1).relay().timestamp
    again = set_at + RECOVERY_DELAY - 1
    accounts.guardians_change(patient, third, nonce=2).relay(at=again)
    assert registry.call("guardiansOf", patient.address) == (FIRST, third, again + RECOVERY_DELAY)


def test_set_guardians_keeps_those_that_took_effect_when_set_again_later(
    accounts: RegistryActions, registry: Deployed, patient: LocalAccount
) -> None:
    third = b"\x03" * 32
    accounts.guardians_change(patient, FIRST).relay()
    set_at = accounts.guardians_change(patient, SECOND, nonce=1).relay().timestamp
    later = set_at + RECOVERY_DELAY
    accounts.guardians_change(patient, third, nonce=2).relay(at=later)
    assert registry.call("guardiansOf", patient.address) == (SECOND, third, later + RECOVERY_DELAY)


def test_set_guardians_waits_when_they_are_to_be_none(
    accounts: RegistryActions, registry: Deployed, evm: Evm, patient: LocalAccount
) -> None:
    accounts.guardians_change(patient, FIRST).relay()
    removed_at = accounts.guardians_change(patient, NONE, nonce=1).relay().timestamp
    effective = removed_at + RECOVERY_DELAY
    assert registry.call("guardiansOf", patient.address) == (FIRST, NONE, effective)
    evm.travel_to(effective)
    assert registry.call("guardiansOf", patient.address) == (NONE, NONE, 0)


def test_set_guardians_counts_at_once_when_the_last_were_removed(
    accounts: RegistryActions, registry: Deployed, patient: LocalAccount
) -> None:
    accounts.guardians_change(patient, FIRST).relay()
    removed_at = accounts.guardians_change(patient, NONE, nonce=1).relay().timestamp
    accounts.guardians_change(patient, SECOND, nonce=2).relay(at=removed_at + RECOVERY_DELAY)
    assert registry.call("guardiansOf", patient.address) == (SECOND, NONE, 0)


def test_set_guardians_touches_guardians_and_nonce_alone_when_first_set(
    accounts: RegistryActions, registry: Deployed, consents: Deployed, patient: LocalAccount
) -> None:
    with only_writes(2, registry, consents):
        accounts.guardians_change(patient, FIRST).relay()
    assert registry.call("nonces(address,uint192)", patient.address, 2) == GUARDIANS | 1


def test_set_guardians_succeeds_when_sent_in_the_second_of_the_deadline(
    accounts: RegistryActions, registry: Deployed, evm: Evm, patient: LocalAccount
) -> None:
    deadline = evm.now + 100
    accounts.guardians_change(patient, FIRST, deadline=deadline).relay(at=deadline)
    assert registry.call("guardiansOf", patient.address)[0] == FIRST


def test_set_guardians_is_refused_when_sent_a_second_after_the_deadline(
    accounts: RegistryActions, evm: Evm, patient: LocalAccount
) -> None:
    deadline = evm.now + 100
    with expect_revert("DeadlinePassed", deadline=deadline):
        accounts.guardians_change(patient, FIRST, deadline=deadline).send(at=deadline + 1)


def test_set_guardians_is_refused_when_a_stranger_acts(
    accounts: RegistryActions, patient: LocalAccount, stranger: LocalAccount
) -> None:
    with expect_revert("NotController", account=patient.address, by=stranger.address):
        accounts.guardians_change(patient, FIRST, by=stranger).relay()


def test_set_guardians_is_refused_when_a_delegate_with_every_power_acts(
    accounts: RegistryActions, patient: LocalAccount, clinician: LocalAccount
) -> None:
    accounts.delegation(patient, clinician.address, 2**16 - 1).relay()
    with expect_revert("NotController", account=patient.address, by=clinician.address):
        accounts.guardians_change(patient, FIRST, by=clinician).relay()


def test_set_guardians_is_refused_when_a_recovery_is_pending(
    accounts: RegistryActions, patient: LocalAccount, start_recovery: Callable[[Key], None]
) -> None:
    start_recovery(patient)
    with expect_revert("RecoveryPending", account=patient.address):
        accounts.guardians_change(patient, FIRST, nonce=1).relay()


def test_set_guardians_is_refused_when_its_signature_is_sent_again(
    accounts: RegistryActions, patient: LocalAccount
) -> None:
    change = accounts.guardians_change(patient, FIRST)
    change.relay()
    with expect_revert("InvalidAccountNonce", account=patient.address, currentNonce=GUARDIANS | 1):
        change.relay()


def test_set_guardians_is_refused_when_another_sends_it_unsigned(
    accounts: RegistryActions, patient: LocalAccount, stranger: LocalAccount
) -> None:
    with expect_revert("NotSender", by=patient.address, sender=stranger.address):
        accounts.guardians_change(patient, FIRST).send(stranger)
