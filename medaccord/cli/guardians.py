"""``medaccord guardians``: whom a person trusts to hand an account to a new key."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from medaccord.cli.acting import (
    Flags,
    acting,
    acts_and_pays,
    chosen,
    connected,
    governs,
    opened_wallet,
    patient_of,
    settings_of,
)
from medaccord.cli.done import NoWaitOption, say_done, waiting
from medaccord.cli.output import JsonOption, say
from medaccord.cli.own_files import handed_in, written
from medaccord.client.guardian_documents import GuardianCard, Handout
from medaccord.client.guardians import Guardian, Guardians
from medaccord.core.errors import InvalidInput, KeyMissing
from medaccord.core.identifiers import Address, hex_digest

app = typer.Typer(
    no_args_is_help=True,
    help="Guardians: whom you trust to hand an account of yours to a new phone.",
)

CardsArgument: TypeAlias = Annotated[
    list[Path],
    typer.Argument(metavar="CARD…", help="Files with cards, one of each guardian."),
]
FolderOption: TypeAlias = Annotated[
    Path,
    typer.Option("--out", metavar="FOLDER", help="Where to write what each guardian is given."),
]


@app.command("card")
@governs
def card(
    flags: Flags,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="What to write; give it to whoever asked.")
    ],
    as_json: JsonOption = False,
) -> None:
    """As a guardian: make a card for somebody who asked; a fresh one for every account."""
    made = Guardian(opened_wallet(flags), connected(flags)).card()
    write_document(file, made.document())
    say(
        {"file": str(file), "guardian": made.guardian},
        f"{file}: give it to whoever asked you, for one account alone.",
        as_json=as_json,
    )


@app.command("choose")
@acts_and_pays
def choose(
    flags: Flags,
    cards: CardsArgument,
    threshold: Annotated[
        int, typer.Option("--threshold", min=1, help="How many of them it takes.")
    ],
    out: FolderOption,
    no_wait: NoWaitOption = False,
    as_json: JsonOption = False,
) -> None:
    """Choose guardians in place of any there are, name them on the chain, write their papers.

    The chain shows a commitment alone. What each guardian is given is sealed to their card, so that
    any way will do to bring it.
    """
    given = [read_card(each) for each in cards]
    contracts, actor = connected(flags), acting(flags)
    if actor.wallet is None:
        raise InvalidInput("guardians are kept in a wallet: use an account of one")
    made = Guardians(actor.wallet, contracts).choose(actor.account, given, threshold=threshold)
    with patient_of(flags, actor, contracts) as patient, waiting():
        receipt = patient.recovery.protect(made, wait=not no_wait)
    files = _write_all(out, {guardian: each.document() for guardian, each in made.sealed.items()})
    say_done(
        receipt,
        f"It takes {threshold} of {len(given)} guardians. Give each of them their file in {out}.",
        as_json=as_json,
        account=actor.account,
        threshold=threshold,
        files=files,
    )


@app.command("hand-out")
@governs
def hand_out(
    flags: Flags, cards: CardsArgument, out: FolderOption, as_json: JsonOption = False
) -> None:
    """Write again what each guardian in force is given, sealed to the cards that they gave."""
    given = [read_card(each) for each in cards]
    contracts, actor = connected(flags), acting(flags)
    if actor.wallet is None:
        raise InvalidInput("guardians are kept in a wallet: use an account of one")
    circle = Guardians(actor.wallet, contracts).circle(actor.account)
    if circle is None:
        raise InvalidInput(f"{actor.account} has no guardians: choose some")
    named = contracts.account_id(actor.account)
    papers = {}
    for each in given:
        if each.guardian not in circle.salts:
            raise InvalidInput(f"{each.guardian} is no guardian of {actor.account}")
        handout = Handout(account=named, index=each.index, place=circle.place(each.guardian))
        papers[each.guardian] = handout.sealed(each).document()
    files = _write_all(out, papers)
    say(
        {"account": actor.account, "files": files},
        [f"{file}: for {guardian}." for guardian, file in files.items()],
        as_json=as_json,
    )


@app.command("take")
@governs
def take(
    flags: Flags,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What the guarded person gave.")],
    as_json: JsonOption = False,
) -> None:
    """As a guardian: take in what you were given, and keep it in your wallet."""
    content = handed_in(file, what="the handout")
    handout = Guardian(opened_wallet(flags), connected(flags)).take(content)
    threshold = handout.place.circle.threshold
    say(
        {"account": handout.account.address, "guardian": handout.place.guardian},
        f"You are a guardian of {handout.account}; it takes {threshold} of you.",
        as_json=as_json,
    )


@app.command("show")
@governs
def show(flags: Flags, as_json: JsonOption = False) -> None:
    """Show the guardians of an account of yours, and whose guardian you are."""
    wallet, contracts = opened_wallet(flags), connected(flags)
    own: dict[str, Any] | None = None
    if wallet.accounts():  # of one alone: nobody who is asked shall learn which belong together
        account = chosen(wallet, settings_of(flags)).account
        own = {"account": account, "threshold": None, "guardians": None}
        with suppress(KeyMissing):  # they were chosen with another wallet, which knows them
            circle = Guardians(wallet, contracts).circle(account)
            if circle is not None:
                own |= {"threshold": circle.threshold, "guardians": sorted(circle.salts)}
            else:
                own |= {"threshold": 0, "guardians": []}
    guarded = [
        {
            "account": each.account.address,
            "guardian": each.place.guardian,
            "threshold": each.place.circle.threshold,
            "commitment": hex_digest(each.place.circle.commitment),
        }
        for each in Guardian(wallet, contracts).handouts()
    ]
    say({"own": own, "guarded": guarded}, _lines(own, guarded), as_json=as_json)


def read_card(path: Path) -> GuardianCard:
    """A guardian's card from its file. Raises InvalidInput."""
    return GuardianCard.parse(handed_in(path, what="the card"))


def write_document(path: Path, document: Mapping[str, Any]) -> None:
    """Write a document to a file of this user's alone. Raises InvalidInput."""
    with written(path) as out:
        out.write(json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n")


def _write_all(folder: Path, documents: Mapping[Address, Mapping[str, Any]]) -> dict[str, str]:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInput(f"{folder} cannot be made: {error.strerror}") from error
    files: dict[str, str] = {}
    for guardian, document in documents.items():
        path = folder / f"guardian-{guardian[2:].lower()}.json"
        write_document(path, document)
        files[guardian] = str(path)
    return files


def _lines(own: Mapping[str, Any] | None, guarded: Iterable[Mapping[str, Any]]) -> list[str]:
    lines = []
    if own is not None and own["guardians"] is None:
        lines.append(f"{own['account']} has guardians that this wallet did not choose.")
    elif own is not None and not own["guardians"]:
        lines.append(f"{own['account']} has no guardians.")
    elif own is not None:
        lines.append(f"It takes {own['threshold']} of these to recover {own['account']}:")
        lines += [f"    {guardian}" for guardian in own["guardians"]]
    lines += [f"You guard {each['account']} as {each['guardian']}." for each in guarded]
    return lines or ["No account, and nobody guarded."]
