"""Admits an organisation: it signs its wish, members approve, the last one needed carries it out.

Usage, first where the organisation is, then at each member until there is a majority:
    ape run admit_organisation --network … --motion admission.json --account PAYER
        --organisation ORGANISATION --name 'Hospital B' --key 0x… --role steward
    ape run admit_organisation --network … --motion admission.json --account PAYER --member MEMBER
"""

from __future__ import annotations

from pathlib import Path

import click
from ape.api import AccountAPI

from medaccord import Consortium
from medaccord.chain.actions import Kind
from medaccord.chain.deployment import Contracts
from medaccord.chain.powers import Role
from medaccord.chain.sender import Sender
from medaccord.client import Admission
from medaccord.core.errors import InvalidInput
from medaccord.core.identifiers import Digest
from scripts import _organisations
from scripts._admissions import ProposedAdmission
from scripts._ape import (
    ApeSigner,
    ScriptCommand,
    contracts_of,
    record_option,
    report,
    sender_of,
)
from scripts._asking import asked_option, key_option, optional_key


def propose(
    contracts: Contracts,
    sender: Sender,
    organisation: ApeSigner,
    *,
    key: Digest,
    profile: Digest,
    roles: Role,
) -> ProposedAdmission:
    """Let the organisation sign its wish, and make the motion from it."""
    wish = Admission.sign(contracts, organisation, key=key, profile=profile)
    motion = Consortium(organisation, contracts, sender).propose(
        Kind.ADMIT, admission=wish, roles=roles
    )
    return ProposedAdmission(motion=motion, wish=wish)


def vote(
    contracts: Contracts, sender: Sender, proposed: ProposedAdmission, member: ApeSigner
) -> None:
    """Approve for one member, and carry the motion out where that makes a majority."""
    consortium = Consortium(member, contracts, sender)
    motion = proposed.motion
    report("approved", consortium.approve(motion))
    if consortium.has_majority(motion):
        report("admitted", consortium.execute(motion, admission=proposed.wish))
        return
    approved = len(consortium.approvers(motion))
    members = contracts.call("Registry", "activeMembers")
    click.echo(f"{approved} of {members} members approve: hand the file to the next one")


@click.command(cls=ScriptCommand, short_help="Admit an organisation")
@key_option("--account", "whoever pays")
@asked_option(
    "--motion",
    "File of the motion",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file in which the motion goes from member to member.",
)
@optional_key("--organisation", "The organisation, to write the motion.")
@_organisations.key
@_organisations.profile
@_organisations.name
@_organisations.roles
@optional_key("--member", "A member, to approve the motion.")
@record_option()
def cli(
    account: AccountAPI,
    motion: Path,
    organisation: AccountAPI | None,
    key: Digest | None,
    profile: Path | None,
    name: str | None,
    roles: Role,
    member: AccountAPI | None,
    record: Path | None,
) -> None:
    """Admit an organisation to the consortium's network."""
    if (organisation is None) == (member is None):
        raise InvalidInput("give either --organisation, to wish, or --member, to approve")
    contracts = contracts_of(record)
    sender = sender_of(account, contracts.network)
    if member is not None:
        vote(contracts, sender, ProposedAdmission.load(motion, contracts), ApeSigner(member))
        return
    if not roles:
        raise InvalidInput("an organisation is admitted with a role: give --role")
    signer = ApeSigner(organisation)
    proposed = propose(
        contracts,
        sender,
        signer,
        key=_organisations.asked_key(key),
        profile=_organisations.profile_hash(
            contracts.account_id(signer.address), profile, name, beside=motion
        ),
        roles=roles,
    )
    proposed.save(motion)
    click.echo(f"Motion: {motion}")
