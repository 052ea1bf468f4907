"""``medaccord audit``: who looked, when, why, and what was refused; for patients and stewards."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias
from urllib.parse import parse_qsl, quote, unquote

import typer

from medaccord.cli.acting import Flags, acts
from medaccord.cli.log_sources import OpenedLog, Whose, as_page, commitments_in, opened_log
from medaccord.cli.options import DatabaseOption, KeysOption, StewardOption
from medaccord.cli.output import JsonOption, say
from medaccord.cli.own_files import handed_in, written
from medaccord.cli.record_files import read
from medaccord.cli.times import moment
from medaccord.client.evidence import ChainEvidence
from medaccord.core.audit import AuditEntry
from medaccord.core.errors import InvalidDocument, InvalidInput, LogMismatch
from medaccord.core.identifiers import AccountId, Digest, address, hex_digest
from medaccord.core.log_filter import LogFilter
from medaccord.core.receipts import SignedReceipt
from medaccord.gatekeeper import log_export
from medaccord.gatekeeper.log_export import LogForm

app = typer.Typer(
    no_args_is_help=True, help="Who looked at records, when, why, and what was refused."
)

PatientOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--patient", metavar="ADDRESS", help="For a steward: whose log; it notes this look."
    ),
]
OwnOption: TypeAlias = Annotated[
    bool, typer.Option("--own", help="For a steward: its own log, which is about no patient.")
]

_MOST_BYTES: Final = 256 * 1024 * 1024


@app.command("list")
@acts
def list_(
    flags: Flags,
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="Logged then or later.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="TIME", help="Logged before that.")
    ] = None,
    requester: Annotated[
        str | None, typer.Option("--requester", metavar="ADDRESS", help="Asked for by this one.")
    ] = None,
    action: Annotated[
        str | None,
        typer.Option(
            "--action", metavar="WORD", help="What was asked for, such as read or search."
        ),
    ] = None,
    outcome: Annotated[
        str | None, typer.Option("--outcome", metavar="WORD", help="released, refused or done.")
    ] = None,
    reason: Annotated[
        str | None,
        typer.Option("--reason", metavar="CODE", help="The purpose, or why it was refused."),
    ] = None,
    of_record: Annotated[
        str | None,
        typer.Option("--of", metavar="TYPE/ID", help="A record that was released."),
    ] = None,
    patient: PatientOption = None,
    own: OwnOption = False,
    database_url: DatabaseOption = None,
    keys_folder: KeysOption = None,
    steward: StewardOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the lines of a log, once all of it is checked; a patient's own unless it is said."""
    wanted = LogFilter(
        since=None if since is None else moment(since),
        until=None if until is None else moment(until),
        requester=None if requester is None else address(requester),
        action=action,
        outcome=outcome,
        reason=reason,
        record=of_record,
    )
    whose = _whose(patient, own, database_url, keys_folder, steward)
    with opened_log(flags, whose, None if wanted.is_empty else wanted) as opened:
        log = opened.log
        lines = [_line(each, opened) for each in log]
    document = {
        "entries": [each.document() for each in log],
        "leftOut": list(log.left_out),
        "refusals": [
            {"requester": each.requester, "count": each.refusals.count} for each in log.counted
        ],
        **_state(opened),
    }
    say(document, lines, as_json=as_json)


@app.command("verify")
@acts
def verify(
    flags: Flags,
    receipts: Annotated[
        Path | None,
        typer.Option(
            "--receipts", metavar="FILE", help="Receipts that the log must hold, as NDJSON."
        ),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(
            "--against",
            metavar="FILE",
            help="An earlier export (NDJSON); its lines must be the same.",
        ),
    ] = None,
    patient: PatientOption = None,
    own: OwnOption = False,
    database_url: DatabaseOption = None,
    keys_folder: KeysOption = None,
    steward: StewardOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check every line of a log against the chain, and against what you hold from before."""
    held = [] if receipts is None else _receipts(receipts)
    earlier = {} if against is None else _earlier(against)
    with opened_log(flags, _whose(patient, own, database_url, keys_folder, steward)) as opened:
        log = opened.log
        evidence = ChainEvidence(opened.contracts)
        for each in held:
            log.check_receipt(evidence.check_receipt(each, opened.keeper.steward.address))
    for number, commitment in sorted(earlier.items()):
        if number > log.count:
            raise LogMismatch(number, f"it is missing: {against} has it, and the log ends before")
        if log.commitments[number - 1] != commitment:
            raise LogMismatch(number, f"it is another than in {against}")
    document = {**_state(opened), "receipts": len(held), "compared": len(earlier)}
    say(document, _verified(document), as_json=as_json)


@app.command("export")
@acts
def export(
    flags: Flags,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="What to write; only you can read it.")
    ],
    form: Annotated[
        LogForm, typer.Option("--form", help="FHIR AuditEvents, lines of JSON, or a table.")
    ] = LogForm.NDJSON,
    patient: PatientOption = None,
    own: OwnOption = False,
    database_url: DatabaseOption = None,
    keys_folder: KeysOption = None,
    steward: StewardOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a whole log to a file, checked first; only the form ndjson can be checked again."""
    with opened_log(flags, _whose(patient, own, database_url, keys_folder, steward)) as opened:
        pages = [as_page(opened.log)]
        with written(file) as out:
            for piece in log_export.written(pages, opened.keeper, form, opened.now):
                out.write(piece)
    say(
        {"file": str(file), "form": form.value, **_state(opened)},
        f"{file}: {opened.log.count} lines.",
        as_json=as_json,
    )


def _whose(
    patient: str | None,
    own: bool,
    database_url: str | None,
    keys_folder: Path | None,
    steward: str | None,
) -> Whose:
    settings = {"database_url": database_url, "keys_folder": keys_folder, "steward": steward}
    return Whose(patient=patient, own=own, settings=settings)


def _earlier(file: Path) -> dict[int, Digest]:
    """The commitment to each line of an earlier export."""
    try:
        return commitments_in(handed_in(file, what="the log", limit=_MOST_BYTES))
    except InvalidDocument as error:
        raise InvalidDocument(f"{file}, {error.problem}") from error


def _receipts(file: Path) -> list[SignedReceipt]:
    found = [each for each in read(file) if isinstance(each, SignedReceipt)]
    if not found:
        raise InvalidInput(f"{file} holds no receipts: `medaccord records fetch` writes some")
    return found


def _state(opened: OpenedLog) -> dict[str, Any]:
    log, keeper = opened.log, opened.keeper
    return {
        "patient": keeper.patient.address,
        "steward": keeper.steward.address,
        "count": log.count,
        "anchored": log.anchored,
        "head": hex_digest(log.head),
        "erased": list(log.erased),
    }


def _verified(document: dict[str, Any]) -> list[str]:
    anchored, count = document["anchored"], document["count"]
    lines = [f"{count} lines, {anchored} of them under the root on the chain: nothing was changed."]
    if anchored < count:
        lines.append(f"The {count - anchored} newest are covered by the next anchor.")
    if document["erased"]:
        numbers = ", ".join(map(str, document["erased"]))
        lines.append(f"Erased, so that nobody can tell what they said: {numbers}.")
    if document["receipts"]:
        lines.append(f"It holds the lines of all {document['receipts']} receipts.")
    if document["compared"]:
        lines.append(f"All {document['compared']} lines from before are as they were.")
    return lines


def _line(entry: AuditEntry, opened: OpenedLog) -> str:
    patient, steward = opened.keeper.patient, opened.keeper.steward
    if entry.requester is None:
        who = "nobody known"
    elif entry.requester == patient.address != steward.address:  # a steward has its own log too
        who = "the patient"
    else:
        who = opened.name(entry.requester)
    return "\t".join(
        (
            str(entry.number),
            f"{entry.at:%Y-%m-%d %H:%M}",
            who,
            entry.outcome,
            readable(entry.query, patient) or entry.action,
            entry.reason,
        )
    )


def readable(query: str, patient: AccountId) -> str:
    """What was asked for, without what is so in every line of a patient's log.

    Args:
        query: as the log has it.
        patient: whose log it is.
    """
    asked, of, purpose = query.partition(" for ")
    path, _, parameters = asked.partition("?")
    told = [
        f"{name}={value}"
        for name, value in parse_qsl(parameters, keep_blank_values=True)
        if name != "_count" and patient.address not in value
    ]
    text = unquote("?".join((path, "&".join(told))) if told else path)
    # Whoever asked chose it, and may not speak to the terminal of who reads it.
    plain = "".join(each if each.isprintable() else quote(each) for each in text)
    return f"{plain}{of}{purpose}"
