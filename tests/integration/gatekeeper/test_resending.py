"""Restrictions that are obeyed here are sent until the chain shows them, whatever goes wrong."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

import pytest
from sqlalchemy import Engine
from web3.contract.contract import ContractFunction

from medaccord.chain import Contracts, Pending, Power, Sender, actions
from medaccord.chain.embedded import EmbeddedChain
from medaccord.core.errors import TransportError
from medaccord.gatekeeper import Gatekeeper
from medaccord.keys import LocalSigner
from medaccord.ledger import ConsentStatus
from medaccord.store.outgoing import DatabaseOutbox
from tests.integration.gatekeeper.cable import Cable
from tests.integration.gatekeeper.conftest import Opener, World
from tests.integration.gatekeeper.desk import Desk, salt


def _status(contracts: Contracts, patient: LocalSigner, consent: bytes) -> ConsentStatus:
    status, *_ = contracts.call("Consents", "consentOf", patient.address, consent)
    return ConsentStatus(status)


def test_revocation_is_sent_again_when_its_transaction_failed(
    desk: Desk,
    gatekeeper: Gatekeeper,
    contracts: Contracts,
    patient: LocalSigner,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    consent = salt()
    action = actions.revoke(contracts, patient=patient.address, consent_id=consent)
    with monkeypatch.context() as meanwhile:
        # As if it had come to cost more than when it was tried: it is mined, and fails.
        meanwhile.setattr(ContractFunction, "estimate_gas", lambda *_: 24_000)
        sent = desk.relay(action, patient, wait=False).json()["transaction"]
    assert contracts.network.web3.eth.get_transaction_receipt(sent)["status"] == 0
    gatekeeper.relay.retry()
    assert _status(contracts, patient, consent) is ConsentStatus.REVOKED


def test_revocation_is_sent_again_when_the_node_chokes_on_another(
    desk: Desk,
    gatekeeper: Gatekeeper,
    cable: Cable,
    contracts: Contracts,
    patient: LocalSigner,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    choking, consent = salt(), salt()
    cable.is_cut = True
    for each in (choking, consent):
        action = actions.revoke(contracts, patient=patient.address, consent_id=each)
        assert desk.relay(action, patient).status_code == 202
    cable.is_cut = False
    submit = actions.submit

    def choke(
        sender: Sender, signed: actions.SignedAction, *, wait: Literal[False], purpose: str
    ) -> Pending:
        if signed.action.typed.message["consentId"] == choking:
            raise TransportError("gas required exceeds allowance")
        return submit(sender, signed, wait=wait, purpose=purpose)

    monkeypatch.setattr(actions, "submit", choke)
    gatekeeper.relay.retry()
    assert _status(contracts, patient, consent) is ConsentStatus.REVOKED


def test_revocation_is_sent_under_the_newer_signature_when_handed_in_twice(
    desk: Desk,
    gatekeeper: Gatekeeper,
    cable: Cable,
    contracts: Contracts,
    sender: Sender,
    patient: LocalSigner,
    chain: EmbeddedChain,
) -> None:
    carer, consent = LocalSigner.create(), salt()
    until = chain.clock().replace(microsecond=0) + timedelta(minutes=1)
    delegation = actions.delegate(
        contracts,
        account=patient.address,
        delegate=carer.address,
        powers=Power.RESTRICT,
        until=until,
    )
    actions.submit(sender, actions.signed(delegation, patient))
    gatekeeper.ledger.sync()
    cable.is_cut = True
    for key in (carer, patient):
        action = actions.revoke(
            contracts, patient=patient.address, consent_id=consent, by=key.address
        )
        assert desk.relay(action, key).json()["obeyed"]
    cable.is_cut = False
    chain.advance(timedelta(minutes=2))
    gatekeeper.relay.retry()
    assert _status(contracts, patient, consent) is ConsentStatus.REVOKED


def test_transaction_of_a_dead_process_is_sent_when_the_gatekeeper_opens(
    opened: Opener, world: World, cable: Cable, contracts: Contracts, database: Engine
) -> None:
    key, topic = world.server_key, salt()
    action = actions.append(contracts, account=key.address, topic=topic, root=salt())
    cable.cut_before = "eth_sendRawTransaction"
    with pytest.raises(TransportError, match="is recorded and will be sent again"):
        actions.submit(Sender(cable.network(), key, outbox=DatabaseOutbox(database)), action)
    cable.mend()
    opened()
    assert any(contracts.call("Anchors", "headOf", key.address, topic))
