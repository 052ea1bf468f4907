"""Asks a patient for access: through the inbox at the steward, or by a file to be handed over.

Usage: ape run request_access --network … --gatekeeper URL --requestor HOSPITAL --patient 0x…
    --scope 'patient/Observation.rs?category=laboratory' --purpose TREAT --days 30 [--out FILE]
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import click
from ape.api import AccountAPI

from medaccord import Provider
from medaccord.cli.own_files import written
from medaccord.core.identifiers import address, hex_digest
from medaccord.core.purposes import Purpose
from scripts._ape import (
    ApeSigner,
    ScriptCommand,
    contracts_of,
    gatekeeper_option,
    record_option,
)
from scripts._asking import answer, asked_option, key_option


@click.command(cls=ScriptCommand, short_help="Ask for access")
@key_option("--requestor", "the organisation that asks")
@gatekeeper_option()
@asked_option("--patient", "Account of the patient", metavar="ADDRESS", help="Whom to ask.")
@click.option("--scope", "scopes", multiple=True, help="A SMART scope; may be given again.")
@click.option(
    "--purpose", default=Purpose.TREAT.value, type=click.Choice([each.value for each in Purpose])
)
@click.option("--days", default=30, type=click.IntRange(min=1), help="How long, from now.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the signed request to a file, and leave nothing in the inbox.",
)
@record_option()
def cli(
    requestor: AccountAPI,
    gatekeeper: str,
    patient: str,
    scopes: tuple[str, ...],
    purpose: str,
    days: int,
    out: Path | None,
    record: Path | None,
) -> None:
    """Ask a patient for access; what is asked never stands on chain."""
    contracts, asked = contracts_of(record), address(patient)
    wanted = scopes or (answer("SMART scope, such as patient/Observation.rs", option="--scope"),)
    with Provider(ApeSigner(requestor), contracts, gatekeeper) as acting:
        drafted = acting.requests.draft(
            asked,
            acting.requests.terms(*wanted, purposes=(Purpose(purpose),)),
            valid_until=contracts.network.clock() + timedelta(days=days),
        )
        if out is None:
            acting.requests.leave(drafted)
        else:
            with written(out) as file:
                file.write(drafted.to_file())
    digest = hex_digest(drafted.request.digest(contracts.off_chain_domain))
    click.echo(f"Request {digest}: {out or f'in the inbox at {gatekeeper}'}")
