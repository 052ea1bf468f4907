"""Opens a relationship: from then on the steward keeps records for the patient's account.

Usage, with the one-time code that the steward handed out; and to open one again that has ended:
    ape run open_relationship --network … --gatekeeper URL --patient PATIENT --code XXXX-…
    ape run open_relationship --network … --gatekeeper URL --patient PATIENT --steward STEWARD
"""

from __future__ import annotations

from pathlib import Path

import click
from ape.api import AccountAPI

from medaccord import Patient, Provider
from medaccord.chain.deployment import Contracts
from medaccord.client import RelationshipState
from medaccord.client.relationships import relationship_of
from medaccord.core.errors import InvalidInput
from scripts._ape import (
    ApeSigner,
    ScriptCommand,
    contracts_of,
    gatekeeper_option,
    record_option,
    report,
)
from scripts._asking import answer, key_option, optional_key


def is_proposed(patient: Patient, contracts: Contracts) -> bool:
    """Whether the steward's proposal waits for the patient.

    Raises:
        InvalidInput: There is nothing to open.
    """
    found = relationship_of(contracts, patient.account, patient.steward)
    if found.state is RelationshipState.ACTIVE:
        raise InvalidInput(f"{found.steward} keeps records for {found.patient} already")
    return found.state is RelationshipState.PROPOSED and found.proposed_by == found.steward


@click.command(cls=ScriptCommand, short_help="Open a relationship")
@key_option("--patient", "the patient")
@gatekeeper_option()
@click.option("--code", help="The steward's one-time code; asked for where nothing is proposed.")
@optional_key("--steward", "The steward, to propose again what has ended; it pays for that.")
@record_option()
def cli(
    patient: AccountAPI,
    gatekeeper: str,
    code: str | None,
    steward: AccountAPI | None,
    record: Path | None,
) -> None:
    """Open a relationship: the steward proposes, the patient accepts and pays nothing."""
    if code is not None and steward is not None:
        raise InvalidInput("give either --code or --steward, not both")
    contracts = contracts_of(record)
    with Patient(ApeSigner(patient), contracts, gatekeeper) as acting:
        waits = is_proposed(acting, contracts)
        if steward is not None:
            with Provider(ApeSigner(steward), contracts, gatekeeper) as keeper:
                report("proposed", keeper.relationships.propose(acting.account))
        elif code is not None or not waits:
            told = code or answer("One-time code of the steward", option="--code or --steward")
            report("proposed", acting.relationships.enrol(told))
        report("opened", acting.relationships.accept())
