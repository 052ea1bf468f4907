"""What anybody may send: motions that were approved, and recoveries by guardians."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from medaccord.chain import Role, actions, events
from medaccord.chain.actions import Invocation
from medaccord.core.errors import InvalidInput
from medaccord.core.identifiers import Address
from medaccord.keys import LocalSigner
from tests.integration.conftest import KEY, PROFILE, Setting, admit
from tests.integration.every_action import CASES, World


@pytest.fixture
def world(setting: Setting, patient: LocalSigner, stranger: LocalSigner) -> World:
    return World(setting, patient, stranger)


def test_recovery_hands_the_account_over_when_the_delay_has_run(world: World) -> None:
    world.recover()
    world.chain.advance(timedelta(days=7))
    completion = actions.complete_recovery(world.contracts, account=world.patient.address)
    (completed,) = actions.submit(world.sender, completion).events
    assert isinstance(completed, events.RecoveryCompleted)
    assert completed.new_controller == world.stranger.address


def test_call_open_to_all_is_read_back_the_same(world: World) -> None:
    invocation = world.start_recovery()
    document = json.dumps(invocation.to_document())
    assert Invocation.parse(world.contracts, document) == invocation


def test_id_of_a_motion_is_the_one_the_contract_makes(world: World) -> None:
    motion = world.motion()
    assert world.contracts.call("Consortium", "motionId", motion.fields()) == motion.id


def test_motion_is_carried_out_with_approvers_in_any_order(world: World) -> None:
    third = world.stranger
    admit(world.contracts, world.sender, world.hospital, third, Role.MEMBER)
    motion = world.motion()
    members = (world.hospital, third)
    for member in members:
        approval = actions.approve(world.contracts, motion=motion, member=member.address)
        world.relay(approval, member)
    for order in (members, members[::-1]):
        execution = actions.execute(
            world.contracts, motion=motion, approvers=[member.address for member in order]
        )
        approvers = execution.arguments["approvers"]
        assert approvers == tuple(sorted(approvers, key=lambda each: int(each, 16)))
    executed, suspended = actions.submit(world.sender, execution).events
    assert isinstance(executed, events.MotionExecuted)
    assert isinstance(suspended, events.OrganisationSuspended)
    assert executed.approvals == 2


def admission(world: World, account: Address, roles: Role = Role.STEWARD) -> actions.Motion:
    return actions.Motion(
        kind=actions.Kind.ADMIT,
        account=account,
        roles=roles,
        key=KEY,
        profile=PROFILE,
        deadline=world.contracts.network.clock() + timedelta(hours=1),
    )


def test_execution_is_refused_when_an_admission_lacks_the_publication(world: World) -> None:
    motion = admission(world, world.stranger.address)
    with pytest.raises(InvalidInput, match="signs its publication"):
        actions.execute(world.contracts, motion=motion, approvers=[world.hospital.address])


@pytest.mark.parametrize("name", ["account", "key", "profile", "deadline"])
def test_execution_is_refused_when_the_publication_is_of_another(world: World, name: str) -> None:
    motion = admission(world, world.stranger.address)
    signer = world.patient if name == "account" else world.stranger
    late = timedelta(seconds=1) if name == "deadline" else timedelta()
    publication = actions.publish(
        world.contracts,
        account=signer.address,
        key=PROFILE if name == "key" else KEY,
        profile=KEY if name == "profile" else PROFILE,
        deadline=motion.deadline + late,
    )
    with pytest.raises(InvalidInput, match=f"the {name} of the publication"):
        actions.execute(
            world.contracts,
            motion=motion,
            approvers=[world.hospital.address],
            publication=actions.signed(publication, signer),
        )


def test_execution_is_refused_when_a_suspension_carries_a_publication(world: World) -> None:
    publication = actions.signed(CASES["publish"][1](world), world.clinician)
    with pytest.raises(InvalidInput, match="only a motion to admit"):
        actions.execute(
            world.contracts,
            motion=world.motion(),
            approvers=[world.hospital.address],
            publication=publication,
        )
