"""Consents to a request, as asked or to less.

Usage: ape run grant_access --network … --gatekeeper URL --patient PATIENT [--request FILE]
    [--scope 'patient/Observation.rs?category=laboratory'] [--days 7]
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Final

import click
from ape.api import AccountAPI

from medaccord import Patient
from medaccord.cli.own_files import handed_in
from medaccord.client import ReceivedRequest
from medaccord.core.errors import InvalidInput
from medaccord.core.identifiers import hex_digest
from scripts._ape import (
    ApeSigner,
    ScriptCommand,
    contracts_of,
    gatekeeper_option,
    record_option,
    report,
)
from scripts._asking import at_terminal, choose, key_option

_LINK: Final = "medaccord:"


def find(patient: Patient, named: str | None) -> ReceivedRequest:
    """The request that is meant, checked.

    Args:
        patient: Who was asked.
        named: A file, a link, or the digest of one in the inbox; asked for unless given.

    Raises:
        InvalidInput: There is no such file, or no such request in the inbox.
    """
    if named is not None and named.lower().startswith(_LINK):
        return patient.inbox.receive(named)
    if named is not None and not named.startswith("0x"):
        return patient.inbox.receive(handed_in(Path(named), what="the request"))
    waiting = {hex_digest(each.digest): each for each in patient.inbox.list()}
    words = {name: each.sentence for name, each in waiting.items()}
    wanted = named or choose("request", words, option="--request")
    if wanted not in waiting:
        raise InvalidInput(f"no request {wanted} awaits an answer in the inbox")
    return waiting[wanted]


@click.command(cls=ScriptCommand, short_help="Consent to a request")
@key_option("--patient", "the patient")
@gatekeeper_option()
@click.option(
    "--request",
    "named",
    metavar="FILE|LINK|DIGEST",
    help="The request: a file, a link, or the digest of one in the inbox.",
)
@click.option("--scope", "scopes", multiple=True, help="A narrower SMART scope; may come again.")
@click.option("--days", type=click.IntRange(min=1), help="Fewer days than asked for.")
@record_option()
def cli(
    patient: AccountAPI,
    gatekeeper: str,
    named: str | None,
    scopes: tuple[str, ...],
    days: int | None,
    record: Path | None,
) -> None:
    """Consent to a request: the patient signs, the gatekeeper sends it and pays."""
    contracts = contracts_of(record)
    with Patient(ApeSigner(patient), contracts, gatekeeper) as acting:
        received = find(acting, named)
        asked = received.request
        until = asked.valid_until if days is None else asked.valid_from + timedelta(days=days)
        terms = received.narrowed(scopes=scopes or None)
        given = replace(asked, terms=terms, valid_until=until)
        names = acting.directory.names(terms.stewards)
        click.echo(given.sentence(acting.directory.name(received.requestor), names))
        if at_terminal():
            click.confirm("Consent to this?", abort=True)
        receipt = acting.consents.grant(received, scopes=scopes or None, valid_until=until)
    report("granted", receipt)
    click.echo(f"Consent {hex_digest(receipt.id)}")
