"""``medaccord recover``: handing a lost account to a new key, with the help of guardians."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from medaccord.chain import actions
from medaccord.chain.deployment import Contracts
from medaccord.chain.sender import Receipt, Sender
from medaccord.cli.acting import Flags, acts_and_pays, connected, governs, looks, opened_wallet
from medaccord.cli.acting import payer as payer_of
from medaccord.cli.asking import confirm
from medaccord.cli.done import waiting
from medaccord.cli.guardians import write_document
from medaccord.cli.output import JsonOption, say
from medaccord.cli.own_files import handed_in
from medaccord.cli.progress import progress_bar
from medaccord.client.guardian_documents import (
    CancellationApproval,
    RecoveryApproval,
    RecoveryRequest,
)
from medaccord.client.guardians import Guardian, Guardians
from medaccord.client.recovering import LIFETIME, AccountRecovery
from medaccord.client.recovery import recovery_state
from medaccord.core.documents import instant_text
from medaccord.core.errors import InvalidInput
from medaccord.core.identifiers import address, hex_digest

app = typer.Typer(
    no_args_is_help=True, help="Hand a lost account to a new phone, with the help of guardians."
)


@app.command("request")
@governs
def request(
    flags: Flags,
    lost: Annotated[
        str, typer.Argument(metavar="ADDRESS", help="The lost account; every guardian knows it.")
    ],
    file: Annotated[
        Path, typer.Option("--file", metavar="FILE", help="What to write, for every guardian.")
    ],
    days: Annotated[
        int, typer.Option("--days", min=1, max=365, help="How long the guardians may take.")
    ] = LIFETIME.days,
    as_json: JsonOption = False,
) -> None:
    """On the new phone: ask the guardians to hand the account to a key of this wallet."""
    account = address(lost)
    recovery = AccountRecovery(opened_wallet(flags), connected(flags))
    asked = recovery.request(account, lifetime=timedelta(days=days))
    write_document(file, asked.document())
    until = instant_text(asked.deadline)
    say(
        {
            "file": str(file),
            "account": account,
            "newController": asked.new_controller,
            "deadline": until,
        },
        f"{file}: give it to your guardians, who have until {until}.",
        as_json=as_json,
    )


@app.command("approve")
@governs
def approve(
    flags: Flags,
    file: Annotated[Path, typer.Argument(metavar="REQUEST", help="What the person gave you.")],
    out: Annotated[
        Path, typer.Option("--file", metavar="FILE", help="What to write, for that person.")
    ],
    yes: Annotated[
        bool, typer.Option("--yes", help="You saw or called the person: do not ask.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """As a guardian: approve that an account is handed to a new key.

    Be sure that it is the person who asks, by seeing or calling them: enough guardians can take the
    account.
    """
    asked = RecoveryRequest.parse(handed_in(file, what="the request"))
    sentence = f"Hand {asked.account} to the key {asked.new_controller}."
    confirm(sentence, "Is it really the person who asks?", yes=yes)
    given = Guardian(opened_wallet(flags), connected(flags)).approve(asked)
    write_document(out, given.document())
    say(
        {"file": str(out), "account": asked.account.address, "newController": asked.new_controller},
        f"{out}: give it back to the person.",
        as_json=as_json,
    )


@app.command("object")
@governs
def object_(
    flags: Flags,
    threatened: Annotated[
        str, typer.Argument(metavar="ADDRESS", help="The account that somebody else asks for.")
    ],
    out: Annotated[
        Path, typer.Option("--file", metavar="FILE", help="What to write, for its owner.")
    ],
    as_json: JsonOption = False,
) -> None:
    """As a guardian: help the owner of an account to stop a recovery, with `cancel`."""
    contracts = connected(flags)
    named = contracts.account_id(address(threatened))
    given = Guardian(opened_wallet(flags), contracts).object_to(named)
    write_document(out, given.document())
    say(
        {"file": str(out), "account": named.address},
        f"{out}: give it to the owner of the account.",
        as_json=as_json,
    )


@app.command("start")
@acts_and_pays
def start(
    flags: Flags,
    files: Annotated[
        list[Path],
        typer.Argument(metavar="APPROVAL…", help="What the guardians gave back, of each a file."),
    ],
    as_json: JsonOption = False,
) -> None:
    """Start a recovery, once enough guardians approved; --payer pays.

    From then on, whoever has the account's old key can grant nothing. After the delay of the
    network, `complete` hands it over.
    """
    contracts = connected(flags)
    sender = _payer(flags, contracts)
    approvals = [RecoveryApproval.parse(handed_in(each, what="the approval")) for each in files]
    asked = approvals[0].request
    recovery = AccountRecovery(opened_wallet(flags), contracts)
    invocation = recovery.start(asked, approvals)
    with waiting():
        receipt = actions.submit(sender, invocation)
    running = recovery.pending(asked.account.address)
    ready = None if running is None else instant_text(running.ready_at)
    say(
        {**_told(receipt), "account": asked.account.address, "readyAt": ready},
        f"Started. It can be completed from {ready} on.",
        as_json=as_json,
    )


@app.command("complete")
@acts_and_pays
def complete(
    flags: Flags,
    lost: Annotated[str, typer.Argument(metavar="ADDRESS", help="The account.")],
    wait: Annotated[
        int, typer.Option("--wait", min=0, metavar="SECONDS", help="Wait so long for the delay.")
    ] = 0,
    as_json: JsonOption = False,
) -> None:
    """Hand the account over, once the delay has run; --payer pays.

    That ends every consent and delegation made before.
    """
    account, contracts = address(lost), connected(flags)
    recovery = AccountRecovery(opened_wallet(flags), contracts)
    told: dict[str, Any] = {}
    if recovery.pending(account) is not None:  # else somebody may have completed it already
        sender = _payer(flags, contracts)
        with progress_bar("Waiting for the delay"):
            recovery.wait(account, patience=timedelta(seconds=wait))
        with waiting():
            told = _told(actions.submit(sender, recovery.complete(account)))
    held = recovery.completed(account)
    say(
        {**told, "account": account, "index": held.index},
        f"{account} is yours again.",
        as_json=as_json,
    )


@app.command("cancel")
@acts_and_pays
def cancel(
    flags: Flags,
    file: Annotated[
        Path, typer.Argument(metavar="OBJECTION", help="What one guardian gave you with `object`.")
    ],
    as_json: JsonOption = False,
) -> None:
    """Stop a recovery that you did not ask for, together with one guardian; --payer pays."""
    contracts = connected(flags)
    sender = _payer(flags, contracts)
    objection = CancellationApproval.parse(handed_in(file, what="the objection"))
    signed = Guardians(opened_wallet(flags), contracts).cancel(objection)
    with waiting():
        receipt = actions.submit(sender, signed)
    say(
        {**_told(receipt), "account": objection.account.address},
        "Stopped. Choose other guardians: those who signed are not on your side, or were fooled.",
        as_json=as_json,
    )


@app.command("show")
@looks
def show(
    flags: Flags,
    account: Annotated[str, typer.Argument(metavar="ADDRESS", help="Any account.")],
    as_json: JsonOption = False,
) -> None:
    """Show whether a recovery of an account is under way, and from when it can be completed."""
    wanted, contracts = address(account), connected(flags)
    state = recovery_state(contracts, wanted)
    running, line = state.running, f"No recovery of {wanted} is under way."
    ready = None if running is None else instant_text(running.ready_at)
    if running is not None:
        line = f"{wanted} can be handed to {running.new_controller} from {ready} on."
    document = {
        "account": wanted,
        "controller": state.controller,
        "newController": None if running is None else running.new_controller,
        "readyAt": ready,
    }
    say(document, [f"{state.controller} controls it now.", line], as_json=as_json)


def _payer(flags: Flags, contracts: Contracts) -> Sender:
    """Who pays: anybody may send this, and no gatekeeper does."""
    found = payer_of(flags, contracts)
    if found is None:
        raise InvalidInput("who pays? Name an account of the keystore with --payer")
    return found


def _told(receipt: Receipt) -> dict[str, Any]:
    return {
        "transaction": hex_digest(receipt.transaction),
        "block": receipt.block.number,
        "gasUsed": receipt.gas_used,
    }
