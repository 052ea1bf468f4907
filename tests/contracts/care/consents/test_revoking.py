"""Revoking: for good, by nobody else, and stopped by nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak

from tests.contracts.care_actions import NOBODY, ConsentActions
from tests.contracts.conftest import Contracts
from tests.contracts.deployed import Deployed, Event, expect_revert
from tests.contracts.evm import Evm, Receipt
from tests.contracts.keys import Key, key_of
from tests.contracts.masks import ANCHOR, GRANT, RESTRICT
from tests.contracts.registry_actions import RegistryActions
from tests.contracts.storage import only_writes

NONE, REVOKED = 0, 2


@pytest.mark.parametrize("way", ["send", "relay"])
def test_revoke_ends_the_consent_when_the_patient_wants_it(
    way: str,
    act: ConsentActions,
    consent: dict[str, Any],
    contracts: Contracts,
    is_active: Callable[[dict[str, Any]], bool],
    stored: Callable[[dict[str, Any]], Any],
    patient: LocalAccount,
    clinician: LocalAccount,
) -> None:
    consents = contracts.consents
    consent_id = consents.digest("Consent", consent)
    act.grant(consent, patient).relay()
    others = (contracts.registry, contracts.relationships, contracts.anchors)
    with only_writes(1, consents, *others):
        receipt = getattr(act.revoke(patient, consent_id), way)()

    at = receipt.timestamp
    assert not is_active(consent)
    assert stored(consent) == (REVOKED, clinician.address, at, at, 0)
    assert consents.events(receipt) == [
        Event(
            "ConsentRevoked",
            {"patient": patient.address, "consentId": consent_id, "by": patient.address},
        )
    ]


def test_revoke_is_recorded_when_the_consent_was_never_sent(
    act: ConsentActions,
    consent: dict[str, Any],
    consents: Deployed,
    stored: Callable[[dict[str, Any]], Any],
    patient: LocalAccount,
) -> None:
    assert stored(consent) == (NONE, NOBODY, 0, 0, 0)
    receipt = act.revoke(patient, consents.digest("Consent", consent)).relay()
    assert stored(consent) == (REVOKED, NOBODY, receipt.timestamp, receipt.timestamp, 0)


def test_revoke_is_refused_when_it_was_revoked_before(
    act: ConsentActions, patient: LocalAccount
) -> None:
    consent_id = keccak(text="any id")
    revocation = act.revoke(patient, consent_id)
    revocation.relay()
    with expect_revert("ConsentRevokedAlready", consentId=consent_id):
        revocation.relay()


def test_revoked_consent_stays_inactive_when_its_window_goes_on(
    act: ConsentActions,
    consents: Deployed,
    evm: Evm,
    is_active: Callable[[dict[str, Any]], bool],
    patient: LocalAccount,
    clinician: LocalAccount,
) -> None:
    start = evm.now + 100
    consent = act.consent(patient, clinician, validFrom=start, validUntil=start + 50)
    act.grant(consent, patient).relay()
    act.revoke(patient, consents.digest("Consent", consent)).relay()
    for second in (evm.now, start - 1, start, start + 49, start + 50):
        evm.travel_to(max(second, evm.now + 1))
        assert not is_active(consent)


def test_revoke_leaves_every_other_consent_active(
    act: ConsentActions,
    consent: dict[str, Any],
    consents: Deployed,
    is_active: Callable[[dict[str, Any]], bool],
    patient: LocalAccount,
) -> None:
    other = consent | {"terms": keccak(text="other terms")}
    act.grant(consent, patient).relay()
    act.grant(other, patient).relay()
    act.revoke(patient, consents.digest("Consent", consent)).relay()
    assert is_active(other)


def test_revoke_of_the_same_id_for_another_account_leaves_the_consent_active(
    act: ConsentActions,
    consent: dict[str, Any],
    consents: Deployed,
    is_active: Callable[[dict[str, Any]], bool],
    patient: LocalAccount,
    stranger: LocalAccount,
) -> None:
    act.grant(consent, patient).relay()
    act.revoke(stranger, consents.digest("Consent", consent)).relay()
    assert is_active(consent)


@pytest.mark.parametrize("name", ["hospital", "clinician", "relayer", "stranger"])
def test_revoke_is_refused_when_another_than_the_patient_signs(
    name: str,
    request: pytest.FixtureRequest,
    act: ConsentActions,
    consent: dict[str, Any],
    consents: Deployed,
    patient: LocalAccount,
) -> None:
    other: LocalAccount = request.getfixturevalue(name)
    act.grant(consent, patient).relay()
    with expect_revert("NotAuthorised", account=patient.address, by=other.address, power=RESTRICT):
        act.revoke(patient, consents.digest("Consent", consent), by=other).relay()


def test_revoke_by_a_delegate_works_when_it_may_only_restrict(
    act: ConsentActions,
    consent: dict[str, Any],
    accounts: RegistryActions,
    consents: Deployed,
    is_active: Callable[[dict[str, Any]], bool],
    patient: LocalAccount,
) -> None:
    carer = key_of("carer")
    accounts.delegation(patient, carer.address, RESTRICT).relay()
    act.grant(consent, patient).relay()
    act.revoke(patient, consents.digest("Consent", consent), by=carer).relay()
    assert not is_active(consent)


def test_revoke_by_a_delegate_is_refused_when_it_may_only_grant_and_anchor(
    act: ConsentActions,
    consent: dict[str, Any],
    accounts: RegistryActions,
    consents: Deployed,
    patient: LocalAccount,
) -> None:
    carer = key_of("carer")
    accounts.delegation(patient, carer.address, GRANT | ANCHOR).relay()
    act.grant(consent, patient).relay()
    with expect_revert("NotAuthorised", account=patient.address, by=carer.address, power=RESTRICT):
        act.revoke(patient, consents.digest("Consent", consent), by=carer).relay()


def test_revoke_works_while_the_grantee_is_suspended(
    act: ConsentActions,
    consent: dict[str, Any],
    consents: Deployed,
    suspend: Callable[[Key], Receipt],
    stored: Callable[[dict[str, Any]], Any],
    patient: LocalAccount,
    clinician: LocalAccount,
) -> None:
    act.grant(consent, patient).relay()
    suspend(clinician)
    act.revoke(patient, consents.digest("Consent", consent)).relay()
    assert stored(consent)[0] == REVOKED


def test_revoke_works_when_the_consent_has_ended(
    act: ConsentActions,
    consent: dict[str, Any],
    consents: Deployed,
    stored: Callable[[dict[str, Any]], Any],
    patient: LocalAccount,
) -> None:
    act.grant(consent, patient).relay()
    revocation = act.revoke(patient, consents.digest("Consent", consent))
    revocation.relay(at=consent["validUntil"] + 1)
    assert stored(consent)[0] == REVOKED


def test_revoke_works_when_everything_was_revoked_before(
    act: ConsentActions,
    consent: dict[str, Any],
    consents: Deployed,
    accounts: RegistryActions,
    stored: Callable[[dict[str, Any]], Any],
    patient: LocalAccount,
) -> None:
    revocation = act.revoke(patient, consents.digest("Consent", consent))
    act.grant(consent, patient).relay()
    accounts.revoke_all(patient).relay()
    revocation.relay()
    assert stored(consent)[0] == REVOKED
