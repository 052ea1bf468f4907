"""Shows who looked at a patient's records, and why: the steward's log, checked against the chain.

Usage: ape run audit --network … --gatekeeper URL --patient PATIENT
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import click
from ape.api import AccountAPI

from medaccord import Patient
from medaccord.client import VerifiedLog
from medaccord.core.audit import AuditEntry
from medaccord.core.identifiers import Address
from scripts._ape import (
    ApeSigner,
    ScriptCommand,
    contracts_of,
    gatekeeper_option,
    printable,
    record_option,
)
from scripts._asking import key_option


def show(log: VerifiedLog, patient: Patient) -> None:
    """Print every line of a log, and what was checked."""

    @cache
    def name(account: Address | None) -> str:
        if account is None:
            return "nobody who showed an account"
        return "you" if account == patient.account else patient.directory.name(account)

    for entry in log:
        click.echo(printable(f"{entry.number}. {told(entry, name(entry.requester))}"))
    if log.erased:
        click.echo(f"Erased by the steward: {', '.join(map(str, log.erased))}")
    click.echo(
        f"Verified: {log.count} lines, {log.anchored} of them anchored on the chain;"
        f" {log.refusals} refusals"
    )


def told(entry: AuditEntry, who: str) -> str:
    """One line in words."""
    records = f", {len(entry.records)} records" if entry.records else ""
    return (
        f"{entry.at:%Y-%m-%d %H:%M:%S} UTC: {who}, {entry.action}: {entry.outcome}"
        f" ({entry.reason}){records}"
    )


@click.command(cls=ScriptCommand, short_help="Show and check the audit log")
@key_option("--patient", "the patient")
@gatekeeper_option()
@record_option()
def cli(patient: AccountAPI, gatekeeper: str, record: Path | None) -> None:
    """Show and check the audit log; a line that does not fit is named."""
    contracts = contracts_of(record)
    with Patient(ApeSigner(patient), contracts, gatekeeper) as acting:
        show(acting.audit.verify(), acting)
