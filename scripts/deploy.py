"""Deploys the contracts and writes their record.

Usage: ape run deploy --network ethereum:local:http://127.0.0.1:8545 --account PAYER
    --founder FOUNDER --name 'Hospital A' --key 0x… --role steward
"""

from __future__ import annotations

from pathlib import Path

import click
from ape.api import AccountAPI

from medaccord.chain.deployment import Deployment, FounderAdmission, deploy
from medaccord.chain.network import Network
from medaccord.chain.powers import Role
from medaccord.core.errors import InvalidInput
from medaccord.core.identifiers import AccountId, Digest
from scripts import _organisations
from scripts._ape import (
    ApeSigner,
    ScriptCommand,
    connected,
    record_option,
    record_path,
    sender_of,
)
from scripts._asking import key_option


def refuse_second(path: Path, network: Network) -> None:
    """Keep the record of contracts that are in use; that of a chain started anew may go.

    Raises:
        InvalidInput: The file is the record of a deployment on this very chain, or no record.
    """
    if path.exists() and Deployment.load(path).genesis_hash == network.genesis_hash:
        raise InvalidInput(f"{path} records a deployment on this chain: name another file")


@click.command(cls=ScriptCommand, short_help="Deploy the contracts")
@key_option("--account", "whoever pays")
@key_option("--founder", "the founding organisation")
@_organisations.key
@_organisations.profile
@_organisations.name
@_organisations.roles
@record_option()
def cli(
    account: AccountAPI,
    founder: AccountAPI,
    key: Digest | None,
    profile: Path | None,
    name: str | None,
    roles: Role,
    record: Path | None,
) -> None:
    """Deploy the contracts, and admit the organisation that founds the consortium."""
    network = connected()
    path = record_path(record, network)
    refuse_second(path, network)
    signer = ApeSigner(founder)
    named = AccountId(chain_id=network.chain_id, address=signer.address)
    admission = FounderAdmission(
        signer=signer,
        key=_organisations.asked_key(key),
        profile=_organisations.described(named, profile, name, beside=path).hash,
        roles=roles,
    )
    deployment = deploy(network, sender_of(account, network), admission)
    deployment.save(path)
    for contract_name, contract in deployment.contracts.items():
        click.echo(f"{contract_name}: {contract.address}")
    click.echo(f"Record: {path}")
