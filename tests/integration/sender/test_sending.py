"""Sending from one key: what comes back, and what does not get through."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from hexbytes import HexBytes

from medaccord.chain import Contracts, Network, Sender, actions, events, reverts
from medaccord.chain.actions import Action, SignedAction
from medaccord.chain.embedded import EmbeddedChain
from medaccord.core.errors import TransportError
from medaccord.core.identifiers import digest, hex_digest
from medaccord.keys import LocalSigner

CONSENT = digest(b"\x77" * 32)


@pytest.fixture
def revocation(contracts: Contracts, patient: LocalSigner) -> SignedAction:
    """A signed revocation, which can happen once."""
    action = actions.revoke(contracts, patient=patient.address, consent_id=CONSENT)
    return actions.signed(action, patient)


def append(contracts: Contracts, signer: LocalSigner, number: int) -> Action:
    """The first append to a stream of its own."""
    return actions.append(
        contracts,
        account=signer.address,
        topic=digest(number.to_bytes(32, "big")),
        root=CONSENT,
    )


def test_receipt_tells_what_happened(
    network: Network, contracts: Contracts, sender: Sender, revocation: SignedAction
) -> None:
    receipt = actions.submit(sender, revocation)
    assert receipt.block == network.head()
    assert receipt.created is None
    told = network.web3.eth.get_transaction_receipt(HexBytes(receipt.transaction))
    assert receipt.gas_used == told["gasUsed"]
    assert receipt.events == (
        events.ConsentRevoked(
            contract=contracts.address("Consents"),
            block=receipt.block,
            transaction=receipt.transaction,
            log_index=0,
            patient=revocation.action.account,
            consent_id=CONSENT,
            by=revocation.action.by,
        ),
    )


def test_refused_call_costs_nothing(
    network: Network, sender: Sender, revocation: SignedAction
) -> None:
    actions.submit(sender, revocation)
    eth = network.web3.eth
    before = (eth.get_balance(sender.address), eth.get_transaction_count(sender.address))
    with pytest.raises(reverts.ConsentRevokedAlready) as caught:
        actions.submit(sender, revocation)
    assert caught.value.consent_id == CONSENT
    after = (eth.get_balance(sender.address), eth.get_transaction_count(sender.address))
    assert after == before


def test_pending_transaction_counts_for_nothing_until_it_is_mined(
    chain: EmbeddedChain, contracts: Contracts, sender: Sender, revocation: SignedAction
) -> None:
    head = contracts.network.head()
    consent = ("Consents", "consentOf", revocation.action.account, CONSENT)
    with chain.mining_paused():
        pending = actions.submit(sender, revocation, wait=False)
        assert contracts.network.head() == head
        assert contracts.call(*consent)[0] == 0
    receipt = pending.wait()
    assert receipt.transaction == pending.transaction
    assert receipt.block.number == head.number + 1
    assert contracts.call(*consent)[0] == 2


def test_transactions_of_one_key_wait_in_order(
    chain: EmbeddedChain, contracts: Contracts, sender: Sender, patient: LocalSigner
) -> None:
    with chain.mining_paused():
        waiting = [
            actions.submit(
                sender, actions.signed(append(contracts, patient, number), patient), wait=False
            )
            for number in range(3)
        ]
    receipts = [pending.wait() for pending in waiting]
    assert len({receipt.block for receipt in receipts}) == 1
    assert [receipt.events[0].log_index for receipt in receipts] == [0, 1, 2]


def test_wait_says_which_transaction_was_not_mined_in_time(
    chain: EmbeddedChain, network: Network, revocation: SignedAction
) -> None:
    impatient = Sender(network, chain.funded_signer(), timeout=timedelta(milliseconds=1))
    with chain.mining_paused():
        pending = actions.submit(impatient, revocation, wait=False)
        with pytest.raises(TransportError, match=hex_digest(pending.transaction)):
            pending.wait()


def test_wait_says_why_when_the_state_changed_before_it_was_mined(
    chain: EmbeddedChain, network: Network, sender: Sender, revocation: SignedAction
) -> None:
    second = Sender(network, chain.funded_signer())
    with chain.mining_paused():
        actions.submit(sender, revocation, wait=False)
        late = actions.submit(second, revocation, wait=False)
    with pytest.raises(reverts.ConsentRevokedAlready) as caught:
        late.wait()
    assert caught.value.consent_id == CONSENT


def test_many_threads_share_one_sender(
    contracts: Contracts, sender: Sender, patient: LocalSigner
) -> None:
    def send(number: int) -> bytes:
        action = append(contracts, patient, number)
        return actions.submit(sender, actions.signed(action, patient)).transaction

    with ThreadPoolExecutor(8) as pool:
        sent = set(pool.map(send, range(24)))
    assert len(sent) == 24
    heads = [
        contracts.call("Anchors", "headOf", patient.address, number.to_bytes(32, "big"))
        for number in range(24)
    ]
    assert all(any(head) for head in heads)


def test_key_without_money_cannot_send(
    network: Network, patient: LocalSigner, revocation: SignedAction
) -> None:
    with pytest.raises(TransportError, match="balance"):
        actions.submit(Sender(network, patient), revocation.action)
