"""The embedded chain as a node on a network: our own parts and web3 work with it as with any."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import pytest
from web3 import HTTPProvider, Web3
from web3.types import RPCEndpoint

from medaccord.chain import (
    Contracts,
    FounderAdmission,
    Network,
    Role,
    Sender,
    actions,
    connect,
    deploy,
    events,
)
from medaccord.chain.embedded import EmbeddedChain
from medaccord.chain.rpc_server import MAX_BATCH, MAX_BODY_BYTES, METHODS, RpcServer
from medaccord.core.errors import ContractReverted, TransportError
from medaccord.core.identifiers import digest
from medaccord.gatekeeper.server import bind, serve
from medaccord.keys import LocalSigner
from medaccord.ledger import Follower
from medaccord.store import open_engine
from tests.integration.conftest import KEY, PROFILE

CHAIN_ID = 1337
SENDERS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node with our contracts on its chain.

    Attributes:
        url: where it answers.
        chain: behind it.
        contracts: over HTTP.
        payer: has money.
    """

    url: str
    chain: EmbeddedChain
    contracts: Contracts
    payer: LocalSigner

    def post(self, content: bytes, **headers: str) -> httpx.Response:
        sent = {"content-type": "application/json"} | headers
        return httpx.post(self.url, content=content, headers=sent, timeout=60)

    def ask(self, asked: object) -> Any:
        """What is answered to a body of JSON."""
        response = self.post(json.dumps(asked).encode())
        assert response.status_code == 200
        assert response.headers["content-type"] == "application/json"
        return response.json()

    def call(self, method: str, *params: Any) -> Any:
        """The result of one call."""
        answer = self.ask(named(method, *params))
        assert answer.keys() == {"jsonrpc", "id", "result"}, answer
        return answer["result"]

    def error(self, asked: object) -> tuple[int, str]:
        """Code and message of what is refused."""
        answer = self.ask(asked)
        assert answer.keys() == {"jsonrpc", "id", "error"}, answer
        return answer["error"]["code"], answer["error"]["message"]


def named(method: str, *params: Any, identity: object = 1) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": identity, "method": method, "params": list(params)}


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    chain, listener = EmbeddedChain(), bind()
    payer = chain.funded_signer()
    server = serve(RpcServer(chain.answer), listener)
    try:
        network = Network.connect(server.url)
        hospital = LocalSigner.create()
        founder = FounderAdmission(signer=hospital, key=KEY, profile=PROFILE, roles=Role.STEWARD)
        deployment = deploy(network, Sender(network, payer), founder)
        contracts = connect(network, deployment)
        yield Node(url=server.url, chain=chain, contracts=contracts, payer=payer)
    finally:
        server.stop()
        listener.close()


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


# --- What JSON-RPC wants ---


def test_batch_is_answered_call_by_call(node: Node) -> None:
    answers = node.ask(
        [
            named("eth_chainId", identity="a"),
            named("eth_nonsense", identity=2),
            {"jsonrpc": "2.0", "method": "eth_chainId"},  # wants no answer
            7,
        ]
    )
    assert [each["id"] for each in answers] == ["a", 2, None]
    assert answers[0]["result"] == hex(CHAIN_ID)
    assert [each["error"]["code"] for each in answers[1:]] == [-32601, -32600]


def test_call_that_wants_no_answer_gets_none(node: Node) -> None:
    response = node.post(b'{"jsonrpc": "2.0", "method": "eth_chainId"}')
    assert (response.status_code, response.content) == (204, b"")


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ([], -32600),
        ([named("eth_chainId")] * (MAX_BATCH + 1), -32600),
        ("eth_chainId", -32600),
        ({"id": 1, "method": "eth_chainId"}, -32600),
        ({"jsonrpc": "2.0", "id": 1, "method": 7}, -32600),
        ({"jsonrpc": "2.0", "id": [], "method": "eth_chainId"}, -32600),
        ({"jsonrpc": "2.0", "id": 1, "method": "eth_getBalance", "params": {"a": 1}}, -32602),
        (named("eth_getBalance"), -32602),
        (named("eth_call", 7, "latest"), -32602),
        (named("eth_sendTransaction", {}), -32601),
        (named("evm_revert", 1), -32601),
        (named("eth_accounts"), -32601),
    ],
)
def test_malformed_call_is_refused(node: Node, asked: object, code: int) -> None:
    assert node.error(asked)[0] == code


@pytest.mark.parametrize("raw", ["0x", "0x12", "0x02c0", "nonsense", 7, None, "0x" + "ff" * 1000])
def test_malformed_transaction_is_refused(node: Node, raw: object) -> None:
    code, _ = node.error(named("eth_sendRawTransaction", raw))
    assert code in (-32602, -32603, -32000)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff", b"[" * 100_000, b'{"a":' * 50_000, b"1" * 10_000],
    ids=["empty", "cut off", "no text", "deep", "deep objects", "a long number"],
)
def test_body_that_is_no_json_is_refused(node: Node, body: bytes) -> None:
    answer = node.post(body).json()
    assert (answer["id"], answer["error"]["code"]) == (None, -32700)


def test_errors_are_short(node: Node) -> None:
    _, message = node.error(named("eth_getBalance", "0x" + "1" * 100_000, "latest"))
    assert len(message) <= 300


# --- Who may ask ---


def test_body_that_is_too_long_is_refused(node: Node) -> None:
    response = node.post(b"[" + b" " * MAX_BODY_BYTES)
    assert response.status_code == 413
    assert response.json()["error"]["message"] == f"a request has at most {MAX_BODY_BYTES} bytes"


@pytest.mark.parametrize("method", ["GET", "OPTIONS", "PUT", "DELETE", "HEAD"])
def test_other_methods_than_post_are_refused(node: Node, method: str) -> None:
    response = httpx.request(method, node.url)
    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    assert not any(name.startswith("access-control") for name in response.headers)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_what_a_page_can_send_without_asking_is_refused(node: Node, kind: str) -> None:
    body = json.dumps(named("eth_chainId")).encode()
    assert node.post(body, **{"content-type": kind}).status_code == 415


@pytest.mark.parametrize(
    "host",
    [
        "example.org",
        "example.org:8545",
        "127.0.0.1.example.org",
        "10.0.0.1",
        "",
        "[",
        "localhost.example",
    ],
)
def test_name_that_was_pointed_at_this_machine_is_refused(node: Node, host: str) -> None:
    response = node.post(json.dumps(named("eth_chainId")).encode(), host=host)
    assert response.status_code in (400, 403)
    assert "result" not in response.json()


@pytest.mark.parametrize(
    "host", ["localhost:8545", "LOCALHOST", "127.0.0.1", "127.9.9.9:1", "[::1]:8545"]
)
def test_names_of_this_machine_are_taken(node: Node, host: str) -> None:
    assert node.post(json.dumps(named("eth_chainId")).encode(), host=host).status_code == 200


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
