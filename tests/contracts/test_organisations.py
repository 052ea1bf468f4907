"""Organisations: whom the consortium admits, suspends and reinstates, with what roles.

The consortium here is a key, `governor`, so that each rule of the Registry shows alone; what the
members must agree on is in `test_consortium.py`.

admit
├── by another than the consortium, a second time, after the deadline, under another than the
│   controller, while a recovery is pending, without a key, without a valid signature: refused
└── else: it is active, with its roles; EMERGENCY from the end of the delay on
suspend, reinstate, setRoles
└── by another than the consortium, of one never admitted: refused

What roles and suspension do is in `test_roles.py`, publishing in `test_publish.py`.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from eth_account.signers.local import LocalAccount

from tests.contracts.consortium_actions import NONE, encryption_key, profile_hash
from tests.contracts.deployed import Deployed, Event, expect_revert
from tests.contracts.evm import Evm, Receipt
from tests.contracts.guardian_circle import GuardianCircle
from tests.contracts.keys import Key, Wallet
from tests.contracts.masks import EMERGENCY_ROLE, MEMBER, STEWARD
from tests.contracts.periods import EMERGENCY_DELAY, FOREVER
from tests.contracts.registry_actions import RegistryActions
from tests.contracts.storage import only_writes

FUTURE_ROLE = 1 << 31
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


# admit


def test_admit_makes_an_active_organisation_when_the_consortium_wants_it(
    enter: Callable[..., Receipt], register: Deployed, hospital: LocalAccount
) -> None:
    roles = MEMBER | STEWARD | FUTURE_ROLE
    receipt = enter(hospital, roles)
    assert register.call("organisationOf", hospital.address) == {
        "roles": roles,
        "admitted": True,
        "suspended": False,
        "emergencyFrom": 0,
        "key": encryption_key(hospital),
        "profile": profile_hash(hospital),
    }
    assert register.call("isActiveOrganisation", hospital.address)
    assert register.call("activeMembers") == 1
    assert register.events(receipt) == [
        Event(
            "OrganisationAdmitted",
            {
                "account": hospital.address,
                "by": hospital.address,
                "roles": roles,
                "key": encryption_key(hospital),
                "profile": profile_hash(hospital),
                "emergencyFrom": 0,
            },
        )
    ]


@pytest.mark.parametrize(
    ("roles", "slots"),
    [
        pytest.param(0, 4, id="the organisation in three slots, and its nonce"),
        pytest.param(MEMBER, 5, id="the number of members besides"),
    ],
)
def test_admit_touches_one_organisation_when_another_belongs(
    enter: Callable[..., Receipt],
    register: Deployed,
    consents: Deployed,
    hospital: LocalAccount,
    clinician: LocalAccount,
    roles: int,
    slots: int,
) -> None:
    enter(hospital, MEMBER)
    with only_writes(slots, register, consents):
        enter(clinician, roles)
    assert stored(register, hospital) == (MEMBER, True, False, 0)


def test_admit_counts_no_member_when_the_role_is_not_given(
    enter: Callable[..., Receipt], register: Deployed, clinician: LocalAccount
) -> None:
    enter(clinician, STEWARD | EMERGENCY_ROLE)
    assert register.call("activeMembers") == 0


def test_admit_starts_the_delay_when_the_emergency_role_is_given(
    enter: Callable[..., Receipt], register: Deployed, clinician: LocalAccount
) -> None:
    receipt = enter(clinician, EMERGENCY_ROLE)
    effective = receipt.timestamp + EMERGENCY_DELAY
    assert stored(register, clinician) == (EMERGENCY_ROLE, True, False, effective)
    assert register.events(receipt)[0].values["emergencyFrom"] == effective


def test_admit_succeeds_when_the_account_was_rotated_to_a_wallet(
    enter: Callable[..., Receipt],
    organisations: RegistryActions,
    register: Deployed,
    hospital: LocalAccount,
    clinician: LocalAccount,
    wallet_of: Callable[[LocalAccount], Wallet],
) -> None:
    wallet = wallet_of(hospital)
    organisations.rotation(clinician, wallet.address).relay()
    enter(clinician, 0, by=wallet)
    assert register.call("isActiveOrganisation", clinician.address)


def test_admit_succeeds_when_sent_in_the_second_of_the_deadline(
    enter: Callable[..., Receipt], register: Deployed, evm: Evm, clinician: LocalAccount
) -> None:
    deadline = evm.now + 100
    enter(clinician, 0, deadline=deadline, at=deadline)
    assert register.call("isActiveOrganisation", clinician.address)


def test_admit_is_refused_when_sent_a_second_after_the_deadline(
    enter: Callable[..., Receipt], evm: Evm, register: Deployed, clinician: LocalAccount
) -> None:
    deadline = evm.now + 100
    with expect_revert("DeadlinePassed", deadline=deadline):
        enter(clinician, 0, deadline=deadline, at=deadline + 1)


def test_admit_is_refused_when_the_account_was_admitted_before(
    enter: Callable[..., Receipt], hospital: LocalAccount
) -> None:
    enter(hospital, MEMBER)
    with expect_revert("AlreadyAdmitted", account=hospital.address):
        enter(hospital, MEMBER)


def test_admit_is_refused_when_the_account_is_suspended(
    enter: Callable[..., Receipt], govern: Callable[..., Receipt], clinician: LocalAccount
) -> None:
    enter(clinician, 0)
    govern("suspend", clinician.address)
    with expect_revert("AlreadyAdmitted", account=clinician.address):
        enter(clinician, MEMBER)


def test_admit_is_refused_when_another_than_the_controller_signs(
    enter: Callable[..., Receipt], clinician: LocalAccount, stranger: LocalAccount
) -> None:
    with expect_revert("NotController", account=clinician.address, by=stranger.address):
        enter(clinician, 0, by=stranger)


def test_admit_is_refused_when_a_recovery_is_pending(
    enter: Callable[..., Receipt],
    organisations: RegistryActions,
    register: Deployed,
    circle: GuardianCircle,
    guardians: list[LocalAccount],
    relayer: LocalAccount,
    clinician: LocalAccount,
    new_device: LocalAccount,
) -> None:
    there = GuardianCircle(register, circle.guardians, circle.threshold)
    organisations.guardians_change(clinician, there.commitment).relay()
    there.start(relayer, clinician.address, new_device.address, guardians[:2])
    with expect_revert("RecoveryPending", account=clinician.address):
        enter(clinician, 0)


def test_admit_is_refused_when_there_is_no_key(
    enter: Callable[..., Receipt], clinician: LocalAccount
) -> None:
    with expect_revert("ZeroKey", account=clinician.address):
        enter(clinician, 0, key=NONE)


def test_admit_is_refused_when_nobody_signed(
    register: Deployed,
    organisations: RegistryActions,
    governor: LocalAccount,
    clinician: LocalAccount,
) -> None:
    address = clinician.address
    digest = organisations.publication(clinician, KEY, PROFILE, nonce=0).digest()
    with expect_revert("InvalidSignature", by=address, digest=digest):
        register.send(governor, "admit", address, address, 0, KEY, PROFILE, FOREVER, b"")


def test_admit_is_refused_when_the_consortium_admits_itself_unsigned(
    register: Deployed, organisations: RegistryActions, governor: LocalAccount
) -> None:
    address = governor.address
    digest = organisations.publication(governor, KEY, PROFILE, nonce=0).digest()
    with expect_revert("InvalidSignature", by=address, digest=digest):
        register.send(governor, "admit", address, address, 0, KEY, PROFILE, FOREVER, b"")


def test_admit_is_refused_when_the_organisation_signed_another_key(
    register: Deployed,
    organisations: RegistryActions,
    governor: LocalAccount,
    clinician: LocalAccount,
) -> None:
    address = clinician.address
    signature = organisations.publication(clinician, KEY, PROFILE, nonce=0).signature()
    digest = organisations.publication(clinician, PROFILE, PROFILE, nonce=0).digest()
    with expect_revert("InvalidSignature", by=address, digest=digest):
        register.send(governor, "admit", address, address, 0, PROFILE, PROFILE, FOREVER, signature)


# only the consortium


@pytest.mark.parametrize("function", ["admit", "suspend", "reinstate", "setRoles"])
def test_governing_is_refused_when_another_than_the_consortium_acts(
    enter: Callable[..., Receipt],
    register: Deployed,
    organisations: RegistryActions,
    evm: Evm,
    hospital: LocalAccount,
    clinician: LocalAccount,
    function: str,
) -> None:
    enter(hospital, MEMBER)
    evm.fund(hospital.address)
    address = clinician.address
    signature = organisations.publication(clinician, KEY, PROFILE, nonce=0).signature()
    arguments = {
        "admit": (address, address, 0, KEY, PROFILE, FOREVER, signature),
        "suspend": (hospital.address,),
        "reinstate": (hospital.address,),
        "setRoles": (hospital.address, STEWARD),
    }[function]
    with expect_revert("NotConsortium", sender=hospital.address):
        register.send(hospital, function, *arguments)


@pytest.mark.parametrize("function", ["suspend", "reinstate", "setRoles"])
def test_governing_is_refused_when_the_account_was_never_admitted(
    govern: Callable[..., Receipt], stranger: LocalAccount, function: str
) -> None:
    arguments = (stranger.address, MEMBER)[: 2 if function == "setRoles" else 1]
    with expect_revert("NotAdmitted", account=stranger.address):
        govern(function, *arguments)
