"""``medaccord delegate``: who else may act for a patient's account."""

from __future__ import annotations

from enum import StrEnum
from functools import reduce
from operator import or_
from typing import Annotated, Any

import typer

from medaccord.chain.powers import Power
from medaccord.cli.acting import Flags, acting_patient, acts, acts_and_pays
from medaccord.cli.done import NoWaitOption, say_done, waiting
from medaccord.cli.output import JsonOption, say
from medaccord.cli.times import moment
from medaccord.client import Delegate
from medaccord.core.documents import instant_text
from medaccord.core.identifiers import address

app = typer.Typer(
    no_args_is_help=True, help="Who else may act for an account: a parent, a carer, a program."
)


class PatientPower(StrEnum):
    """A power that makes sense for a patient's account, as it is typed."""

    GRANT = "grant"
    RESTRICT = "restrict"
    RELATE = "relate"
    READ = "read"

    @property
    def power(self) -> Power:
        """As the chain has it."""
        return Power[self.name]


@app.command("add")
@acts_and_pays
def add(
    flags: Flags,
    key: Annotated[str, typer.Argument(metavar="ADDRESS", help="The key that may act.")],
    powers: Annotated[
        list[PatientPower],
        typer.Option(
            "--power", help="grant, restrict (revoke, close), relate or read; may be given again."
        ),
    ],
    until: Annotated[str, typer.Option("--until", metavar="TIME", help="The end, excluded.")],
    no_wait: NoWaitOption = False,
    as_json: JsonOption = False,
) -> None:
    """Let another key use some powers of the account, and no others; it names you with --for."""
    whom, end = address(key), moment(until)
    allowed = reduce(or_, (each.power for each in powers))
    with acting_patient(flags) as patient, waiting():
        receipt = patient.delegates.add(whom, allowed, until=end, wait=not no_wait)
        account = patient.account
    say_done(
        receipt,
        f"{whom} may {', '.join(_names(allowed))} for {account} until {end:%Y-%m-%d %H:%M}.",
        as_json=as_json,
        key=whom,
        powers=_names(allowed),
        until=instant_text(end),
    )


@app.command("remove")
@acts_and_pays
def remove(
    flags: Flags,
    key: Annotated[str, typer.Argument(metavar="ADDRESS", help="The key that acts.")],
    no_wait: NoWaitOption = False,
    as_json: JsonOption = False,
) -> None:
    """Take a key's powers away."""
    whom = address(key)
    with acting_patient(flags) as patient, waiting():
        receipt = patient.delegates.remove(whom, wait=not no_wait)
    say_done(receipt, f"{whom} may act no longer.", as_json=as_json, key=whom)


@app.command("list")
@acts
def list_(flags: Flags, as_json: JsonOption = False) -> None:
    """List the keys that may act for the account now."""
    with acting_patient(flags) as patient:
        found = patient.delegates.list()
    say({"delegates": [_told(each) for each in found]}, map(_line, found), as_json=as_json)


def _names(powers: Power) -> list[str]:
    return [str(each.name).lower() for each in powers]


def _told(each: Delegate) -> dict[str, Any]:
    return {"key": each.key, "powers": _names(each.powers), "until": instant_text(each.until)}


def _line(each: Delegate) -> str:
    return f"{each.key}\t{', '.join(_names(each.powers))}\tuntil {each.until:%Y-%m-%d %H:%M}"
