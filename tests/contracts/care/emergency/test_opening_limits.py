"""Limits of an opening: its end, its deadline, its nonce, one at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount

from tests.contracts.care_actions import EmergencyActions
from tests.contracts.deployed import Deployed, expect_revert
from tests.contracts.evm import Evm
from tests.contracts.keys import Key
from tests.contracts.periods import MAX_EMERGENCY


def packed_nonce(patient: Key, sequence: int) -> int:
    """The nonce as the contract reports it: the patient is the key, above 64 bits of sequence."""
    return int(patient.address, 16) << 64 | sequence


@pytest.mark.parametrize("seconds", [-1, 0])
def test_open_is_refused_when_the_end_is_not_after_now(
    seconds: int,
    act: EmergencyActions,
    opening: dict[str, Any],
    evm: Evm,
    department: LocalAccount,
) -> None:
    at = evm.now + 10
    with expect_revert(
        "InvalidEmergencyWindow", validUntil=at + seconds, latest=at + MAX_EMERGENCY
    ):
        act.open(opening | {"validUntil": at + seconds}, department).relay(at=at)


@pytest.mark.parametrize("length", [1, MAX_EMERGENCY - 1, MAX_EMERGENCY])
def test_open_works_when_the_end_is_within_the_limit(
    length: int,
    act: EmergencyActions,
    opening: dict[str, Any],
    evm: Evm,
    stored: Callable[[], Any],
    department: LocalAccount,
) -> None:
    at = evm.now + 10
    act.open(opening | {"validUntil": at + length}, department).relay(at=at)
    assert stored() == (at, at + length, 0, 0, False)


def test_open_is_refused_when_the_end_is_beyond_the_limit(
    act: EmergencyActions, opening: dict[str, Any], evm: Evm, department: LocalAccount
) -> None:
    at = evm.now + 10
    latest = at + MAX_EMERGENCY
    with expect_revert("InvalidEmergencyWindow", validUntil=latest + 1, latest=latest):
        act.open(opening | {"validUntil": latest + 1}, department).relay(at=at)


@pytest.mark.parametrize("way", ["send", "relay"])
@pytest.mark.parametrize("seconds", [-1, 0, 1])
def test_open_works_up_to_its_deadline(
    way: str,
    seconds: int,
    act: EmergencyActions,
    opening: dict[str, Any],
    evm: Evm,
    stored: Callable[[], Any],
    department: LocalAccount,
) -> None:
    deadline = evm.now + 100
    action = act.open(opening | {"deadline": deadline}, department)
    if seconds > 0:
        with expect_revert("DeadlinePassed", deadline=deadline):
            getattr(action, way)(at=deadline + seconds)
        return
    getattr(action, way)(at=deadline + seconds)
    assert stored()[0] == deadline + seconds


@pytest.mark.parametrize("way", ["send", "relay"])
def test_open_is_refused_when_the_nonce_is_ahead(
    way: str,
    act: EmergencyActions,
    opening: dict[str, Any],
    patient: LocalAccount,
    department: LocalAccount,
) -> None:
    with expect_revert(
        "InvalidAccountNonce", account=department.address, currentNonce=packed_nonce(patient, 0)
    ):
        getattr(act.open(opening | {"nonce": 1}, department), way)()


@pytest.mark.parametrize("way", ["send", "relay"])
def test_open_is_refused_when_it_is_replayed_after_the_patient_allowed_again(
    way: str,
    act: EmergencyActions,
    opening: dict[str, Any],
    patient: LocalAccount,
    department: LocalAccount,
) -> None:
    action = act.open(opening, department)
    action.relay()
    act.close(patient, department).relay()
    act.allow(patient, department.address).relay()
    with expect_revert(
        "InvalidAccountNonce", account=department.address, currentNonce=packed_nonce(patient, 1)
    ):
        getattr(action, way)()


def test_open_counts_nonces_apart_for_each_patient(
    act: EmergencyActions,
    opening: dict[str, Any],
    consents: Deployed,
    stranger: LocalAccount,
    department: LocalAccount,
) -> None:
    act.open(opening, department).relay()
    act.open(act.opening(stranger, department, nonce=0), department).relay()
    assert consents.call("isEmergencyActive", stranger.address, department.address) is True


def test_open_is_refused_while_one_is_open(
    act: EmergencyActions,
    opening: dict[str, Any],
    patient: LocalAccount,
    department: LocalAccount,
) -> None:
    act.open(opening, department).relay()
    with expect_revert(
        "EmergencyOpenAlready",
        patient=patient.address,
        grantee=department.address,
        validUntil=opening["validUntil"],
    ):
        act.open(opening | {"nonce": 1}, department).relay()


@pytest.mark.parametrize("seconds", [-1, 0, 1])
def test_open_works_again_when_the_last_one_has_run_out(
    seconds: int,
    act: EmergencyActions,
    opening: dict[str, Any],
    is_active: Callable[[], bool],
    patient: LocalAccount,
    department: LocalAccount,
) -> None:
    act.open(opening, department).relay()
    end = opening["validUntil"]
    again = act.open(opening | {"nonce": 1, "validUntil": end + 100}, department)
    if seconds < 0:
        with expect_revert(
            "EmergencyOpenAlready",
            patient=patient.address,
            grantee=department.address,
            validUntil=end,
        ):
            again.relay(at=end + seconds)
        return
    again.relay(at=end + seconds)
    assert is_active()


def test_deployment_without_emergencies_opens_none(
    evm: Evm,
    registry: Deployed,
    relayer: LocalAccount,
    patient: LocalAccount,
    department: LocalAccount,
) -> None:
    strict = Deployed.deploy(evm, relayer, "Consents", registry.address, 1000, 0)
    act, at = EmergencyActions(strict, relayer), evm.now + 10
    opening = act.opening(patient, department, validUntil=at + 1)
    with expect_revert("InvalidEmergencyWindow", validUntil=at + 1, latest=at):
        act.open(opening, department).relay(at=at)
