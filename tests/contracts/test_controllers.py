"""Controllers: an account's key is rotated, and everything made before is revoked.

rotate
├── after the deadline, by another than the controller, while a recovery is pending, to the zero
│   address, with a nonce other than the next, by a sender who is not `by`: refused
└── else: the account has its new controller, and nothing else is touched
revokeAll
├── without the power RESTRICT, or with an epoch other than the account's: refused
└── else, also while a recovery is pending: the epoch rises, and what was made before is dead
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from eth_account.signers.local import LocalAccount

from tests.contracts.consortium_actions import NOBODY
from tests.contracts.deployed import Deployed, Event, expect_revert
from tests.contracts.evm import Evm
from tests.contracts.keys import Key
from tests.contracts.masks import ANCHOR, GRANT, POWERS, RELATE, RESTRICT
from tests.contracts.registry_actions import RegistryActions
from tests.contracts.storage import only_writes

ROTATE = 1 << 64
"""The nonce 0 under the key of rotations, as OpenZeppelin packs it."""

ALL_POWERS = sum(POWERS)


# The state nobody has touched


def test_controller_is_the_account_itself_when_nothing_was_registered(
    registry: Deployed, patient: LocalAccount
) -> None:
    assert registry.call("controllerOf", patient.address) == patient.address
    assert registry.call("epochOf", patient.address) == 0


# rotate


@pytest.mark.parametrize("way", ["send", "relay"])
def test_rotate_hands_over_when_the_controller_wants_it(
    accounts: RegistryActions,
    registry: Deployed,
    patient: LocalAccount,
    new_device: LocalAccount,
    way: str,
) -> None:
    rotation = accounts.rotation(patient, new_device.address)
    receipt = getattr(rotation, way)()
    assert registry.call("controllerOf", patient.address) == new_device.address
    assert registry.events(receipt) == [
        Event(
            "ControllerRotated",
            {
                "account": patient.address,
                "newController": new_device.address,
                "by": patient.address,
            },
        )
    ]


def test_rotate_touches_controller_and_nonce_alone_when_delegates_and_guardians_exist(
    accounts: RegistryActions,
    registry: Deployed,
    consents: Deployed,
    patient: LocalAccount,
    new_device: LocalAccount,
    hospital: LocalAccount,
) -> None:
    accounts.delegation(patient, hospital.address, ANCHOR).relay()
    accounts.guardians_change(patient, b"\x01" * 32).relay()
    with only_writes(2, registry, consents):
        accounts.rotation(patient, new_device.address).relay()
    assert registry.call("epochOf", patient.address) == 0
    assert registry.call("isAuthorised", patient.address, hospital.address, ANCHOR)
    assert registry.call("guardiansOf", patient.address)[0] == b"\x01" * 32
    assert registry.call("nonces(address,uint192)", patient.address, 1) == ROTATE | 1


@pytest.mark.parametrize("power", POWERS)
def test_rotate_moves_every_power_when_done(
    accounts: RegistryActions,
    registry: Deployed,
    patient: LocalAccount,
    new_device: LocalAccount,
    power: int,
) -> None:
    accounts.rotation(patient, new_device.address).relay()
    assert registry.call("isAuthorised", patient.address, new_device.address, power)
    assert not registry.call("isAuthorised", patient.address, patient.address, power)


def test_rotate_is_allowed_back_when_the_new_controller_wants_it(
    accounts: RegistryActions, registry: Deployed, patient: LocalAccount, new_device: LocalAccount
) -> None:
    accounts.rotation(patient, new_device.address).relay()
    accounts.rotation(patient, patient.address, by=new_device, nonce=1).relay()
    assert registry.call("controllerOf", patient.address) == patient.address


def test_rotate_succeeds_when_sent_in_the_second_of_the_deadline(
    accounts: RegistryActions,
    registry: Deployed,
    evm: Evm,
    patient: LocalAccount,
    new_device: LocalAccount,
) -> None:
    deadline = evm.now + 100
    accounts.rotation(patient, new_device.address, deadline=deadline).relay(at=deadline)
    assert registry.call("controllerOf", patient.address) == new_device.address


def test_rotate_is_refused_when_relayed_a_second_after_the_deadline(
    accounts: RegistryActions, evm: Evm, patient: LocalAccount, new_device: LocalAccount
) -> None:
    deadline = evm.now + 100
    with expect_revert("DeadlinePassed", deadline=deadline):
        accounts.rotation(patient, new_device.address, deadline=deadline).relay(at=deadline + 1)


def test_rotate_is_refused_when_sent_a_second_after_the_deadline(
    accounts: RegistryActions, evm: Evm, patient: LocalAccount, new_device: LocalAccount
) -> None:
    deadline = evm.now + 100
    with expect_revert("DeadlinePassed", deadline=deadline):
        accounts.rotation(patient, new_device.address, deadline=deadline).send(at=deadline + 1)


def test_rotate_is_refused_when_a_stranger_acts(
    accounts: RegistryActions, patient: LocalAccount, stranger: LocalAccount
) -> None:
    with expect_revert("NotController", account=patient.address, by=stranger.address):
        accounts.rotation(patient, stranger.address, by=stranger).relay()


def test_rotate_is_refused_when_a_delegate_with_every_power_acts(
    accounts: RegistryActions, patient: LocalAccount, hospital: LocalAccount
) -> None:
    accounts.delegation(patient, hospital.address, 2**16 - 1).relay()
    with expect_revert("NotController", account=patient.address, by=hospital.address):
        accounts.rotation(patient, hospital.address, by=hospital).relay()


def test_rotate_is_refused_when_the_former_controller_acts(
    accounts: RegistryActions, patient: LocalAccount, new_device: LocalAccount
) -> None:
    accounts.rotation(patient, new_device.address).relay()
    with expect_revert("NotController", account=patient.address, by=patient.address):
        accounts.rotation(patient, patient.address, nonce=1).relay()


def test_rotate_is_refused_when_a_recovery_is_pending(
    accounts: RegistryActions,
    patient: LocalAccount,
    new_device: LocalAccount,
    start_recovery: Callable[[Key], None],
) -> None:
    start_recovery(patient)
    with expect_revert("RecoveryPending", account=patient.address):
        accounts.rotation(patient, new_device.address).relay()


def test_rotate_is_refused_when_it_leads_to_nobody(
    accounts: RegistryActions, patient: LocalAccount
) -> None:
    with expect_revert("ZeroController", account=patient.address):
        accounts.rotation(patient, NOBODY).relay()


@pytest.mark.parametrize("nonce", [1, 2**64 - 1])
def test_rotate_is_refused_when_the_nonce_is_not_the_next(
    accounts: RegistryActions, patient: LocalAccount, new_device: LocalAccount, nonce: int
) -> None:
    with expect_revert("InvalidAccountNonce", account=patient.address, currentNonce=ROTATE):
        accounts.rotation(patient, new_device.address, nonce=nonce).relay()


def test_rotate_is_refused_when_its_nonce_went_with_a_direct_one(
    accounts: RegistryActions, patient: LocalAccount, new_device: LocalAccount
) -> None:
    withheld = accounts.rotation(patient, new_device.address)
    accounts.rotation(patient, patient.address).send()
    with expect_revert("InvalidAccountNonce", account=patient.address, currentNonce=ROTATE | 1):
        withheld.relay()


def test_rotate_is_refused_when_another_sends_it_unsigned(
    accounts: RegistryActions,
    patient: LocalAccount,
    new_device: LocalAccount,
    stranger: LocalAccount,
) -> None:
    with expect_revert("NotSender", by=patient.address, sender=stranger.address):
        accounts.rotation(patient, new_device.address).send(stranger)


# revokeAll


@pytest.mark.parametrize("way", ["send", "relay"])
def test_revoke_all_raises_the_epoch_when_the_controller_wants_it(
    accounts: RegistryActions, registry: Deployed, patient: LocalAccount, way: str
) -> None:
    receipt = getattr(accounts.revoke_all(patient), way)()
    assert registry.call("epochOf", patient.address) == 1
    assert registry.events(receipt) == [
        Event("AllRevoked", {"account": patient.address, "by": patient.address, "epoch": 1})
    ]


def test_revoke_all_touches_the_epoch_alone_when_the_account_was_rotated(
    accounts: RegistryActions,
    registry: Deployed,
    consents: Deployed,
    patient: LocalAccount,
    new_device: LocalAccount,
) -> None:
    accounts.rotation(patient, new_device.address).relay()
    with only_writes(1, registry, consents):
        accounts.revoke_all(patient, by=new_device).relay()
    assert registry.call("controllerOf", patient.address) == new_device.address


def test_revoke_all_leaves_other_accounts_alone_when_they_have_delegates(
    accounts: RegistryActions,
    registry: Deployed,
    patient: LocalAccount,
    stranger: LocalAccount,
    hospital: LocalAccount,
) -> None:
    accounts.delegation(stranger, hospital.address, ANCHOR).relay()
    accounts.revoke_all(patient).relay()
    assert registry.call("epochOf", stranger.address) == 0
    assert registry.call("isAuthorised", stranger.address, hospital.address, ANCHOR)


def test_revoke_all_ends_every_delegation_when_there_are_several(
    accounts: RegistryActions,
    registry: Deployed,
    patient: LocalAccount,
    hospital: LocalAccount,
    clinician: LocalAccount,
) -> None:
    accounts.delegation(patient, hospital.address, ANCHOR).relay()
    accounts.delegation(patient, clinician.address, RESTRICT).relay()
    accounts.revoke_all(patient).relay()
    assert not registry.call("isAuthorised", patient.address, hospital.address, ANCHOR)
    assert not registry.call("isAuthorised", patient.address, clinician.address, RESTRICT)


def test_revoke_all_succeeds_when_a_delegate_holds_restrict(
    accounts: RegistryActions, registry: Deployed, patient: LocalAccount, clinician: LocalAccount
) -> None:
    accounts.delegation(patient, clinician.address, RESTRICT).relay()
    receipt = accounts.revoke_all(patient, by=clinician).relay()
    assert registry.events(receipt) == [
        Event("AllRevoked", {"account": patient.address, "by": clinician.address, "epoch": 1})
    ]


def test_revoke_all_is_refused_when_a_delegate_holds_all_but_restrict(
    accounts: RegistryActions, patient: LocalAccount, clinician: LocalAccount
) -> None:
    accounts.delegation(patient, clinician.address, ALL_POWERS & ~RESTRICT).relay()
    with expect_revert(
        "NotAuthorised", account=patient.address, by=clinician.address, power=RESTRICT
    ):
        accounts.revoke_all(patient, by=clinician).relay()


def test_revoke_all_is_refused_when_a_stranger_acts(
    accounts: RegistryActions, patient: LocalAccount, stranger: LocalAccount
) -> None:
    with expect_revert(
        "NotAuthorised", account=patient.address, by=stranger.address, power=RESTRICT
    ):
        accounts.revoke_all(patient, by=stranger).relay()


def test_revoke_all_is_refused_when_the_former_controller_acts(
    accounts: RegistryActions, patient: LocalAccount, new_device: LocalAccount
) -> None:
    accounts.rotation(patient, new_device.address).relay()
    with expect_revert(
        "NotAuthorised", account=patient.address, by=patient.address, power=RESTRICT
    ):
        accounts.revoke_all(patient).relay()


def test_revoke_all_is_refused_when_it_names_a_later_epoch(
    accounts: RegistryActions, patient: LocalAccount
) -> None:
    with expect_revert("WrongEpoch", account=patient.address, epoch=1, current=0):
        accounts.revoke_all(patient, epoch=1).relay()


def test_revoke_all_is_refused_when_its_signature_is_sent_again(
    accounts: RegistryActions, patient: LocalAccount
) -> None:
    revocation = accounts.revoke_all(patient)
    revocation.relay()
    with expect_revert("WrongEpoch", account=patient.address, epoch=0, current=1):
        revocation.relay()


def test_revoke_all_is_refused_when_another_sends_it_unsigned(
    accounts: RegistryActions, patient: LocalAccount, stranger: LocalAccount
) -> None:
    with expect_revert("NotSender", by=patient.address, sender=stranger.address):
        accounts.revoke_all(patient).send(stranger)


def test_revoke_all_succeeds_when_a_recovery_is_pending(
    accounts: RegistryActions,
    registry: Deployed,
    patient: LocalAccount,
    start_recovery: Callable[[Key], None],
) -> None:
    start_recovery(patient)
    accounts.revoke_all(patient).relay()
    assert registry.call("epochOf", patient.address) == 1
    assert registry.call("recoveryOf", patient.address)[2] != 0


def test_revoke_all_succeeds_when_a_delegate_acts_while_a_recovery_is_pending(
    accounts: RegistryActions,
    registry: Deployed,
    patient: LocalAccount,
    clinician: LocalAccount,
    start_recovery: Callable[[Key], None],
) -> None:
    accounts.delegation(patient, clinician.address, RESTRICT).relay()
    start_recovery(patient)
    accounts.revoke_all(patient, by=clinician).relay()
    assert registry.call("epochOf", patient.address) == 1


def test_revoke_all_stays_under_its_ceilings_when_the_patient_sends_it(
    accounts: RegistryActions, patient: LocalAccount
) -> None:
    first = accounts.revoke_all(patient).send()
    again = accounts.revoke_all(patient, epoch=1).send()
    assert first.gas_used <= 48_000
    assert again.gas_used <= 31_000


def test_patient_needs_no_money_when_others_relay(
    accounts: RegistryActions, evm: Evm, patient: LocalAccount, new_device: LocalAccount
) -> None:
    accounts.delegation(patient, new_device.address, GRANT | RELATE).relay()
    accounts.revoke_all(patient).relay()
    accounts.rotation(patient, new_device.address).relay()
    assert evm.balance_of(patient.address) == 0
    assert evm.nonce_of(patient.address) == 0
