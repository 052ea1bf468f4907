"""Roles and suspension: what an organisation may do now, and that a member is always left.

suspend, reinstate
├── suspended twice, reinstated when not suspended, the last active member: refused
└── else: every role goes at once and comes back as it was; the number of members follows
setRoles
├── MEMBER taken from the last active member: refused
└── else: as said; EMERGENCY keeps its time while it is held and starts anew when given again
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from eth_account.signers.local import LocalAccount

from tests.contracts.deployed import Deployed, Event, expect_revert
from tests.contracts.evm import Evm, Receipt
from tests.contracts.masks import EMERGENCY_ROLE, MEMBER, STEWARD
from tests.contracts.periods import EMERGENCY_DELAY
from tests.contracts.storage import only_writes

ROLES = (MEMBER, STEWARD, EMERGENCY_ROLE)


# suspend, reinstate


def test_suspend_takes_every_role_when_done(
    enter: Callable[..., Receipt],
    govern: Callable[..., Receipt],
    register: Deployed,
    evm: Evm,
    hospital: LocalAccount,
    clinician: LocalAccount,
) -> None:
    enter(hospital, MEMBER)
    enter(clinician, sum(ROLES))
    evm.travel_to(evm.now + EMERGENCY_DELAY)
    receipt = govern("suspend", clinician.address)
    assert register.events(receipt) == [
        Event("OrganisationSuspended", {"account": clinician.address})
    ]
    assert register.call("organisationOf", clinician.address)["suspended"]
    assert not register.call("isActiveOrganisation", clinician.address)
    assert not any(register.call("hasRole", clinician.address, role) for role in ROLES)
    assert register.call("activeMembers") == 1


def test_reinstate_gives_every_role_back_when_done(
    enter: Callable[..., Receipt],
    govern: Callable[..., Receipt],
    register: Deployed,
    evm: Evm,
    hospital: LocalAccount,
    clinician: LocalAccount,
) -> None:
    enter(hospital, MEMBER)
    admitted_at = enter(clinician, sum(ROLES)).timestamp
    govern("suspend", clinician.address)
    evm.travel_to(admitted_at + EMERGENCY_DELAY)
    receipt = govern("reinstate", clinician.address)
    assert register.events(receipt) == [
        Event("OrganisationReinstated", {"account": clinician.address})
    ]
    assert register.call("isActiveOrganisation", clinician.address)
    assert all(register.call("hasRole", clinician.address, role) for role in ROLES)
    assert register.call("activeMembers") == 2


@pytest.mark.parametrize(
    ("roles", "slots"),
    [
        pytest.param(STEWARD, 1, id="its own slot"),
        pytest.param(MEMBER, 2, id="the number of members besides"),
    ],
)
@pytest.mark.parametrize("function", ["suspend", "reinstate"])
def test_suspension_touches_one_organisation_when_another_belongs(
    enter: Callable[..., Receipt],
    govern: Callable[..., Receipt],
    register: Deployed,
    consents: Deployed,
    hospital: LocalAccount,
    clinician: LocalAccount,
    roles: int,
    slots: int,
    function: str,
) -> None:
    enter(hospital, MEMBER)
    enter(clinician, roles)
    if function == "reinstate":
        govern("suspend", clinician.address)
    with only_writes(slots, register, consents):
        govern(function, clinician.address)
    assert register.call("isActiveOrganisation", hospital.address)


def test_suspend_is_refused_when_the_organisation_is_suspended(
    enter: Callable[..., Receipt], govern: Callable[..., Receipt], clinician: LocalAccount
) -> None:
    enter(clinician, 0)
    govern("suspend", clinician.address)
    with expect_revert("AlreadySuspended", account=clinician.address):
        govern("suspend", clinician.address)


def test_reinstate_is_refused_when_the_organisation_is_not_suspended(
    enter: Callable[..., Receipt], govern: Callable[..., Receipt], clinician: LocalAccount
) -> None:
    enter(clinician, 0)
    with expect_revert("NotSuspended", account=clinician.address):
        govern("reinstate", clinician.address)


def test_suspend_is_refused_when_it_is_the_last_active_member(
    enter: Callable[..., Receipt],
    govern: Callable[..., Receipt],
    hospital: LocalAccount,
    clinician: LocalAccount,
) -> None:
    enter(hospital, MEMBER)
    enter(clinician, MEMBER)
    govern("suspend", clinician.address)
    with expect_revert("LastMember", account=hospital.address):
        govern("suspend", hospital.address)


def test_suspend_succeeds_when_the_organisation_is_no_member_and_one_member_is_left(
    enter: Callable[..., Receipt],
    govern: Callable[..., Receipt],
    register: Deployed,
    hospital: LocalAccount,
    clinician: LocalAccount,
) -> None:
    enter(hospital, MEMBER)
    enter(clinician, STEWARD)
    govern("suspend", clinician.address)
    assert register.call("activeMembers") == 1


# setRoles


def test_set_roles_replaces_the_roles_when_done(
    enter: Callable[..., Receipt],
    govern: Callable[..., Receipt],
    register: Deployed,
    clinician: LocalAccount,
) -> None:
    enter(clinician, STEWARD)
    receipt = govern("setRoles", clinician.address, MEMBER)
    assert register.call("hasRole", clinician.address, MEMBER)
    assert not register.call("hasRole", clinician.address, STEWARD)
    assert register.events(receipt) == [
        Event("RolesChanged", {"account": clinician.address, "roles": MEMBER, "emergencyFrom": 0})
    ]


def test_set_roles_touches_its_slot_alone_when_the_members_stay(
    enter: Callable[..., Receipt],
    govern: Callable[..., Receipt],
    register: Deployed,
    consents: Deployed,
    clinician: LocalAccount,
) -> None:
    enter(clinician, STEWARD)
    before = register.call("organisationOf", clinician.address)
    with only_writes(1, register, consents):
        govern("setRoles", clinician.address, 0)
    assert register.call("organisationOf", clinician.address) == {**before, "roles": 0}


@pytest.mark.parametrize(
    ("before", "after", "suspended", "active"),
    [
        (STEWARD, MEMBER, False, 2),
        (MEMBER, MEMBER | STEWARD, False, 2),
        (MEMBER, STEWARD, False, 1),
        (STEWARD, MEMBER, True, 1),
        (MEMBER, STEWARD, True, 1),
    ],
)
def test_set_roles_counts_active_members_alone(
    enter: Callable[..., Receipt],
    govern: Callable[..., Receipt],
    register: Deployed,
    hospital: LocalAccount,
    clinician: LocalAccount,
    before: int,
    after: int,
    suspended: bool,
    active: int,
) -> None:
    enter(hospital, MEMBER)
    enter(clinician, before)
    if suspended:
        govern("suspend", clinician.address)
    govern("setRoles", clinician.address, after)
    assert register.call("activeMembers") == active


@pytest.mark.parametrize(("roles", "active"), [(MEMBER, 2), (STEWARD, 1)])
def test_reinstate_counts_a_member_when_it_has_the_role_now(
    enter: Callable[..., Receipt],
    govern: Callable[..., Receipt],
    register: Deployed,
    hospital: LocalAccount,
    clinician: LocalAccount,
    roles: int,
    active: int,
) -> None:
    enter(hospital, MEMBER)
    enter(clinician, MEMBER | STEWARD)
    govern("suspend", clinician.address)
    govern("setRoles", clinician.address, roles)
    govern("reinstate", clinician.address)
    assert register.call("activeMembers") == active


@pytest.mark.parametrize("roles", [0, STEWARD | EMERGENCY_ROLE])
def test_set_roles_is_refused_when_the_last_active_member_would_lose_the_role(
    enter: Callable[..., Receipt],
    govern: Callable[..., Receipt],
    hospital: LocalAccount,
    clinician: LocalAccount,
    roles: int,
) -> None:
    enter(hospital, MEMBER)
    enter(clinician, MEMBER)
    govern("suspend", clinician.address)
    with expect_revert("LastMember", account=hospital.address):
        govern("setRoles", hospital.address, roles)


def test_set_roles_succeeds_when_the_last_active_member_keeps_the_role(
    enter: Callable[..., Receipt],
    govern: Callable[..., Receipt],
    register: Deployed,
    hospital: LocalAccount,
) -> None:
    enter(hospital, MEMBER)
    govern("setRoles", hospital.address, MEMBER | STEWARD)
    assert register.call("activeMembers") == 1


# the delay of the EMERGENCY role


@pytest.mark.parametrize("given_at_admission", [True, False])
@pytest.mark.parametrize(("seconds", "held"), [(-1, False), (0, True), (1, True)])
def test_emergency_role_counts_when_the_delay_has_run(
    enter: Callable[..., Receipt],
    govern: Callable[..., Receipt],
    register: Deployed,
    evm: Evm,
    clinician: LocalAccount,
    given_at_admission: bool,
    seconds: int,
    held: bool,
) -> None:
    receipt = enter(clinician, EMERGENCY_ROLE if given_at_admission else STEWARD)
    if not given_at_admission:
        receipt = govern("setRoles", clinician.address, EMERGENCY_ROLE)
    effective = receipt.timestamp + EMERGENCY_DELAY
    assert register.events(receipt)[0].values["emergencyFrom"] == effective
    evm.travel_to(effective + seconds)
    assert register.call("hasRole", clinician.address, EMERGENCY_ROLE) is held


def test_emergency_role_keeps_its_time_when_other_roles_change(
    enter: Callable[..., Receipt],
    govern: Callable[..., Receipt],
    register: Deployed,
    clinician: LocalAccount,
) -> None:
    effective = enter(clinician, EMERGENCY_ROLE).timestamp + EMERGENCY_DELAY
    receipt = govern("setRoles", clinician.address, EMERGENCY_ROLE | STEWARD)
    assert register.events(receipt)[0].values["emergencyFrom"] == effective
    assert register.call("organisationOf", clinician.address)["emergencyFrom"] == effective


def test_emergency_role_starts_anew_when_it_was_taken_and_given_again(
    enter: Callable[..., Receipt],
    govern: Callable[..., Receipt],
    register: Deployed,
    evm: Evm,
    clinician: LocalAccount,
) -> None:
    evm.travel_to(enter(clinician, EMERGENCY_ROLE).timestamp + EMERGENCY_DELAY)
    taken = govern("setRoles", clinician.address, STEWARD)
    given = govern("setRoles", clinician.address, STEWARD | EMERGENCY_ROLE)
    assert register.events(taken)[0].values["emergencyFrom"] == 0
    assert not register.call("hasRole", clinician.address, EMERGENCY_ROLE)
    effective = given.timestamp + EMERGENCY_DELAY
    assert register.call("organisationOf", clinician.address)["emergencyFrom"] == effective


def test_emergency_role_keeps_its_time_when_suspended_meanwhile(
    enter: Callable[..., Receipt],
    govern: Callable[..., Receipt],
    register: Deployed,
    clinician: LocalAccount,
) -> None:
    effective = enter(clinician, EMERGENCY_ROLE).timestamp + EMERGENCY_DELAY
    govern("suspend", clinician.address)
    govern("reinstate", clinician.address)
    assert register.call("organisationOf", clinician.address)["emergencyFrom"] == effective


# hasRole


def test_has_role_asks_for_every_role_named(
    enter: Callable[..., Receipt], register: Deployed, clinician: LocalAccount
) -> None:
    enter(clinician, STEWARD)
    assert register.call("hasRole", clinician.address, STEWARD)
    assert not register.call("hasRole", clinician.address, STEWARD | MEMBER)


def test_has_role_is_never_true_when_no_role_is_named(
    enter: Callable[..., Receipt], register: Deployed, clinician: LocalAccount
) -> None:
    enter(clinician, STEWARD)
    assert not register.call("hasRole", clinician.address, 0)


def test_stranger_is_no_organisation(register: Deployed, stranger: LocalAccount) -> None:
    assert not register.call("isActiveOrganisation", stranger.address)
    assert not any(register.call("hasRole", stranger.address, role) for role in ROLES)
    assert not register.call("organisationOf", stranger.address)["admitted"]
