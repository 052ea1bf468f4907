"""Opening: by the role alone, once in effect, and with a reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount

from tests.contracts.care_actions import EmergencyActions
from tests.contracts.conftest import Contracts
from tests.contracts.deployed import Deployed, Event, expect_revert
from tests.contracts.evm import Evm, Receipt
from tests.contracts.keys import Key, key_of
from tests.contracts.masks import EMERGENCY, EMERGENCY_ROLE, STEWARD
from tests.contracts.periods import EMERGENCY_DELAY
from tests.contracts.registry_actions import RegistryActions
from tests.contracts.storage import only_writes


@pytest.mark.parametrize("way", ["send", "relay"])
def test_open_gives_access_when_the_role_is_in_effect(
    way: str,
    act: EmergencyActions,
    opening: dict[str, Any],
    contracts: Contracts,
    is_active: Callable[[], bool],
    stored: Callable[[], Any],
    patient: LocalAccount,
    department: LocalAccount,
) -> None:
    consents = contracts.consents
    others = (contracts.registry, contracts.relationships, contracts.anchors)
    with only_writes(2, consents, *others):  # the pair's slot and the nonce
        receipt = getattr(act.open(opening, department), way)()

    assert is_active()
    assert stored() == (receipt.timestamp, opening["validUntil"], 0, 0, False)
    assert consents.events(receipt) == [
        Event(
            "EmergencyOpened",
            {
                "patient": patient.address,
                "grantee": department.address,
                "emergencyId": consents.digest("EmergencyOpening", opening),
                "by": department.address,
                "reason": opening["reason"],
                "validUntil": opening["validUntil"],
                "epoch": 0,
            },
        )
    ]


@pytest.mark.parametrize(("seconds", "expected"), [(-1, True), (0, False), (1, False)])
def test_access_lasts_until_before_its_end(
    seconds: int,
    expected: bool,
    act: EmergencyActions,
    opening: dict[str, Any],
    evm: Evm,
    is_active: Callable[[], bool],
    department: LocalAccount,
) -> None:
    act.open(opening, department).relay()
    evm.travel_to(opening["validUntil"] + seconds)
    assert is_active() is expected


@pytest.mark.parametrize("seconds", [-1, 0, 1])
def test_open_works_from_the_second_the_role_takes_effect(
    seconds: int,
    act: EmergencyActions,
    admit: Callable[[Key, int], Receipt],
    consents: Deployed,
    patient: LocalAccount,
) -> None:
    department = key_of("new emergency department")
    effective = admit(department, EMERGENCY_ROLE | STEWARD).timestamp + EMERGENCY_DELAY
    opening = act.opening(patient, department, validUntil=effective + 100)
    if seconds < 0:
        with expect_revert("NoEmergencyRole", grantee=department.address):
            act.open(opening, department).relay(at=effective + seconds)
        return
    act.open(opening, department).relay(at=effective + seconds)
    assert consents.call("isEmergencyActive", patient.address, department.address) is True


@pytest.mark.parametrize("name", ["clinician", "stranger"])
def test_open_is_refused_when_the_grantee_lacks_the_role(
    name: str,
    request: pytest.FixtureRequest,
    act: EmergencyActions,
    patient: LocalAccount,
) -> None:
    other: LocalAccount = request.getfixturevalue(name)
    with expect_revert("NoEmergencyRole", grantee=other.address):
        act.open(act.opening(patient, other), other).relay()


def test_open_is_refused_while_the_grantee_is_suspended(
    act: EmergencyActions,
    opening: dict[str, Any],
    suspend: Callable[[Key], Receipt],
    department: LocalAccount,
) -> None:
    suspend(department)
    with expect_revert("NoEmergencyRole", grantee=department.address):
        act.open(opening, department).relay()


@pytest.mark.parametrize("name", ["patient", "hospital", "relayer", "stranger"])
def test_open_is_refused_when_another_than_the_grantee_signs(
    name: str,
    request: pytest.FixtureRequest,
    act: EmergencyActions,
    opening: dict[str, Any],
    department: LocalAccount,
) -> None:
    other: LocalAccount = request.getfixturevalue(name)
    with expect_revert(
        "NotAuthorised", account=department.address, by=other.address, power=EMERGENCY
    ):
        act.open(opening, other).relay()


def test_open_names_the_delegate_when_a_ward_opens(
    act: EmergencyActions,
    opening: dict[str, Any],
    accounts: RegistryActions,
    consents: Deployed,
    department: LocalAccount,
) -> None:
    ward = key_of("ward")
    accounts.delegation(department, ward.address, EMERGENCY).relay()
    receipt = act.open(opening, ward).relay()
    values = consents.events(receipt)[0].values
    assert (values["grantee"], values["by"]) == (department.address, ward.address)


def test_open_is_refused_when_the_delegate_has_every_power_but_emergency(
    act: EmergencyActions,
    opening: dict[str, Any],
    accounts: RegistryActions,
    department: LocalAccount,
) -> None:
    ward = key_of("ward")
    accounts.delegation(department, ward.address, 0xFFFF - EMERGENCY).relay()
    with expect_revert(
        "NotAuthorised", account=department.address, by=ward.address, power=EMERGENCY
    ):
        act.open(opening, ward).relay()


def test_open_is_refused_when_there_is_no_reason(
    act: EmergencyActions, opening: dict[str, Any], department: LocalAccount
) -> None:
    with expect_revert("ZeroReason"):
        act.open(opening | {"reason": bytes(32)}, department).relay()
