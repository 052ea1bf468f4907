"""What a caller knows to be mined counts at once, however seldom the chain is asked otherwise."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from medaccord.chain import Contracts, actions
from medaccord.chain.sender import Sender
from medaccord.core.emergency import EmergencyCode, EmergencyReason
from medaccord.core.identifiers import hex_digest
from medaccord.core.purposes import Purpose
from medaccord.keys import LocalSigner
from tests.integration.gatekeeper.desk import Desk, salt


@pytest.fixture
def desk(opened: Any, visit: Any) -> Desk:
    found: Desk = visit(opened(poll_interval=timedelta(hours=1)))
    return found


def test_consent_counts_at_the_next_request_when_it_was_relayed_and_mined(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner
) -> None:
    headers = desk.sign_in(clinician)
    assert desk.get("Observation", headers, patient).status_code == 403
    desk.grant(patient, clinician, "patient/Observation.rs")
    assert desk.get("Observation", headers, patient).status_code == 200


def test_terms_are_taken_when_the_consent_was_mined_a_moment_ago(
    desk: Desk, sender: Sender, patient: LocalSigner, clinician: LocalSigner
) -> None:
    headers = desk.sign_in(clinician)
    terms = desk.terms("patient/Observation.rs")
    consent = desk.consent(patient, clinician, terms)
    actions.submit(sender, actions.signed(consent, patient))
    assert desk.open_terms(headers, patient, consent.digest, terms).status_code == 201
    assert desk.get("Observation", headers, patient).status_code == 200


def test_reason_is_taken_when_the_emergency_was_mined_a_moment_ago(
    desk: Desk, contracts: Contracts, sender: Sender, patient: LocalSigner, clinician: LocalSigner
) -> None:
    headers = desk.sign_in(clinician, purpose=Purpose.BTG)
    reason = EmergencyReason(code=EmergencyCode.UNCONSCIOUS, salt=salt())
    action = actions.open_emergency(
        contracts,
        patient=patient.address,
        grantee=clinician.address,
        reason=reason.commitment,
        valid_until=desk.now() + timedelta(hours=2),
    )
    actions.submit(sender, actions.signed(action, clinician))
    body = {
        "patient": patient.address,
        "emergency": hex_digest(action.digest),
        "reason": reason.document(),
    }
    answer = desk.http.post("/openings/emergency", json=body, headers=headers)
    assert answer.status_code == 201, answer.text
    assert desk.get("Observation", headers, patient).status_code == 200
