"""``medaccord account``: encrypted keys of accounts, in a keystore or a wallet of this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from medaccord.chain.network import Network
from medaccord.cli import own_accounts, rotating
from medaccord.cli.options import RecordOption, RpcOption
from medaccord.cli.output import JsonOption, say
from medaccord.cli.passphrases import DescriptorOption, FileOption, passphrase, refuse_both
from medaccord.cli.qr import drawn
from medaccord.core.errors import InvalidInput, TransportError
from medaccord.core.identifiers import AccountId, Address, address
from medaccord.keys import Keystore, files
from medaccord.settings import Settings

app = typer.Typer(
    no_args_is_help=True,
    help="Encrypted keys of accounts: single ones in a keystore, a person's in a wallet.",
)

KeystoreOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--keystore",
        metavar="FOLDER",
        help="Where the keys are; MEDACCORD_KEYSTORE, or the program's own folder.",
    ),
]
InWalletOption: TypeAlias = Annotated[
    bool,
    typer.Option("--in-wallet", help="In a person's wallet: one phrase brings all of it back."),
]
WalletOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--wallet", metavar="FILE", help="The wallet; MEDACCORD_WALLET, or in your own folder."
    ),
]
GatekeeperOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--gatekeeper",
        metavar="URL",
        help="With --in-wallet: whose it is for; MEDACCORD_GATEKEEPER.",
    ),
]
AccountArgument: TypeAlias = Annotated[str, typer.Argument(metavar="ADDRESS", help="The account.")]

_MOST_BYTES = 64 * 1024


@app.command("new")
def new(
    in_wallet: InWalletOption = False,
    wallet: WalletOption = None,
    gatekeeper: GatekeeperOption = None,
    keystore: KeystoreOption = None,
    passphrase_file: FileOption = None,
    passphrase_fd: DescriptorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make an account. In a keystore, only its file and the passphrase bring it back.

    In a wallet the phrase does. It is shown once, when the wallet is made with its first account.
    """
    refuse_both(passphrase_file, passphrase_fd)
    if in_wallet:
        flags = {
            "wallet": wallet,
            "gatekeeper": gatekeeper,
            "passphrase_file": passphrase_file,
            "passphrase_fd": passphrase_fd,
        }
        own_accounts.new_in_wallet(flags, as_json=as_json)
        return
    settings = Settings.load(keystore=keystore, passphrase_file=passphrase_file)
    chosen = passphrase(
        "the new account", file=settings.passphrase_file, descriptor=passphrase_fd, new=True
    )
    store = Keystore(settings.keystore)
    account = store.create(chosen)
    file = str(store.file(account))
    say(
        {"account": account, "file": file},
        [account, f"Keep a copy of {file}, its passphrase elsewhere."],
        as_json=as_json,
    )


@app.command("list")
def list_(
    in_wallet: InWalletOption = False,
    wallet: WalletOption = None,
    keystore: KeystoreOption = None,
    passphrase_file: FileOption = None,
    passphrase_fd: DescriptorOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the accounts whose keys are here; a keystore needs no passphrase for that."""
    if in_wallet:
        flags = {
            "wallet": wallet,
            "passphrase_file": passphrase_file,
            "passphrase_fd": passphrase_fd,
        }
        own_accounts.list_wallet(flags, as_json=as_json)
        return
    store = Keystore(Settings.load(keystore=keystore).keystore)
    accounts = store.addresses()
    held = [{"account": each, "file": str(store.file(each))} for each in accounts]
    say({"accounts": held}, accounts, as_json=as_json)


@app.command("show")
def show(
    account: AccountArgument,
    in_wallet: InWalletOption = False,
    wallet: WalletOption = None,
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
    shown: dict[str, object]
    if in_wallet:
        flags = {
            "wallet": wallet,
            "passphrase_file": passphrase_file,
            "passphrase_fd": passphrase_fd,
        }
        shown, lines = own_accounts.show_in_wallet(flags, wanted)
    else:
        shown = {"account": wanted, "file": str(store.file(wanted))}
        lines = [wanted, str(shown["file"])]
    if check and not in_wallet:  # a wallet was opened to look into it
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
    what: Annotated[
        str,
        typer.Argument(
            metavar="ADDRESS|FILE", help="The account; with --in-wallet, what to write."
        ),
    ],
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="What to write, or the folder to write it in."),
    ] = None,
    in_wallet: InWalletOption = False,
    wallet: WalletOption = None,
    keystore: KeystoreOption = None,
    passphrase_file: FileOption = None,
    passphrase_fd: DescriptorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Copy the encrypted key of an account, or a whole wallet, once it is seen to open.

    The copy is under the same passphrase; `restore` takes it.
    """
    refuse_both(passphrase_file, passphrase_fd)
    if in_wallet:
        if file is not None:
            raise InvalidInput("a wallet is copied whole: name what to write alone")
        flags = {
            "wallet": wallet,
            "passphrase_file": passphrase_file,
            "passphrase_fd": passphrase_fd,
        }
        own_accounts.back_up_wallet(flags, Path(what), as_json=as_json)
        return
    if file is None:
        raise InvalidInput("name the account and what to write; or say --in-wallet")
    settings = Settings.load(keystore=keystore, passphrase_file=passphrase_file)
    store, wanted = Keystore(settings.keystore), address(what)
    source = store.file(wanted)
    given = passphrase(wanted, file=settings.passphrase_file, descriptor=passphrase_fd)
    store.unlock(wanted, given)
    content = files.read_private(source, limit=_MOST_BYTES, what="the key file")
    copy = file / source.name if file.is_dir() else file
    try:
        is_written = files.write_once(copy, content)
    except OSError as error:
        raise InvalidInput(f"{copy} cannot be written: {error.strerror}") from error
    if not is_written:
        raise InvalidInput(f"{copy} is there already: name another file")
    say(
        {"account": wanted, "file": str(copy)},
        f"{copy} holds the key of {wanted}, encrypted. Keep the passphrase elsewhere.",
        as_json=as_json,
    )


@app.command("restore")
def restore(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE",
            help="What `backup` wrote, or a key's file of another program, such as geth's.",
        ),
    ] = None,
    in_wallet: InWalletOption = False,
    wallet: WalletOption = None,
    phrase_file: Annotated[
        Path | None,
        typer.Option(
            "--phrase-file",
            metavar="FILE",
            help="With --in-wallet: the phrase, in a file of yours alone; asked for unless given.",
        ),
    ] = None,
    gatekeeper: Annotated[
        str | None,
        typer.Option(
            "--gatekeeper",
            metavar="URL",
            help="With --in-wallet: one that knows where the others are; MEDACCORD_GATEKEEPER.",
        ),
    ] = None,
    rpc_url: RpcOption = None,
    record: RecordOption = None,
    keystore: KeystoreOption = None,
    passphrase_file: FileOption = None,
    passphrase_fd: DescriptorOption = None,
    file_passphrase_file: Annotated[
        Path | None,
        typer.Option(
            "--file-passphrase-file",
            metavar="FILE",
            help="With --in-wallet: the passphrase of a key's file, where it is another one.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Take the key of an account from its backup; or a whole wallet from its phrase and the chain.

    With --in-wallet, every account, relationship and consent is found again, whatever any device
    held before; a wallet that is there is brought up to date. With a FILE, a wallet's backup is put
    back where there is no wallet, and an account whose key it holds is taken into the one there is.
    """
    refuse_both(passphrase_file, passphrase_fd)
    if in_wallet:
        flags = {
            "rpc_url": rpc_url,
            "record": record,
            "wallet": wallet,
            "gatekeeper": gatekeeper,
            "passphrase_file": passphrase_file,
            "passphrase_fd": passphrase_fd,
        }
        if file is None:
            own_accounts.restore_wallet(flags, phrase_file, as_json=as_json)
            return
        if phrase_file is not None:
            raise InvalidInput("give either a FILE or --phrase-file, not both")
        own_accounts.take_in(flags, file, file_passphrase_file, as_json=as_json)
        return
    if file is None:
        raise InvalidInput("from what? Name the file of a key, or say --in-wallet")
    settings = Settings.load(keystore=keystore, passphrase_file=passphrase_file)
    given = passphrase(f"{file}", file=settings.passphrase_file, descriptor=passphrase_fd)
    store = Keystore(settings.keystore)
    account = store.add_file(file, given)
    kept = str(store.file(account))
    say(
        {"account": account, "file": kept},
        [account, f"Its key is in {kept}."],
        as_json=as_json,
    )


app.command("rotate")(rotating.rotate)


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
