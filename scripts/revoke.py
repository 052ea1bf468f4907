"""Revokes a consent for good, also one that was signed and never sent.

Usage: ape run revoke --network … --account PAYER --patient PATIENT --consent 0x…
"""

from __future__ import annotations

from pathlib import Path

import click
from ape.api import AccountAPI

from medaccord.chain import actions
from medaccord.core.identifiers import ConsentId, digest
from scripts._ape import (
    ApeSigner,
    ScriptCommand,
    contracts_of,
    key_option,
    record_option,
    report,
    sender_of,
)


@click.command(cls=ScriptCommand, short_help="Revoke a consent")
@key_option("--account", "whoever pays")
@key_option("--patient", "the patient")
@click.option("--consent", required=True, help="Id of the consent, 32 bytes in hex.")
@record_option()
def cli(account: AccountAPI, patient: AccountAPI, consent: str, record: Path | None) -> None:
    """Revoke a consent: the patient signs, whoever pays sends it."""
    contracts = contracts_of(record)
    signer = ApeSigner(patient)
    action = actions.revoke(
        contracts, patient=signer.address, consent_id=ConsentId(digest(consent))
    )
    sender = sender_of(account, contracts.network)
    report("revoked", actions.submit(sender, actions.signed(action, signer)))
