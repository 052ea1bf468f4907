"""What is a patient's own is always to be had: records, inbox, openings, consents and log."""

from __future__ import annotations

from datetime import timedelta

import pytest

from medaccord.chain import Contracts, Power, Sender, actions
from medaccord.chain.embedded import EmbeddedChain
from medaccord.core.identifiers import digest, hex_digest
from medaccord.core.purposes import Purpose
from medaccord.core.refusals import Refusal
from medaccord.keys import LocalSigner
from tests.integration.gatekeeper.cable import Cable
from tests.integration.gatekeeper.conftest import Opener, Visit, World, delegate
from tests.integration.gatekeeper.desk import Desk, as_time, assert_refused, ids_of
from tests.integration.gatekeeper.organisations import make_member, suspend

LABORATORY = "patient/Observation.rs?category=laboratory"
OWN = ("/requests", "/openings", "/consents", "/audit")


def test_patient_reads_all_that_is_its_own_when_the_steward_is_suspended(
    world: World, desk: Desk, patient: LocalSigner, clinician: LocalSigner, hospital: LocalSigner
) -> None:
    desk.grant(patient, clinician, LABORATORY)
    make_member(world, clinician)
    suspend(world, hospital, voters=(hospital, clinician))
    refused = desk.get("Observation", desk.sign_in(clinician), patient)
    assert_refused(refused, 403, Refusal.STEWARD_NOT_ACTIVE)
    headers = desk.sign_in(patient)
    assert ids_of(desk.get("Observation", headers, patient))
    for path in OWN:
        assert desk.http.get(path, headers=headers).status_code == 200, path


def test_patient_reads_its_inbox_consents_and_log_when_the_relationship_has_ended(
    desk: Desk, contracts: Contracts, patient: LocalSigner, hospital: LocalSigner
) -> None:
    ending = actions.end(
        contracts, patient=patient.address, steward=hospital.address, account=patient.address
    )
    assert desk.relay(ending, patient).status_code == 200
    headers = desk.sign_in(patient)
    assert_refused(desk.get("Observation", headers, patient), 403, Refusal.NO_RELATIONSHIP)
    for path in OWN:
        assert desk.http.get(path, headers=headers).status_code == 200, path


@pytest.mark.parametrize("path", OWN)
def test_what_is_a_patients_own_is_refused_when_nobody_is_signed_in(desk: Desk, path: str) -> None:
    assert_refused(desk.http.get(path), 401, Refusal.NOT_SIGNED_IN)


def test_delegate_reads_for_the_patient_under_the_patients_own_purpose(
    desk: Desk, contracts: Contracts, sender: Sender, patient: LocalSigner, stranger: LocalSigner
) -> None:
    delegate(contracts, sender, patient, stranger, Power.READ)
    headers = desk.sign_in(stranger, patient.address)
    assert ids_of(desk.get("Observation", headers, patient, Purpose.PATRQT))
    for path in OWN:
        assert desk.http.get(path, headers=headers).status_code == 200, path


def test_consents_tell_how_each_stands_when_asked(
    desk: Desk,
    chain: EmbeddedChain,
    contracts: Contracts,
    patient: LocalSigner,
    clinician: LocalSigner,
) -> None:
    revoked, kept = (desk.grant(patient, clinician, LABORATORY) for _ in range(2))
    headers = desk.sign_in(patient)

    def states() -> dict[str, str]:
        answer = desk.http.get("/consents", headers=headers)
        assert answer.status_code == 200, answer.text
        return {each["consent"]: each["state"] for each in answer.json()["consents"]}

    assert states() == {hex_digest(revoked): "active", hex_digest(kept): "active"}
    action = actions.revoke(contracts, patient=patient.address, consent_id=revoked)
    with chain.mining_paused():
        assert desk.relay(action, patient, wait=False).status_code == 202
        assert states() == {hex_digest(revoked): "revoked", hex_digest(kept): "active"}
    chain.advance(timedelta(days=31))
    headers = desk.sign_in(patient)
    assert states() == {hex_digest(revoked): "revoked", hex_digest(kept): "ended"}


def test_consent_is_shown_with_its_times_and_whether_its_terms_are_known(
    desk: Desk, contracts: Contracts, sender: Sender, patient: LocalSigner, clinician: LocalSigner
) -> None:
    later = actions.grant(
        contracts,
        patient=patient.address,
        grantee=clinician.address,
        terms=digest(b"\x05" * 32),
        valid_from=desk.now() + timedelta(hours=1),
        valid_until=desk.now() + timedelta(days=1),
    )
    begins = desk.now() + timedelta(hours=1)
    actions.submit(sender, actions.signed(later, patient))
    answer = desk.http.get("/consents", headers=desk.sign_in(patient)).json()
    (shown,) = answer["consents"]
    assert shown == {
        "consent": hex_digest(later.digest),
        "grantee": desk.account(clinician),
        "validFrom": as_time(begins),
        "validUntil": as_time(begins + timedelta(hours=23)),
        "state": "not-started",
        "termsKnown": False,
    }
    assert answer["emergencies"] == []


def test_consent_is_pending_until_its_grant_is_final(
    opened: Opener,
    visit: Visit,
    cable: Cable,
    chain: EmbeddedChain,
    patient: LocalSigner,
    clinician: LocalSigner,
) -> None:
    desk = visit(opened(network=cable.network(confirmations=2)))
    desk.grant(patient, clinician, LABORATORY)
    headers = desk.sign_in(patient)
    shown = desk.http.get("/consents", headers=headers).json()["consents"]
    assert [each["state"] for each in shown] == ["pending"]
    chain.mine(2)
    shown = desk.http.get("/consents", headers=headers).json()["consents"]
    assert [each["state"] for each in shown] == ["active"]


def test_emergency_is_open_until_its_patient_closes_it(
    desk: Desk,
    chain: EmbeddedChain,
    contracts: Contracts,
    sender: Sender,
    patient: LocalSigner,
    clinician: LocalSigner,
) -> None:
    opening = actions.open_emergency(
        contracts,
        patient=patient.address,
        grantee=clinician.address,
        reason=digest(b"\x06" * 32),
        valid_until=desk.now() + timedelta(hours=2),
    )
    actions.submit(sender, actions.signed(opening, clinician))
    headers = desk.sign_in(patient)
    (shown,) = desk.http.get("/consents", headers=headers).json()["emergencies"]
    assert (shown["emergency"], shown["state"]) == (hex_digest(opening.digest), "open")
    assert (shown["grantee"], shown["reasonKnown"]) == (desk.account(clinician), False)
    close = actions.close_emergency(contracts, patient=patient.address, grantee=clinician.address)
    with chain.mining_paused():
        assert desk.relay(close, patient, wait=False).status_code == 202
        (shown,) = desk.http.get("/consents", headers=headers).json()["emergencies"]
        assert shown["state"] == "closed"
