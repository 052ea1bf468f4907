"""What a delegate or a thief of the key tries, so that nobody can close or nobody can allow again.

A delegate with GRANT would outrun the patient's next ban, or use up the serials. One with RESTRICT,
or a thief, would forbid for ever. Serials that move in bounded steps, and nothing to allow where
nothing is barred, leave the patient the last word.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount

from tests.contracts.care_actions import MAX_STEP, NOBODY, EmergencyActions
from tests.contracts.deployed import expect_revert
from tests.contracts.evm import Receipt
from tests.contracts.keys import Key, key_of
from tests.contracts.masks import GRANT, RESTRICT
from tests.contracts.registry_actions import RegistryActions

LAST = 2**64 - 1
"""After it there is none: what is allowed could not be closed, nor what is closed be allowed."""


@pytest.fixture(params=["everybody", "the department"])
def grantee(request: pytest.FixtureRequest, department: LocalAccount) -> str:
    """Whom a restriction is about."""
    return NOBODY if request.param == "everybody" else department.address


@pytest.fixture
def restrict(
    act: EmergencyActions, patient: LocalAccount, department: LocalAccount, grantee: str
) -> Callable[..., Receipt]:
    """Has the patient, or another, forbid everybody or close the department."""

    def go(serial: int, *, by: Key = patient) -> Receipt:
        if grantee == NOBODY:
            return act.forbid(patient, serial, by=by).relay()
        return act.close(patient, department, serial, by=by).relay()

    return go


@pytest.fixture
def restricted(
    stored: Callable[[], Any], ban: Callable[[], Any], grantee: str
) -> Callable[[], tuple[int, bool]]:
    """The serial of what `restrict` does, and whether it stands."""

    def ask() -> tuple[int, bool]:
        serial, stands = ban() if grantee == NOBODY else stored()[3:]
        return serial, stands

    return ask


@pytest.fixture
def carer(accounts: RegistryActions, patient: LocalAccount) -> Callable[[int], LocalAccount]:
    """Makes a carer the patient's delegate with these powers."""

    def name(powers: int) -> LocalAccount:
        carer = key_of("carer")
        accounts.delegation(patient, carer.address, powers).relay()
        return carer

    return name


@pytest.mark.parametrize("serial", [1, MAX_STEP, LAST])
def test_delegate_that_may_grant_cannot_outrun_a_restriction_to_come(
    serial: int,
    act: EmergencyActions,
    carer: Callable[[int], LocalAccount],
    grantee: str,
    restrict: Callable[..., Receipt],
    restricted: Callable[[], tuple[int, bool]],
    patient: LocalAccount,
) -> None:
    allowance = act.allow(patient, grantee, serial, by=carer(GRANT))
    with expect_revert("NothingToAllow", patient=patient.address, grantee=grantee):
        allowance.relay()
    restrict(0)
    assert restricted() == (0, True)


def test_delegate_that_may_grant_cannot_use_up_the_serials(
    act: EmergencyActions,
    carer: Callable[[int], LocalAccount],
    grantee: str,
    restrict: Callable[..., Receipt],
    restricted: Callable[[], tuple[int, bool]],
    patient: LocalAccount,
) -> None:
    by = carer(GRANT)
    restrict(0)
    with expect_revert("SerialTooFar", serial=LAST, latest=MAX_STEP):
        act.allow(patient, grantee, LAST, by=by).relay()
    act.allow(patient, grantee, MAX_STEP, by=by).relay()
    restrict(MAX_STEP)
    assert restricted() == (MAX_STEP, True)


def test_delegate_that_may_restrict_cannot_do_so_for_ever(
    act: EmergencyActions,
    carer: Callable[[int], LocalAccount],
    grantee: str,
    restrict: Callable[..., Receipt],
    restricted: Callable[[], tuple[int, bool]],
    patient: LocalAccount,
) -> None:
    by = carer(RESTRICT)
    with expect_revert("SerialTooFar", serial=LAST, latest=MAX_STEP):
        restrict(LAST, by=by)
    restrict(MAX_STEP, by=by)
    act.allow(patient, grantee, MAX_STEP + 1).relay()
    assert restricted() == (MAX_STEP + 1, False)


def test_thief_cannot_restrict_for_ever_when_the_account_is_recovered(
    act: EmergencyActions,
    grantee: str,
    restrict: Callable[..., Receipt],
    restricted: Callable[[], tuple[int, bool]],
    recover: Callable[[], LocalAccount],
    patient: LocalAccount,
) -> None:
    """The patient's own key is the stolen one."""
    with expect_revert("SerialTooFar", serial=LAST, latest=MAX_STEP):
        restrict(LAST)
    restrict(MAX_STEP)
    new_phone = recover()
    act.allow(patient, grantee, MAX_STEP + 1, by=new_phone).relay()
    assert restricted() == (MAX_STEP + 1, False)


def test_new_phone_ends_what_is_open_while_its_recovery_is_pending(
    act: EmergencyActions,
    opening: dict[str, Any],
    restrict: Callable[..., Receipt],
    restricted: Callable[[], tuple[int, bool]],
    start_recovery: Callable[[], Receipt],
    is_active: Callable[[], bool],
    department: LocalAccount,
) -> None:
    act.open(opening, department).relay()
    start_recovery()
    assert is_active()
    restrict(1, by=key_of("new phone"))
    assert restricted() == (1, True)
    assert not is_active()


@pytest.mark.parametrize("name", ["new phone", "patient"])
def test_allow_is_refused_to_new_phone_and_thief_while_the_recovery_is_pending(
    name: str,
    act: EmergencyActions,
    grantee: str,
    restrict: Callable[..., Receipt],
    start_recovery: Callable[[], Receipt],
    patient: LocalAccount,
) -> None:
    """The patient's own key is the thief's."""
    restrict(0)
    start_recovery()
    by = key_of(name)
    with expect_revert("NotAuthorised", account=patient.address, by=by.address, power=GRANT):
        act.allow(patient, grantee, by=by).relay()
