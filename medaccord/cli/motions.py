"""What members decide: ``medaccord org propose``, ``approve``, ``withdraw`` and ``execute``."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias

import typer

from medaccord.chain.actions import Kind, Motion
from medaccord.chain.deployment import Contracts
from medaccord.chain.powers import Role
from medaccord.cli.acting import Flags, acting_member, connected, governs
from medaccord.cli.done import say_done, waiting
from medaccord.cli.output import JsonOption, say
from medaccord.cli.own_files import handed_in
from medaccord.cli.times import end_of
from medaccord.client import Consortium
from medaccord.client.wishes import AdmissionWish
from medaccord.core.documents import instant_text
from medaccord.core.errors import InvalidDocument, InvalidInput
from medaccord.core.identifiers import Address, Digest, address, digest, hex_digest


class MotionKind(StrEnum):
    """What the members may decide, as it is typed."""

    ADMIT = "admit"
    SUSPEND = "suspend"
    REINSTATE = "reinstate"
    ROLES = "roles"

    @property
    def kind(self) -> Kind:
        """The same as the contract has it."""
        return Kind.SET_ROLES if self is MotionKind.ROLES else Kind[self.name]


class RoleName(StrEnum):
    """A role of an organisation, as it is typed."""

    MEMBER = "member"
    STEWARD = "steward"
    EMERGENCY = "emergency"


MotionArgument: TypeAlias = Annotated[
    str, typer.Argument(metavar="MOTION", help="As `medaccord org list --motions` shows it.")
]
WishOption: TypeAlias = Annotated[
    Path | None,
    typer.Option("--wish", metavar="FILE", help="To admit: what the organisation signed."),
]

_DAYS: Final = 7
"""How long a motion is open, unless it is said otherwise."""


@governs
def propose(
    flags: Flags,
    what: Annotated[MotionKind, typer.Argument(metavar="WHAT", help="What to decide.")],
    organisation: Annotated[
        str | None,
        typer.Argument(metavar="ADDRESS", help="Which organisation; not where a wish says so."),
    ] = None,
    wish: WishOption = None,
    roles: Annotated[
        list[RoleName] | None,
        typer.Option("--role", help="A role that it gets or is to have; may be given again."),
    ] = None,
    days: Annotated[
        int | None,
        typer.Option("--days", min=1, help=f"How long it is open; {_DAYS} unless given."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a motion, and approve it: then every member finds it on the chain.

    WHAT is admit, suspend, reinstate or roles. A motion to admit is open as long as the wish is.
    """
    contracts = connected(flags)
    named = None if organisation is None else address(organisation)
    wished = _wish(wish, contracts)
    if wished is None and what is MotionKind.ADMIT:
        raise InvalidInput("to admit takes --wish, the file that `medaccord org wish` wrote")
    if wished is not None and (what is not MotionKind.ADMIT or days is not None):
        raise InvalidInput("a wish is for a motion to admit, and says itself how long it is open")
    if not roles and what in (MotionKind.ADMIT, MotionKind.ROLES):
        raise InvalidInput("which roles? Name each with --role")
    member = acting_member(flags)
    motion = member.propose(
        what.kind,
        named,
        roles=_roles(roles or ()),
        admission=None if wished is None else wished.admission,
        deadline=None if days is None else end_of(None, days, contracts.network.clock()),
    )
    with waiting():
        receipt = member.approve(motion)
    say_done(
        receipt,
        f"{hex_digest(motion.id)}: {_words(motion)}. You approved it; others may now.",
        as_json=as_json,
        **_motion(motion),
    )


@governs
def approve(flags: Flags, motion: MotionArgument, as_json: JsonOption = False) -> None:
    """Approve a motion for this member."""
    _vote(flags, digest(motion), as_json, approves=True)


@governs
def withdraw(flags: Flags, motion: MotionArgument, as_json: JsonOption = False) -> None:
    """Withdraw this member's approval of a motion, given or not, for good."""
    _vote(flags, digest(motion), as_json, approves=False)


@governs
def execute(
    flags: Flags,
    motion: MotionArgument,
    wish: WishOption = None,
    as_json: JsonOption = False,
) -> None:
    """Carry out a motion that more than half of the active members approved; anybody may."""
    wanted, wished = digest(motion), _wish(wish, connected(flags))
    member = acting_member(flags)
    found = _found(member, wanted)
    if found.kind is Kind.ADMIT and wished is None:
        raise InvalidInput("to admit takes --wish, the file that `medaccord org wish` wrote")
    with waiting():
        receipt = member.execute(found, admission=None if wished is None else wished.admission)
    say_done(receipt, f"Done: {_words(found)}.", as_json=as_json, **_motion(found))


def role_names(roles: Role) -> list[str]:
    """Roles as they are typed."""
    return [each.value for each in RoleName if roles & Role[each.name]]


def _vote(flags: Flags, wanted: Digest, as_json: bool, *, approves: bool) -> None:
    member = acting_member(flags)
    motion = _found(member, wanted)
    with waiting():
        receipt = member.approve(motion) if approves else member.withdraw(motion)
    approvers, majority = member.approvers(motion), member.has_majority(motion)
    done = "You approved it" if approves else "Your approval is withdrawn"
    enough = ", and that is enough: `medaccord org execute` carries it out" if majority else ""
    say_done(
        receipt,
        f"{_words(motion)}. {done}: {len(approvers)} approve{enough}.",
        as_json=as_json,
        approvals=len(approvers),
        majority=majority,
        **_motion(motion),
    )


def list_motions(seat: Consortium, *, as_json: bool) -> None:
    """Say which motions are open."""
    found = [(each, seat.approvers(each)) for each in seat.motions()]
    say(
        {"motions": [{**_motion(each), "approvals": len(by)} for each, by in found]},
        [_motion_line(each, by) for each, by in found],
        as_json=as_json,
    )


def show_motion(seat: Consortium, wanted: Digest, *, as_json: bool) -> None:
    """Say what an open motion is about, and who approved it.

    Raises:
        InvalidInput: there is none of this id.
    """
    motion = _found(seat, wanted)
    approvers, majority = seat.approvers(motion), seat.has_majority(motion)
    document = {**_motion(motion), "approvers": list(approvers), "majority": majority}
    lines = [f"{_words(motion)}, open until {document['deadline']}.", *approvers]
    lines.append("They are enough." if majority else "They are not enough yet.")
    say(document, lines, as_json=as_json)


def _found(seat: Consortium, wanted: Digest) -> Motion:
    for each in seat.motions():
        if each.id == wanted:
            return each
    raise InvalidInput(
        f"no motion {hex_digest(wanted)} is open: `medaccord org list --motions` shows those that"
        " are"
    )


def _wish(file: Path | None, contracts: Contracts) -> AdmissionWish | None:
    if file is None:
        return None
    try:
        return AdmissionWish.read(handed_in(file, what="the wish"), contracts)
    except InvalidDocument as error:
        raise InvalidDocument(f"the wish {file}: {error.problem}") from error


def _roles(names: Iterable[RoleName]) -> Role:
    roles = Role(0)
    for each in names:
        roles |= Role[each.name]
    return roles


def _motion(motion: Motion) -> dict[str, Any]:
    return {
        "motion": hex_digest(motion.id),
        "kind": next(each.value for each in MotionKind if each.kind is motion.kind),
        "account": motion.account,
        "roles": role_names(motion.roles),
        "deadline": instant_text(motion.deadline),
    }


def _motion_line(motion: Motion, approvers: tuple[Address, ...]) -> str:
    told = _motion(motion)
    return f"{told['motion']}\t{_words(motion)}\t{len(approvers)} approve\tuntil {told['deadline']}"


def _words(motion: Motion) -> str:
    told = _motion(motion)
    roles = f" as {', '.join(told['roles'])}" if told["roles"] else ""
    verb = "give roles to" if told["kind"] == MotionKind.ROLES else told["kind"]
    return f"{verb} {motion.account}{roles}"
