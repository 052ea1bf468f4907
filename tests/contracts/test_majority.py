"""The majority behind a motion: who counts, once, and only while an active member.

execute
├── approvers out of order or twice, one who has not approved or has withdrawn, no strict majority
│   of those who are active members now, the last member suspended or stripped: refused
└── else: the motion is carried
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from eth_account.signers.local import LocalAccount

from tests.contracts.consortium_actions import (
    NOBODY,
    ConsortiumActions,
    Kind,
    Motion,
)
from tests.contracts.deployed import Deployed, expect_revert
from tests.contracts.evm import Receipt
from tests.contracts.keys import Key, key_of
from tests.contracts.masks import MEMBER, STEWARD


@pytest.fixture
def suspension(clinician: LocalAccount) -> Motion:
    """To suspend the clinician."""
    return Motion(kind=Kind.SUSPEND, account=clinician.address)


@pytest.fixture
def three_members(motions: ConsortiumActions, hospital: LocalAccount) -> list[LocalAccount]:
    """The hospital and two more members, in ascending order."""
    second, third = key_of("second member"), key_of("third member")
    motions.admit(second, MEMBER, members=[hospital])
    motions.admit(third, MEMBER, members=[hospital, second])
    return sorted([hospital, second, third], key=lambda key: int(key.address, 16))


# approvers


def test_execute_is_refused_when_an_approver_is_named_twice(
    motions: ConsortiumActions, hospital: LocalAccount, suspension: Motion
) -> None:
    motions.approval(suspension, hospital).relay()
    with expect_revert("ApproversOutOfOrder", previous=hospital.address, next=hospital.address):
        motions.execute(suspension, [hospital, hospital])


def test_execute_is_refused_when_approvers_are_out_of_order(
    three_members: list[LocalAccount], motions: ConsortiumActions, suspension: Motion
) -> None:
    first, second, _ = three_members
    for member in (first, second):
        motions.approval(suspension, member).relay()
    with expect_revert("ApproversOutOfOrder", previous=second.address, next=first.address):
        motions.execute(suspension, [second, first])


def test_execute_is_refused_when_an_approver_is_the_zero_address(
    consortium: Deployed, relayer: LocalAccount, suspension: Motion
) -> None:
    with expect_revert("ApproversOutOfOrder", previous=NOBODY, next=NOBODY):
        consortium.send(relayer, "execute", suspension.encoded(), [NOBODY], NOBODY, b"")


def test_execute_is_refused_when_a_member_has_not_approved(
    motions: ConsortiumActions, hospital: LocalAccount, suspension: Motion
) -> None:
    with expect_revert(
        "NotApproved", motionId=motions.motion_id(suspension), member=hospital.address
    ):
        motions.execute(suspension, [hospital])


def test_execute_is_refused_when_an_unknown_approver_is_named_besides(
    motions: ConsortiumActions,
    hospital: LocalAccount,
    stranger: LocalAccount,
    suspension: Motion,
) -> None:
    motions.approval(suspension, hospital).relay()
    approvers = sorted([hospital, stranger], key=lambda key: int(key.address, 16))
    with expect_revert(
        "NotApproved", motionId=motions.motion_id(suspension), member=stranger.address
    ):
        motions.execute(suspension, approvers)


def test_execute_is_refused_when_an_approval_was_withdrawn(
    motions: ConsortiumActions, hospital: LocalAccount, suspension: Motion
) -> None:
    motion_id = motions.motion_id(suspension)
    motions.approval(suspension, hospital).relay()
    motions.withdrawal(motion_id, hospital).relay()
    with expect_revert("NotApproved", motionId=motion_id, member=hospital.address):
        motions.execute(suspension, [hospital])


def test_execute_is_refused_when_the_approval_was_of_another_motion(
    motions: ConsortiumActions, hospital: LocalAccount, suspension: Motion
) -> None:
    motions.approval(suspension, hospital).relay()
    again = replace(suspension, nonce=1)
    with expect_revert("NotApproved", motionId=motions.motion_id(again), member=hospital.address):
        motions.execute(again, [hospital])


# majority


def test_execute_is_refused_when_nobody_approved(
    motions: ConsortiumActions, suspension: Motion
) -> None:
    with expect_revert(
        "NoMajority", motionId=motions.motion_id(suspension), approvals=0, members=1
    ):
        motions.execute(suspension, [])


def test_execute_is_refused_when_one_of_two_members_approved(
    admit: Callable[[Key, int], Receipt],
    motions: ConsortiumActions,
    hospital: LocalAccount,
    stranger: LocalAccount,
    suspension: Motion,
) -> None:
    admit(stranger, MEMBER)
    motions.approval(suspension, hospital).relay()
    with expect_revert(
        "NoMajority", motionId=motions.motion_id(suspension), approvals=1, members=2
    ):
        motions.execute(suspension, [hospital])


@pytest.mark.parametrize("votes", [2, 3])
def test_execute_succeeds_when_more_than_half_of_three_members_approved(
    three_members: list[LocalAccount],
    motions: ConsortiumActions,
    consortium: Deployed,
    suspension: Motion,
    votes: int,
) -> None:
    receipt = motions.carry(suspension, three_members[:votes])
    assert consortium.events(receipt)[0].values["approvals"] == votes


def test_execute_does_not_count_an_approver_when_it_was_suspended_since(
    three_members: list[LocalAccount],
    motions: ConsortiumActions,
    suspension: Motion,
) -> None:
    first, second, third = three_members
    motions.approval(suspension, first).relay()
    motions.approval(suspension, second).relay()
    motions.suspend(first, members=[second, third])
    with expect_revert(
        "NoMajority", motionId=motions.motion_id(suspension), approvals=1, members=2
    ):
        motions.execute(suspension, [first, second])


def test_execute_does_not_count_an_approver_when_it_lost_its_role_since(
    three_members: list[LocalAccount],
    motions: ConsortiumActions,
    suspension: Motion,
) -> None:
    first, second, third = three_members
    motions.approval(suspension, first).relay()
    motions.approval(suspension, second).relay()
    motions.set_roles(first, STEWARD, members=[second, third])
    with expect_revert(
        "NoMajority", motionId=motions.motion_id(suspension), approvals=1, members=2
    ):
        motions.execute(suspension, [first, second])


def test_execute_counts_an_approver_again_when_it_was_reinstated(
    three_members: list[LocalAccount],
    motions: ConsortiumActions,
    registry: Deployed,
    clinician: LocalAccount,
    suspension: Motion,
) -> None:
    first, second, third = three_members
    motions.approval(suspension, first).relay()
    motions.approval(suspension, second).relay()
    motions.suspend(first, members=[second, third])
    motions.reinstate(first, members=[second, third])
    motions.execute(suspension, [first, second])
    assert not registry.call("isActiveOrganisation", clinician.address)


def test_execute_counts_the_members_of_now_when_some_joined_since(
    admit: Callable[[Key, int], Receipt],
    motions: ConsortiumActions,
    hospital: LocalAccount,
    stranger: LocalAccount,
    suspension: Motion,
) -> None:
    motions.approval(suspension, hospital).relay()
    admit(stranger, MEMBER)
    with expect_revert(
        "NoMajority", motionId=motions.motion_id(suspension), approvals=1, members=2
    ):
        motions.execute(suspension, [hospital])


def test_execute_is_refused_when_it_would_suspend_the_last_member(
    motions: ConsortiumActions, hospital: LocalAccount
) -> None:
    motion = Motion(kind=Kind.SUSPEND, account=hospital.address)
    motions.approval(motion, hospital).relay()
    with expect_revert("LastMember", account=hospital.address):
        motions.execute(motion, [hospital])


def test_execute_is_refused_when_it_would_strip_the_last_member(
    motions: ConsortiumActions, hospital: LocalAccount
) -> None:
    motion = Motion(kind=Kind.SET_ROLES, account=hospital.address, roles=STEWARD)
    motions.approval(motion, hospital).relay()
    with expect_revert("LastMember", account=hospital.address):
        motions.execute(motion, [hospital])
