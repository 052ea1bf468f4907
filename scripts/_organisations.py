"""How the scripts are told about an organisation: its public key, its profile, its roles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from medaccord.chain.powers import Role
from medaccord.cli import profiles
from medaccord.core.errors import InvalidInput
from medaccord.core.identifiers import AccountId, Digest, digest
from medaccord.core.profiles import OrganisationProfile
from scripts._asking import answer


def key_of(_context: click.Context, _parameter: click.Parameter, value: str | None) -> Any:
    """Read an X25519 public key."""
    try:
        return None if value is None else digest(value)
    except InvalidInput as error:
        raise click.BadParameter(error.problem) from error


def roles_of(_context: click.Context, _parameter: click.Parameter, value: tuple[str, ...]) -> Role:
    """Read the names of roles."""
    roles = Role(0)
    for name in value:
        roles |= Role[name.upper()]
    return roles


def asked_key(key: Digest | None) -> Digest:
    """The X25519 public key given, else asked for."""
    return digest(answer("Its X25519 public key, in hex", option="--key")) if key is None else key


def described(
    account: AccountId, profile: Path | None, name: str | None, *, beside: Path
) -> OrganisationProfile:
    """The profile of an organisation.

    Args:
        account: The organisation.
        profile: The file that it is in.
        name: Where there is none, what the organisation is called, asked for if need be; the
            profile made of it is written to a file.
        beside: Another file of the folder in which it is written.

    Raises:
        InvalidInput: The file holds no profile, or that of another account; or both are given.
        UsageError: Neither is given, and there is nobody to ask.
    """
    if profile is None and name is None:
        name = answer("Name of the organisation", option="--name or --profile")
    found = profiles.described(account, profile, name)
    if profile is None:
        click.echo(f"Profile: {profiles.kept_beside(found, beside)}")
    return found


key = click.option(
    "--key", callback=key_of, help="X25519 public key of the organisation, 32 bytes in hex."
)
profile = click.option(
    "--profile",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Its public profile, a JSON file.",
)
name = click.option("--name", help="Its name, of which a profile is made.")
roles = click.option(
    "--role",
    "roles",
    multiple=True,
    callback=roles_of,
    type=click.Choice([str(role.name).lower() for role in Role]),
    help="A role it is admitted with; may be given again.",
)
