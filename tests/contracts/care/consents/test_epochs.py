"""Epochs: revoking everything and recovering end all that was signed before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from eth_account.signers.local import LocalAccount

from tests.contracts.care_actions import ConsentActions
from tests.contracts.deployed import Deployed, expect_revert
from tests.contracts.evm import Receipt
from tests.contracts.keys import key_of
from tests.contracts.masks import GRANT
from tests.contracts.registry_actions import RegistryActions


def test_grant_is_refused_when_the_epoch_is_ahead(
    act: ConsentActions, consent: dict[str, Any], patient: LocalAccount
) -> None:
    with expect_revert("WrongEpoch", account=patient.address, epoch=1, current=0):
        act.grant(consent | {"epoch": 1}, patient).relay()


def test_grant_is_refused_when_it_was_signed_before_a_revoke_all(
    act: ConsentActions,
    consent: dict[str, Any],
    accounts: RegistryActions,
    patient: LocalAccount,
) -> None:
    withheld = act.grant(consent, patient).signature()
    accounts.revoke_all(patient).relay()
    with expect_revert("WrongEpoch", account=patient.address, epoch=0, current=1):
        act.grant(consent, patient).relay(withheld)


def test_grant_works_when_it_is_signed_in_the_new_epoch(
    act: ConsentActions,
    consent: dict[str, Any],
    accounts: RegistryActions,
    is_active: Callable[[dict[str, Any]], bool],
    patient: LocalAccount,
) -> None:
    accounts.revoke_all(patient).relay()
    renewed = consent | {"epoch": 1}
    act.grant(renewed, patient).relay()
    assert is_active(renewed)


def test_consent_is_dead_when_everything_was_revoked(
    act: ConsentActions,
    consent: dict[str, Any],
    accounts: RegistryActions,
    is_active: Callable[[dict[str, Any]], bool],
    stored: Callable[[dict[str, Any]], Any],
    patient: LocalAccount,
) -> None:
    act.grant(consent, patient).relay()
    before = stored(consent)
    accounts.revoke_all(patient).relay()
    assert not is_active(consent)
    assert stored(consent) == before


def test_consent_of_another_patient_stays_active_when_one_revokes_everything(
    act: ConsentActions,
    consent: dict[str, Any],
    accounts: RegistryActions,
    is_active: Callable[[dict[str, Any]], bool],
    patient: LocalAccount,
    stranger: LocalAccount,
) -> None:
    act.grant(consent, patient).relay()
    accounts.revoke_all(stranger).relay()
    assert is_active(consent)


def test_consent_stays_active_when_the_controller_rotates(
    act: ConsentActions,
    consent: dict[str, Any],
    accounts: RegistryActions,
    is_active: Callable[[dict[str, Any]], bool],
    patient: LocalAccount,
) -> None:
    act.grant(consent, patient).relay()
    accounts.rotation(patient, key_of("new phone").address).relay()
    assert is_active(consent)


def test_grant_is_refused_when_the_signing_key_was_rotated_away(
    act: ConsentActions,
    consent: dict[str, Any],
    accounts: RegistryActions,
    patient: LocalAccount,
) -> None:
    accounts.rotation(patient, key_of("new phone").address).relay()
    with expect_revert("NotAuthorised", account=patient.address, by=patient.address, power=GRANT):
        act.grant(consent, patient).relay()


def test_grant_is_refused_while_a_recovery_is_pending(
    act: ConsentActions,
    consent: dict[str, Any],
    start_recovery: Callable[[], Receipt],
    patient: LocalAccount,
) -> None:
    start_recovery()
    with expect_revert("NotAuthorised", account=patient.address, by=patient.address, power=GRANT):
        act.grant(consent, patient).relay()


def test_revoke_works_while_a_recovery_is_pending(
    act: ConsentActions,
    consent: dict[str, Any],
    consents: Deployed,
    start_recovery: Callable[[], Receipt],
    is_active: Callable[[dict[str, Any]], bool],
    patient: LocalAccount,
) -> None:
    act.grant(consent, patient).relay()
    start_recovery()
    assert is_active(consent)
    act.revoke(patient, consents.digest("Consent", consent)).relay()
    assert not is_active(consent)


def test_revoke_by_the_incoming_key_works_while_a_recovery_is_pending(
    act: ConsentActions,
    consent: dict[str, Any],
    consents: Deployed,
    start_recovery: Callable[[], Receipt],
    is_active: Callable[[dict[str, Any]], bool],
    patient: LocalAccount,
) -> None:
    act.grant(consent, patient).relay()
    start_recovery()
    act.revoke(patient, consents.digest("Consent", consent), by=key_of("new phone")).relay()
    assert not is_active(consent)


def test_grant_by_the_incoming_key_is_refused_while_a_recovery_is_pending(
    act: ConsentActions,
    consent: dict[str, Any],
    start_recovery: Callable[[], Receipt],
    patient: LocalAccount,
) -> None:
    start_recovery()
    new_phone = key_of("new phone")
    with expect_revert("NotAuthorised", account=patient.address, by=new_phone.address, power=GRANT):
        act.grant(consent, new_phone).relay()


def test_consent_is_dead_when_the_account_was_recovered(
    act: ConsentActions,
    consent: dict[str, Any],
    recover: Callable[[], LocalAccount],
    is_active: Callable[[dict[str, Any]], bool],
    patient: LocalAccount,
) -> None:
    act.grant(consent, patient).relay()
    recover()
    assert not is_active(consent)


def test_grant_is_refused_when_the_lost_key_signed_before_the_recovery(
    act: ConsentActions,
    consent: dict[str, Any],
    recover: Callable[[], LocalAccount],
    patient: LocalAccount,
) -> None:
    withheld = act.grant(consent, patient).signature()
    recover()
    with expect_revert("NotAuthorised", account=patient.address, by=patient.address, power=GRANT):
        act.grant(consent, patient).relay(withheld)


def test_grant_is_refused_when_the_new_key_signs_for_the_epoch_before_the_recovery(
    act: ConsentActions,
    consent: dict[str, Any],
    recover: Callable[[], LocalAccount],
    patient: LocalAccount,
) -> None:
    new_phone = recover()
    with expect_revert("WrongEpoch", account=patient.address, epoch=0, current=1):
        act.grant(consent, new_phone).relay()
