"""Revokes a consent for good, also one that was signed and never sent; or everything at once.

Usage: ape run revoke_access --network … --gatekeeper URL --patient PATIENT --consent 0x…
    ape run revoke_access --network … --gatekeeper URL --patient PATIENT --all
"""

from __future__ import annotations

from pathlib import Path

import click
from ape.api import AccountAPI

from medaccord import Patient
from medaccord.core.consent_status import ConsentStatus
from medaccord.core.errors import InvalidInput
from medaccord.core.identifiers import ConsentId, digest, hex_digest
from scripts._ape import (
    ApeSigner,
    ScriptCommand,
    contracts_of,
    gatekeeper_option,
    record_option,
    report,
)
from scripts._asking import choose, key_option


def chosen(patient: Patient) -> str:
    """Which of the consents that stand a person means."""
    standing = {
        hex_digest(each.consent_id): (
            f"{patient.directory.name(each.grantee)}, until {each.expires:%Y-%m-%d}"
        )
        for each in patient.consents.history(status=ConsentStatus.ACTIVE)
    }
    return choose("consent", standing, option="--consent")


@click.command(cls=ScriptCommand, short_help="Revoke a consent")
@key_option("--patient", "the patient")
@gatekeeper_option()
@click.option("--consent", help="Id of the consent, 32 bytes in hex.")
@click.option("--all", "everything", is_flag=True, help="Every consent, emergency and delegation.")
@record_option()
def cli(
    patient: AccountAPI,
    gatekeeper: str,
    consent: str | None,
    everything: bool,
    record: Path | None,
) -> None:
    """Revoke a consent: the patient signs, the gatekeeper obeys at once, sends it and pays."""
    if everything and consent is not None:
        raise InvalidInput("give either --consent or --all, not both")
    contracts = contracts_of(record)
    with Patient(ApeSigner(patient), contracts, gatekeeper) as acting:
        if everything:
            report("revoked all", acting.consents.revoke_all())
        else:
            wanted = acting.consents.get(ConsentId(digest(consent or chosen(acting))))
            report("revoked", acting.consents.revoke(wanted.consent_id))
