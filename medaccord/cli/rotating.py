"""``medaccord account rotate``: handing an account to a fresh key, of a wallet or a keystore."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from medaccord.chain import actions
from medaccord.chain.deployment import Contracts
from medaccord.chain.sender import Sender
from medaccord.cli.acting import (
    Actor,
    Flags,
    acting,
    acts_and_pays,
    connected,
    patient_of,
    payer,
    settings_of,
)
from medaccord.cli.done import say_done, waiting
from medaccord.cli.output import JsonOption
from medaccord.cli.passphrases import passphrase
from medaccord.client import ActionReceipt
from medaccord.client.directory import organisation_of
from medaccord.client.relay import send
from medaccord.core.errors import InvalidInput, KeyMissing
from medaccord.core.identifiers import Address, address
from medaccord.keys import Keystore


@acts_and_pays
def rotate(
    flags: Flags,
    which: Annotated[
        str | None,
        typer.Argument(metavar="ADDRESS", help="The account; else the one there is."),
    ] = None,
    in_wallet: Annotated[
        bool,
        typer.Option("--in-wallet", help="The one of the wallet, where the keystore has it too."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Hand an account to a fresh key; the old one may do nothing for it any more.

    The account keeps its address, its relationship, its records and its consents. An organisation
    pays for itself, or names a --payer. Where it was stopped half-way, run it again.
    """
    if which is not None:
        flags = {**flags, "account": address(which)}
    actor, contracts = acting({**flags, "in_wallet": in_wallet}), connected(flags)
    if actor.wallet is None:
        _in_keystore(flags, actor, contracts, as_json=as_json)
    else:
        _in_wallet(flags, actor, contracts, as_json=as_json)


def _in_wallet(flags: Flags, actor: Actor, contracts: Contracts, *, as_json: bool) -> None:
    wallet, account = actor.wallet, actor.account
    if wallet is None or actor.held is None:
        raise InvalidInput(f"{account} is no account of this wallet: only its own key hands it on")
    controller = _controller(contracts, account)
    if controller != actor.signer.address:  # an earlier one was stopped before it was noted here
        wallet.rotated(account, controller)
        actor = replace(actor, signer=wallet.signer(account))
    following = wallet.next_signer(account).address
    with patient_of(flags, actor, contracts) as patient, waiting():
        receipt = patient.recovery.rotate(following)
    wallet.rotated(account, following)
    _say(receipt, account, following, "", as_json=as_json)


def _in_keystore(flags: Flags, actor: Actor, contracts: Contracts, *, as_json: bool) -> None:
    settings, account = settings_of(flags), actor.account
    store, descriptor = Keystore(settings.keystore), flags.get("passphrase_fd")
    controller = _controller(contracts, account)
    if controller != actor.signer.address:
        if controller not in store.addresses():
            raise KeyMissing(
                f"{controller} controls {account} now, and {store.folder} has no key of it"
            )
        given = passphrase(controller, file=settings.passphrase_file, descriptor=descriptor)
        actor = replace(actor, signer=store.unlock(controller, given))
    chosen = passphrase(
        "the new key", file=settings.passphrase_file, descriptor=descriptor, new=True
    )
    following = store.create(chosen)  # on the disk before the chain knows of it
    if organisation_of(contracts, account)["admitted"]:
        with waiting():
            receipt = _sent(flags, actor, contracts, following)
    else:
        with patient_of(flags, actor, contracts) as patient, waiting():
            receipt = patient.recovery.rotate(following)
    use = f" From now on: --account {following} --for {account}."
    _say(receipt, account, following, use, as_json=as_json)


def _sent(flags: Flags, actor: Actor, contracts: Contracts, following: Address) -> ActionReceipt:
    """Rotate the account of an organisation, which pays."""
    action = actions.rotate(
        contracts, account=actor.account, new_controller=following, by=actor.signer.address
    )
    sender = payer(flags, contracts) or Sender(contracts.network, actor.signer)
    return send(sender, actions.signed(action, actor.signer), id=action.digest)


def _controller(contracts: Contracts, account: Address) -> Address:
    return address(contracts.call("Registry", "controllerOf", account))


def _say(
    receipt: ActionReceipt, account: Address, following: Address, use: str, *, as_json: bool
) -> None:
    say_done(
        receipt,
        f"{account} is in the hands of a fresh key, {following}.{use}",
        as_json=as_json,
        account=account,
        controller=following,
    )
