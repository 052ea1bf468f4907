"""The patient and the hospital, brought to where a test begins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount

from tests.contracts.care.relationships.situations import (
    SITUATIONS,
)
from tests.contracts.care_actions import RelationshipActions
from tests.contracts.deployed import Deployed
from tests.contracts.keys import Key


@pytest.fixture
def act(
    relationships: Deployed, relayer: LocalAccount, patient: LocalAccount, hospital: LocalAccount
) -> RelationshipActions:
    return RelationshipActions(relationships, relayer, patient, hospital)


@pytest.fixture
def reach(
    act: RelationshipActions, patient: LocalAccount, hospital: LocalAccount
) -> Callable[[str], None]:
    """Brings the pair into one of the `SITUATIONS`."""
    sides = {"patient": patient, "steward": hospital}

    def go(situation: str) -> None:
        for function, side in SITUATIONS[situation]:
            act.make(function, sides[side]).relay()

    return go


@pytest.fixture
def stored(
    relationships: Deployed, patient: LocalAccount, hospital: LocalAccount
) -> Callable[[], Any]:
    return lambda: relationships.call("relationshipOf", patient.address, hospital.address)


@pytest.fixture(params=["patient", "steward"])
def side(request: pytest.FixtureRequest, patient: LocalAccount, hospital: LocalAccount) -> Key:
    return patient if request.param == "patient" else hospital
