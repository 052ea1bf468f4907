"""The public profile of an organisation, as a command is given it: a file, or a name for one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from medaccord.cli.own_files import handed_in
from medaccord.core.errors import InvalidDocument, InvalidInput
from medaccord.core.identifiers import AccountId
from medaccord.core.profiles import OrganisationProfile

__all__ = [
    "GatekeeperOption",
    "KeyOption",
    "NameOption",
    "ProfileOption",
    "described",
    "kept_beside",
    "read_profile",
]

ProfileOption: TypeAlias = Annotated[
    Path | None,
    typer.Option("--profile", metavar="FILE", help="Its public profile, JSON."),
]
NameOption: TypeAlias = Annotated[
    str | None,
    typer.Option("--name", metavar="TEXT", help="Its name, where it has no profile yet."),
]
GatekeeperOption: TypeAlias = Annotated[
    str | None,
    typer.Option("--gatekeeper", metavar="URL", help="Its gatekeeper, beside --name."),
]
KeyOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--key",
        metavar="HEX",
        help="Its X25519 public key; unless given, one is made in the keystore.",
    ),
]


def described(
    account: AccountId, file: Path | None, name: str | None, gatekeeper: str | None = None
) -> OrganisationProfile:
    """The profile in a file, or a first one made of a name.

    Args:
        account: whose it must be.
        file: the profile; None where there is a name.
        name: what the organisation is called; None where there is a file.
        gatekeeper: address of its gatekeeper, beside a name.

    Raises:
        InvalidInput: none of the two is given, or both; or the file is another organisation's.
        InvalidDocument: the file holds no profile, or the name or the address is malformed.
    """
    if file is None and name is None:
        raise InvalidInput("which organisation? Give its --name, or its --profile")
    if file is None:
        return OrganisationProfile(account=account, name=str(name), gatekeeper=gatekeeper, serial=1)
    if name is not None or gatekeeper is not None:
        raise InvalidInput("give either --profile, or --name and --gatekeeper, not both")
    profile = read_profile(file)
    if profile.account != account:
        raise InvalidInput(f"{file} is the profile of {profile.account}, not of {account}")
    return profile


def read_profile(file: Path) -> OrganisationProfile:
    """The profile in a file.

    Raises:
        InvalidInput: it cannot be read.
        InvalidDocument: it holds no profile.
    """
    try:
        return OrganisationProfile.parse(handed_in(file, what="the profile"))
    except InvalidDocument as error:
        raise InvalidDocument(f"the profile {file}: {error.problem}") from error


def kept_beside(profile: OrganisationProfile, path: Path) -> Path:
    """Write a profile to the folder of another file, named for its account; it is nothing secret.

    Raises:
        InvalidInput: another profile of the account is there already.
    """
    file = path.with_name(f"{profile.account.address}.profile.json")
    text = json.dumps(profile.document(), indent=2) + "\n"
    if file.exists() and file.read_text(encoding="utf-8") != text:
        raise InvalidInput(f"{file} is another profile of it: name the one that is meant")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file
