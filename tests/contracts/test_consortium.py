"""The consortium: a strict majority of the active members decides who belongs, and nothing else.

approve
├── after the deadline, executed, by no active member, voted before, without the power GOVERN:
│   refused
└── else: the vote counts until it is withdrawn
withdraw
├── without the power GOVERN, withdrawn before: refused
└── else, also before the approval, after the deadline, by one who is no member: final

Executing is in `test_motions.py` and `test_majority.py`, founding in `test_founding.py`.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from eth_account.signers.local import LocalAccount

from tests.contracts.consortium_actions import ConsortiumActions, Kind, Motion, Vote
from tests.contracts.deployed import Deployed, Event, expect_revert
from tests.contracts.evm import Evm, Receipt
from tests.contracts.keys import Key, Wallet
from tests.contracts.masks import GOVERN, MEMBER, POWERS, STEWARD
from tests.contracts.registry_actions import RegistryActions
from tests.contracts.storage import only_writes

ALL_BUT_GOVERN = sum(POWERS) & ~GOVERN


@pytest.fixture
def motion(motions: ConsortiumActions, stranger: LocalAccount) -> Motion:
    """To admit the stranger as a steward."""
    return motions.admission(stranger, STEWARD)


# the id of a motion


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kind", Kind.SET_ROLES),
        ("account", "0x" + "11" * 20),
        ("roles", MEMBER),
        ("key", b"\x01" * 32),
        ("profile", b"\x01" * 32),
        ("nonce", 2**256 - 1),
        ("deadline", 1),
    ],
)
def test_motion_id_differs_when_any_field_does(
    motions: ConsortiumActions, motion: Motion, field: str, value: object
) -> None:
    changed = Motion(**{**motion.fields(), field: value})  # type: ignore[arg-type]  # one field swapped
    assert motions.motion_id(changed) != motions.motion_id(motion)


# approve


@pytest.mark.parametrize("way", ["send", "relay"])
def test_approve_records_the_vote_when_a_member_wants_it(
    motions: ConsortiumActions,
    consortium: Deployed,
    hospital: LocalAccount,
    motion: Motion,
    way: str,
) -> None:
    receipt = getattr(motions.approval(motion, hospital), way)()
    motion_id = motions.motion_id(motion)
    assert consortium.call("voteOf", motion_id, hospital.address) == Vote.APPROVED
    assert not consortium.call("isExecuted", motion_id)
    assert consortium.events(receipt) == [
        Event(
            "MotionApproved",
            {
                "motionId": motion_id,
                "member": hospital.address,
                "by": hospital.address,
                **motion.fields(),
            },
        )
    ]


def test_approve_touches_one_vote_when_done(
    motions: ConsortiumActions,
    consortium: Deployed,
    registry: Deployed,
    hospital: LocalAccount,
    motion: Motion,
) -> None:
    with only_writes(1, consortium, registry):
        motions.approval(motion, hospital).relay()


def test_approve_succeeds_when_a_delegate_holds_govern(
    accounts: RegistryActions,
    motions: ConsortiumActions,
    consortium: Deployed,
    hospital: LocalAccount,
    stranger: LocalAccount,
    motion: Motion,
) -> None:
    accounts.delegation(hospital, stranger.address, GOVERN).relay()
    receipt = motions.approval(motion, hospital, by=stranger).relay()
    (approved,) = consortium.events(receipt)
    assert (approved.values["member"], approved.values["by"]) == (
        hospital.address,
        stranger.address,
    )


def test_approve_succeeds_when_sent_in_the_second_of_the_deadline(
    motions: ConsortiumActions,
    consortium: Deployed,
    evm: Evm,
    hospital: LocalAccount,
    clinician: LocalAccount,
) -> None:
    motion = Motion(kind=Kind.SUSPEND, account=clinician.address, deadline=evm.now + 100)
    motions.approval(motion, hospital).relay(at=motion.deadline)
    vote = consortium.call("voteOf", motions.motion_id(motion), hospital.address)
    assert vote == Vote.APPROVED


def test_approve_is_refused_when_sent_a_second_after_the_deadline(
    motions: ConsortiumActions, evm: Evm, hospital: LocalAccount, clinician: LocalAccount
) -> None:
    motion = Motion(kind=Kind.SUSPEND, account=clinician.address, deadline=evm.now + 100)
    with expect_revert("DeadlinePassed", deadline=motion.deadline):
        motions.approval(motion, hospital).relay(at=motion.deadline + 1)


def test_approve_is_refused_when_the_motion_was_executed(
    motions: ConsortiumActions,
    hospital: LocalAccount,
    stranger: LocalAccount,
) -> None:
    motion = motions.admission(stranger, MEMBER)
    motions.carry(motion, [hospital], newcomer=stranger)
    with expect_revert("MotionExecutedAlready", motionId=motions.motion_id(motion)):
        motions.approval(motion, stranger).relay()


def test_approve_is_refused_when_an_organisation_is_no_member(
    motions: ConsortiumActions, clinician: LocalAccount, motion: Motion
) -> None:
    with expect_revert("NotMember", member=clinician.address):
        motions.approval(motion, clinician).relay()


def test_approve_is_refused_when_a_stranger_votes(
    motions: ConsortiumActions, stranger: LocalAccount, motion: Motion
) -> None:
    with expect_revert("NotMember", member=stranger.address):
        motions.approval(motion, stranger).relay()


def test_approve_is_refused_when_the_member_is_suspended(
    admit: Callable[[Key, int], Receipt],
    motions: ConsortiumActions,
    hospital: LocalAccount,
    stranger: LocalAccount,
) -> None:
    admit(stranger, MEMBER)
    motions.suspend(stranger, members=[hospital, stranger])
    motion = Motion(kind=Kind.REINSTATE, account=stranger.address)
    with expect_revert("NotMember", member=stranger.address):
        motions.approval(motion, stranger).relay()


def test_approve_is_refused_when_the_member_has_approved(
    motions: ConsortiumActions, hospital: LocalAccount, motion: Motion
) -> None:
    motions.approval(motion, hospital).relay()
    with expect_revert(
        "VoteCast",
        motionId=motions.motion_id(motion),
        member=hospital.address,
        vote=Vote.APPROVED,
    ):
        motions.approval(motion, hospital).relay()


def test_approve_is_refused_when_the_member_has_withdrawn(
    motions: ConsortiumActions, hospital: LocalAccount, motion: Motion
) -> None:
    motion_id = motions.motion_id(motion)
    motions.approval(motion, hospital).relay()
    motions.withdrawal(motion_id, hospital).relay()
    with expect_revert(
        "VoteCast", motionId=motion_id, member=hospital.address, vote=Vote.WITHDRAWN
    ):
        motions.approval(motion, hospital).relay()


def test_approve_is_refused_when_another_acts_for_the_member(
    motions: ConsortiumActions, hospital: LocalAccount, stranger: LocalAccount, motion: Motion
) -> None:
    with expect_revert(
        "NotAuthorised", account=hospital.address, by=stranger.address, power=GOVERN
    ):
        motions.approval(motion, hospital, by=stranger).relay()


def test_approve_is_refused_when_a_delegate_holds_all_but_govern(
    accounts: RegistryActions,
    motions: ConsortiumActions,
    hospital: LocalAccount,
    stranger: LocalAccount,
    motion: Motion,
) -> None:
    accounts.delegation(hospital, stranger.address, ALL_BUT_GOVERN).relay()
    with expect_revert(
        "NotAuthorised", account=hospital.address, by=stranger.address, power=GOVERN
    ):
        motions.approval(motion, hospital, by=stranger).relay()


def test_approve_is_refused_when_the_members_recovery_is_pending(
    motions: ConsortiumActions,
    start_recovery: Callable[[Key], None],
    hospital: LocalAccount,
    motion: Motion,
) -> None:
    start_recovery(hospital)
    with expect_revert(
        "NotAuthorised", account=hospital.address, by=hospital.address, power=GOVERN
    ):
        motions.approval(motion, hospital).relay()


def test_approve_is_refused_when_another_sends_it_unsigned(
    motions: ConsortiumActions, hospital: LocalAccount, stranger: LocalAccount, motion: Motion
) -> None:
    with expect_revert("NotSender", by=hospital.address, sender=stranger.address):
        motions.approval(motion, hospital).send(stranger)


def test_approve_is_refused_when_two_wallets_share_a_key_and_only_one_was_signed_for(
    admit: Callable[[Key, int], Receipt],
    motions: ConsortiumActions,
    hospital: LocalAccount,
    stranger: LocalAccount,
    wallet_of: Callable[[LocalAccount], Wallet],
    motion: Motion,
) -> None:
    first, second = wallet_of(stranger), wallet_of(stranger)
    admit(first, MEMBER)
    motions.admit(second, MEMBER, members=[hospital, first])
    signature = motions.approval(motion, first).signature()
    motions.approval(motion, first).relay(signature)
    other = motions.approval(motion, second)
    with expect_revert("InvalidSignature", by=second.address, digest=other.digest()):
        other.relay(signature)


# withdraw


@pytest.mark.parametrize("way", ["send", "relay"])
def test_withdraw_ends_an_approval_when_the_member_wants_it(
    motions: ConsortiumActions,
    consortium: Deployed,
    hospital: LocalAccount,
    motion: Motion,
    way: str,
) -> None:
    motion_id = motions.motion_id(motion)
    motions.approval(motion, hospital).relay()
    receipt = getattr(motions.withdrawal(motion_id, hospital), way)()
    assert consortium.call("voteOf", motion_id, hospital.address) == Vote.WITHDRAWN
    assert consortium.events(receipt) == [
        Event(
            "ApprovalWithdrawn",
            {"motionId": motion_id, "member": hospital.address, "by": hospital.address},
        )
    ]


def test_withdraw_touches_one_vote_when_another_member_has_approved(
    admit: Callable[[Key, int], Receipt],
    motions: ConsortiumActions,
    consortium: Deployed,
    registry: Deployed,
    hospital: LocalAccount,
    thief: LocalAccount,
    motion: Motion,
) -> None:
    admit(thief, MEMBER)
    motions.approval(motion, hospital).relay()
    motions.approval(motion, thief).relay()
    motion_id = motions.motion_id(motion)
    with only_writes(1, consortium, registry):
        motions.withdrawal(motion_id, thief).relay()
    assert consortium.call("voteOf", motion_id, hospital.address) == Vote.APPROVED


def test_withdraw_kills_a_withheld_approval_when_it_comes_first(
    motions: ConsortiumActions, hospital: LocalAccount, motion: Motion
) -> None:
    withheld = motions.approval(motion, hospital)
    motion_id = motions.motion_id(motion)
    motions.withdrawal(motion_id, hospital).relay()
    with expect_revert(
        "VoteCast", motionId=motion_id, member=hospital.address, vote=Vote.WITHDRAWN
    ):
        withheld.relay()


def test_withdraw_is_refused_when_withdrawn_before(
    motions: ConsortiumActions, hospital: LocalAccount, motion: Motion
) -> None:
    motion_id = motions.motion_id(motion)
    motions.withdrawal(motion_id, hospital).relay()
    with expect_revert(
        "VoteCast", motionId=motion_id, member=hospital.address, vote=Vote.WITHDRAWN
    ):
        motions.withdrawal(motion_id, hospital).relay()


def test_withdraw_is_refused_when_another_acts_for_the_member(
    motions: ConsortiumActions, hospital: LocalAccount, stranger: LocalAccount, motion: Motion
) -> None:
    with expect_revert(
        "NotAuthorised", account=hospital.address, by=stranger.address, power=GOVERN
    ):
        motions.withdrawal(motions.motion_id(motion), hospital, by=stranger).relay()


def test_withdraw_is_refused_when_a_delegate_holds_all_but_govern(
    accounts: RegistryActions,
    motions: ConsortiumActions,
    hospital: LocalAccount,
    stranger: LocalAccount,
    motion: Motion,
) -> None:
    accounts.delegation(hospital, stranger.address, ALL_BUT_GOVERN).relay()
    with expect_revert(
        "NotAuthorised", account=hospital.address, by=stranger.address, power=GOVERN
    ):
        motions.withdrawal(motions.motion_id(motion), hospital, by=stranger).relay()


def test_withdraw_is_refused_when_another_sends_it_unsigned(
    motions: ConsortiumActions, hospital: LocalAccount, stranger: LocalAccount, motion: Motion
) -> None:
    with expect_revert("NotSender", by=hospital.address, sender=stranger.address):
        motions.withdrawal(motions.motion_id(motion), hospital).send(stranger)


def test_withdraw_succeeds_when_the_member_is_suspended(
    admit: Callable[[Key, int], Receipt],
    motions: ConsortiumActions,
    consortium: Deployed,
    hospital: LocalAccount,
    thief: LocalAccount,
    motion: Motion,
) -> None:
    admit(thief, MEMBER)
    motions.approval(motion, thief).relay()
    motions.suspend(thief, members=[hospital, thief])
    motion_id = motions.motion_id(motion)
    motions.withdrawal(motion_id, thief).relay()
    assert consortium.call("voteOf", motion_id, thief.address) == Vote.WITHDRAWN
