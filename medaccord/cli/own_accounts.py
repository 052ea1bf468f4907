"""Accounts of a person's wallet: made, listed, brought back from the phrase, handed to a fresh key.

They are commands of ``medaccord account``.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from medaccord.chain.deployment import Contracts
from medaccord.cli.acting import (
    Flags,
    acting,
    acts,
    connected,
    opened_wallet,
    patient_of,
    settings_of,
)
from medaccord.cli.done import say_done, waiting
from medaccord.cli.output import JsonOption, say
from medaccord.cli.passphrases import passphrase
from medaccord.cli.progress import progress_bar
from medaccord.client.finding_gatekeepers import find_gatekeepers
from medaccord.client.restored import Restored
from medaccord.client.restoring import restore as search
from medaccord.core.errors import InvalidInput
from medaccord.core.identifiers import Address, address
from medaccord.keys import Seed, Wallet, WalletAccount
from medaccord.keys.files import destroy, read_private

_MOST_BYTES = 1024
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
    wallet.settle(found.for_wallet(), next_index=found.next_index)
    document = _restored(found, wallet)
    lines = [_line(each) for each in wallet.accounts()]
    lines += [f"{each['account']}: {each['problem']}" for each in document["problems"]]
    lines.append(f"{len(found.accounts)} accounts were found up to block {found.block.number}.")
    say(document, lines, as_json=as_json)


@acts
def rotate(
    flags: Flags,
    which: Annotated[
        str | None,
        typer.Argument(metavar="[ADDRESS]", help="An account of the wallet; else the one there."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Hand an account of the wallet to a fresh key of it; the old key may do nothing any more.

    The account keeps its address, its relationship, its records and its consents.
    """
    if which is not None:
        flags = {**flags, "account": address(which)}
    actor, contracts = acting(flags), connected(flags)
    if actor.wallet is None or actor.held is None:
        raise InvalidInput(f"{actor.account} is no account of a wallet: it has no key to follow")
    wallet, account = actor.wallet, actor.account
    controller = address(contracts.call("Registry", "controllerOf", account))
    if controller != actor.signer.address:  # an earlier one was stopped before it was noted here
        wallet.rotated(account, controller)
        actor = replace(actor, signer=wallet.signer(account))
    following = wallet.next_signer(account).address
    with patient_of(flags, actor, contracts) as patient, waiting():
        receipt = patient.recovery.rotate(following)
    wallet.rotated(account, following)
    say_done(
        receipt,
        f"{account} is in the hands of a fresh key, {following}.",
        as_json=as_json,
        account=account,
        controller=following,
    )


def _searched(seed: Seed, contracts: Contracts, gatekeeper: str | None) -> Restored:
    """What a phrase has; the directory of one gatekeeper leads to all the others."""
    urls = [] if gatekeeper is None else [gatekeeper]
    with progress_bar("Looking for accounts"):
        return search(seed, contracts, find_gatekeepers(contracts, urls))


def _phrase(file: Path | None) -> str:
    if file is None:
        if not sys.stdin.isatty():
            raise InvalidInput("there is no terminal to type the phrase on: give --phrase-file")
        return str(typer.prompt("The phrase", hide_input=True, err=True))
    try:
        return read_private(file, limit=_MOST_BYTES, what="the phrase file").decode()
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
