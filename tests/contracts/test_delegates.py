"""Delegates: keys that may use some powers of an account, until a date, within an epoch.

delegate
├── after the deadline, by another than the controller, while a recovery is pending, in another
│   epoch, with no power, to nobody, to the account itself, already over, by a sender who is not
│   `by`: refused
└── else: the key holds exactly these powers until that date, in place of those it had
undelegate
├── by another than the controller: refused
└── else, also while a recovery is pending: the key holds nothing, and nothing withheld revives it
Their serials are in test_delegation_serials.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from eth_account.signers.local import LocalAccount

from tests.contracts.consortium_actions import NOBODY
from tests.contracts.deployed import Deployed, Event, expect_revert
from tests.contracts.evm import Evm
from tests.contracts.keys import Key
from tests.contracts.masks import ANCHOR, GRANT, READ, RESTRICT
from tests.contracts.registry_actions import RegistryActions
from tests.contracts.storage import only_writes

# delegate


@pytest.mark.parametrize("way", ["send", "relay"])
def test_delegate_gives_powers_when_the_controller_wants_it(
    accounts: RegistryActions,
    registry: Deployed,
    evm: Evm,
    patient: LocalAccount,
    clinician: LocalAccount,
    way: str,
) -> None:
    until = evm.now + 1000
    delegation = accounts.delegation(
        patient, clinician.address, GRANT | READ, until=until, serial=7
    )
    receipt = getattr(delegation, way)()
    assert registry.call("delegationOf", patient.address, clinician.address) == (
        GRANT | READ,
        until,
        0,
        7,
    )
    assert registry.events(receipt) == [
        Event(
            "DelegateSet",
            {
                "account": patient.address,
                "delegate": clinician.address,
                "by": patient.address,
                "powers": GRANT | READ,
                "until": until,
                "epoch": 0,
                "serial": 7,
            },
        )
    ]


def test_delegate_touches_one_slot_when_another_delegate_exists(
    accounts: RegistryActions,
    registry: Deployed,
    consents: Deployed,
    patient: LocalAccount,
    clinician: LocalAccount,
    hospital: LocalAccount,
) -> None:
    accounts.delegation(patient, hospital.address, ANCHOR).relay()
    with only_writes(1, registry, consents):
        accounts.delegation(patient, clinician.address, GRANT).relay()
    assert registry.call("isAuthorised", patient.address, hospital.address, ANCHOR)


def test_delegate_counts_for_one_account_when_others_exist(
    accounts: RegistryActions,
    registry: Deployed,
    patient: LocalAccount,
    clinician: LocalAccount,
    stranger: LocalAccount,
) -> None:
    accounts.delegation(patient, clinician.address, GRANT).relay()
    assert not registry.call("isAuthorised", stranger.address, clinician.address, GRANT)
    assert not registry.call("isAuthorised", clinician.address, patient.address, GRANT)


def test_delegate_replaces_powers_when_the_serial_rises(
    accounts: RegistryActions, registry: Deployed, patient: LocalAccount, clinician: LocalAccount
) -> None:
    accounts.delegation(patient, clinician.address, GRANT | READ).relay()
    accounts.delegation(patient, clinician.address, READ, serial=2).relay()
    assert registry.call("isAuthorised", patient.address, clinician.address, READ)
    assert not registry.call("isAuthorised", patient.address, clinician.address, GRANT)


def test_delegate_succeeds_when_the_new_controller_names_it(
    accounts: RegistryActions,
    registry: Deployed,
    patient: LocalAccount,
    new_device: LocalAccount,
    clinician: LocalAccount,
) -> None:
    accounts.rotation(patient, new_device.address).relay()
    accounts.delegation(patient, clinician.address, GRANT, by=new_device).relay()
    assert registry.call("isAuthorised", patient.address, clinician.address, GRANT)


def test_delegate_succeeds_when_sent_in_the_second_of_the_deadline(
    accounts: RegistryActions,
    registry: Deployed,
    evm: Evm,
    patient: LocalAccount,
    clinician: LocalAccount,
) -> None:
    deadline = evm.now + 100
    accounts.delegation(patient, clinician.address, GRANT, deadline=deadline).relay(at=deadline)
    assert registry.call("isAuthorised", patient.address, clinician.address, GRANT)


def test_delegate_is_refused_when_sent_a_second_after_the_deadline(
    accounts: RegistryActions, evm: Evm, patient: LocalAccount, clinician: LocalAccount
) -> None:
    deadline = evm.now + 100
    delegation = accounts.delegation(patient, clinician.address, GRANT, deadline=deadline)
    with expect_revert("DeadlinePassed", deadline=deadline):
        delegation.send(at=deadline + 1)


def test_delegate_is_refused_when_a_stranger_acts(
    accounts: RegistryActions, patient: LocalAccount, stranger: LocalAccount
) -> None:
    with expect_revert("NotController", account=patient.address, by=stranger.address):
        accounts.delegation(patient, stranger.address, GRANT, by=stranger).relay()


def test_delegate_is_refused_when_a_delegate_with_every_power_delegates_on(
    accounts: RegistryActions,
    patient: LocalAccount,
    clinician: LocalAccount,
    stranger: LocalAccount,
) -> None:
    accounts.delegation(patient, clinician.address, 2**16 - 1).relay()
    with expect_revert("NotController", account=patient.address, by=clinician.address):
        accounts.delegation(patient, stranger.address, READ, by=clinician).relay()


def test_delegate_is_refused_when_a_recovery_is_pending(
    accounts: RegistryActions,
    patient: LocalAccount,
    clinician: LocalAccount,
    start_recovery: Callable[[Key], None],
) -> None:
    start_recovery(patient)
    with expect_revert("RecoveryPending", account=patient.address):
        accounts.delegation(patient, clinician.address, RESTRICT).relay()


def test_delegate_is_refused_when_it_names_a_later_epoch(
    accounts: RegistryActions, patient: LocalAccount, clinician: LocalAccount
) -> None:
    with expect_revert("WrongEpoch", account=patient.address, epoch=1, current=0):
        accounts.delegation(patient, clinician.address, GRANT, epoch=1).relay()


def test_delegate_is_refused_when_signed_before_all_was_revoked(
    accounts: RegistryActions, patient: LocalAccount, clinician: LocalAccount
) -> None:
    withheld = accounts.delegation(patient, clinician.address, GRANT)
    accounts.revoke_all(patient).relay()
    with expect_revert("WrongEpoch", account=patient.address, epoch=0, current=1):
        withheld.relay()


def test_delegate_is_refused_when_it_gives_no_power(
    accounts: RegistryActions, patient: LocalAccount, clinician: LocalAccount
) -> None:
    with expect_revert("InvalidDelegation", delegate=clinician.address, powers=0):
        accounts.delegation(patient, clinician.address, 0).relay()


def test_delegate_is_refused_when_it_names_nobody(
    accounts: RegistryActions, patient: LocalAccount
) -> None:
    with expect_revert("InvalidDelegation", delegate=NOBODY, powers=GRANT):
        accounts.delegation(patient, NOBODY, GRANT).relay()


def test_delegate_is_refused_when_it_names_the_account_itself(
    accounts: RegistryActions, patient: LocalAccount, new_device: LocalAccount
) -> None:
    accounts.rotation(patient, new_device.address).relay()
    with expect_revert("InvalidDelegation", delegate=patient.address, powers=GRANT):
        accounts.delegation(patient, patient.address, GRANT, by=new_device).relay()


def test_delegate_is_refused_when_it_ends_in_this_second(
    accounts: RegistryActions, evm: Evm, patient: LocalAccount, clinician: LocalAccount
) -> None:
    until = evm.now + 100
    delegation = accounts.delegation(patient, clinician.address, GRANT, until=until)
    with expect_revert("DelegationEnded", until=until):
        delegation.relay(at=until)


def test_delegate_succeeds_when_it_ends_in_the_next_second(
    accounts: RegistryActions,
    registry: Deployed,
    evm: Evm,
    patient: LocalAccount,
    clinician: LocalAccount,
) -> None:
    until = evm.now + 100
    accounts.delegation(patient, clinician.address, GRANT, until=until).relay(at=until - 1)
    assert registry.call("isAuthorised", patient.address, clinician.address, GRANT)


def test_delegate_is_refused_when_another_sends_it_unsigned(
    accounts: RegistryActions, patient: LocalAccount, stranger: LocalAccount
) -> None:
    with expect_revert("NotSender", by=patient.address, sender=stranger.address):
        accounts.delegation(patient, stranger.address, GRANT).send(stranger)


# undelegate


@pytest.mark.parametrize("way", ["send", "relay"])
@pytest.mark.parametrize("serial", [5, 6])
def test_undelegate_strips_the_key_when_the_controller_wants_it(
    accounts: RegistryActions,
    registry: Deployed,
    patient: LocalAccount,
    clinician: LocalAccount,
    way: str,
    serial: int,
) -> None:
    accounts.delegation(patient, clinician.address, GRANT, serial=5).relay()
    receipt = getattr(accounts.undelegation(patient, clinician.address, serial=serial), way)()
    assert not registry.call("isAuthorised", patient.address, clinician.address, GRANT)
    assert registry.call("delegationOf", patient.address, clinician.address) == (0, 0, 0, serial)
    assert registry.events(receipt) == [
        Event(
            "DelegateRemoved",
            {
                "account": patient.address,
                "delegate": clinician.address,
                "by": patient.address,
                "serial": serial,
            },
        )
    ]


def test_undelegate_touches_one_slot_when_another_delegate_exists(
    accounts: RegistryActions,
    registry: Deployed,
    consents: Deployed,
    patient: LocalAccount,
    clinician: LocalAccount,
    hospital: LocalAccount,
) -> None:
    accounts.delegation(patient, hospital.address, ANCHOR).relay()
    accounts.delegation(patient, clinician.address, GRANT).relay()
    with only_writes(1, registry, consents):
        accounts.undelegation(patient, clinician.address).relay()
    assert registry.call("isAuthorised", patient.address, hospital.address, ANCHOR)


def test_undelegate_touches_no_other_pair_when_the_key_was_never_a_delegate(
    accounts: RegistryActions,
    registry: Deployed,
    patient: LocalAccount,
    clinician: LocalAccount,
    stranger: LocalAccount,
) -> None:
    accounts.delegation(patient, clinician.address, GRANT).relay()
    accounts.undelegation(patient, stranger.address, serial=9).relay()
    assert registry.call("isAuthorised", patient.address, clinician.address, GRANT)


def test_undelegate_is_refused_when_a_stranger_acts(
    accounts: RegistryActions,
    patient: LocalAccount,
    clinician: LocalAccount,
    stranger: LocalAccount,
) -> None:
    with expect_revert("NotController", account=patient.address, by=stranger.address):
        accounts.undelegation(patient, clinician.address, by=stranger).relay()


def test_undelegate_is_refused_when_the_delegate_itself_acts(
    accounts: RegistryActions, patient: LocalAccount, clinician: LocalAccount
) -> None:
    accounts.delegation(patient, clinician.address, 2**16 - 1).relay()
    with expect_revert("NotController", account=patient.address, by=clinician.address):
        accounts.undelegation(patient, clinician.address, by=clinician).relay()


def test_undelegate_is_refused_when_another_sends_it_unsigned(
    accounts: RegistryActions,
    patient: LocalAccount,
    clinician: LocalAccount,
    stranger: LocalAccount,
) -> None:
    with expect_revert("NotSender", by=patient.address, sender=stranger.address):
        accounts.undelegation(patient, clinician.address).send(stranger)


def test_undelegate_succeeds_when_a_recovery_is_pending(
    accounts: RegistryActions,
    registry: Deployed,
    patient: LocalAccount,
    clinician: LocalAccount,
    start_recovery: Callable[[Key], None],
) -> None:
    accounts.delegation(patient, clinician.address, RESTRICT).relay()
    start_recovery(patient)
    accounts.undelegation(patient, clinician.address).relay()
    assert not registry.call("isAuthorised", patient.address, clinician.address, RESTRICT)
