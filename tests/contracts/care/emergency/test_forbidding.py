"""Forbidding: all organisations, in advance or at once; nothing comes back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount

from tests.contracts.care_actions import MAX_STEP, EmergencyActions
from tests.contracts.conftest import Contracts
from tests.contracts.deployed import Event, expect_revert
from tests.contracts.masks import RESTRICT
from tests.contracts.storage import only_writes


@pytest.mark.parametrize("way", ["send", "relay"])
def test_forbid_ends_access_when_it_is_open(
    way: str,
    act: EmergencyActions,
    opening: dict[str, Any],
    contracts: Contracts,
    is_active: Callable[[], bool],
    ban: Callable[[], Any],
    patient: LocalAccount,
    department: LocalAccount,
) -> None:
    act.open(opening, department).relay()
    others = (contracts.registry, contracts.relationships, contracts.anchors)
    with only_writes(1, contracts.consents, *others):
        receipt = getattr(act.forbid(patient, 2), way)()

    assert not is_active()
    assert ban() == (2, True)
    assert contracts.consents.events(receipt) == [
        Event(
            "EmergencyForbidden",
            {"patient": patient.address, "by": patient.address, "serial": 2},
        )
    ]


def test_open_is_refused_when_the_patient_forbade_it_in_advance(
    act: EmergencyActions,
    opening: dict[str, Any],
    patient: LocalAccount,
    department: LocalAccount,
) -> None:
    act.forbid(patient).relay()
    with expect_revert("EmergencyForbiddenBy", patient=patient.address):
        act.open(opening, department).relay()


def test_open_works_for_another_patient_when_one_forbids_it(
    act: EmergencyActions,
    opening: dict[str, Any],
    is_active: Callable[[], bool],
    stranger: LocalAccount,
    department: LocalAccount,
) -> None:
    act.forbid(stranger).relay()
    act.open(opening, department).relay()
    assert is_active()


@pytest.mark.parametrize("serials", [(0, 1), (7, 8), (0, MAX_STEP)])
def test_allow_never_brings_back_what_a_ban_ended(
    serials: tuple[int, int],
    act: EmergencyActions,
    opening: dict[str, Any],
    is_active: Callable[[], bool],
    ban: Callable[[], Any],
    patient: LocalAccount,
    department: LocalAccount,
) -> None:
    forbidding, allowing = serials
    act.open(opening, department).relay()
    act.forbid(patient, forbidding).relay()
    act.allow(patient, serial=allowing).relay()
    assert ban() == (allowing, False)
    assert not is_active()
    act.open(opening | {"nonce": 1}, department).relay()
    assert is_active()


def test_second_ban_ends_what_was_opened_between_the_two(
    act: EmergencyActions,
    opening: dict[str, Any],
    is_active: Callable[[], bool],
    patient: LocalAccount,
    department: LocalAccount,
) -> None:
    act.forbid(patient, 1).relay()
    act.allow(patient, serial=2).relay()
    act.open(opening, department).relay()
    assert is_active()
    act.forbid(patient, 2).relay()
    act.allow(patient, serial=3).relay()
    assert not is_active()


def test_forbid_is_refused_when_the_serial_is_below_the_last(
    act: EmergencyActions, patient: LocalAccount
) -> None:
    act.forbid(patient, 5).relay()
    with expect_revert("StaleSerial", serial=4, stored=5):
        act.forbid(patient, 4).relay()


@pytest.mark.parametrize("serial", [5, 6, 5 + MAX_STEP])
def test_forbid_works_when_the_serial_is_not_below_the_last(
    serial: int, act: EmergencyActions, ban: Callable[[], Any], patient: LocalAccount
) -> None:
    act.forbid(patient, 5).relay()
    act.forbid(patient, serial).relay()
    assert ban() == (serial, True)


def test_forbid_is_refused_when_the_serial_runs_too_far_ahead(
    act: EmergencyActions, patient: LocalAccount
) -> None:
    act.forbid(patient, 5).relay()
    latest = 5 + MAX_STEP
    with expect_revert("SerialTooFar", serial=latest + 1, latest=latest):
        act.forbid(patient, latest + 1).relay()


def test_forbid_is_refused_when_it_is_replayed_after_the_patient_allowed_again(
    act: EmergencyActions, patient: LocalAccount
) -> None:
    forbidding = act.forbid(patient, 1)
    forbidding.relay()
    act.allow(patient, serial=2).relay()
    with expect_revert("StaleSerial", serial=1, stored=2):
        forbidding.relay()


@pytest.mark.parametrize("name", ["hospital", "relayer", "stranger"])
def test_forbid_is_refused_when_another_than_the_patient_signs(
    name: str,
    request: pytest.FixtureRequest,
    act: EmergencyActions,
    patient: LocalAccount,
) -> None:
    other: LocalAccount = request.getfixturevalue(name)
    with expect_revert("NotAuthorised", account=patient.address, by=other.address, power=RESTRICT):
        act.forbid(patient, by=other).relay()
