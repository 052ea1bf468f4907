"""``medaccord emergency``: access without consent, where a patient cannot be asked.

A patient's commands are here; those of an organisation are in `breaking_glass`.
"""

from __future__ import annotations

from typing import Annotated

import typer

from medaccord.cli import breaking_glass
from medaccord.cli.acting import Flags, acting_patient, acts_and_pays
from medaccord.cli.done import NoWaitOption, say_done, waiting
from medaccord.cli.output import JsonOption
from medaccord.core.identifiers import address

app = typer.Typer(
    no_args_is_help=True, help="Access without consent, where a patient cannot be asked."
)

app.command("match")(breaking_glass.match)
app.command("open")(breaking_glass.open_)
app.command("disclose")(breaking_glass.disclose)
app.command("list")(breaking_glass.list_)


@app.command("close")
@acts_and_pays
def close(
    flags: Flags,
    grantee: Annotated[
        str, typer.Argument(metavar="ADDRESS", help="The organisation, as `list` names it.")
    ],
    no_wait: NoWaitOption = False,
    as_json: JsonOption = False,
) -> None:
    """End an organisation's emergency access, and bar it until you allow it again."""
    whom = address(grantee)
    with acting_patient(flags) as patient, waiting():
        receipt = patient.emergency.close(whom, wait=not no_wait)
    say_done(
        receipt,
        f"The emergency access of {whom} is over, and it can open none.",
        as_json=as_json,
        grantee=whom,
    )


@app.command("forbid")
@acts_and_pays
def forbid(flags: Flags, no_wait: NoWaitOption = False, as_json: JsonOption = False) -> None:
    """End all emergency access, and forbid any more, even where your life is in danger."""
    with acting_patient(flags) as patient, waiting():
        receipt = patient.emergency.forbid(wait=not no_wait)
    say_done(receipt, "Nobody can open your records in an emergency now.", as_json=as_json)


@app.command("allow")
@acts_and_pays
def allow(
    flags: Flags,
    grantee: Annotated[
        str | None,
        typer.Argument(
            metavar="ADDRESS", help="The organisation; without one, what `forbid` did is undone."
        ),
    ] = None,
    no_wait: NoWaitOption = False,
    as_json: JsonOption = False,
) -> None:
    """Undo a ban: that of one organisation, which `close` made, or that of all, by `forbid`."""
    whom = None if grantee is None else address(grantee)
    with acting_patient(flags) as patient, waiting():
        receipt = patient.emergency.allow(whom, wait=not no_wait)
    what = "Emergency access is allowed again" if whom is None else f"{whom} is barred no longer"
    say_done(receipt, f"{what}.", as_json=as_json, grantee=whom)
