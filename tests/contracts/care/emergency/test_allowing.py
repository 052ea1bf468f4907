"""Allowing again: lifts one restriction, opens nothing, holds up nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount

from tests.contracts.care_actions import MAX_STEP, NOBODY, EmergencyActions
from tests.contracts.conftest import Contracts
from tests.contracts.deployed import Event, expect_revert
from tests.contracts.evm import Evm
from tests.contracts.keys import key_of
from tests.contracts.masks import GRANT
from tests.contracts.registry_actions import RegistryActions
from tests.contracts.storage import only_writes


@pytest.mark.parametrize("way", ["send", "relay"])
@pytest.mark.parametrize("whom", ["everybody", "the department"])
def test_allow_lifts_one_restriction_when_the_patient_wants_it(
    way: str,
    whom: str,
    act: EmergencyActions,
    contracts: Contracts,
    ban: Callable[[], Any],
    stored: Callable[[], Any],
    patient: LocalAccount,
    department: LocalAccount,
) -> None:
    act.forbid(patient, 4).relay()
    act.close(patient, department, 6).relay()
    grantee = NOBODY if whom == "everybody" else department.address
    others = (contracts.registry, contracts.relationships, contracts.anchors)
    with only_writes(1, contracts.consents, *others):
        receipt = getattr(act.allow(patient, grantee, 9), way)()

    if whom == "everybody":
        assert (ban(), stored()[3:]) == ((9, False), (6, True))
    else:
        assert (ban(), stored()[3:]) == ((4, True), (9, False))
    assert contracts.consents.events(receipt) == [
        Event(
            "EmergencyAllowed",
            {
                "patient": patient.address,
                "grantee": grantee,
                "by": patient.address,
                "serial": 9,
            },
        )
    ]


@pytest.mark.parametrize("whom", ["everybody", "the department"])
@pytest.mark.parametrize("before", ["nothing", "an opening", "an allowance"])
def test_allow_is_refused_when_there_is_nothing_to_lift(
    whom: str,
    before: str,
    act: EmergencyActions,
    opening: dict[str, Any],
    patient: LocalAccount,
    department: LocalAccount,
) -> None:
    grantee = NOBODY if whom == "everybody" else department.address
    if before == "an opening":
        act.open(opening, department).relay()
    if before == "an allowance":
        act.forbid(patient).relay()
        act.close(patient, department).relay()
        act.allow(patient, grantee, 1).relay()
    with expect_revert("NothingToAllow", patient=patient.address, grantee=grantee):
        act.allow(patient, grantee, 2).relay()


@pytest.mark.parametrize("whom", ["everybody", "the department"])
def test_allow_is_refused_when_only_the_other_restriction_stands(
    whom: str, act: EmergencyActions, patient: LocalAccount, department: LocalAccount
) -> None:
    if whom == "everybody":
        act.close(patient, department).relay()
        grantee = NOBODY
    else:
        act.forbid(patient).relay()
        grantee = department.address
    with expect_revert("NothingToAllow", patient=patient.address, grantee=grantee):
        act.allow(patient, grantee, 1).relay()


@pytest.mark.parametrize("whom", ["everybody", "the department"])
@pytest.mark.parametrize("ahead", [0, 1])
def test_allow_works_up_to_the_furthest_serial(
    whom: str,
    ahead: int,
    act: EmergencyActions,
    patient: LocalAccount,
    department: LocalAccount,
) -> None:
    act.forbid(patient, 5).relay()
    act.close(patient, department, 5).relay()
    grantee = NOBODY if whom == "everybody" else department.address
    latest = 5 + MAX_STEP
    allowance = act.allow(patient, grantee, latest + ahead)
    if ahead:
        with expect_revert("SerialTooFar", serial=latest + 1, latest=latest):
            allowance.relay()
        return
    assert allowance.relay().logs


@pytest.mark.parametrize("whom", ["everybody", "the department"])
@pytest.mark.parametrize("serial", [4, 5])
def test_allow_is_refused_when_the_serial_does_not_go_beyond_the_last(
    whom: str,
    serial: int,
    act: EmergencyActions,
    patient: LocalAccount,
    department: LocalAccount,
) -> None:
    act.forbid(patient, 5).relay()
    act.close(patient, department, 5).relay()
    grantee = NOBODY if whom == "everybody" else department.address
    with expect_revert("StaleSerial", serial=serial, stored=5):
        act.allow(patient, grantee, serial).relay()


def test_allow_is_refused_when_its_serial_is_zero(
    act: EmergencyActions, patient: LocalAccount
) -> None:
    act.forbid(patient).relay()
    with expect_revert("StaleSerial", serial=0, stored=0):
        act.allow(patient, serial=0).relay()


def test_withheld_allowance_is_dead_when_a_ban_of_its_serial_arrived(
    act: EmergencyActions, patient: LocalAccount
) -> None:
    withheld = act.allow(patient, serial=5)
    act.forbid(patient, 5).relay()
    with expect_revert("StaleSerial", serial=5, stored=5):
        withheld.relay()


def test_withheld_allowance_is_dead_when_a_closure_of_its_serial_arrived(
    act: EmergencyActions, patient: LocalAccount, department: LocalAccount
) -> None:
    withheld = act.allow(patient, department.address, 5)
    act.close(patient, department, 5).relay()
    with expect_revert("StaleSerial", serial=5, stored=5):
        withheld.relay()


@pytest.mark.parametrize("serial", [5, MAX_STEP])
def test_allowance_never_holds_up_a_ban_of_its_serial(
    serial: int,
    act: EmergencyActions,
    opening: dict[str, Any],
    is_active: Callable[[], bool],
    ban: Callable[[], Any],
    patient: LocalAccount,
    department: LocalAccount,
) -> None:
    act.forbid(patient).relay()
    act.allow(patient, serial=serial).relay()
    act.open(opening, department).relay()
    act.forbid(patient, serial).relay()
    assert ban() == (serial, True)
    assert not is_active()


@pytest.mark.parametrize("serial", [5, MAX_STEP])
def test_allowance_never_holds_up_a_closure_of_its_serial(
    serial: int,
    act: EmergencyActions,
    opening: dict[str, Any],
    is_active: Callable[[], bool],
    patient: LocalAccount,
    department: LocalAccount,
) -> None:
    act.close(patient, department).relay()
    act.allow(patient, department.address, serial).relay()
    act.open(opening, department).relay()
    act.close(patient, department, serial).relay()
    assert not is_active()


@pytest.mark.parametrize("whom", ["everybody", "the department"])
def test_withheld_allowance_cannot_run_ahead_of_a_restriction(
    whom: str,
    act: EmergencyActions,
    stored: Callable[[], Any],
    ban: Callable[[], Any],
    patient: LocalAccount,
    department: LocalAccount,
) -> None:
    """Whoever holds it back cannot use it to make the patient's next closure or ban stale."""
    grantee = NOBODY if whom == "everybody" else department.address
    withheld = act.allow(patient, grantee, 5)
    with expect_revert("NothingToAllow", patient=patient.address, grantee=grantee):
        withheld.relay()
    if whom == "everybody":
        act.forbid(patient, 0).relay()
        assert ban() == (0, True)
    else:
        act.close(patient, department, 0).relay()
        assert stored()[3:] == (0, True)


@pytest.mark.parametrize("way", ["send", "relay"])
@pytest.mark.parametrize("seconds", [-1, 0, 1])
def test_allow_works_up_to_its_deadline(
    way: str,
    seconds: int,
    act: EmergencyActions,
    evm: Evm,
    ban: Callable[[], Any],
    patient: LocalAccount,
) -> None:
    act.forbid(patient).relay()
    deadline = evm.now + 100
    allowance = act.allow(patient, deadline=deadline)
    if seconds > 0:
        with expect_revert("DeadlinePassed", deadline=deadline):
            getattr(allowance, way)(at=deadline + seconds)
        return
    getattr(allowance, way)(at=deadline + seconds)
    assert ban() == (1, False)


@pytest.mark.parametrize("name", ["hospital", "relayer", "stranger"])
def test_allow_is_refused_when_another_than_the_patient_signs(
    name: str,
    request: pytest.FixtureRequest,
    act: EmergencyActions,
    patient: LocalAccount,
) -> None:
    other: LocalAccount = request.getfixturevalue(name)
    with expect_revert("NotAuthorised", account=patient.address, by=other.address, power=GRANT):
        act.allow(patient, by=other).relay()


def test_allow_is_refused_when_the_delegate_has_every_power_but_grant(
    act: EmergencyActions, accounts: RegistryActions, patient: LocalAccount
) -> None:
    carer = key_of("carer")
    accounts.delegation(patient, carer.address, 0xFFFF - GRANT).relay()
    with expect_revert("NotAuthorised", account=patient.address, by=carer.address, power=GRANT):
        act.allow(patient, by=carer).relay()
