"""What a gatekeeper was asked to send is looked up on the chain itself, whatever it says."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from hexbytes import HexBytes

from medaccord.chain import Sender, actions, reverts
from medaccord.chain.embedded import EmbeddedChain
from medaccord.chain.events import ConsentGranted, ConsentRevoked, RelationshipAccepted
from medaccord.client import Patient, Provider, action_receipts
from medaccord.core.emergency import EmergencyCode
from medaccord.core.errors import InvalidRequest, TransportError
from medaccord.core.identifiers import hex_digest
from medaccord.demo.stage import Hospital, Stage
from medaccord.keys import LocalSigner
from tests.integration.client.conftest import MEDICATION, Visit, World, terms
from tests.integration.client.middle import Middle, at, edited, instead

RELAY = "/relay"


def test_receipt_tells_transaction_block_gas_and_events_when_mined(
    patient: Patient, world: World, stage: Stage
) -> None:
    done = patient.consents.revoke(world.consent)
    assert done.transaction is not None
    mined = stage.network.web3.eth.get_transaction_receipt(HexBytes(done.transaction))
    assert done.block is not None
    assert (done.block.number, done.gas_used) == (mined["blockNumber"], mined["gasUsed"])
    event = done.event(ConsentRevoked)
    assert done.events == (event,)
    assert (event.patient, event.consent_id) == (patient.account, world.consent)
    assert (done.is_mined, done.obeyed) == (True, True)
    assert done.wait() is done


def test_revocation_is_sent_by_whoever_pays_when_no_gatekeeper_answers(
    world: World, stage: Stage
) -> None:
    payer = Sender(stage.network, stage.chain.funded_signer())
    nowhere = "http://127.0.0.1:9"
    with (
        Patient(world.patient, stage.contracts, nowhere) as alone,
        pytest.raises(TransportError, match="no gatekeeper answers"),
    ):
        alone.consents.revoke(world.consent)
    with Patient(world.patient, stage.contracts, nowhere, sender=payer) as paying:
        done = paying.consents.revoke(world.consent)
        assert done.event(ConsentRevoked).consent_id == world.consent


def test_receipt_is_written_as_json_with_what_each_event_says(
    patient: Patient, world: World
) -> None:
    done = patient.consents.revoke(world.consent)
    assert done.transaction is not None
    assert done.block is not None
    assert json.loads(json.dumps(done.document())) == {
        "id": hex_digest(done.id),
        "transaction": hex_digest(done.transaction),
        "block": done.block.number,
        "gasUsed": done.gas_used,
        "obeyed": True,
        "events": [
            {
                "event": "ConsentRevoked",
                "patient": patient.account,
                "consentId": hex_digest(world.consent),
                "by": patient.account,
            }
        ],
    }


def test_receipt_waits_later_when_it_was_not_waited_for(
    patient: Patient, world: World, chain: EmbeddedChain
) -> None:
    with chain.mining_paused():
        sent = patient.consents.revoke(world.consent, wait=False)
        assert (sent.is_mined, sent.block, sent.gas_used, sent.events) == (False, None, None, ())
        assert sent.obeyed
        with pytest.raises(InvalidRequest, match="no ConsentRevoked was reported"):
            sent.event(ConsentRevoked)
    done = sent.wait()
    assert done.event(ConsentRevoked).consent_id == world.consent
    assert (done.id, done.transaction) == (sent.id, sent.transaction)


def not_waited(request: httpx.Request, answer: httpx.Response) -> httpx.Response | None:
    """What a gatekeeper answers where many wait already: it is sent, and not mined yet."""
    if request.url.path != RELAY or not answer.is_success:
        return None
    busy = edited(lambda said: said.update({"block": None, "gasUsed": None}))
    return instead(busy(answer), status=202)


def test_action_is_waited_for_at_the_node_when_the_gatekeeper_does_not_wait(
    patient: Patient, world: World, middle: Middle
) -> None:
    middle.alter = not_waited
    assert patient.consents.revoke(world.consent).event(ConsentRevoked).patient == patient.account


def test_action_is_found_by_what_it_did_when_it_was_mined_under_another_hash(
    patient: Patient, world: World, middle: Middle
) -> None:
    """As when it had to be sent again with more for gas."""
    other = edited(lambda said: said.update({"transaction": "0x" + "7" * 64}))
    middle.alter = at(RELAY, other)
    done = patient.consents.revoke(world.consent)
    assert done.event(ConsentRevoked).consent_id == world.consent
    assert done.transaction is not None
    assert hex_digest(done.transaction) != "0x" + "7" * 64


def test_action_is_found_when_the_gatekeeper_could_not_send_it_yet(
    patient: Patient, world: World, middle: Middle
) -> None:
    middle.alter = at(RELAY, edited(lambda said: said.update({"transaction": None})))
    assert patient.consents.revoke(world.consent).is_mined


def test_action_is_refused_when_the_gatekeeper_names_a_transaction_that_does_something_else(
    patient: Patient, world: World, stage: Stage, middle: Middle
) -> None:
    other = hex_digest(stage.deployment.contracts["Registry"].transaction)
    middle.alter = at(RELAY, edited(lambda said: said.update({"transaction": other})))
    with pytest.raises(TransportError) as refused:
        patient.consents.revoke(world.consent)
    assert str(refused.value) == (
        f"the gatekeeper names transaction {other}, which does something else"
    )


def test_waiting_ends_when_nothing_is_mined_in_time(
    patient: Patient,
    world: World,
    chain: EmbeddedChain,
    middle: Middle,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(action_receipts, "PATIENCE", timedelta(milliseconds=200))
    with chain.mining_paused():
        sent = patient.consents.revoke(world.consent, wait=False)
        with pytest.raises(TransportError) as late:
            sent.wait()
    assert str(late.value) == (
        "no ConsentRevoked was mined within 0:00:00.200000; it may be later, and the gatekeeper "
        "acts on it already"
    )
    assert sent.wait().is_mined


def test_refusal_of_a_transaction_that_was_mined_is_the_contracts_own(
    patient: Patient, world: World, stage: Stage
) -> None:
    """Two revoke the same at once: one of the transactions fails where it stands."""
    action = actions.revoke(stage.contracts, patient=patient.account, consent_id=world.consent)
    signed = actions.signed(action, world.patient)
    with stage.chain.mining_paused():
        first = actions.submit(Sender(stage.network, stage.c.signer), signed, wait=False)
        sent = patient.consents.revoke(world.consent, wait=False)
    assert first.wait().gas_used
    with pytest.raises(reverts.ConsentRevokedAlready) as refused:
        sent.wait()
    assert refused.value.consent_id == world.consent


def test_grants_id_is_the_consents(patient: Patient, clinician: Provider, stage: Stage) -> None:
    until = stage.network.clock() + timedelta(hours=1)
    granted = patient.consents.offer(clinician.account, terms(stage, MEDICATION), valid_until=until)
    assert granted.event(ConsentGranted).consent_id == granted.id


def test_enrolment_is_waited_for_at_the_node_when_the_gatekeeper_does_not_wait(
    hospital: Hospital, visit: Visit, stranger: LocalSigner, chain: EmbeddedChain, middle: Middle
) -> None:
    def not_mined(answer: httpx.Response) -> httpx.Response:
        return instead(answer, status=202)

    middle.alter = at("/enrolments", not_mined)
    newcomer: Patient = visit(Patient, stranger)
    enrolled = newcomer.relationships.enrol(hospital.gatekeeper.enrolment.issue_code("newcomer"))
    assert enrolled.is_mined
    accepted = newcomer.relationships.accept()
    assert accepted.event(RelationshipAccepted).round == 1


def _other(said: Any) -> None:
    said["transaction"] = "nothing"


@pytest.mark.parametrize(
    "edit", [_other, lambda said: said.pop("obeyed"), lambda said: said.update({"obeyed": "yes"})]
)
def test_answer_that_is_none_is_the_gatekeepers_fault(
    patient: Patient, world: World, middle: Middle, edit: Any
) -> None:
    middle.alter = at(RELAY, edited(edit))
    with pytest.raises(TransportError, match="does not answer as a gatekeeper does"):
        patient.consents.revoke(world.consent)


def test_receipts_are_alike_when_sent_by_oneself(ambulance: Provider, patient: Patient) -> None:
    opened = ambulance.emergency.open(
        patient.account, EmergencyCode.UNCONSCIOUS, timedelta(hours=1), wait=False
    )
    done = opened.receipt.wait()
    assert done.is_mined
    assert not done.obeyed
    ambulance.emergency.disclose(replace(opened, receipt=done))
    assert ambulance.emergency.undisclosed == {}
