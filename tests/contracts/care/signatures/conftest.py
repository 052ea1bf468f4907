"""Every action of these contracts, ready to be signed by whom it may concern."""

from __future__ import annotations

import pytest
from eth_account.signers.local import LocalAccount

from tests.contracts.care.signatures.possible_actions import PossibleActions
from tests.contracts.care_actions import (
    AnchorActions,
    ConsentActions,
    EmergencyActions,
    RelationshipActions,
)
from tests.contracts.conftest import Contracts


@pytest.fixture
def possible(
    contracts: Contracts,
    relayer: LocalAccount,
    patient: LocalAccount,
    clinician: LocalAccount,
    hospital: LocalAccount,
    department: LocalAccount,
) -> PossibleActions:
    return PossibleActions(
        relating=RelationshipActions(contracts.relationships, relayer, patient, hospital),
        consenting=ConsentActions(contracts.consents, relayer),
        emergencies=EmergencyActions(contracts.consents, relayer),
        anchoring=AnchorActions(contracts.anchors, relayer),
        patient=patient,
        clinician=clinician,
        hospital=hospital,
        department=department,
    )
