"""What has a purpose is sent once, whoever asks for it again and whatever answer was lost."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from hexbytes import HexBytes
from web3.contract.contract import ContractFunction

from medaccord.chain import Contracts, Network, Sender, delivery, reverts
from medaccord.chain.embedded import EmbeddedChain
from medaccord.chain.outbox import MemoryOutbox
from medaccord.core.errors import InvalidInput, TransportError
from medaccord.core.outgoing import Outgoing, SendingKey
from medaccord.keys import LocalSigner
from tests.integration.gatekeeper.cable import Cable
from tests.integration.stream_calls import appended, first_append


@pytest.fixture
def payer(chain: EmbeddedChain) -> LocalSigner:
    return chain.funded_signer()


@pytest.fixture
def outbox() -> MemoryOutbox:
    return MemoryOutbox()


@pytest.fixture
def payer_sends(network: Network, payer: LocalSigner, outbox: MemoryOutbox) -> Sender:
    return Sender(network, payer, outbox=outbox)


@pytest.fixture
def call(contracts: Contracts, payer: LocalSigner) -> ContractFunction:
    return first_append(contracts, payer.address, 0)


@pytest.fixture
def cable(chain: EmbeddedChain) -> Iterator[Cable]:
    cable = Cable(chain)
    yield cable
    cable.mend()


def under_way(network: Network, payer: LocalSigner, outbox: MemoryOutbox) -> list[Outgoing]:
    key = SendingKey(genesis_hash=network.genesis_hash, address=payer.address)
    return list(outbox.unsettled(key))


def test_purpose_is_sent_once_when_asked_for_twice_while_it_waits(
    chain: EmbeddedChain,
    contracts: Contracts,
    payer: LocalSigner,
    payer_sends: Sender,
    call: ContractFunction,
) -> None:
    with chain.mining_paused():
        first = payer_sends.send(call, wait=False, purpose="batch:1")
        again = payer_sends.send(call, wait=False, purpose="batch:1")
        assert again.transaction == first.transaction
    assert again.wait() == first.wait()
    assert appended(contracts, payer.address) == {0: 1}


def test_purposes_do_not_wait_for_each_other(
    chain: EmbeddedChain, contracts: Contracts, payer: LocalSigner, payer_sends: Sender
) -> None:
    with chain.mining_paused():
        for number in range(3):
            call = first_append(contracts, payer.address, number)
            payer_sends.send(call, wait=False, purpose=f"batch:{number}")
    assert appended(contracts, payer.address) == {0: 1, 1: 1, 2: 1}


def test_purpose_is_sent_once_when_threads_ask_for_it_at_once(
    contracts: Contracts, payer: LocalSigner, payer_sends: Sender, call: ContractFunction
) -> None:
    together = Barrier(6)

    def send(_: int) -> bool:
        together.wait()
        try:
            payer_sends.send(call, purpose="batch:1")
        except reverts.WrongHead:  # it was mined for good when this one came
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert any(pool.map(send, range(6)))
    eth = contracts.network.web3.eth
    assert eth.get_transaction_count(payer.address) == 1
    assert appended(contracts, payer.address) == {0: 1}


def test_purpose_is_open_again_when_its_transaction_failed_for_good(
    network: Network,
    contracts: Contracts,
    payer: LocalSigner,
    payer_sends: Sender,
    call: ContractFunction,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as meanwhile:
        # As if it had come to cost more than when it was tried: it is mined, and fails.
        meanwhile.setattr(ContractFunction, "estimate_gas", lambda *_: 30_000)
        pending = payer_sends.send(call, wait=False, purpose="batch:1")
        with pytest.raises(reverts.Reverted, match="its gas may have run out"):
            pending.wait()
    payer_sends.send(call, purpose="batch:1")
    assert network.web3.eth.get_transaction_count(payer.address) == 2
    assert appended(contracts, payer.address) == {0: 1}


def test_purpose_waits_for_the_mined_one_until_that_is_final(
    chain: EmbeddedChain, payer: LocalSigner, outbox: MemoryOutbox, contracts: Contracts
) -> None:
    sender = Sender(chain.network(confirmations=2), payer, outbox=outbox)
    call = first_append(contracts, payer.address, 0)
    receipt = sender.send(call, purpose="batch:1")
    assert sender.send(call, purpose="batch:1") == receipt
    chain.mine(2)
    with pytest.raises(reverts.WrongHead):
        sender.send(call, purpose="batch:1")


@pytest.mark.parametrize("length", [0, 129])
def test_purpose_is_refused_when_it_cannot_be_recorded(
    payer_sends: Sender, call: ContractFunction, length: int
) -> None:
    with pytest.raises(InvalidInput, match=f"1 to 128 characters, not {length}"):
        payer_sends.send(call, purpose="x" * length)


def test_call_is_mined_once_when_the_answer_was_lost(
    contracts: Contracts,
    payer: LocalSigner,
    outbox: MemoryOutbox,
    cable: Cable,
    call: ContractFunction,
) -> None:
    sender = Sender(cable.network(), payer, outbox=outbox)
    cable.cut_after = "eth_sendRawTransaction"
    with pytest.raises(TransportError, match="unless the node has it already"):
        sender.send(call)
    cable.mend()
    assert sender.resume() == 0
    assert under_way(contracts.network, payer, outbox) == []
    assert appended(contracts, payer.address) == {0: 1}


def test_call_is_mined_once_when_it_never_reached_the_node(
    network: Network,
    contracts: Contracts,
    payer: LocalSigner,
    outbox: MemoryOutbox,
    cable: Cable,
    call: ContractFunction,
) -> None:
    cable.cut_before = "eth_sendRawTransaction"
    with pytest.raises(TransportError, match="is recorded and will be sent again"):
        Sender(cable.network(), payer, outbox=outbox).send(call)
    (recorded,) = under_way(network, payer, outbox)
    # What is sent next goes after it, and does not take its nonce.
    later = Sender(network, payer, outbox=outbox)
    later.send(first_append(contracts, payer.address, 1))
    receipt = network.web3.eth.get_transaction_receipt(HexBytes(recorded.attempts[0].hash))
    assert receipt["status"] == 1
    assert appended(contracts, payer.address) == {0: 1, 1: 1}
    later.resume()
    assert under_way(network, payer, outbox) == []


def test_what_nobody_waits_for_is_settled_as_more_is_sent(
    monkeypatch: pytest.MonkeyPatch,
    network: Network,
    contracts: Contracts,
    payer: LocalSigner,
    payer_sends: Sender,
    outbox: MemoryOutbox,
) -> None:
    monkeypatch.setattr(delivery, "_MOST_UNTENDED", 4)
    for number in range(9):
        payer_sends.send(first_append(contracts, payer.address, number), wait=False)
    assert [each.nonce for each in under_way(network, payer, outbox)] == [7, 8]
