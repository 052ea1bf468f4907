"""Publishing: an organisation changes its own encryption key and profile.

publish
├── never admitted, after the deadline, by another than the controller, while a recovery is
│   pending, without a key, with a nonce other than the next: refused
└── else, also when suspended: key and profile are those
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from eth_account.signers.local import LocalAccount

from tests.contracts.consortium_actions import NONE, encryption_key, profile_hash
from tests.contracts.deployed import Deployed, Event, expect_revert
from tests.contracts.evm import Evm, Receipt
from tests.contracts.keys import Key
from tests.contracts.masks import MEMBER, STEWARD
from tests.contracts.registry_actions import RegistryActions
from tests.contracts.storage import only_writes

PUBLISH = 4 << 64
"""The nonce 0 under the key of publications, as OpenZeppelin packs it."""

KEY, PROFILE = b"\x0a" * 32, b"\x0b" * 32


def stored(register: Deployed, account: Key) -> tuple[int, bool, bool, int]:
    """Roles, admitted, suspended, emergencyFrom."""
    organisation = register.call("organisationOf", account.address)
    return (
        organisation["roles"],
        organisation["admitted"],
        organisation["suspended"],
        organisation["emergencyFrom"],
    )


@pytest.mark.parametrize("way", ["send", "relay"])
def test_publish_changes_key_and_profile_when_the_controller_wants_it(
    enter: Callable[..., Receipt],
    organisations: RegistryActions,
    register: Deployed,
    hospital: LocalAccount,
    way: str,
) -> None:
    enter(hospital, MEMBER)
    receipt = getattr(organisations.publication(hospital, KEY, PROFILE), way)()
    organisation = register.call("organisationOf", hospital.address)
    assert (organisation["key"], organisation["profile"]) == (KEY, PROFILE)
    assert register.events(receipt) == [
        Event(
            "OrganisationPublished",
            {
                "account": hospital.address,
                "by": hospital.address,
                "key": KEY,
                "profile": PROFILE,
            },
        )
    ]


def test_publish_touches_key_profile_and_nonce_alone_when_done(
    enter: Callable[..., Receipt],
    organisations: RegistryActions,
    register: Deployed,
    consents: Deployed,
    hospital: LocalAccount,
) -> None:
    enter(hospital, MEMBER | STEWARD)
    with only_writes(3, register, consents):
        organisations.publication(hospital, KEY, PROFILE).relay()
    assert stored(register, hospital) == (MEMBER | STEWARD, True, False, 0)


def test_publish_succeeds_when_the_organisation_is_suspended(
    enter: Callable[..., Receipt],
    govern: Callable[..., Receipt],
    organisations: RegistryActions,
    register: Deployed,
    clinician: LocalAccount,
) -> None:
    enter(clinician, 0)
    govern("suspend", clinician.address)
    organisations.publication(clinician, KEY, PROFILE).relay()
    assert register.call("organisationOf", clinician.address)["key"] == KEY
    assert not register.call("isActiveOrganisation", clinician.address)


def test_publish_is_refused_when_the_account_was_never_admitted(
    organisations: RegistryActions, stranger: LocalAccount
) -> None:
    with expect_revert("NotAdmitted", account=stranger.address):
        organisations.publication(stranger, KEY, PROFILE, nonce=0).relay()


def test_publish_succeeds_when_sent_in_the_second_of_the_deadline(
    enter: Callable[..., Receipt],
    organisations: RegistryActions,
    register: Deployed,
    evm: Evm,
    clinician: LocalAccount,
) -> None:
    enter(clinician, 0)
    deadline = evm.now + 100
    organisations.publication(clinician, KEY, PROFILE, deadline=deadline).relay(at=deadline)
    assert register.call("organisationOf", clinician.address)["key"] == KEY


def test_publish_is_refused_when_sent_a_second_after_the_deadline(
    enter: Callable[..., Receipt], organisations: RegistryActions, evm: Evm, clinician: LocalAccount
) -> None:
    enter(clinician, 0)
    deadline = evm.now + 100
    publication = organisations.publication(clinician, KEY, PROFILE, deadline=deadline)
    with expect_revert("DeadlinePassed", deadline=deadline):
        publication.send(at=deadline + 1)


def test_publish_is_refused_when_a_delegate_with_every_power_acts(
    enter: Callable[..., Receipt],
    organisations: RegistryActions,
    clinician: LocalAccount,
    stranger: LocalAccount,
) -> None:
    enter(clinician, 0)
    organisations.delegation(clinician, stranger.address, 2**16 - 1).relay()
    with expect_revert("NotController", account=clinician.address, by=stranger.address):
        organisations.publication(clinician, KEY, PROFILE, by=stranger).relay()


def test_publish_is_refused_when_a_recovery_is_pending(
    accounts: RegistryActions, clinician: LocalAccount, start_recovery: Callable[[Key], None]
) -> None:
    start_recovery(clinician)
    with expect_revert("RecoveryPending", account=clinician.address):
        accounts.publication(clinician, KEY, PROFILE).relay()


def test_publish_is_refused_when_there_is_no_key(
    enter: Callable[..., Receipt], organisations: RegistryActions, clinician: LocalAccount
) -> None:
    enter(clinician, 0)
    with expect_revert("ZeroKey", account=clinician.address):
        organisations.publication(clinician, NONE, PROFILE).relay()


def test_publish_is_refused_when_the_signature_of_the_admission_is_sent_again(
    enter: Callable[..., Receipt], organisations: RegistryActions, clinician: LocalAccount
) -> None:
    enter(clinician, 0)
    again = organisations.publication(
        clinician, encryption_key(clinician), profile_hash(clinician), nonce=0
    )
    with expect_revert("InvalidAccountNonce", account=clinician.address, currentNonce=PUBLISH | 1):
        again.relay()


def test_publish_is_refused_when_another_sends_it_unsigned(
    enter: Callable[..., Receipt],
    organisations: RegistryActions,
    clinician: LocalAccount,
    stranger: LocalAccount,
) -> None:
    enter(clinician, 0)
    with expect_revert("NotSender", by=clinician.address, sender=stranger.address):
        organisations.publication(clinician, KEY, PROFILE).send(stranger)
