"""Admits an organisation: it signs its wish, members approve, the last one needed carries it out.

Usage, first where the organisation is, then at each member until there is a majority; the first of
them says which roles it gets:
    ape run admit_organisation --network … --wish wish.json --organisation ORGANISATION
        --name 'Hospital B' --key 0x…
    ape run admit_organisation --network … --wish wish.json --member MEMBER --account PAYER
        --role steward
"""

from __future__ import annotations

from pathlib import Path

import click
from ape.api import AccountAPI

from medaccord import Consortium
from medaccord.chain.actions import Kind, Motion
from medaccord.chain.deployment import Contracts
from medaccord.chain.powers import Role
from medaccord.cli.own_files import handed_in, written
from medaccord.client import Admission
from medaccord.client.wishes import AdmissionWish
from medaccord.core.errors import InvalidInput
from medaccord.core.identifiers import Digest
from medaccord.core.profiles import OrganisationProfile
from scripts import _organisations
from scripts._ape import ApeSigner, ScriptCommand, contracts_of, record_option, report, sender_of
from scripts._asking import asked_option, optional_key


def signed_wish(
    contracts: Contracts, organisation: ApeSigner, key: Digest, profile: OrganisationProfile
) -> AdmissionWish:
    """Let the organisation sign that it wants to be admitted."""
    admission = Admission.sign(contracts, organisation, key=key, profile=profile.hash)
    return AdmissionWish(admission=admission, organisation=profile)


def vote(contracts: Contracts, consortium: Consortium, wish: AdmissionWish, roles: Role) -> None:
    """Approve for one member, and carry the motion out where that makes a majority."""
    motion = motion_on(consortium, wish, roles)
    report("approved", consortium.approve(motion))
    if consortium.has_majority(motion):
        report("admitted", consortium.execute(motion, admission=wish.admission))
        return
    approved = len(consortium.approvers(motion))
    members = contracts.call("Registry", "activeMembers")
    click.echo(f"{approved} of {members} members approve: hand the file to the next one")


def motion_on(consortium: Consortium, wish: AdmissionWish, roles: Role) -> Motion:
    """What other members approved about a wish, with these roles if any are named; else a new one.

    Raises:
        InvalidInput: Nobody has, and no role is named.
    """
    for motion in consortium.motions():
        about = motion.kind, motion.account, motion.profile, motion.deadline
        wished = Kind.ADMIT, wish.account, wish.organisation.hash, wish.admission.deadline
        if about == wished and roles in (Role(0), motion.roles):
            return motion
    if not roles:
        raise InvalidInput("no member approved it yet, so name the roles it gets: give --role")
    return consortium.propose(Kind.ADMIT, admission=wish.admission, roles=roles)


@click.command(cls=ScriptCommand, short_help="Admit an organisation")
@asked_option(
    "--wish",
    "File of the wish",
    type=click.Path(dir_okay=False, path_type=Path),
    help="What the organisation signs, and each member is handed; `medaccord org wish` writes it.",
)
@optional_key("--organisation", "The organisation, to write the wish.")
@_organisations.key
@_organisations.profile
@_organisations.name
@optional_key("--member", "A member, to approve the wish.")
@optional_key("--account", "Account of Ape: whoever pays; the member unless given.")
@_organisations.roles
@record_option()
def cli(
    wish: Path,
    organisation: AccountAPI | None,
    key: Digest | None,
    profile: Path | None,
    name: str | None,
    member: AccountAPI | None,
    account: AccountAPI | None,
    roles: Role,
    record: Path | None,
) -> None:
    """Admit an organisation to the consortium's network."""
    if (organisation is None) == (member is None):
        raise InvalidInput("give either --organisation, to wish, or --member, to approve")
    contracts = contracts_of(record)
    if member is not None:
        sender = sender_of(account or member, contracts.network)
        seat = Consortium(ApeSigner(member), contracts, sender)
        vote(
            contracts, seat, AdmissionWish.read(handed_in(wish, what="the wish"), contracts), roles
        )
        return
    signer = ApeSigner(organisation)
    described = _organisations.described(
        contracts.account_id(signer.address), profile, name, beside=wish
    )
    wished = signed_wish(contracts, signer, _organisations.asked_key(key), described)
    with written(wish) as file:
        file.write(wished.to_file())
    click.echo(f"Wish: {wish}")
