"""The embedded chain as a node on a network: our own parts and web3 work with it as with any."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from web3 import HTTPProvider, Web3
from web3.types import RPCEndpoint

from medaccord.chain import (
    Network,
    Sender,
    actions,
    events,
)
from medaccord.chain.rpc_server import METHODS
from medaccord.core.errors import ContractReverted, TransportError
from medaccord.core.identifiers import digest
from medaccord.keys import LocalSigner
from medaccord.ledger import Follower
from medaccord.store import open_engine
from tests.integration.rpc_node import CHAIN_ID, Node, named, serving

SENDERS = 4


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    with serving() as running:
        yield running


@pytest.fixture(scope="module")
def web3(node: Node) -> Web3:
    return Web3(HTTPProvider(node.url))


# --- What works with it ---


def test_contracts_are_deployed_and_connected_to_over_http(node: Node) -> None:
    assert node.contracts.network.chain_id == CHAIN_ID
    assert node.contracts.call("Registry", "activeMembers") == 1


def test_chain_id_is_the_same_in_both_places(node: Node) -> None:
    assert int(node.call("eth_chainId"), 16) == int(node.call("net_version")) == CHAIN_ID


def test_several_threads_send_at_once_and_the_ledger_follows(node: Node, tmp_path: Any) -> None:
    senders = [
        Sender(Network.connect(node.url), node.chain.funded_signer()) for _ in range(SENDERS)
    ]
    patients = [LocalSigner.create() for _ in range(3 * SENDERS)]

    def revoke_all(index: int) -> None:
        patient = patients[index]
        action = actions.revoke_all(node.contracts, account=patient.address)
        actions.submit(senders[index % SENDERS], actions.signed(action, patient))

    with node.chain.mining_on_time(), ThreadPoolExecutor(len(patients)) as pool:
        list(pool.map(revoke_all, range(len(patients))))

    engine = open_engine(f"sqlite:///{tmp_path / 'ledger.db'}")
    try:
        follower = Follower(node.contracts.network, node.contracts, engine)
        follower.sync()
        with follower.views() as views:
            epochs = [views.newest.control(patient.address).epoch for patient in patients]
        assert epochs == [1] * len(patients)
    finally:
        engine.dispose()


def test_contract_error_arrives_with_its_arguments(node: Node) -> None:
    patient = LocalSigner.create()
    action = actions.revoke(
        node.contracts, patient=patient.address, consent_id=digest(b"\x01" * 32)
    )
    signed = actions.signed(action, patient)
    sender = Sender(node.contracts.network, node.payer)
    actions.submit(sender, signed)
    with pytest.raises(ContractReverted, match="ConsentRevokedAlready"):
        actions.submit(sender, signed)


def test_transaction_is_refused_when_its_sender_has_no_money(node: Node) -> None:
    poor = LocalSigner.create()
    action = actions.revoke_all(node.contracts, account=poor.address)
    with node.chain.mining_paused(), pytest.raises(TransportError, match="insufficient funds"):
        actions.submit(Sender(node.contracts.network, poor), actions.signed(action, poor))


def test_logs_are_found_by_range_address_topic_and_block(node: Node) -> None:
    network, deployment = node.contracts.network, node.contracts.deployment
    seen = events.fetch(network, node.contracts, 0, network.head().number)
    admitted = [each for each in seen if isinstance(each, events.OrganisationAdmitted)]
    everything = node.call("eth_getLogs", {"fromBlock": "0x0", "toBlock": "latest"})
    assert len(everything) == len(seen)
    (log,) = [each for each in everything if each["transactionHash"] in transactions(admitted)]
    registry = {"address": deployment.contracts["Registry"].address, "topics": log["topics"][:1]}
    assert node.call("eth_getLogs", {"fromBlock": "0x0", **registry}) == [log]
    assert node.call("eth_getLogs", {"blockHash": log["blockHash"], **registry}) == [log]
    assert (
        node.call("eth_getLogs", {"blockHash": log["blockHash"], "topics": ["0x" + 64 * "1"]}) == []
    )


def transactions(found: list[Any]) -> set[str]:
    return {"0x" + each.transaction.hex() for each in found}


# --- web3's own provider ---


def test_web3_reads_blocks_with_their_transactions(node: Node, web3: Web3) -> None:
    block = web3.eth.get_block(1, full_transactions=True)
    whole: Any = block["transactions"]
    assert [(each["to"], each["blockNumber"]) for each in whole] == [(node.payer.address, 1)]
    assert web3.eth.get_block(block["hash"])["number"] == 1


def test_web3_reads_receipts_with_their_filters(node: Node, web3: Web3) -> None:
    deployed = node.contracts.deployment.contracts["Consortium"]
    receipt = web3.eth.get_transaction_receipt(bytes(deployed.transaction))  # type: ignore[arg-type]  # a hash
    assert receipt["contractAddress"] == deployed.address
    assert (receipt["status"], receipt["blockNumber"]) == (1, deployed.block)
    block = web3.eth.get_block(deployed.block)
    assert bytes(receipt["logsBloom"]) == bytes(block["logsBloom"])
    assert any(receipt["logsBloom"])


def test_web3_sends_batches(node: Node, web3: Web3) -> None:
    with web3.batch_requests() as batch:
        for number in range(3):
            batch.add(web3.eth.get_block(number))
        blocks: Any = batch.execute()
    assert [block["number"] for block in blocks] == [0, 1, 2]


def test_raw_transaction_moves_money(node: Node, web3: Web3) -> None:
    to = LocalSigner.create().address
    raw = node.payer.sign_transaction(
        {
            "chainId": CHAIN_ID,
            "nonce": web3.eth.get_transaction_count(node.payer.address),
            "to": to,
            "value": 7,
            "gas": 21_000,
            "maxFeePerGas": 10**10,
            "maxPriorityFeePerGas": 10**9,
        }
    )
    web3.eth.wait_for_transaction_receipt(web3.eth.send_raw_transaction(raw))
    assert web3.eth.get_balance(to) == 7


def test_every_method_that_is_answered_exists(node: Node) -> None:
    for method in METHODS:
        answer = node.ask(named(method))
        assert answer.get("error", {}).get("code") != -32601, (method, answer)


def test_numbers_are_in_hexadecimal_everywhere(node: Node) -> None:
    def plain(value: Any) -> bool:
        if isinstance(value, dict):
            return any(map(plain, value.values()))
        if isinstance(value, list):
            return any(map(plain, value))
        return isinstance(value, int) and not isinstance(value, bool)

    last = node.contracts.deployment.contracts["Anchors"]
    transaction = "0x" + last.transaction.hex()
    for result in (
        node.call("eth_getBlockByNumber", hex(last.block), True),
        node.call("eth_getTransactionByHash", transaction),
        node.call("eth_getTransactionReceipt", transaction),
        node.call("eth_getBlockReceipts", hex(last.block)),
        node.call("eth_getLogs", {"fromBlock": "0x0"}),
        node.call("eth_feeHistory", "0x2", "latest", [10]),
        node.call("eth_getTransactionCount", node.payer.address, "latest"),
    ):
        assert result
        assert not plain(result), result


# --- When blocks are mined ---


def test_blocks_are_never_dated_ahead_of_the_clock(node: Node) -> None:
    sender = Sender(node.contracts.network, node.chain.funded_signer())
    with node.chain.mining_on_time():
        for _ in range(3):
            patient = LocalSigner.create()
            action = actions.revoke_all(node.contracts, account=patient.address)
            actions.submit(sender, actions.signed(action, patient))
            head = node.contracts.network.head()
            assert head.timestamp <= node.contracts.network.clock()


def test_empty_blocks_are_mined_when_they_are_asked_for(node: Node) -> None:
    network = node.contracts.network
    before = network.head().number
    with node.chain.mining_on_time(timedelta(seconds=1)):
        wait = node.chain.network()
        while wait.head().number < before + 2:
            pass
    assert node.call("eth_getBlockTransactionCountByNumber", hex(before + 1)) == "0x0"


def test_shorter_periods_than_blocks_can_be_dated_are_refused(node: Node) -> None:
    with pytest.raises(ValueError, match="at least"), node.chain.mining_on_time(timedelta(0)):
        pass


def test_what_does_not_fit_a_block_goes_into_the_next(node: Node, web3: Web3) -> None:
    payer = node.chain.funded_signer()
    most = web3.eth.get_block("latest")["gasLimit"] - 500_000
    provider = HTTPProvider(node.url)
    with node.chain.mining_paused():
        for nonce in range(2):
            raw = payer.sign_transaction(
                {
                    "chainId": CHAIN_ID,
                    "nonce": nonce,
                    "to": payer.address,
                    "value": 0,
                    "gas": most,
                    "data": b"\xff" * 20_000,  # takes more than is left
                    "maxFeePerGas": 10**10,
                    "maxPriorityFeePerGas": 10**9,
                }
            )
            answer = provider.make_request(
                RPCEndpoint("eth_sendRawTransaction"), ["0x" + raw.hex()]
            )
            assert "result" in answer, answer
        again = provider.make_request(RPCEndpoint("eth_sendRawTransaction"), ["0x" + raw.hex()])
        assert again["error"]["message"] == "already known"
        node.chain.mine()
        assert web3.eth.get_transaction_count(payer.address) == 1
        node.chain.mine()
        assert web3.eth.get_transaction_count(payer.address) == 2
