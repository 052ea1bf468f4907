"""Relaying for this steward's patients; what restricts is for anybody, and obeyed before sent."""

from __future__ import annotations

from datetime import timedelta

from medaccord.chain import Contracts, Power, Sender, actions
from medaccord.chain.embedded import EmbeddedChain
from medaccord.core.emergency import EmergencyCode, EmergencyReason
from medaccord.core.identifiers import digest, hex_digest
from medaccord.core.purposes import Purpose
from medaccord.core.refusals import Refusal
from medaccord.gatekeeper import Gatekeeper
from medaccord.keys import LocalSigner
from medaccord.ledger import ConsentStatus
from tests.integration.gatekeeper.cable import Cable
from tests.integration.gatekeeper.conftest import Opener, Visit, delegate
from tests.integration.gatekeeper.desk import Desk, assert_refused, salt

LABORATORY = "patient/Observation.rs?category=laboratory"


def _status(contracts: Contracts, patient: LocalSigner, consent: bytes) -> ConsentStatus:
    status, *_ = contracts.call("Consents", "consentOf", patient.address, consent)
    return ConsentStatus(status)


def test_relay_sends_a_consent_for_a_patient_without_money_when_signed(
    desk: Desk, contracts: Contracts, patient: LocalSigner, clinician: LocalSigner
) -> None:
    terms = desk.terms(LABORATORY)
    action = desk.consent(patient, clinician, terms)
    answer = desk.relay(action, patient, terms=terms)
    assert answer.status_code == 200
    body = answer.json()
    receipt = contracts.network.web3.eth.get_transaction_receipt(body["transaction"])
    assert body == {
        "transaction": "0x" + receipt["transactionHash"].hex(),
        "block": {
            "chainId": contracts.network.chain_id,
            "number": receipt["blockNumber"],
            "hash": "0x" + receipt["blockHash"].hex(),
            "timestamp": body["block"]["timestamp"],
        },
        "gasUsed": receipt["gasUsed"],
        "obeyed": False,
    }
    assert _status(contracts, patient, action.digest) is ConsentStatus.GRANTED
    assert contracts.network.web3.eth.get_balance(patient.address) == 0


def test_relay_refuses_a_consent_when_the_terms_are_others(
    desk: Desk, contracts: Contracts, patient: LocalSigner, clinician: LocalSigner
) -> None:
    action = desk.consent(patient, clinician, desk.terms(LABORATORY))
    answer = desk.relay(action, patient, terms=desk.terms(LABORATORY))
    assert_refused(answer, 400, "CommitmentMismatch")
    assert _status(contracts, patient, action.digest) is ConsentStatus.NONE


def test_relay_refuses_a_consent_when_signed_by_another_key(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner, stranger: LocalSigner
) -> None:
    action = desk.consent(patient, clinician, desk.terms(LABORATORY))
    document = actions.signed(action, patient).to_document()
    forged = stranger.sign(action.typed)
    document["arguments"]["signature"] = "0x" + forged.hex()
    answer = desk.http.post("/relay", json={"action": document})
    assert_refused(answer, 400, "SignatureMismatch")


def test_relay_refuses_a_consent_when_the_account_is_no_patient_here(
    desk: Desk, stranger: LocalSigner, clinician: LocalSigner
) -> None:
    action = desk.consent(stranger, clinician, desk.terms(LABORATORY))
    assert_refused(desk.relay(action, stranger), 403, Refusal.UNKNOWN_PATIENT)


def test_relay_refuses_an_action_of_an_organisation_when_signed(
    desk: Desk, contracts: Contracts, clinician: LocalSigner
) -> None:
    action = actions.append(
        contracts, account=clinician.address, topic=salt(), root=digest(b"\x01" * 32)
    )
    assert_refused(desk.relay(action, clinician), 400, "InvalidRequest")


def test_relay_refuses_a_relationship_when_it_is_with_another_steward(
    desk: Desk, contracts: Contracts, patient: LocalSigner, clinician: LocalSigner
) -> None:
    action = actions.accept(
        contracts, patient=patient.address, steward=clinician.address, account=patient.address
    )
    assert_refused(desk.relay(action, patient), 400, "InvalidRequest")


def test_relay_refuses_terms_when_they_come_with_another_action(
    desk: Desk, contracts: Contracts, patient: LocalSigner
) -> None:
    action = actions.revoke(contracts, patient=patient.address, consent_id=salt())
    answer = desk.relay(action, patient, terms=desk.terms(LABORATORY))
    assert_refused(answer, 400, "InvalidRequest")


def test_relay_refuses_what_is_no_action_when_posted(desk: Desk) -> None:
    answer = desk.http.post("/relay", json={"action": {"function": "selfdestruct"}})
    assert_refused(answer, 400, "InvalidDocument")


def test_relay_tells_what_the_contract_objects_to_when_it_would_revert(
    desk: Desk, contracts: Contracts, patient: LocalSigner, clinician: LocalSigner
) -> None:
    action = desk.consent(patient, clinician, desk.terms(LABORATORY))
    assert desk.relay(action, patient).status_code == 200
    assert_refused(desk.relay(action, patient), 422, "ConsentKnown")


def test_revocation_is_obeyed_before_it_is_mined_when_handed_in(
    desk: Desk,
    chain: EmbeddedChain,
    contracts: Contracts,
    patient: LocalSigner,
    clinician: LocalSigner,
) -> None:
    consent = desk.grant(patient, clinician, LABORATORY)
    headers = desk.sign_in(clinician)
    assert desk.get("Observation", headers, patient).status_code == 200
    action = actions.revoke(contracts, patient=patient.address, consent_id=consent)
    with chain.mining_paused():
        answer = desk.relay(action, patient, wait=False)
        assert answer.status_code == 202
        body = answer.json()
        assert (body["block"], body["gasUsed"], body["obeyed"]) == (None, None, True)
        assert _status(contracts, patient, consent) is ConsentStatus.GRANTED
        assert_refused(desk.get("Observation", headers, patient), 403, Refusal.CONSENT_REVOKED)
    assert _status(contracts, patient, consent) is ConsentStatus.REVOKED
    assert_refused(desk.get("Observation", headers, patient), 403, Refusal.CONSENT_REVOKED)


def test_revocation_is_obeyed_when_it_could_not_be_sent(
    desk: Desk,
    gatekeeper: Gatekeeper,
    cable: Cable,
    contracts: Contracts,
    patient: LocalSigner,
    clinician: LocalSigner,
) -> None:
    consent = desk.grant(patient, clinician, LABORATORY)
    headers = desk.sign_in(clinician)
    action = actions.revoke(contracts, patient=patient.address, consent_id=consent)
    cable.is_cut = True
    answer = desk.relay(action, patient)
    assert answer.status_code == 202
    assert answer.json() == {"transaction": None, "block": None, "gasUsed": None, "obeyed": True}
    cable.is_cut = False
    assert _status(contracts, patient, consent) is ConsentStatus.GRANTED
    assert_refused(desk.get("Observation", headers, patient), 403, Refusal.CONSENT_REVOKED)

    gatekeeper.relay.retry()
    assert _status(contracts, patient, consent) is ConsentStatus.REVOKED
    gatekeeper.ledger.sync()
    assert gatekeeper.ledger.held() == ()


def test_revocation_is_obeyed_after_a_restart_when_it_could_not_be_sent(
    opened: Opener,
    visit: Visit,
    cable: Cable,
    contracts: Contracts,
    patient: LocalSigner,
    clinician: LocalSigner,
) -> None:
    first = opened()
    desk = visit(first)
    consent = desk.grant(patient, clinician, LABORATORY)
    action = actions.revoke(contracts, patient=patient.address, consent_id=consent)
    cable.is_cut = True
    assert desk.relay(action, patient).status_code == 202
    first.close()
    cable.is_cut = False
    desk = visit(opened())
    answer = desk.get("Observation", desk.sign_in(clinician), patient)
    assert_refused(answer, 403, Refusal.CONSENT_REVOKED)


def test_revocation_is_refused_when_signed_by_somebody_without_the_power(
    desk: Desk,
    contracts: Contracts,
    patient: LocalSigner,
    clinician: LocalSigner,
    stranger: LocalSigner,
) -> None:
    consent = desk.grant(patient, clinician, LABORATORY)
    action = actions.revoke(
        contracts, patient=patient.address, consent_id=consent, by=stranger.address
    )
    assert_refused(desk.relay(action, stranger), 422, "NotAuthorised")
    answer = desk.get("Observation", desk.sign_in(clinician), patient)
    assert answer.status_code == 200


def test_revocation_is_obeyed_when_a_delegate_with_the_power_signs(
    desk: Desk,
    contracts: Contracts,
    sender: Sender,
    patient: LocalSigner,
    clinician: LocalSigner,
) -> None:
    carer = LocalSigner.create()
    delegate(contracts, sender, patient, carer, Power.RESTRICT)
    consent = desk.grant(patient, clinician, LABORATORY)
    action = actions.revoke(
        contracts, patient=patient.address, consent_id=consent, by=carer.address
    )
    assert desk.relay(action, carer).status_code == 200
    answer = desk.get("Observation", desk.sign_in(clinician), patient)
    assert_refused(answer, 403, Refusal.CONSENT_REVOKED)


def test_revocation_is_refused_when_the_account_never_was_a_patient_here(
    desk: Desk, contracts: Contracts, stranger: LocalSigner
) -> None:
    consent = salt()
    action = actions.revoke(contracts, patient=stranger.address, consent_id=consent)
    assert_refused(desk.relay(action, stranger), 403, Refusal.UNKNOWN_PATIENT)
    assert _status(contracts, stranger, consent) is ConsentStatus.NONE


def test_revoke_all_is_obeyed_before_it_is_mined_when_handed_in(
    desk: Desk,
    chain: EmbeddedChain,
    contracts: Contracts,
    patient: LocalSigner,
    clinician: LocalSigner,
) -> None:
    desk.grant(patient, clinician, LABORATORY)
    headers = desk.sign_in(clinician)
    action = actions.revoke_all(contracts, account=patient.address)
    with chain.mining_paused():
        assert desk.relay(action, patient, wait=False).status_code == 202
        answer = desk.get("Observation", headers, patient)
        assert_refused(answer, 403, Refusal.CONSENT_EPOCH_ENDED)


def test_consent_after_a_revoke_all_counts_when_it_is_of_the_new_epoch(
    desk: Desk, contracts: Contracts, patient: LocalSigner, clinician: LocalSigner
) -> None:
    action = actions.revoke_all(contracts, account=patient.address)
    assert desk.relay(action, patient).status_code == 200
    desk.grant(patient, clinician, LABORATORY)
    answer = desk.get("Observation", desk.sign_in(clinician), patient)
    assert answer.status_code == 200


def _open_emergency(
    desk: Desk, sender: Sender, patient: LocalSigner, clinician: LocalSigner
) -> dict[str, str]:
    """Open, hand in the reason, and give the headers of the clinician."""
    reason = EmergencyReason(code=EmergencyCode.UNCONSCIOUS, salt=salt())
    action = actions.open_emergency(
        desk.contracts,
        patient=patient.address,
        grantee=clinician.address,
        reason=reason.commitment,
        valid_until=desk.now() + timedelta(hours=2),
    )
    actions.submit(sender, actions.signed(action, clinician))
    headers = desk.sign_in(clinician, purpose=Purpose.BTG)
    answer = desk.http.post(
        "/openings/emergency",
        headers=headers,
        json={
            "patient": patient.address,
            "emergency": hex_digest(action.digest),
            "reason": reason.document(),
        },
    )
    assert answer.status_code == 201, answer.text
    return headers


def test_closure_is_obeyed_before_it_is_mined_when_handed_in(
    desk: Desk,
    chain: EmbeddedChain,
    contracts: Contracts,
    sender: Sender,
    patient: LocalSigner,
    clinician: LocalSigner,
) -> None:
    headers = _open_emergency(desk, sender, patient, clinician)
    assert desk.get("Observation", headers, patient, Purpose.BTG).status_code == 200
    action = actions.close_emergency(contracts, patient=patient.address, grantee=clinician.address)
    with chain.mining_paused():
        assert desk.relay(action, patient, wait=False).status_code == 202
        answer = desk.get("Observation", headers, patient, Purpose.BTG)
        assert_refused(answer, 403, Refusal.EMERGENCY_CLOSED)


def test_ban_is_obeyed_before_it_is_mined_when_handed_in(
    desk: Desk,
    chain: EmbeddedChain,
    contracts: Contracts,
    sender: Sender,
    patient: LocalSigner,
    clinician: LocalSigner,
) -> None:
    headers = _open_emergency(desk, sender, patient, clinician)
    action = actions.forbid_emergency(contracts, patient=patient.address)
    with chain.mining_paused():
        assert desk.relay(action, patient, wait=False).status_code == 202
        answer = desk.get("Observation", headers, patient, Purpose.BTG)
        assert_refused(answer, 403, Refusal.EMERGENCY_CLOSED)


def test_closure_is_refused_when_a_later_allowance_outdated_it(
    desk: Desk,
    contracts: Contracts,
    sender: Sender,
    patient: LocalSigner,
    clinician: LocalSigner,
) -> None:
    closure = actions.close_emergency(contracts, patient=patient.address, grantee=clinician.address)
    assert desk.relay(closure, patient).status_code == 200
    allowance = actions.allow_emergency(
        contracts, patient=patient.address, grantee=clinician.address
    )
    assert desk.relay(allowance, patient).status_code == 200
    headers = _open_emergency(desk, sender, patient, clinician)
    assert_refused(desk.relay(closure, patient), 400, "InvalidRequest")
    assert desk.get("Observation", headers, patient, Purpose.BTG).status_code == 200
