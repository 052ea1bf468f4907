"""Admits an organisation: it signs its wish, members approve, the last one needed carries it out.

Usage, first where the organisation is, then at each member until there is a majority:
    ape run admit --network … --motion admission.json --account PAYER
        --organisation ORGANISATION --key 0x… --profile organisation.json --role steward
    ape run admit --network … --motion admission.json --account PAYER --member MEMBER
"""

from __future__ import annotations

from pathlib import Path

import click
from ape.api import AccountAPI

from medaccord.chain.actions import Kind
from medaccord.chain.deployment import Contracts
from medaccord.chain.powers import Role
from medaccord.chain.sender import Sender
from medaccord.client import Admission, Consortium
from medaccord.core.errors import InvalidInput
from medaccord.core.identifiers import Digest
from scripts import _organisations
from scripts._admissions import ProposedAdmission
from scripts._ape import (
    ApeSigner,
    ScriptCommand,
    contracts_of,
    key_option,
    optional_key,
    record_option,
    report,
    sender_of,
)


def propose(
    contracts: Contracts,
    sender: Sender,
    organisation: AccountAPI,
    key: Digest | None,
    profile: Path | None,
    roles: Role,
) -> ProposedAdmission:
    """Let the organisation sign its wish, and make the motion from it."""
    if key is None or profile is None or not roles:
        raise InvalidInput("to wish to be admitted, give --key, --profile and --role")
    signer = ApeSigner(organisation)
    hashed = _organisations.profile_hash(profile, contracts.account_id(signer.address))
    wish = Admission.sign(contracts, signer, key=key, profile=hashed)
    motion = Consortium(signer, contracts, sender).propose(Kind.ADMIT, admission=wish, roles=roles)
    return ProposedAdmission(motion=motion, wish=wish)


def vote(
    contracts: Contracts, sender: Sender, proposed: ProposedAdmission, member: AccountAPI
) -> None:
    """Approve for one member, and carry the motion out where that makes a majority."""
    consortium = Consortium(ApeSigner(member), contracts, sender)
    motion = proposed.motion
    report("approved", consortium.approve(motion))
    if consortium.has_majority(motion):
        report("admitted", consortium.execute(motion, admission=proposed.wish))
    else:
        approved, members = (
            consortium.approvers(motion),
            contracts.call("Registry", "activeMembers"),
        )
        click.echo(f"{len(approved)} of {members} members approve: hand the file to the next one")


@click.command(cls=ScriptCommand, short_help="Admit an organisation")
@key_option("--account", "whoever pays")
@click.option(
    "--motion",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file in which the motion goes from member to member.",
)
@optional_key("--organisation", "The organisation, to write the motion.")
@_organisations.key
@_organisations.profile
@_organisations.roles
@optional_key("--member", "A member, to approve the motion.")
@record_option()
def cli(
    account: AccountAPI,
    motion: Path,
    organisation: AccountAPI | None,
    key: Digest | None,
    profile: Path | None,
    roles: Role,
    member: AccountAPI | None,
    record: Path | None,
) -> None:
    """Admit an organisation to the consortium's network."""
    if (organisation is None) == (member is None):
        raise InvalidInput("give either --organisation, to wish, or --member, to approve")
    contracts = contracts_of(record)
    sender = sender_of(account, contracts.network)
    if organisation is not None:
        propose(contracts, sender, organisation, key, profile, roles).save(motion)
        click.echo(f"Motion: {motion}")
    elif member is not None:
        vote(contracts, sender, ProposedAdmission.load(motion, contracts), member)
