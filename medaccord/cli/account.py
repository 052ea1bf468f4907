"""``medaccord account``: encrypted keys of accounts, in a keystore of this machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from medaccord.cli.passphrases import DescriptorOption, FileOption, passphrase, refuse_both
from medaccord.core.identifiers import address
from medaccord.keys import Keystore
from medaccord.settings import Settings

app = typer.Typer(
    no_args_is_help=True, help="Encrypted keys of accounts, in a keystore of this machine."
)

KeystoreOption = Annotated[
    Path | None,
    typer.Option(
        "--keystore",
        metavar="FOLDER",
        help="Where the keys are; MEDACCORD_KEYSTORE, or the program's own folder.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]


@app.command("new")
def new(
    keystore: KeystoreOption = None,
    passphrase_file: FileOption = None,
    passphrase_fd: DescriptorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make an account. Without a copy of its file and the passphrase it cannot be brought back."""
    refuse_both(passphrase_file, passphrase_fd)
    settings = Settings.load(keystore=keystore, passphrase_file=passphrase_file)
    chosen = passphrase(
        "the new account", file=settings.passphrase_file, descriptor=passphrase_fd, new=True
    )
    store = Keystore(settings.keystore)
    account = store.create(chosen)
    if as_json:
        typer.echo(json.dumps({"address": account, "file": str(store.file(account))}))
    else:
        typer.echo(f"{account}\nKeep a copy of {store.file(account)}, its passphrase elsewhere.")


@app.command("list")
def list_(keystore: KeystoreOption = None, as_json: JsonOption = False) -> None:
    """List the accounts whose keys are here; needs no passphrase."""
    accounts = Keystore(Settings.load(keystore=keystore).keystore).addresses()
    if as_json:
        typer.echo(json.dumps({"accounts": accounts}))
    else:
        for account in accounts:
            typer.echo(account)


@app.command("show")
def show(
    account: Annotated[str, typer.Argument(metavar="ADDRESS", help="The account.")],
    check: Annotated[
        bool, typer.Option("--check", help="Open the file, to see that the passphrase fits.")
    ] = False,
    keystore: KeystoreOption = None,
    passphrase_file: FileOption = None,
    passphrase_fd: DescriptorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show where the key of an account is, never the key; with --check, that it opens."""
    refuse_both(passphrase_file, passphrase_fd)
    settings = Settings.load(keystore=keystore, passphrase_file=passphrase_file)
    store, wanted = Keystore(settings.keystore), address(account)
    shown: dict[str, object] = {"address": wanted, "file": str(store.file(wanted))}
    if check:
        given = passphrase(wanted, file=settings.passphrase_file, descriptor=passphrase_fd)
        store.unlock(wanted, given)
        shown["opens"] = True
    if as_json:
        typer.echo(json.dumps(shown))
    else:
        typer.echo(f"{wanted}\n{shown['file']}")
        if check:
            typer.echo("The passphrase opens it.")
