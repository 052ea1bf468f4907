"""What one account may have sent in a day; what restricts is obeyed whatever was sent."""

from __future__ import annotations

import secrets
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import Engine, func, insert, select

from medaccord.chain import Contracts, Power, Sender, actions
from medaccord.chain.embedded import EmbeddedChain
from medaccord.core.identifiers import Address
from medaccord.core.refusals import Refusal
from medaccord.gatekeeper import Gatekeeper, foundation
from medaccord.gatekeeper.relay_limits import MAX_ACTIONS, SPAN
from medaccord.keys import LocalSigner
from medaccord.ledger import ConsentStatus
from medaccord.store import reading, writing
from medaccord.store.tables import relayed_action
from tests.integration.gatekeeper.conftest import Opener, Visit, World, delegate
from tests.integration.gatekeeper.desk import Desk, assert_refused, salt

LABORATORY = "patient/Observation.rs?category=laboratory"


def spend(database: Engine, desk: Desk, account: LocalSigner, number: int) -> None:
    """Let so many actions of an account have been sent today, with those that were."""
    rows = [
        {"what": secrets.token_bytes(32), "account": account.address, "at": desk.now()}
        for _ in range(number - spent(database, account.address))
    ]
    with writing(database) as connection:
        connection.execute(insert(relayed_action), rows)


def spent(database: Engine, account: Address) -> int:
    with reading(database) as connection:
        number = select(func.count()).where(relayed_action.c.account == account)
        return connection.execute(number).scalar_one()


def status(contracts: Contracts, patient: LocalSigner, consent: bytes) -> ConsentStatus:
    code, *_ = contracts.call("Consents", "consentOf", patient.address, consent)
    return ConsentStatus(code)


def test_action_is_refused_until_the_day_is_over_when_the_account_had_its_share(
    desk: Desk,
    chain: EmbeddedChain,
    contracts: Contracts,
    database: Engine,
    patient: LocalSigner,
    clinician: LocalSigner,
) -> None:
    spend(database, desk, patient, MAX_ACTIONS - 1)
    last, over = (desk.consent(patient, clinician, desk.terms(LABORATORY)) for _ in range(2))
    assert desk.relay(last, patient).status_code == 200
    answer = desk.relay(over, patient)
    assert_refused(answer, 429, "TooManyRequests")
    assert status(contracts, patient, over.digest) is ConsentStatus.NONE
    wait = timedelta(seconds=int(answer.headers["retry-after"]))
    assert SPAN - timedelta(minutes=1) < wait <= SPAN
    chain.advance(wait - timedelta(minutes=1))
    assert_refused(desk.relay(over, patient), 429, "TooManyRequests")
    chain.advance(timedelta(minutes=1))
    assert desk.relay(over, patient).status_code == 200


def test_actions_beyond_the_share_are_refused_when_handed_in_at_once(
    desk: Desk, database: Engine, patient: LocalSigner, clinician: LocalSigner
) -> None:
    spend(database, desk, patient, MAX_ACTIONS - 1)
    consents = [desk.consent(patient, clinician, desk.terms(LABORATORY)) for _ in range(4)]
    ready = threading.Barrier(len(consents))

    def relay(consent: actions.Action) -> int:
        ready.wait()
        return desk.relay(consent, patient).status_code

    with ThreadPoolExecutor(len(consents)) as pool:
        assert sorted(pool.map(relay, consents)) == [200, 429, 429, 429]


def test_enrolment_is_refused_when_the_account_had_its_share(
    desk: Desk,
    gatekeeper: Gatekeeper,
    contracts: Contracts,
    sender: Sender,
    chain: EmbeddedChain,
    database: Engine,
    stranger: LocalSigner,
) -> None:
    """Who enrols, declines and enrols again has the steward pay each time."""
    code = gatekeeper.enrolment.issue_code("patient-2", timedelta(days=7))
    spend(database, desk, stranger, MAX_ACTIONS - 1)
    assert desk.enrol(stranger, code).status_code == 201
    decline = actions.decline(
        contracts, patient=stranger.address, steward=desk.steward, account=stranger.address
    )
    actions.submit(sender, actions.signed(decline, stranger))
    assert_refused(desk.enrol(stranger, code), 429, "TooManyRequests")
    chain.advance(SPAN)
    assert desk.enrol(stranger, code).status_code == 201


def test_action_counts_once_when_handed_in_again(
    desk: Desk, database: Engine, patient: LocalSigner, clinician: LocalSigner
) -> None:
    before = spent(database, patient.address)
    consent = desk.consent(patient, clinician, desk.terms(LABORATORY))
    assert desk.relay(consent, patient).status_code == 200
    assert spent(database, patient.address) == before + 1
    assert_refused(desk.relay(consent, patient), 422, "ConsentKnown")
    assert spent(database, patient.address) == before + 1


def test_action_counts_for_nothing_when_the_chain_refuses_it(
    desk: Desk,
    contracts: Contracts,
    database: Engine,
    patient: LocalSigner,
    clinician: LocalSigner,
    stranger: LocalSigner,
) -> None:
    spend(database, desk, patient, MAX_ACTIONS - 1)
    forged = actions.grant(
        contracts,
        patient=patient.address,
        grantee=clinician.address,
        terms=salt(),
        valid_from=desk.now(),
        valid_until=desk.now() + timedelta(days=1),
        by=stranger.address,
    )
    assert_refused(desk.relay(forged, stranger), 422, "NotAuthorised")
    ended = desk.consent(patient, clinician, desk.terms(LABORATORY), days=-1)
    assert desk.relay(ended, patient).status_code == 422
    assert spent(database, patient.address) == MAX_ACTIONS - 1


def test_revocation_is_obeyed_at_once_and_sent_the_next_day_when_the_account_had_its_share(
    desk: Desk,
    gatekeeper: Gatekeeper,
    chain: EmbeddedChain,
    contracts: Contracts,
    database: Engine,
    patient: LocalSigner,
    clinician: LocalSigner,
) -> None:
    consent = desk.grant(patient, clinician, LABORATORY)
    spend(database, desk, patient, MAX_ACTIONS)
    action = actions.revoke(contracts, patient=patient.address, consent_id=consent)
    answer = desk.relay(action, patient)
    assert answer.status_code == 202
    assert answer.json() == {"transaction": None, "block": None, "gasUsed": None, "obeyed": True}
    headers = desk.sign_in(clinician)
    assert_refused(desk.get("Observation", headers, patient), 403, Refusal.CONSENT_REVOKED)
    gatekeeper.relay.retry()
    assert status(contracts, patient, consent) is ConsentStatus.GRANTED
    chain.advance(SPAN)
    gatekeeper.relay.retry()
    assert status(contracts, patient, consent) is ConsentStatus.REVOKED


def test_action_is_refused_when_it_would_take_more_gas_than_is_paid_for(
    monkeypatch: pytest.MonkeyPatch,
    opened: Opener,
    visit: Visit,
    contracts: Contracts,
    patient: LocalSigner,
    clinician: LocalSigner,
) -> None:
    """A wallet that is a contract, its patient's own, may be written to spend without end."""
    monkeypatch.setattr(foundation, "MAX_GAS", 50_000)
    desk = visit(opened())
    consent = desk.consent(patient, clinician, desk.terms(LABORATORY))
    answer = desk.relay(consent, patient)
    assert_refused(answer, 422, "Reverted")
    assert "at most 50000 are paid for" in answer.text
    assert status(contracts, patient, consent.digest) is ConsentStatus.NONE


def test_log_of_the_service_names_nobody_when_a_restriction_cannot_be_sent(
    desk: Desk,
    contracts: Contracts,
    database: Engine,
    caplog: pytest.LogCaptureFixture,
    patient: LocalSigner,
    clinician: LocalSigner,
) -> None:
    consent = desk.grant(patient, clinician, LABORATORY)
    spend(database, desk, patient, MAX_ACTIONS)
    action = actions.revoke(contracts, patient=patient.address, consent_id=consent)
    assert desk.relay(action, patient).json()["transaction"] is None
    told = [each.getMessage() for each in caplog.records if each.name.endswith(".relay")]
    assert told == ["a restriction is obeyed, but could not be sent yet: TooManyRequests"]


def test_revocation_is_sent_once_when_two_keys_hand_it_in(
    world: World,
    desk: Desk,
    chain: EmbeddedChain,
    contracts: Contracts,
    sender: Sender,
    database: Engine,
    patient: LocalSigner,
    clinician: LocalSigner,
) -> None:
    carer = LocalSigner.create()
    delegate(contracts, sender, patient, carer, Power.RESTRICT)
    consent = desk.grant(patient, clinician, LABORATORY)
    counted = spent(database, patient.address)
    eth = contracts.network.web3.eth
    payer = world.server_key.address
    nonce = eth.get_transaction_count(payer, "pending")
    with chain.mining_paused():
        sent = set()
        for key in (patient, carer, patient):
            action = actions.revoke(
                contracts, patient=patient.address, consent_id=consent, by=key.address
            )
            answer = desk.relay(action, key, wait=False)
            assert answer.json()["obeyed"]
            sent.add(answer.json()["transaction"])
        assert len(sent) == 1
    assert eth.get_transaction_count(payer, "pending") == nonce + 1
    assert spent(database, patient.address) == counted + 1
    assert status(contracts, patient, consent) is ConsentStatus.REVOKED


def test_nothing_is_sent_or_held_for_somebody_who_only_proposed_to_be_a_patient_here(
    desk: Desk,
    gatekeeper: Gatekeeper,
    contracts: Contracts,
    sender: Sender,
    hospital: LocalSigner,
    stranger: LocalSigner,
) -> None:
    proposal = actions.propose(
        contracts,
        patient=stranger.address,
        steward=hospital.address,
        account=stranger.address,
    )
    actions.submit(sender, actions.signed(proposal, stranger))
    consent = salt()
    action = actions.revoke(contracts, patient=stranger.address, consent_id=consent)
    assert_refused(desk.relay(action, stranger), 403, Refusal.UNKNOWN_PATIENT)
    ending = actions.end(
        contracts, patient=stranger.address, steward=hospital.address, account=stranger.address
    )
    assert_refused(desk.relay(ending, stranger), 403, Refusal.UNKNOWN_PATIENT)
    actions.submit(sender, actions.signed(ending, stranger))
    assert_refused(desk.relay(action, stranger), 403, Refusal.UNKNOWN_PATIENT)
    assert gatekeeper.ledger.held() == ()
    assert status(contracts, stranger, consent) is ConsentStatus.NONE
