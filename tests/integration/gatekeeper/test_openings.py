"""Openings: terms and reasons are kept only from their parties, and only when they fit."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest

from medaccord.chain import Contracts, Sender, actions
from medaccord.core.emergency import EmergencyCode, EmergencyReason
from medaccord.core.identifiers import Digest, hex_digest
from medaccord.core.purposes import Purpose
from medaccord.core.refusals import Refusal
from medaccord.core.terms import Terms
from medaccord.keys import LocalSigner
from tests.databases import stored_bytes
from tests.integration.gatekeeper.desk import Desk, assert_refused, salt

LABORATORY = "patient/Observation.rs?category=laboratory"


@pytest.fixture
def terms(desk: Desk) -> Terms:
    return desk.terms(LABORATORY)


@pytest.fixture
def consent(desk: Desk, patient: LocalSigner, clinician: LocalSigner, terms: Terms) -> Digest:
    """A consent on the chain whose terms nobody handed in yet."""
    action = desk.consent(patient, clinician, terms)
    assert desk.relay(action, patient).status_code == 200
    return action.digest


def test_search_is_refused_when_the_terms_were_not_handed_in(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner, consent: Digest
) -> None:
    answer = desk.get("Observation", desk.sign_in(clinician), patient)
    assert_refused(answer, 403, Refusal.TERMS_MISSING)


def test_search_works_when_the_patient_handed_in_the_terms(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner, consent: Digest, terms: Terms
) -> None:
    answer = desk.open_terms(desk.sign_in(patient), patient, consent, terms)
    assert (answer.status_code, answer.json()) == (201, {"consent": hex_digest(consent)})
    assert desk.get("Observation", desk.sign_in(clinician), patient).status_code == 200


def test_search_works_when_the_grantee_handed_in_the_terms(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner, consent: Digest, terms: Terms
) -> None:
    headers = desk.sign_in(clinician)
    assert desk.open_terms(headers, patient, consent, terms).status_code == 201
    assert desk.open_terms(headers, patient, consent, terms).status_code == 201
    assert desk.get("Observation", headers, patient).status_code == 200


def test_opening_is_refused_when_it_does_not_match(
    desk: Desk, patient: LocalSigner, consent: Digest
) -> None:
    wider = desk.terms("patient/*.rs")
    answer = desk.open_terms(desk.sign_in(patient), patient, consent, wider)
    assert_refused(answer, 400, "CommitmentMismatch")


def test_opening_is_refused_when_malformed(
    desk: Desk, patient: LocalSigner, consent: Digest
) -> None:
    body = {"patient": patient.address, "consent": hex_digest(consent), "terms": {"scopes": []}}
    answer = desk.http.post("/openings", json=body, headers=desk.sign_in(patient))
    assert_refused(answer, 400, "InvalidTerms")


def test_opening_is_refused_when_handed_in_by_a_stranger(
    desk: Desk, patient: LocalSigner, stranger: LocalSigner, consent: Digest, terms: Terms
) -> None:
    answer = desk.open_terms(desk.sign_in(stranger), patient, consent, terms)
    assert_refused(answer, 403, Refusal.NO_CONSENT)


def test_opening_is_refused_when_there_is_no_such_consent(
    desk: Desk, patient: LocalSigner, terms: Terms
) -> None:
    answer = desk.open_terms(desk.sign_in(patient), patient, salt(), terms)
    assert_refused(answer, 403, Refusal.NO_CONSENT)


def test_opening_is_refused_when_the_patient_is_unknown(
    desk: Desk, sender: Sender, clinician: LocalSigner, stranger: LocalSigner, terms: Terms
) -> None:
    action = desk.consent(stranger, clinician, terms)
    actions.submit(sender, actions.signed(action, stranger))
    answer = desk.open_terms(desk.sign_in(clinician), stranger, action.digest, terms)
    assert_refused(answer, 403, Refusal.UNKNOWN_PATIENT)


def test_opening_is_refused_alike_when_a_stranger_tries_whose_account_is_a_patients(
    desk: Desk, patient: LocalSigner, stranger: LocalSigner, consent: Digest, terms: Terms
) -> None:
    headers = desk.sign_in(stranger)
    there, nowhere = (
        desk.open_terms(headers, account, consent, terms)
        for account in (patient, LocalSigner.create())
    )
    assert_refused(nowhere, 403, Refusal.NO_CONSENT)
    assert there.content == nowhere.content


def test_opening_is_refused_when_nobody_is_signed_in(
    desk: Desk, patient: LocalSigner, consent: Digest, terms: Terms
) -> None:
    assert_refused(desk.open_terms({}, patient, consent, terms), 401, Refusal.NOT_SIGNED_IN)


def test_openings_are_shown_to_their_patient_when_kept(
    desk: Desk, patient: LocalSigner, consent: Digest, terms: Terms
) -> None:
    headers = desk.sign_in(patient)
    desk.open_terms(headers, patient, consent, terms)
    assert desk.http.get("/openings", headers=headers).json() == {
        "consents": {hex_digest(consent): terms.document()},
        "emergencies": {},
    }


def test_openings_are_refused_when_no_patient_is_signed_in(
    desk: Desk, clinician: LocalSigner
) -> None:
    answer = desk.http.get("/openings", headers=desk.sign_in(clinician))
    assert_refused(answer, 403, Refusal.UNKNOWN_PATIENT)


def test_openings_are_refused_when_nobody_is_signed_in(desk: Desk) -> None:
    assert_refused(desk.http.get("/openings"), 401, Refusal.NOT_SIGNED_IN)


# --- Reasons of emergencies ---


@pytest.fixture
def reason() -> EmergencyReason:
    return EmergencyReason(code=EmergencyCode.LIFE_THREATENING, salt=salt())


@pytest.fixture
def emergency(
    contracts: Contracts,
    sender: Sender,
    desk: Desk,
    patient: LocalSigner,
    clinician: LocalSigner,
    reason: EmergencyReason,
) -> Digest:
    """Emergency access that the clinician opened."""
    action = actions.open_emergency(
        contracts,
        patient=patient.address,
        grantee=clinician.address,
        reason=reason.commitment,
        valid_until=desk.now() + timedelta(hours=2),
    )
    actions.submit(sender, actions.signed(action, clinician))
    return action.digest


def _hand_in(
    desk: Desk, signer: LocalSigner, patient: LocalSigner, emergency: Digest, reason: object
) -> httpx.Response:
    document = reason.document() if isinstance(reason, EmergencyReason) else reason
    body = {
        "patient": patient.address,
        "emergency": hex_digest(emergency),
        "reason": document,
    }
    return desk.http.post("/openings/emergency", json=body, headers=desk.sign_in(signer))


def test_emergency_read_is_refused_when_the_reason_was_not_handed_in(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner, emergency: Digest
) -> None:
    answer = desk.get("Observation", desk.sign_in(clinician, purpose=Purpose.BTG), patient)
    assert_refused(answer, 403, Refusal.EMERGENCY_REASON_MISSING)


def test_emergency_read_works_and_is_logged_as_such_when_the_reason_is_known(
    desk: Desk,
    patient: LocalSigner,
    clinician: LocalSigner,
    emergency: Digest,
    reason: EmergencyReason,
) -> None:
    answer = _hand_in(desk, clinician, patient, emergency, reason)
    assert (answer.status_code, answer.json()) == (201, {"emergency": hex_digest(emergency)})
    answer = desk.get("Observation", desk.sign_in(clinician, purpose=Purpose.BTG), patient)
    assert answer.status_code == 200
    entry = desk.audit(patient)["entries"][-1]
    assert (entry["basis"], entry["consent"], entry["reason"]) == (
        "emergency",
        hex_digest(emergency),
        "BTG",
    )


def test_reason_is_refused_when_it_does_not_match(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner, emergency: Digest
) -> None:
    other = EmergencyReason(code=EmergencyCode.LIFE_THREATENING, salt=salt())
    answer = _hand_in(desk, clinician, patient, emergency, other)
    assert_refused(answer, 400, "CommitmentMismatch")


def test_reason_is_refused_when_malformed(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner, emergency: Digest
) -> None:
    answer = _hand_in(desk, clinician, patient, emergency, {"code": "curious"})
    assert_refused(answer, 400, "InvalidDocument")


def test_reason_is_refused_when_somebody_else_opened_the_emergency(
    desk: Desk,
    patient: LocalSigner,
    stranger: LocalSigner,
    emergency: Digest,
    reason: EmergencyReason,
) -> None:
    answer = _hand_in(desk, stranger, patient, emergency, reason)
    assert_refused(answer, 403, Refusal.EMERGENCY_CLOSED)


def test_reason_is_refused_when_no_such_emergency_was_opened(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner, reason: EmergencyReason
) -> None:
    answer = _hand_in(desk, clinician, patient, salt(), reason)
    assert_refused(answer, 403, Refusal.EMERGENCY_CLOSED)


def test_openings_are_sealed_when_kept(
    desk: Desk,
    patient: LocalSigner,
    consent: Digest,
    terms: Terms,
    database_url: str,
) -> None:
    desk.open_terms(desk.sign_in(patient), patient, consent, terms)
    stored = b"".join(stored_bytes(database_url).values())
    assert b"Observation" not in stored
    assert hex_digest(terms.salt).encode() not in stored
