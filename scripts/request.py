"""Signs a request for access, to be handed to the patient or left at the steward's gatekeeper.

Usage: ape run request --network … --requester HOSPITAL --patient 0x… --steward 0x…
    --scope 'patient/Observation.rs?category=laboratory' --purpose TREAT --days 30 --out FILE
"""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path

import click
from ape.api import AccountAPI

from medaccord.client.gatekeeper_api import GatekeeperApi
from medaccord.core.identifiers import address, digest, hex_digest
from medaccord.core.purposes import Purpose
from medaccord.core.requests import AccessRequest
from medaccord.core.scopes import Scope
from medaccord.core.terms import Terms
from scripts._ape import ApeSigner, ScriptCommand, contracts_of, key_option, record_option


@click.command(cls=ScriptCommand, short_help="Sign a request for access")
@key_option("--requester", "the organisation that asks")
@click.option("--patient", required=True, help="Account of the patient.")
@click.option("--steward", required=True, help="Account of the steward that keeps the records.")
@click.option("--scope", "scopes", required=True, multiple=True, help="A SMART scope.")
@click.option(
    "--purpose", default=Purpose.TREAT.value, type=click.Choice([each.value for each in Purpose])
)
@click.option("--days", default=30, type=click.IntRange(min=1), help="How long, from now.")
@click.option(
    "--out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to write the signed request.",
)
@click.option("--gatekeeper", help="Address of the steward's gatekeeper, to leave it there too.")
@record_option()
def cli(
    requester: AccountAPI,
    patient: str,
    steward: str,
    scopes: tuple[str, ...],
    purpose: str,
    days: int,
    out: Path,
    gatekeeper: str | None,
    record: Path | None,
) -> None:
    """Sign a request for access; it never stands on chain."""
    contracts = contracts_of(record)
    signer = ApeSigner(requester)
    keeper = contracts.account_id(address(steward))
    now = contracts.network.clock().replace(microsecond=0)
    request = AccessRequest(
        requester=contracts.account_id(signer.address),
        patient=contracts.account_id(address(patient)),
        steward=keeper,
        terms=Terms(
            stewards=(keeper,),
            scopes=tuple(Scope.parse(scope) for scope in scopes),
            purposes=(Purpose(purpose),),
            salt=digest(os.urandom(32)),
        ),
        valid_from=now,
        valid_until=now + timedelta(days=days),
        issued_at=now,
        nonce=digest(os.urandom(32)),
    )
    message = request.typed(contracts.off_chain_domain)
    signed = {
        "request": request.document(),
        "by": signer.address,
        "signature": "0x" + signer.sign(message).hex(),
    }
    out.write_text(json.dumps(signed, indent=2) + "\n", encoding="utf-8")
    click.echo(f"Request {hex_digest(message.digest())}: {out}")
    if gatekeeper is not None:
        GatekeeperApi(gatekeeper).post("/requests", signed)
        click.echo(f"Left at {gatekeeper}")
