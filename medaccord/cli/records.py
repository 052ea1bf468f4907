"""``medaccord records``: a steward's records, for its data officer; and reading them, for others.

The data officer's commands, which are here, open the gatekeeper's database and key store beside the
one that serves, if one does: both may run at once. What reads through a gatekeeper is in `fetching`
and `verifying`.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from medaccord.cli import fetching, verifying
from medaccord.cli.asking import confirm
from medaccord.cli.options import (
    AccountOption,
    DatabaseOption,
    KeysOption,
    RecordOption,
    RpcOption,
    StewardOption,
)
from medaccord.cli.output import JsonOption
from medaccord.cli.progress import progress_bar, spinner
from medaccord.cli.steward import open_gatekeeper
from medaccord.core.documents import instant_text
from medaccord.core.errors import InvalidInput
from medaccord.core.identifiers import address, hex_digest
from medaccord.gatekeeper import Gatekeeper
from medaccord.records import Owner
from medaccord.records.export import ExportForm
from medaccord.records.holds import Hold

app = typer.Typer(no_args_is_help=True)


def _text(value: str | None) -> str | None:
    """Refuse bytes that are no text, which the system hands over as halves of characters."""
    if value is not None and any("\ud800" <= each <= "\udfff" for each in value):
        raise InvalidInput(f"{value!r} is not UTF-8 text")
    return value


PatientOption = Annotated[
    str | None,
    typer.Option("--patient", metavar="ADDRESS", help="An account that the patient enrolled with."),
]
PatientIdOption = Annotated[
    str | None,
    typer.Option(
        "--patient-id",
        metavar="ID",
        help="The patient's id in the steward's system.",
        callback=_text,
    ),
]


@app.callback()
def _settings(
    context: typer.Context,
    rpc_url: RpcOption = None,
    record: RecordOption = None,
    database_url: DatabaseOption = None,
    keys_folder: KeysOption = None,
    steward: StewardOption = None,
    account: AccountOption = None,
) -> None:
    """Records: import, export, erase and hold a steward's; read, point to and verify others'."""
    context.obj = {
        "rpc_url": rpc_url,
        "record": record,
        "database_url": database_url,
        "keys_folder": keys_folder,
        "steward": steward,
        "account": account,
    }


app.command("list")(fetching.list_)
app.command("fetch")(fetching.fetch)
app.command("link")(fetching.link)
app.command("verify")(verifying.verify)


@app.command("import")
def import_(
    context: typer.Context,
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE…", help="FHIR R4 Bundles (JSON), or NDJSON of a bulk export."),
    ],
    again: Annotated[
        bool, typer.Option("--again", help="Look into files that were taken in before, too.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Take in the records of enrolled patients, each file whole or not at all, and anchor them.

    Stopped half-way, the same command goes on: files that were taken in are skipped, and what is
    unchanged makes no new version.
    """
    reports: list[dict[str, Any]] = []
    with open_gatekeeper(context.obj) as gatekeeper:
        for file in files:
            with progress_bar(file.name) as progress:
                report = gatekeeper.importing.import_file(file, progress=progress, again=again)
            found = report.imported
            told = {
                "file": str(file),
                "known": found.known,
                "patients": found.patients,
                "leftOut": found.left_out,
                "records": found.records,
                "directory": found.directory,
                "newVersions": found.new_versions,
                "unchanged": found.unchanged,
                "erased": found.erased,
                "roots": [hex_digest(root) for root in report.roots],
            }
            reports.append(told)
            if not as_json:
                typer.echo(_imported(told))
    if as_json:
        typer.echo(json.dumps({"files": reports}))


@app.command("export")
def export(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="What to write; only you can read it.")
    ],
    patient: Annotated[
        str,
        typer.Option(
            "--patient", metavar="ADDRESS", help="An account that the patient enrolled with."
        ),
    ],
    form: Annotated[
        ExportForm, typer.Option("--form", help="One Bundle, or one resource a line.")
    ] = ExportForm.BUNDLE,
    as_json: JsonOption = False,
) -> None:
    """Write everything about a patient to a file, whole or not at all; the log tells of it."""
    with open_gatekeeper(context.obj) as gatekeeper, spinner("Exporting"):
        done = gatekeeper.export(address(patient), file, form)
    if as_json:
        typer.echo(json.dumps({"file": str(file), **asdict(done)}))
    else:
        typer.echo(f"{file}: {done.records} records, {done.documents} documents.")


@app.command("erase")
def erase(
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(metavar="TYPE/ID", help="The record, all its versions.", callback=_text),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--everything", help="All of the patient, keys included.")
    ] = False,
    retire_key: Annotated[
        bool,
        typer.Option(
            "--retire-key",
            help="Renew the patient's key and destroy the old: no backup made before opens then.",
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; it cannot be undone.")] = False,
    patient: PatientOption = None,
    patient_id: PatientIdOption = None,
    as_json: JsonOption = False,
) -> None:
    """Erase a record, or all of a patient, for good; a legal hold refuses it."""
    if (name is None) != everything:
        raise InvalidInput("name one record as Type/id, or say --everything, not both")
    if everything and retire_key:
        raise InvalidInput("--everything destroys every key anyway: leave out --retire-key")
    confirm(f"{name or 'Everything of this patient'} is erased for good.", "Erase?", yes=yes)
    with open_gatekeeper(context.obj) as gatekeeper:
        owner = _owner(gatekeeper, patient, patient_id)
        erasing = gatekeeper.erasing
        if name is None:
            report = erasing.erase_patient(owner)
        else:
            report = erasing.erase_record(owner, name, and_retire_key=retire_key)
    if as_json:
        typer.echo(
            json.dumps(
                {
                    "versions": report.versions,
                    "anchored": report.anchored,
                    "keyRetired": report.rotated is not None,
                    "overwritten": report.overwritten,
                }
            )
        )
        return
    typer.echo(f"Erased: {report.versions} versions.")
    if not report.anchored:
        typer.echo("The chain is out of reach; the gatekeeper tells it when it is back.")
    if not report.overwritten:
        typer.echo("Another process reads the database: its log is overwritten when that is done.")


@app.command("hold")
def hold(
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(metavar="TYPE/ID", help="The record; all unless given.", callback=_text),
    ] = None,
    reason: Annotated[
        str,
        typer.Option(
            "--reason", metavar="TEXT", help="Why; sealed to the steward's key.", callback=_text
        ),
    ] = "",
    patient: PatientOption = None,
    patient_id: PatientIdOption = None,
    as_json: JsonOption = False,
) -> None:
    """Forbid to erase a record, or all of a patient's: a legal hold."""
    with open_gatekeeper(context.obj) as gatekeeper:
        owner = _owner(gatekeeper, patient, patient_id)
        _show([gatekeeper.erasing.place_hold(owner, name, reason)], as_json)


@app.command("lift")
def lift(
    context: typer.Context,
    number: Annotated[int, typer.Argument(metavar="NUMBER", help="As `holds` shows it.")],
    as_json: JsonOption = False,
) -> None:
    """Lift a legal hold."""
    with open_gatekeeper(context.obj) as gatekeeper:
        _show([gatekeeper.erasing.lift_hold(number)], as_json)


@app.command("holds")
def holds(
    context: typer.Context,
    lifted: Annotated[bool, typer.Option("--lifted", help="Those that were lifted, too.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List the legal holds, with their reasons."""
    with open_gatekeeper(context.obj) as gatekeeper:
        _show(gatekeeper.erasing.holds(lifted=lifted), as_json)


@app.command("rotate")
def rotate(
    context: typer.Context,
    own: Annotated[bool, typer.Option("--own", help="The steward's own key.")] = False,
    destroy_old: Annotated[
        bool,
        typer.Option(
            "--destroy-old", help="Destroy the old keys: no backup made before opens then."
        ),
    ] = False,
    patient: PatientOption = None,
    patient_id: PatientIdOption = None,
    as_json: JsonOption = False,
) -> None:
    """Renew the key of a patient, or the steward's own; cut short, the gatekeeper ends it."""
    if own and (patient or patient_id):
        raise InvalidInput("name a patient, or say --own, not both")
    with open_gatekeeper(context.obj) as gatekeeper:
        erasing = gatekeeper.erasing
        who = erasing.steward if own else _owner(gatekeeper, patient, patient_id)
        with progress_bar("rows") as progress:
            done = erasing.rotate(who, destroy_old=destroy_old, progress=progress)
    if as_json:
        typer.echo(json.dumps({"generation": done.generation, "rewrapped": done.rewrapped}))
    else:
        typer.echo(f"Key {done.generation} is in use; {done.rewrapped} rows are wrapped to it.")


def _owner(gatekeeper: Gatekeeper, patient: str | None, patient_id: str | None) -> Owner:
    if patient is not None and patient_id is None:
        return gatekeeper.erasing.patient_of(address(patient))
    if patient_id is not None and patient is None:
        return gatekeeper.erasing.patient(patient_id)
    raise InvalidInput("whose? Name the patient with --patient or --patient-id, one of the two")


def _imported(told: dict[str, Any]) -> str:
    if told["known"]:
        return f"{told['file']}: taken in before, skipped (--again looks into it)."
    parts = [
        f"{told['file']}: {told['newVersions']} new versions, {told['unchanged']} unchanged",
        f"{told['records']} records of {told['patients']} patients, {told['directory']} own",
    ]
    if told["leftOut"]:
        parts.append(f"{told['leftOut']} patients left out, who have not accepted")
    if told["erased"]:
        parts.append(f"{told['erased']} left out, which were erased")
    return "; ".join(parts) + "."


def _show(found: list[Hold] | tuple[Hold, ...], as_json: bool) -> None:
    if as_json:
        told = [
            {
                "number": each.id,
                "record": each.record,
                "reason": each.reason,
                "placedAt": instant_text(each.placed_at),
                "liftedAt": None if each.lifted_at is None else instant_text(each.lifted_at),
            }
            for each in found
        ]
        typer.echo(json.dumps({"holds": told}))
        return
    for each in found:
        state = "on" if each.lifted_at is None else f"lifted {each.lifted_at:%Y-%m-%d}"
        what = each.record or "all records"
        typer.echo(f"{each.id}\t{state}\tsince {each.placed_at:%Y-%m-%d}\t{what}\t{each.reason}")
