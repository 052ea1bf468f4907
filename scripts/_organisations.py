"""How the scripts are told about an organisation: its public key, its profile, its roles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from medaccord.chain.powers import Role
from medaccord.core.errors import InvalidInput
from medaccord.core.identifiers import AccountId, Digest, digest
from medaccord.core.profiles import OrganisationProfile


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


def profile_hash(path: Path, account: AccountId) -> Digest:
    """Return the hash of the profile in a file.

    Raises:
        InvalidInput: The file holds no profile, or that of another account.
    """
    profile = OrganisationProfile.parse(path.read_bytes())
    if profile.account != account:
        raise InvalidInput(f"{path} is the profile of {profile.account}, not of {account}")
    return profile.hash


key = click.option(
    "--key", callback=key_of, help="X25519 public key of the organisation, 32 bytes in hex."
)
profile = click.option(
    "--profile",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Its public profile, a JSON file.",
)
roles = click.option(
    "--role",
    "roles",
    multiple=True,
    callback=roles_of,
    type=click.Choice([str(role.name).lower() for role in Role]),
    help="A role it is admitted with; may be given again.",
)
