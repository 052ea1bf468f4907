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
from tests.contracts.keys import key_of


@pytest.fixture
def possible(
    request: pytest.FixtureRequest,
    contracts: Contracts,
    relayer: LocalAccount,
    patient: LocalAccount,
    clinician: LocalAccount,
    hospital: LocalAccount,
) -> PossibleActions:
    return PossibleActions(
        relating=RelationshipActions(contracts.relationships, relayer, patient, hospital),
        consenting=ConsentActions(contracts.consents, relayer),
        emergencies=EmergencyActions(contracts.consents, relayer),
        anchoring=AnchorActions(contracts.anchors, relayer),
        patient=patient,
        clinician=clinician,
        hospital=hospital,
        department=key_of("emergency department"),
        admit_department=lambda: request.getfixturevalue("department"),
    )
