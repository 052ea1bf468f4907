"""Relationships: either side proposes, the other answers, either ends; suspension stops beginnings.

State               | propose        | accept          | decline         | end
--------------------|----------------|-----------------|-----------------|------------------
NONE                | either         | -               | -               | -
PROPOSED by a side  | -              | the other side  | the other side  | the side itself
ACTIVE              | -              | -               | -               | either
ENDED               | either, round+1| -               | -               | -
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount

from tests.contracts.care.relationships.situations import (
    ACTIVE,
    ENDED,
    PROPOSED,
    SITUATIONS,
    STATE_IN,
)
from tests.contracts.care_actions import RelationshipActions
from tests.contracts.conftest import Contracts
from tests.contracts.deployed import Deployed, Event, expect_revert
from tests.contracts.evm import Receipt
from tests.contracts.storage import only_writes

FUNCTIONS = ("propose", "accept", "decline", "end")
REACHES = {"propose": PROPOSED, "accept": ACTIVE, "decline": ENDED, "end": ENDED}
EVENT = {
    "propose": "RelationshipProposed",
    "accept": "RelationshipAccepted",
    "decline": "RelationshipDeclined",
    "end": "RelationshipEnded",
}


PERMITTED = {
    ("nothing", "propose", "patient"),
    ("nothing", "propose", "steward"),
    ("proposed by the steward", "accept", "patient"),
    ("proposed by the steward", "decline", "patient"),
    ("proposed by the steward", "end", "steward"),
    ("proposed by the patient", "accept", "steward"),
    ("proposed by the patient", "decline", "steward"),
    ("proposed by the patient", "end", "patient"),
    *(
        (situation, "end", side)
        for situation in ("active", "active on the patient's proposal")
        for side in ("patient", "steward")
    ),
    *(
        (situation, "propose", side)
        for situation in ("declined", "withdrawn", "ended")
        for side in ("patient", "steward")
    ),
}
FORBIDDEN = sorted(
    {(s, f, side) for s in SITUATIONS for f in FUNCTIONS for side in ("patient", "steward")}
    - PERMITTED
)


@pytest.mark.parametrize(("situation", "function", "name"), sorted(PERMITTED))
@pytest.mark.parametrize("way", ["send", "relay"])
def test_action_moves_the_pair_when_permitted(
    situation: str,
    function: str,
    name: str,
    way: str,
    act: RelationshipActions,
    reach: Callable[[str], None],
    stored: Callable[[], Any],
    contracts: Contracts,
    patient: LocalAccount,
    hospital: LocalAccount,
) -> None:
    reach(situation)
    before = stored()
    account = patient if name == "patient" else hospital
    number = before["round"] + (function == "propose")
    action = act.make(function, account, number)

    others = (contracts.registry, contracts.consents, contracts.anchors, contracts.consortium)
    with only_writes(1, contracts.relationships, *others):
        receipt: Receipt = getattr(action, way)()

    proposed_by_patient = name == "patient" if function == "propose" else before["byPatient"]
    assert stored() == {
        "state": REACHES[function],
        "byPatient": proposed_by_patient,
        "round": number,
        "since": receipt.timestamp,
    }
    assert contracts.relationships.events(receipt) == [
        Event(
            EVENT[function],
            {
                "patient": patient.address,
                "steward": hospital.address,
                "by": account.address,
                "account": account.address,
                "round": number,
            },
        )
    ]


@pytest.mark.parametrize(("situation", "function", "name"), FORBIDDEN)
def test_action_is_refused_when_the_table_has_no_entry(
    situation: str,
    function: str,
    name: str,
    act: RelationshipActions,
    reach: Callable[[str], None],
    stored: Callable[[], Any],
    patient: LocalAccount,
    hospital: LocalAccount,
) -> None:
    reach(situation)
    before = stored()
    account = patient if name == "patient" else hospital
    number = before["round"] + (function == "propose")
    refusal: tuple[str, dict[str, Any]] = ("WrongState", {"state": STATE_IN[situation]})
    if STATE_IN[situation] == PROPOSED and function in ("accept", "decline"):
        refusal = ("OwnProposal", {"account": account.address})
    if STATE_IN[situation] == PROPOSED and function == "end":
        refusal = ("NotOwnProposal", {"account": account.address})

    with expect_revert(refusal[0], **refusal[1]):
        act.make(function, account, number).relay()
    assert stored() == before


@pytest.mark.parametrize("situation", sorted(SITUATIONS))
def test_is_active_only_between_acceptance_and_ending(
    situation: str,
    reach: Callable[[str], None],
    relationships: Deployed,
    patient: LocalAccount,
    hospital: LocalAccount,
) -> None:
    reach(situation)
    active = relationships.call("isActive", patient.address, hospital.address)
    assert active is (STATE_IN[situation] == ACTIVE)
    assert relationships.call("isActive", hospital.address, patient.address) is False
