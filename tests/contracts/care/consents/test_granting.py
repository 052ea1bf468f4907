"""Granting: the patient alone, once, to an organisation that belongs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount

from tests.contracts.care_actions import ConsentActions
from tests.contracts.conftest import Contracts
from tests.contracts.deployed import Deployed, Event, expect_revert
from tests.contracts.evm import Receipt
from tests.contracts.keys import Key
from tests.contracts.masks import GRANT
from tests.contracts.storage import only_writes

GRANTED, REVOKED = 1, 2


@pytest.mark.parametrize("way", ["send", "relay"])
def test_grant_makes_the_consent_active_when_the_patient_wants_it(
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
    others = (contracts.registry, contracts.relationships, contracts.anchors)
    with only_writes(1, consents, *others):
        receipt = getattr(act.grant(consent, patient), way)()

    assert is_active(consent)
    window = (consent["validFrom"], consent["validUntil"])
    assert stored(consent) == (GRANTED, clinician.address, *window, 0)
    assert consents.events(receipt) == [
        Event(
            "ConsentGranted",
            {
                **consent,
                "consentId": consents.digest("Consent", consent),
                "by": patient.address,
            },
        )
    ]


def test_hash_consent_is_what_the_patient_signs(
    consents: Deployed, consent: dict[str, Any]
) -> None:
    answer = consents.call("hashConsent", tuple(consent.values()))
    assert answer == consents.digest("Consent", consent)


def test_grant_works_when_it_answers_no_request(
    act: ConsentActions,
    consent: dict[str, Any],
    is_active: Callable[[dict[str, Any]], bool],
    patient: LocalAccount,
) -> None:
    unasked = consent | {"request": bytes(32)}
    act.grant(unasked, patient).relay()
    assert is_active(unasked)


@pytest.mark.parametrize("name", ["hospital", "clinician", "relayer", "stranger"])
def test_grant_is_refused_when_another_than_the_patient_signs(
    name: str,
    request: pytest.FixtureRequest,
    act: ConsentActions,
    consent: dict[str, Any],
    patient: LocalAccount,
) -> None:
    other: LocalAccount = request.getfixturevalue(name)
    with expect_revert("NotAuthorised", account=patient.address, by=other.address, power=GRANT):
        act.grant(consent, other).relay()


def test_grant_is_refused_when_it_was_granted_before(
    act: ConsentActions, consent: dict[str, Any], consents: Deployed, patient: LocalAccount
) -> None:
    act.grant(consent, patient).relay()
    consent_id = consents.digest("Consent", consent)
    with expect_revert("ConsentKnown", consentId=consent_id, status=GRANTED):
        act.grant(consent, patient).relay()


def test_grant_is_refused_when_it_was_revoked_after_the_grant(
    act: ConsentActions, consent: dict[str, Any], consents: Deployed, patient: LocalAccount
) -> None:
    grant = act.grant(consent, patient)
    grant.relay()
    consent_id = consents.digest("Consent", consent)
    act.revoke(patient, consent_id).relay()
    with expect_revert("ConsentKnown", consentId=consent_id, status=REVOKED):
        grant.relay()


def test_grant_is_refused_when_it_was_revoked_before_it_was_ever_sent(
    act: ConsentActions, consent: dict[str, Any], consents: Deployed, patient: LocalAccount
) -> None:
    consent_id = consents.digest("Consent", consent)
    act.revoke(patient, consent_id).relay()
    with expect_revert("ConsentKnown", consentId=consent_id, status=REVOKED):
        act.grant(consent, patient).relay()


@pytest.mark.parametrize("account", ["patient", "hospital"])
def test_grant_is_refused_when_the_grantee_is_the_patient(
    account: str, request: pytest.FixtureRequest, act: ConsentActions
) -> None:
    oneself: LocalAccount = request.getfixturevalue(account)
    with expect_revert("GranteeIsPatient", patient=oneself.address):
        act.grant(act.consent(oneself, oneself), oneself).relay()


def test_grant_is_refused_when_the_grantee_is_no_organisation(
    act: ConsentActions, patient: LocalAccount, stranger: LocalAccount
) -> None:
    with expect_revert("NotActiveOrganisation", grantee=stranger.address):
        act.grant(act.consent(patient, stranger), patient).relay()


def test_grant_is_refused_while_the_grantee_is_suspended(
    act: ConsentActions,
    consent: dict[str, Any],
    suspend: Callable[[Key], Receipt],
    patient: LocalAccount,
    clinician: LocalAccount,
) -> None:
    suspend(clinician)
    with expect_revert("NotActiveOrganisation", grantee=clinician.address):
        act.grant(consent, patient).relay()


def test_grant_works_when_the_grantee_is_reinstated(
    act: ConsentActions,
    consent: dict[str, Any],
    suspend: Callable[[Key], Receipt],
    reinstate: Callable[[Key], Receipt],
    is_active: Callable[[dict[str, Any]], bool],
    patient: LocalAccount,
    clinician: LocalAccount,
) -> None:
    suspend(clinician)
    reinstate(clinician)
    act.grant(consent, patient).relay()
    assert is_active(consent)
