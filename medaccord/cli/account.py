"""``medaccord account``: encrypted keys of accounts, in a keystore of this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from medaccord.chain.network import Network
from medaccord.cli.output import JsonOption, say
from medaccord.cli.passphrases import DescriptorOption, FileOption, passphrase, refuse_both
from medaccord.cli.qr import drawn
from medaccord.core.errors import InvalidInput, TransportError
from medaccord.core.identifiers import AccountId, Address, address
from medaccord.keys import Keystore, files
from medaccord.settings import Settings

app = typer.Typer(
    no_args_is_help=True, help="Encrypted keys of accounts, in a keystore of this machine."
)

KeystoreOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--keystore",
        metavar="FOLDER",
        help="Where the keys are; MEDACCORD_KEYSTORE, or the program's own folder.",
    ),
]
AccountArgument: TypeAlias = Annotated[str, typer.Argument(metavar="ADDRESS", help="The account.")]

_MOST_BYTES = 64 * 1024


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
    file = str(store.file(account))
    say(
        {"address": account, "file": file},
        [account, f"Keep a copy of {file}, its passphrase elsewhere."],
        as_json=as_json,
    )


@app.command("list")
def list_(keystore: KeystoreOption = None, as_json: JsonOption = False) -> None:
    """List the accounts whose keys are here; needs no passphrase."""
    accounts = Keystore(Settings.load(keystore=keystore).keystore).addresses()
    say({"accounts": accounts}, accounts, as_json=as_json)


@app.command("show")
def show(
    account: AccountArgument,
    check: Annotated[
        bool, typer.Option("--check", help="Open the file, to see that the passphrase fits.")
    ] = False,
    qr: Annotated[
        bool,
        typer.Option("--qr", help="Draw the account as a QR code, for a hospital to scan."),
    ] = False,
    chain_id: Annotated[
        int | None,
        typer.Option(
            "--chain-id",
            min=1,
            help="The chain that the code names; MEDACCORD_CHAIN_ID, or the node is asked.",
        ),
    ] = None,
    keystore: KeystoreOption = None,
    passphrase_file: FileOption = None,
    passphrase_fd: DescriptorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show where the key of an account is, never the key; with --qr, its name for others."""
    refuse_both(passphrase_file, passphrase_fd)
    settings = Settings.load(keystore=keystore, passphrase_file=passphrase_file, chain_id=chain_id)
    store, wanted = Keystore(settings.keystore), address(account)
    shown: dict[str, object] = {"address": wanted, "file": str(store.file(wanted))}
    lines = [wanted, str(shown["file"])]
    if check:
        given = passphrase(wanted, file=settings.passphrase_file, descriptor=passphrase_fd)
        store.unlock(wanted, given)
        shown["opens"] = True
        lines.append("The passphrase opens it.")
    if qr:
        name = _name(wanted, settings)
        shown["qr"] = name
        lines += [name, drawn(name)]
    say(shown, lines, as_json=as_json)


@app.command("backup")
def backup(
    account: AccountArgument,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="What to write, or the folder to write it in.")
    ],
    keystore: KeystoreOption = None,
    passphrase_file: FileOption = None,
    passphrase_fd: DescriptorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Copy the encrypted key of an account, once it is seen to open, under the same passphrase."""
    refuse_both(passphrase_file, passphrase_fd)
    settings = Settings.load(keystore=keystore, passphrase_file=passphrase_file)
    store, wanted = Keystore(settings.keystore), address(account)
    source = store.file(wanted)
    given = passphrase(wanted, file=settings.passphrase_file, descriptor=passphrase_fd)
    store.unlock(wanted, given)
    content = files.read_private(source, limit=_MOST_BYTES, what="the key file")
    copy = file / source.name if file.is_dir() else file
    if not files.write_once(copy, content):
        raise InvalidInput(f"{copy} is there already: name another file")
    say(
        {"address": wanted, "file": str(copy)},
        f"{copy} holds the key of {wanted}, encrypted. Keep the passphrase elsewhere.",
        as_json=as_json,
    )


@app.command("restore")
def restore(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="What `backup` wrote, or a file of another wallet, such as geth's."
        ),
    ],
    keystore: KeystoreOption = None,
    passphrase_file: FileOption = None,
    passphrase_fd: DescriptorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take the key of an account from its backup, under the same passphrase."""
    refuse_both(passphrase_file, passphrase_fd)
    settings = Settings.load(keystore=keystore, passphrase_file=passphrase_file)
    given = passphrase(f"{file}", file=settings.passphrase_file, descriptor=passphrase_fd)
    store = Keystore(settings.keystore)
    account = store.add_file(file, given)
    kept = str(store.file(account))
    say(
        {"address": account, "file": kept},
        [account, f"Its key is in {kept}."],
        as_json=as_json,
    )


def _name(account: Address, settings: Settings) -> str:
    """An account with its chain, as others are told of it."""
    chain_id = settings.chain_id
    if chain_id is None:
        try:
            chain_id = Network.connect(settings.rpc_url).chain_id
        except TransportError as error:
            raise TransportError(
                f"which chain is the account on? Say so with --chain-id: {error}"
            ) from error
    return str(AccountId(chain_id=chain_id, address=account))
