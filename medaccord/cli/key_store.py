"""``medaccord keys``: the encryption of a steward's key store, for whoever runs its gatekeeper."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medaccord.cli.output import JsonOption, say
from medaccord.cli.passphrases import (
    DescriptorOption,
    FileOption,
    NewFileOption,
    passphrase,
    refuse_both,
)
from medaccord.cli.progress import progress_bar
from medaccord.keys import protection
from medaccord.settings import Settings

app = typer.Typer(
    no_args_is_help=True, help="The encryption of a steward's key store: its patients' keys."
)

FolderOption = Annotated[
    Path | None,
    typer.Option(
        "--keys-folder",
        metavar="FOLDER",
        help="Where the key store is; MEDACCORD_KEYS_FOLDER, or one in the program's own folder.",
    ),
]


@app.command("protect")
def protect(
    keys_folder: FolderOption = None,
    passphrase_file: FileOption = None,
    passphrase_fd: DescriptorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Encrypt a key store that is in clear. Stop the gatekeeper first; cut short, run it again."""
    folder, file = _meant(keys_folder, passphrase_file, passphrase_fd)
    chosen = passphrase(f"{folder}", file=file, descriptor=passphrase_fd, new=True)
    with progress_bar("Encrypting") as told:
        protection.protect(folder, chosen, progress=told)
    say(
        {"folder": str(folder), "encrypted": True},
        f"The keys in {folder} are encrypted. Without the passphrase nobody opens them.",
        as_json=as_json,
    )


@app.command("change-passphrase")
def change_passphrase(
    keys_folder: FolderOption = None,
    passphrase_file: FileOption = None,
    new_passphrase_file: NewFileOption = None,
    passphrase_fd: DescriptorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Seal a key store under another passphrase; copies made before open with the old."""
    folder, file = _meant(keys_folder, passphrase_file, passphrase_fd)
    old = passphrase(f"{folder}", file=file, descriptor=passphrase_fd)
    new = passphrase(f"{folder}", file=new_passphrase_file, descriptor=passphrase_fd, new=True)
    protection.change_passphrase(folder, old, new)
    say(
        {"folder": str(folder), "encrypted": True},
        f"The keys in {folder} open with the new passphrase, and no longer with the old.",
        as_json=as_json,
    )


@app.command("renew-master")
def renew_master(
    keys_folder: FolderOption = None,
    passphrase_file: FileOption = None,
    passphrase_fd: DescriptorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Encrypt a key store under a fresh master key. Stop the gatekeeper first, as for protect."""
    folder, file = _meant(keys_folder, passphrase_file, passphrase_fd)
    given = passphrase(f"{folder}", file=file, descriptor=passphrase_fd)
    with progress_bar("Renewing") as told:
        protection.renew_master(folder, given, progress=told)
    say(
        {"folder": str(folder), "encrypted": True},
        f"The keys in {folder} are under a fresh master key.",
        as_json=as_json,
    )


def _meant(
    folder: Path | None, file: Path | None, descriptor: int | None
) -> tuple[Path, Path | None]:
    """The key store and the file with its passphrase, by the options and the settings."""
    refuse_both(file, descriptor)
    settings = Settings.load(keys_folder=folder, keys_passphrase_file=file)
    return settings.keys_folder, settings.keys_passphrase_file
