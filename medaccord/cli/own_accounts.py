"""Accounts of a person's wallet: made, listed, backed up, brought back from phrase or backup.

They are commands of ``medaccord account``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import typer

from medaccord.chain.deployment import Contracts
from medaccord.cli.acting import Flags, connected, opened_wallet, settings_of
from medaccord.cli.output import say
from medaccord.cli.passphrases import passphrase
from medaccord.cli.progress import progress_bar
from medaccord.client.finding_gatekeepers import find_gatekeepers
from medaccord.client.restored import Restored
from medaccord.client.restoring import restore as search
from medaccord.core.errors import InvalidInput
from medaccord.core.identifiers import Address
from medaccord.keys import Seed, Wallet, WalletAccount
from medaccord.keys.files import destroy, read_private
from medaccord.keys.sealed_file import MAX_BYTES
from medaccord.keys.sealed_key import WALLET
from medaccord.keys.wallet_file import signer_of

_LONGEST_PHRASE = 1024
"""Of a file with a phrase."""


def new_in_wallet(flags: Flags, *, as_json: bool) -> None:
    """Make an account in the wallet; the wallet too, with a fresh phrase, where there is none."""
    settings = settings_of(flags)
    words = None
    if settings.wallet.exists():
        wallet = opened_wallet(flags)
    else:
        chosen = passphrase(
            str(settings.wallet),
            file=settings.passphrase_file,
            descriptor=flags.get("passphrase_fd"),
            new=True,
        )
        wallet = Wallet.create(settings.wallet, chosen)
        words = wallet.unsafe_words()
    try:
        _say_new(wallet, wallet.new_account(gatekeeper=settings.gatekeeper), words, as_json)
    except BaseException:
        if words is not None:  # nobody has read them: an account must not be used without
            destroy(wallet.path)
        raise


def _say_new(wallet: Wallet, made: WalletAccount, words: str | None, as_json: bool) -> None:
    """Say which account was made, and the words where they are shown, once."""
    lines: list[str] = [made.account]
    document: dict[str, Any] = {"account": made.account, "wallet": str(wallet.path)}
    if words is not None:
        document["phrase"] = words
        lines += [
            "",
            f"    {words}",
            "",
            "Write these words on paper, in this order: they alone bring your accounts back, and",
            "whoever has them is you. They are not shown again.",
        ]
    say(document, lines, as_json=as_json)


def list_wallet(flags: Flags, *, as_json: bool) -> None:
    """List the accounts of the wallet, and with whom each stands."""
    found = opened_wallet(flags).accounts()
    say({"accounts": [_told(each) for each in found]}, map(_line, found), as_json=as_json)


def show_in_wallet(flags: Flags, wanted: Address) -> tuple[dict[str, Any], list[str]]:
    """What the wallet knows of an account, as a document and as lines; never the key.

    Raises:
        KeyMissing: it is not of this wallet.
    """
    wallet = opened_wallet(flags)
    held = wallet.account(wanted)
    return {**_told(held), "wallet": str(wallet.path)}, [_line(held), str(wallet.path)]


def restore_wallet(flags: Flags, phrase_file: Path | None, *, as_json: bool) -> None:
    """Bring a wallet back from its phrase, the chain and the gatekeepers, or bring one up to date.

    Raises:
        InvalidInput: the words are no phrase, or a phrase was given for a wallet that is there.
        TransportError: the node does not answer.
    """
    settings = settings_of(flags)
    contracts = connected(flags)
    if settings.wallet.exists():
        if phrase_file is not None:
            raise InvalidInput(
                f"{settings.wallet} is there already: leave --phrase-file away to bring it up to"
                " date, or name another place with --wallet"
            )
        wallet = opened_wallet(flags)
        found = _searched(wallet.seed, contracts, settings.gatekeeper)
    else:
        words = _phrase(phrase_file)
        found = _searched(Seed.parse(words), contracts, settings.gatekeeper)
        chosen = passphrase(
            str(settings.wallet),
            file=settings.passphrase_file,
            descriptor=flags.get("passphrase_fd"),
            new=True,
        )
        wallet = Wallet.restore(words, settings.wallet, chosen)
    _settled(wallet, found, as_json=as_json)


def _settled(wallet: Wallet, found: Restored, *, as_json: bool) -> None:
    """Let the wallet know what was found, and say so."""
    wallet.settle(found.for_wallet(), next_index=found.next_index)
    document = _restored(found, wallet)
    lines = [_line(each) for each in wallet.accounts()]
    lines += [f"{each['account']}: {each['problem']}" for each in document["problems"]]
    lines.append(f"{len(found.accounts)} accounts were found up to block {found.block.number}.")
    if found.accounts and not found.gatekeepers:
        lines.append(
            "No gatekeeper was found, so nobody was asked what consents cover: give the command"
            " again with --gatekeeper, once that one answers."
        )
    if not found.accounts:
        lines.append("Is it the right phrase, and the right network?")
    say(document, lines, as_json=as_json)


def take_in(flags: Flags, file: Path, file_passphrase: Path | None, *, as_json: bool) -> None:
    """Take a file into the wallet: the key of one account, or a whole wallet where there is none.

    Raises:
        InvalidInput: the file cannot be read, is damaged, or is a wallet where there is one.
        WrongPassphrase: the passphrase does not open it.
        TransportError: it is a wallet, and the node does not answer: nothing was written.
    """
    settings, descriptor = settings_of(flags), flags.get("passphrase_fd")
    if _is_wallet(file):
        if settings.wallet.exists():
            raise InvalidInput(
                f"{settings.wallet} is there already: leave FILE away to bring it up to date, or"
                " name another place with --wallet"
            )
        contracts = connected(flags)
        given = passphrase(str(file), file=settings.passphrase_file, descriptor=descriptor)
        wallet = Wallet.put_back(file, settings.wallet, given)
        try:
            found = _searched(wallet.seed, contracts, settings.gatekeeper)
        except BaseException:
            wallet.path.unlink()
            raise
        _settled(wallet, found, as_json=as_json)
        return
    wallet = opened_wallet(flags)
    given = passphrase(
        str(file),
        file=file_passphrase or settings.passphrase_file,
        descriptor=None if file_passphrase else descriptor,
    )
    made = wallet.import_account(signer_of(file, given), gatekeeper=settings.gatekeeper)
    say(
        {**_told(made), "wallet": str(wallet.path)},
        [
            made.account,
            "Your phrase brings it back once `medaccord account rotate --in-wallet"
            f" {made.account}` has handed it to a key of yours.",
        ],
        as_json=as_json,
    )


def back_up_wallet(flags: Flags, to: Path, *, as_json: bool) -> None:
    """Copy the wallet's file, once it is seen to open, under the same passphrase.

    Raises:
        InvalidInput: something is there already.
        KeyStoreFailed: nothing can be written there.
    """
    wallet = opened_wallet(flags)
    copy = to / wallet.path.name if to.is_dir() else to
    wallet.back_up(copy)
    say(
        {"wallet": str(wallet.path), "file": str(copy)},
        f"{copy} holds the whole wallet, encrypted. Keep the passphrase elsewhere.",
        as_json=as_json,
    )


def _searched(seed: Seed, contracts: Contracts, gatekeeper: str | None) -> Restored:
    """What a phrase has; the directory of one gatekeeper leads to all the others."""
    urls = [] if gatekeeper is None else [gatekeeper]
    with progress_bar("Looking for accounts"):
        return search(seed, contracts, find_gatekeepers(contracts, urls))


def _is_wallet(file: Path) -> bool:
    """Whether a file is a wallet's, by what it says of itself."""
    try:
        content = read_private(file, limit=MAX_BYTES, what="the file")
    except OSError as error:
        raise InvalidInput(f"the file {file} cannot be read: {error.strerror}") from error
    try:
        document = json.loads(content)
    except ValueError:
        raise InvalidInput(f"{file} is neither the file of a key nor of a wallet") from None
    return isinstance(document, dict) and document.get("profile") == WALLET


def _phrase(file: Path | None) -> str:
    if file is None:
        if not sys.stdin.isatty():
            raise InvalidInput("there is no terminal to type the phrase on: give --phrase-file")
        return str(typer.prompt("The phrase", hide_input=True, err=True))
    try:
        return read_private(file, limit=_LONGEST_PHRASE, what="the phrase file").decode()
    except OSError as error:
        raise InvalidInput(f"the phrase file {file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise InvalidInput(f"the phrase file {file} holds no text") from None


def _restored(found: Restored, wallet: Wallet) -> dict[str, Any]:
    return {
        "wallet": str(wallet.path),
        "block": found.block.number,
        "accounts": [_told(each) for each in wallet.accounts()],
        "consents": sum(len(each.consents) for each in found.accounts),
        "opened": sum(
            consent.terms is not None for each in found.accounts for consent in each.consents
        ),
        "emergencies": sum(len(each.emergencies) for each in found.accounts),
        "delegated": list(found.delegated),
        "gatekeepers": found.gatekeepers,
        "problems": [
            {"account": each.account, "steward": each.steward, "problem": str(each.error)}
            for each in found.problems
        ],
    }


def _told(each: WalletAccount) -> dict[str, Any]:
    return {
        "account": each.account,
        "origin": each.origin.value,
        "rotations": each.rotations,
        "used": each.used,
        "steward": each.steward,
        "gatekeeper": each.gatekeeper,
    }


def _line(each: WalletAccount) -> str:
    where = each.gatekeeper or each.steward or ("used" if each.used else "not used yet")
    return f"{each.account}\t{each.origin.value}\t{where}"
