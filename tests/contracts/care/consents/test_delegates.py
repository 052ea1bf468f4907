"""Delegates: what they grant ends no later than their delegation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount

from tests.contracts.care_actions import ConsentActions
from tests.contracts.deployed import Deployed, expect_revert
from tests.contracts.evm import Evm
from tests.contracts.keys import key_of
from tests.contracts.masks import GRANT
from tests.contracts.periods import DAY
from tests.contracts.registry_actions import RegistryActions


@pytest.mark.parametrize("seconds", [-1, 0])
def test_grant_by_a_delegate_works_when_the_consent_ends_no_later_than_the_delegation(
    seconds: int,
    act: ConsentActions,
    accounts: RegistryActions,
    consents: Deployed,
    evm: Evm,
    is_active: Callable[[dict[str, Any]], bool],
    patient: LocalAccount,
    clinician: LocalAccount,
) -> None:
    carer, until = key_of("carer"), evm.now + 10 * DAY
    accounts.delegation(patient, carer.address, GRANT, until=until).relay()
    consent = act.consent(patient, clinician, validUntil=until + seconds)
    receipt = act.grant(consent, carer).relay()
    assert is_active(consent)
    assert consents.events(receipt)[0].values["by"] == carer.address


def test_grant_by_a_delegate_is_refused_when_the_consent_outlives_the_delegation(
    act: ConsentActions,
    accounts: RegistryActions,
    evm: Evm,
    patient: LocalAccount,
    clinician: LocalAccount,
) -> None:
    carer, until = key_of("carer"), evm.now + 10 * DAY
    accounts.delegation(patient, carer.address, GRANT, until=until).relay()
    consent = act.consent(patient, clinician, validUntil=until + 1)
    with expect_revert("OutlivesDelegation", validUntil=until + 1, until=until):
        act.grant(consent, carer).relay()


@pytest.mark.parametrize("seconds", [0, 1])
def test_grant_by_a_delegate_is_refused_when_the_delegation_has_ended(
    seconds: int,
    act: ConsentActions,
    consent: dict[str, Any],
    accounts: RegistryActions,
    evm: Evm,
    patient: LocalAccount,
) -> None:
    carer, until = key_of("carer"), evm.now + 1000
    accounts.delegation(patient, carer.address, GRANT, until=until).relay()
    with expect_revert("NotAuthorised", account=patient.address, by=carer.address, power=GRANT):
        act.grant(consent, carer).relay(at=until + seconds)


def test_grant_by_a_delegate_is_refused_when_the_power_is_another(
    act: ConsentActions,
    consent: dict[str, Any],
    accounts: RegistryActions,
    patient: LocalAccount,
) -> None:
    carer = key_of("carer")
    accounts.delegation(patient, carer.address, 0xFFFF - GRANT).relay()
    with expect_revert("NotAuthorised", account=patient.address, by=carer.address, power=GRANT):
        act.grant(consent, carer).relay()


def test_grant_by_a_delegate_is_refused_when_everything_was_revoked(
    act: ConsentActions,
    consent: dict[str, Any],
    accounts: RegistryActions,
    patient: LocalAccount,
) -> None:
    carer = key_of("carer")
    accounts.delegation(patient, carer.address, GRANT).relay()
    accounts.revoke_all(patient).relay()
    with expect_revert("NotAuthorised", account=patient.address, by=carer.address, power=GRANT):
        act.grant(consent | {"epoch": 1}, carer).relay()


def test_consent_outlives_the_removal_of_the_delegate_who_granted_it(
    act: ConsentActions,
    accounts: RegistryActions,
    is_active: Callable[[dict[str, Any]], bool],
    patient: LocalAccount,
    clinician: LocalAccount,
) -> None:
    carer = key_of("carer")
    accounts.delegation(patient, carer.address, GRANT).relay()
    consent = act.consent(patient, clinician)
    act.grant(consent, carer).relay()
    accounts.undelegation(patient, carer.address).relay()
    assert is_active(consent)
