"""What the consortium does to organisations in tests; the hospital is its only member at first."""

from __future__ import annotations

from datetime import timedelta

from medaccord.chain import Role, actions
from medaccord.keys import LocalSigner
from tests.integration.gatekeeper.conftest import World

NO_ROLES = Role(0)


def suspend(
    world: World, organisation: LocalSigner, *, voters: tuple[LocalSigner, ...] = ()
) -> None:
    _move(world, actions.Kind.SUSPEND, organisation, voters)


def reinstate(world: World, organisation: LocalSigner) -> None:
    _move(world, actions.Kind.REINSTATE, organisation, ())


def make_member(world: World, organisation: LocalSigner) -> None:
    """Give a steward a vote."""
    _move(world, actions.Kind.SET_ROLES, organisation, (), roles=Role.MEMBER | Role.STEWARD)


def _move(
    world: World,
    kind: actions.Kind,
    organisation: LocalSigner,
    voters: tuple[LocalSigner, ...],
    roles: Role = NO_ROLES,
) -> None:
    """Let the members, the hospital alone unless given, do something to an organisation."""
    members = sorted(voters or (world.hospital,), key=lambda each: int(each.address, 16))
    motion = actions.Motion(
        kind=kind,
        account=organisation.address,
        roles=roles,
        deadline=world.chain.clock() + timedelta(hours=1),
    )
    for member in members:
        approval = actions.approve(world.contracts, motion=motion, member=member.address)
        actions.submit(world.sender, actions.signed(approval, member))
    approvers = [member.address for member in members]
    execution = actions.execute(world.contracts, motion=motion, approvers=approvers)
    actions.submit(world.sender, execution)
