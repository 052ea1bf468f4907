"""Suspension of the grantee: a pause, and never a way around an ending."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from eth_account.signers.local import LocalAccount

from tests.contracts.care_actions import ConsentActions
from tests.contracts.deployed import Deployed
from tests.contracts.evm import Evm, Receipt
from tests.contracts.keys import Key
from tests.contracts.registry_actions import RegistryActions


def test_consent_pauses_while_the_grantee_is_suspended(
    act: ConsentActions,
    consent: dict[str, Any],
    suspend: Callable[[Key], Receipt],
    reinstate: Callable[[Key], Receipt],
    is_active: Callable[[dict[str, Any]], bool],
    patient: LocalAccount,
    clinician: LocalAccount,
) -> None:
    act.grant(consent, patient).relay()
    suspend(clinician)
    assert not is_active(consent)
    reinstate(clinician)
    assert is_active(consent)


def test_consent_stays_ended_after_reinstatement_when_it_was_revoked_meanwhile(
    act: ConsentActions,
    consent: dict[str, Any],
    consents: Deployed,
    suspend: Callable[[Key], Receipt],
    reinstate: Callable[[Key], Receipt],
    is_active: Callable[[dict[str, Any]], bool],
    patient: LocalAccount,
    clinician: LocalAccount,
) -> None:
    act.grant(consent, patient).relay()
    suspend(clinician)
    act.revoke(patient, consents.digest("Consent", consent)).relay()
    reinstate(clinician)
    assert not is_active(consent)


def test_consent_stays_ended_after_reinstatement_when_it_ran_out_meanwhile(
    act: ConsentActions,
    consent: dict[str, Any],
    evm: Evm,
    suspend: Callable[[Key], Receipt],
    reinstate: Callable[[Key], Receipt],
    is_active: Callable[[dict[str, Any]], bool],
    patient: LocalAccount,
    clinician: LocalAccount,
) -> None:
    act.grant(consent, patient).relay()
    suspend(clinician)
    evm.travel_to(consent["validUntil"])
    reinstate(clinician)
    assert not is_active(consent)


def test_consent_stays_ended_after_reinstatement_when_everything_was_revoked_meanwhile(
    act: ConsentActions,
    consent: dict[str, Any],
    accounts: RegistryActions,
    suspend: Callable[[Key], Receipt],
    reinstate: Callable[[Key], Receipt],
    is_active: Callable[[dict[str, Any]], bool],
    patient: LocalAccount,
    clinician: LocalAccount,
) -> None:
    act.grant(consent, patient).relay()
    suspend(clinician)
    accounts.revoke_all(patient).relay()
    reinstate(clinician)
    assert not is_active(consent)
