"""``medaccord doctor``: what is set, from where, and whether it works."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Annotated

import typer

from medaccord.cli.account import KeystoreOption
from medaccord.cli.checks import Checks, Finding, Outcome
from medaccord.cli.ending import FAILED, one_line
from medaccord.cli.options import AccountOption, DatabaseOption, RecordOption, RpcOption
from medaccord.cli.output import JsonOption, say
from medaccord.cli.progress import progress_bar
from medaccord.settings import Setting, Settings


def doctor(
    rpc_url: RpcOption = None,
    record: RecordOption = None,
    gatekeeper: Annotated[
        str | None,
        typer.Option(
            "--gatekeeper",
            metavar="URL",
            help="A gatekeeper; MEDACCORD_GATEKEEPER, or the one that would be served here.",
        ),
    ] = None,
    database_url: DatabaseOption = None,
    keystore: KeystoreOption = None,
    account: AccountOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show where each setting is from; test node, deployment, gatekeeper, store, keystore.

    Nothing is changed. It ends with 1 where something does not work, and says what to do.
    """
    settings = Settings.load(
        rpc_url=rpc_url,
        record=record,
        gatekeeper=gatekeeper,
        database_url=database_url,
        keystore=keystore,
        account=account,
    )
    checks = Checks(settings)
    findings: list[Finding] = []
    with progress_bar("Testing") as told:
        for finding in checks.run():
            findings.append(finding)
            told(len(findings), len(checks.parts))
    document = {
        "settings": [{**asdict(each), "origin": each.origin.value} for each in settings.describe()],
        "checks": [{**asdict(each), "outcome": each.outcome.value} for each in findings],
    }
    say(document, _lines(settings.describe(), findings), as_json=as_json)
    if any(each.outcome is Outcome.FAILED for each in findings):
        raise typer.Exit(FAILED)


def _lines(settings: Sequence[Setting], findings: Sequence[Finding]) -> Iterator[str]:
    widest = max(len(each.variable) for each in settings)
    for setting in settings:
        value = "not set" if setting.value is None else setting.value
        yield f"{setting.variable:{widest}}  {value}  ({setting.origin.value})"
    yield ""
    for each in findings:
        todo = "" if each.todo is None else f" -> {each.todo}"
        yield f"{each.outcome.value:8}  {each.part}: {one_line(each.told)}{todo}"
