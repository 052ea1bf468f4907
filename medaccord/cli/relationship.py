"""``medaccord relationship``: which steward keeps records for which patient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeAlias

import typer

from medaccord.cli import enrolment_codes
from medaccord.cli.acting import (
    Actor,
    Flags,
    acting,
    acting_patient,
    acting_provider,
    acts,
    acts_and_pays,
    connected,
    opened_wallet,
    patient_of,
    settings_of,
)
from medaccord.cli.done import NoWaitOption, say_done, waiting
from medaccord.cli.output import JsonOption, say
from medaccord.client import ActionReceipt, Relationship, RelationshipState
from medaccord.client.relationships import PatientRelationships, StewardRelationships
from medaccord.core.documents import instant_text
from medaccord.core.errors import InvalidInput
from medaccord.core.identifiers import Address, address

app = typer.Typer(
    no_args_is_help=True, help="Which hospital keeps records for which patient: both sides."
)

PatientOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--patient", metavar="ADDRESS", help="Act as the hospital, towards this patient's account."
    ),
]


app.command("code")(enrolment_codes.code)


@app.command("enrol")
@acts
def enrol(
    flags: Flags,
    code: Annotated[
        str, typer.Argument(metavar="CODE", help="The one-time code that the hospital gave you.")
    ],
    no_wait: NoWaitOption = False,
    as_json: JsonOption = False,
) -> None:
    """Tie an account to yourself with a hospital's code; then accept what it proposes.

    Unless --account names one, it is an account of the wallet that stands for nothing else: the
    one made for this gatekeeper, or a fresh one.
    """
    actor = _enrolling(flags)
    with patient_of(flags, actor, connected(flags)) as patient, waiting():
        steward = patient.steward
        if actor.held is not None and not actor.held.used:
            _check_fresh(patient.relationships, steward)
        receipt = patient.relationships.enrol(code, wait=not no_wait)
    if actor.wallet is not None and actor.held is not None:
        where = settings_of(flags).gatekeeper
        actor.wallet.used(actor.account, steward=steward, gatekeeper=where)
    say_done(
        receipt,
        f"{actor.account} is enrolled at {steward}. Say yes with `medaccord relationship accept`.",
        as_json=as_json,
        account=actor.account,
        steward=steward,
    )


@app.command("propose")
@acts_and_pays
def propose(
    flags: Flags,
    patient: PatientOption = None,
    no_wait: NoWaitOption = False,
    as_json: JsonOption = False,
) -> None:
    """Propose that a hospital keeps records for a patient.

    A patient who was given a code enrols instead: no gatekeeper sends this, so --payer pays.
    """
    if patient is None and flags["payer"] is None:
        raise InvalidInput(
            "who pays? Name an account of the keystore with --payer; or ask the hospital for a"
            " code, and use `medaccord relationship enrol`"
        )
    _step(
        flags,
        patient,
        lambda own: own.propose(wait=not no_wait),
        lambda own, whom: own.propose(whom, wait=not no_wait),
        "The relationship is proposed.",
        as_json,
    )


@app.command("accept")
@acts_and_pays
def accept(
    flags: Flags,
    patient: PatientOption = None,
    no_wait: NoWaitOption = False,
    as_json: JsonOption = False,
) -> None:
    """Accept what the other side proposed: records are kept from then on."""
    _step(
        flags,
        patient,
        lambda own: own.accept(wait=not no_wait),
        lambda own, whom: own.accept(whom, wait=not no_wait),
        "The relationship is accepted.",
        as_json,
    )


@app.command("decline")
@acts_and_pays
def decline(
    flags: Flags,
    patient: PatientOption = None,
    no_wait: NoWaitOption = False,
    as_json: JsonOption = False,
) -> None:
    """Decline what the other side proposed."""
    _step(
        flags,
        patient,
        lambda own: own.decline(wait=not no_wait),
        lambda own, whom: own.decline(whom, wait=not no_wait),
        "The relationship is declined.",
        as_json,
    )


@app.command("end")
@acts_and_pays
def end(
    flags: Flags,
    patient: PatientOption = None,
    no_wait: NoWaitOption = False,
    as_json: JsonOption = False,
) -> None:
    """End a relationship, or take a proposal back: nothing more is released."""
    _step(
        flags,
        patient,
        lambda own: own.end(wait=not no_wait),
        lambda own, whom: own.end(whom, wait=not no_wait),
        "The relationship is over.",
        as_json,
    )


@app.command("list")
@acts
def list_(
    flags: Flags,
    patients: Annotated[
        bool, typer.Option("--patients", help="Act as the hospital: list its patients.")
    ] = False,
    state: Annotated[
        RelationshipState | None, typer.Option("--state", help="Only those in this state.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List relationships with what they are now, ended ones included."""
    if patients:
        with acting_provider(flags) as provider:
            found = provider.relationships.list()
    else:
        with acting_patient(flags) as patient:
            found = patient.relationships.list()
    shown = [each for each in found if state in (None, each.state)]
    say({"relationships": [_told(each) for each in shown]}, map(_line, shown), as_json=as_json)


def _step(
    flags: Flags,
    patient: str | None,
    own: Callable[[PatientRelationships], ActionReceipt],
    of_steward: Callable[[StewardRelationships, Any], ActionReceipt],
    what: str,
    as_json: bool,
) -> None:
    """Take one side's step, and say so."""
    if patient is None:
        with acting_patient(flags) as person, waiting():
            receipt = own(person.relationships)
            account, steward = person.account, person.steward
    else:
        account = address(patient)
        with acting_provider(flags) as provider, waiting():
            receipt = of_steward(provider.relationships, account)
            steward = provider.account
    say_done(receipt, what, as_json=as_json, account=account, steward=steward)


def _enrolling(flags: Flags) -> Actor:
    """Whoever is named, else an account of the wallet that nothing else is known of."""
    settings = settings_of(flags)
    if settings.account is not None or not settings.wallet.exists():
        return acting(flags)
    if settings.gatekeeper is None:
        raise InvalidInput(
            "at which hospital? Name its gatekeeper with --gatekeeper or MEDACCORD_GATEKEEPER"
        )
    wallet = opened_wallet(flags)
    made = [
        each
        for each in wallet.accounts()
        if each.gatekeeper == settings.gatekeeper and not each.used
    ]
    held = made[0] if made else wallet.new_account(gatekeeper=settings.gatekeeper)
    signer = wallet.signer(held.account)
    return Actor(signer=signer, account=held.account, wallet=wallet, held=held)


def _check_fresh(own: PatientRelationships, steward: Address) -> None:
    """Refuse an account that this wallet never used, and that somebody has: another device did."""
    for each in own.list():
        if each.steward != steward:
            raise InvalidInput(
                f"{each.patient} is used at {each.steward} already, as by another device with your"
                " phrase: bring the wallet up to date with `medaccord account restore --in-wallet`,"
                " and enrol again"
            )


def _told(each: Relationship) -> dict[str, Any]:
    return {
        "patient": each.patient,
        "steward": each.steward,
        "state": each.state.value,
        "proposedBy": each.proposed_by,
        "round": each.round,
        "since": each.since and instant_text(each.since),
    }


def _line(each: Relationship) -> str:
    since = "" if each.since is None else f"since {each.since:%Y-%m-%d %H:%M}"
    return f"{each.state.value}\t{each.patient}\t{each.steward}\t{since}"
