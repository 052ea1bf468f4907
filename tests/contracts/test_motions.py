"""Executing a motion: the Registry does what it says, once.

execute
├── after the deadline, a second time, to admit without the organisation's word, otherwise with a
│   signer or a signature: refused
└── else: the Registry does what the motion says; where the Registry refuses, it stays open

Who must have approved is in `test_majority.py`.
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
    encryption_key,
    profile_hash,
)
from tests.contracts.deployed import Deployed, Event, expect_revert
from tests.contracts.evm import Evm
from tests.contracts.keys import Wallet
from tests.contracts.masks import EMERGENCY_ROLE, MEMBER, STEWARD
from tests.contracts.periods import EMERGENCY_DELAY
from tests.contracts.registry_actions import RegistryActions
from tests.contracts.storage import only_writes


@pytest.fixture
def suspension(clinician: LocalAccount) -> Motion:
    """To suspend the clinician."""
    return Motion(kind=Kind.SUSPEND, account=clinician.address)


# what it does


def test_execute_admits_when_the_motion_says_so(
    motions: ConsortiumActions,
    consortium: Deployed,
    registry: Deployed,
    relayer: LocalAccount,
    hospital: LocalAccount,
    stranger: LocalAccount,
) -> None:
    motion = motions.admission(stranger, STEWARD | EMERGENCY_ROLE)
    receipt = motions.carry(motion, [hospital], newcomer=stranger)
    motion_id = motions.motion_id(motion)
    assert consortium.call("isExecuted", motion_id)
    assert registry.call("hasRole", stranger.address, STEWARD)
    assert consortium.events(receipt) == [
        Event(
            "MotionExecuted",
            {"motionId": motion_id, "executor": relayer.address, "approvals": 1},
        )
    ]
    assert registry.events(receipt) == [
        Event(
            "OrganisationAdmitted",
            {
                "account": stranger.address,
                "by": stranger.address,
                "roles": STEWARD | EMERGENCY_ROLE,
                "key": encryption_key(stranger),
                "profile": profile_hash(stranger),
                "emergencyFrom": receipt.timestamp + EMERGENCY_DELAY,
            },
        )
    ]


def test_execute_suspends_and_reinstates_when_the_motions_say_so(
    motions: ConsortiumActions,
    registry: Deployed,
    hospital: LocalAccount,
    clinician: LocalAccount,
) -> None:
    suspended = motions.suspend(clinician, members=[hospital])
    assert registry.events(suspended) == [
        Event("OrganisationSuspended", {"account": clinician.address})
    ]
    reinstated = motions.reinstate(clinician, members=[hospital])
    assert registry.events(reinstated) == [
        Event("OrganisationReinstated", {"account": clinician.address})
    ]


def test_execute_sets_roles_when_the_motion_says_so(
    motions: ConsortiumActions,
    registry: Deployed,
    hospital: LocalAccount,
    clinician: LocalAccount,
) -> None:
    receipt = motions.set_roles(clinician, STEWARD, members=[hospital])
    assert registry.events(receipt) == [
        Event("RolesChanged", {"account": clinician.address, "roles": STEWARD, "emergencyFrom": 0})
    ]


def test_execute_touches_its_mark_and_the_organisation_alone_when_done(
    motions: ConsortiumActions,
    consortium: Deployed,
    registry: Deployed,
    consents: Deployed,
    hospital: LocalAccount,
    suspension: Motion,
) -> None:
    motions.approval(suspension, hospital).relay()
    with only_writes(1, registry, consents), only_writes(1, consortium):
        motions.execute(suspension, [hospital])


def test_execute_admits_an_account_that_a_wallet_controls_when_the_wallet_signs(
    accounts: RegistryActions,
    motions: ConsortiumActions,
    registry: Deployed,
    hospital: LocalAccount,
    stranger: LocalAccount,
    thief: LocalAccount,
    wallet_of: Callable[[LocalAccount], Wallet],
) -> None:
    wallet = wallet_of(thief)
    accounts.rotation(stranger, wallet.address).relay()
    motion = motions.admission(stranger, 0)
    motions.approval(motion, hospital).relay()
    signature = motions.publication_of(motion, stranger, by=wallet)
    motions.execute(motion, [hospital], by=wallet.address, signature=signature)
    assert registry.call("isActiveOrganisation", stranger.address)


# time and repetition


def test_execute_succeeds_when_sent_in_the_second_of_the_deadline(
    motions: ConsortiumActions,
    registry: Deployed,
    evm: Evm,
    hospital: LocalAccount,
    clinician: LocalAccount,
    suspension: Motion,
) -> None:
    motion = replace(suspension, deadline=evm.now + 100)
    motions.approval(motion, hospital).relay()
    motions.execute(motion, [hospital], at=motion.deadline)
    assert not registry.call("isActiveOrganisation", clinician.address)


def test_execute_is_refused_when_sent_a_second_after_the_deadline(
    motions: ConsortiumActions, evm: Evm, hospital: LocalAccount, suspension: Motion
) -> None:
    motion = replace(suspension, deadline=evm.now + 100)
    motions.approval(motion, hospital).relay()
    with expect_revert("DeadlinePassed", deadline=motion.deadline):
        motions.execute(motion, [hospital], at=motion.deadline + 1)


def test_execute_is_refused_when_executed_before_and_reinstated_meanwhile(
    motions: ConsortiumActions, hospital: LocalAccount, clinician: LocalAccount, suspension: Motion
) -> None:
    motions.carry(suspension, [hospital])
    motions.reinstate(clinician, members=[hospital])
    with expect_revert("MotionExecutedAlready", motionId=motions.motion_id(suspension)):
        motions.execute(suspension, [hospital])


def test_execute_leaves_the_motion_open_when_the_registry_refuses(
    motions: ConsortiumActions,
    consortium: Deployed,
    hospital: LocalAccount,
    clinician: LocalAccount,
) -> None:
    motion = Motion(kind=Kind.REINSTATE, account=clinician.address)
    motions.approval(motion, hospital).relay()
    with expect_revert("NotSuspended", account=clinician.address):
        motions.execute(motion, [hospital])
    assert not consortium.call("isExecuted", motions.motion_id(motion))


# the organisation's word


def test_execute_is_refused_when_the_organisation_did_not_sign_its_admission(
    motions: ConsortiumActions,
    accounts: RegistryActions,
    hospital: LocalAccount,
    stranger: LocalAccount,
) -> None:
    motion = motions.admission(stranger, 0)
    motions.approval(motion, hospital).relay()
    digest = accounts.publication(stranger, motion.key, motion.profile, nonce=0).digest()
    with expect_revert("InvalidSignature", by=stranger.address, digest=digest):
        motions.execute(motion, [hospital], by=stranger.address)


def test_execute_is_refused_when_the_consortium_would_admit_itself(
    motions: ConsortiumActions, consortium: Deployed, registry: Deployed, hospital: LocalAccount
) -> None:
    key = b"\x01" * 32
    motion = Motion(kind=Kind.ADMIT, account=consortium.address, roles=MEMBER, key=key)
    motions.approval(motion, hospital).relay()
    message = {
        "account": consortium.address,
        "key": key,
        "profile": motion.profile,
        "nonce": 0,
        "deadline": motion.deadline,
    }
    digest = registry.digest("Publication", message)
    with expect_revert("InvalidSignature", by=consortium.address, digest=digest):
        motions.execute(motion, [hospital], by=consortium.address)


@pytest.mark.parametrize("kind", [Kind.SUSPEND, Kind.REINSTATE, Kind.SET_ROLES])
@pytest.mark.parametrize(("by", "signature"), [("someone", b""), (None, b"\x01")])
def test_execute_is_refused_when_a_signer_or_signature_comes_unasked(
    motions: ConsortiumActions,
    hospital: LocalAccount,
    clinician: LocalAccount,
    kind: Kind,
    by: str | None,
    signature: bytes,
) -> None:
    motion = Motion(kind=kind, account=clinician.address)
    motions.approval(motion, hospital).relay()
    signer = clinician.address if by else NOBODY
    with expect_revert("UnexpectedSignature"):
        motions.execute(motion, [hospital], by=signer, signature=signature)
