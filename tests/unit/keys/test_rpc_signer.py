"""A signer at a node: whatever it answers, only what was asked for and signed comes out.

The node is a small HTTP server here that signs with a key of its own and then lies as it is told;
`tests/integration/test_rpc_signer.py` asks a real one.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct, encode_typed_data
from hexbytes import HexBytes

from medaccord.core.errors import InvalidInput, SignatureMismatch, TransportError
from medaccord.core.identifiers import address
from medaccord.core.signatures import SECP256K1_ORDER
from medaccord.core.typed_data import OFF_CHAIN, Domain, TypedData, recover, typed
from medaccord.keys import LocalSigner, RpcSigner, Signer

KEY = 32 * b"\x07"
HOSPITAL = address(Account.from_key(KEY).address)
STRANGER = LocalSigner.unsafe_from_key(32 * b"\x08")
TRANSACTION: dict[str, Any] = {
    "chainId": 1337,
    "nonce": 7,
    "to": STRANGER.address,
    "value": 1,
    "gas": 60_000,
    "maxFeePerGas": 3,
    "maxPriorityFeePerGas": 2,
    "data": b"\x01\x02",
}

Lie = Callable[[Any], Any]


class Node:
    """Signs as a node does, then changes its answers by `lie` and its whole reply by `reply`."""

    def __init__(self) -> None:
        self.lie: Lie = lambda result: result
        self.reply: Callable[[dict[str, Any]], bytes] = lambda body: json.dumps(body).encode()
        self.asked: list[tuple[str, Any]] = []

    def answer(self, method: str, parameters: list[Any]) -> str:
        self.asked.append((method, parameters))
        if method == "eth_signTypedData_v4":
            message = encode_typed_data(full_message=parameters[1])
        elif method == "personal_sign":
            message = encode_defunct(hexstr=parameters[0])
        else:
            fields = {name: value for name, value in parameters[0].items() if name != "from"}
            return HexBytes(Account.sign_transaction(fields, KEY).raw_transaction).to_0x_hex()
        return HexBytes(Account.sign_message(message, KEY).signature).to_0x_hex()


@pytest.fixture
def node() -> Node:
    return Node()


@pytest.fixture
def url(node: Node) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            result = node.lie(node.answer(asked["method"], asked["params"]))
            body = node.reply({"jsonrpc": "2.0", "id": asked["id"], "result": result})
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://user:hidden@127.0.0.1:{server.server_port}/v3/also-hidden"
        server.shutdown()
        thread.join()


@pytest.fixture
def signer(url: str) -> Iterator[RpcSigner]:
    signer = RpcSigner(url, HOSPITAL)
    yield signer
    signer.close()


@pytest.fixture
def message() -> TypedData:
    domain = Domain(name=OFF_CHAIN, chain_id=1337, contract=HOSPITAL)
    return typed(
        domain, "Enrolment", account=HOSPITAL, steward=HOSPITAL, code=bytes(32), deadline=1
    )


def test_rpc_signer_is_a_signer(signer: RpcSigner) -> None:
    assert isinstance(signer, Signer)
    assert signer.address == HOSPITAL


def test_typed_data_is_signed_as_by_the_key_itself(
    signer: RpcSigner, node: Node, message: TypedData
) -> None:
    assert signer.sign(message) == LocalSigner.unsafe_from_key(KEY).sign(message)
    assert node.asked == [("eth_signTypedData_v4", [HOSPITAL, message.full()])]


def test_text_is_signed_as_by_the_key_itself(signer: RpcSigner) -> None:
    text = "Ich melde mich an.\n"
    assert signer.sign_text(text) == LocalSigner.unsafe_from_key(KEY).sign_text(text)


@pytest.mark.parametrize("left_out", ["", "to"])
def test_transaction_is_signed_as_by_the_key_itself(signer: RpcSigner, left_out: str) -> None:
    # Without `to` it creates a contract.
    asked = {name: value for name, value in TRANSACTION.items() if name != left_out}
    assert signer.sign_transaction(asked) == (
        LocalSigner.unsafe_from_key(KEY).sign_transaction(asked)
    )


def test_transaction_is_taken_when_the_node_wraps_it_as_geth_does(
    signer: RpcSigner, node: Node
) -> None:
    node.lie = lambda raw: {"raw": raw, "tx": {"hash": "0x00"}}
    assert Account.recover_transaction(signer.sign_transaction(TRANSACTION)) == HOSPITAL


def test_transaction_of_another_kind_is_refused_before_it_is_asked_for(
    signer: RpcSigner, node: Node
) -> None:
    with pytest.raises(InvalidInput, match="with maxFeePerGas here, and no others"):
        signer.sign_transaction({"nonce": 1, "gas": 21_000, "gasPrice": 1})
    assert node.asked == []


def high(signature: str) -> str:
    raw = bytes.fromhex(signature[2:])
    s = SECP256K1_ORDER - int.from_bytes(raw[32:64], "big")
    return "0x" + (raw[:32] + s.to_bytes(32, "big") + bytes([55 - raw[64]])).hex()


def counted_from_zero(signature: str) -> str:
    return signature[:-2] + {"1b": "00", "1c": "01"}[signature[-2:]]


@pytest.mark.parametrize("lie", [high, counted_from_zero])
def test_signature_is_put_into_the_form_of_contracts_when_it_has_another(
    signer: RpcSigner, node: Node, message: TypedData, lie: Lie
) -> None:
    node.lie = lie
    assert signer.sign(message) == LocalSigner.unsafe_from_key(KEY).sign(message)


def strangers(_: str) -> str:
    domain = Domain(name=OFF_CHAIN, chain_id=1337, contract=HOSPITAL)
    same = typed(
        domain, "Enrolment", account=HOSPITAL, steward=HOSPITAL, code=bytes(32), deadline=1
    )
    return "0x" + STRANGER.sign(same).hex()


def test_signature_is_refused_when_it_is_by_another_key(
    signer: RpcSigner, node: Node, message: TypedData
) -> None:
    node.lie = strangers
    with pytest.raises(SignatureMismatch) as caught:
        signer.sign(message)
    assert f"signed Enrolment as {STRANGER.address}, not as {HOSPITAL}" in str(caught.value)


def test_signature_is_refused_when_it_is_over_something_else(
    signer: RpcSigner, node: Node, message: TypedData
) -> None:
    other = LocalSigner.unsafe_from_key(KEY).sign_text("something else")
    node.lie = lambda _: "0x" + other.hex()
    assert recover(message, other) != HOSPITAL
    with pytest.raises(SignatureMismatch, match=f"not as {HOSPITAL}"):
        signer.sign(message)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ("0x", "has 0 bytes, not 65"),
        ("0x" + 64 * "11", "has 64 bytes, not 65"),
        ("0x" + 66 * "11", "has 66 bytes, not 65"),
        ("0x" + 64 * "11" + "1d", "ends in 29, not in 27 or 28"),
        ("0x" + 65 * "00", "belongs to no key"),
        ("0x" + 32 * "11" + 32 * "ff" + "1b", "is malleable"),
    ],
)
def test_signature_is_refused_when_it_is_none(
    signer: RpcSigner, node: Node, message: TypedData, answer: str, problem: str
) -> None:
    node.lie = lambda _: answer
    with pytest.raises(SignatureMismatch, match=problem):
        signer.sign(message)


@pytest.mark.parametrize("answer", ["", "0xzz", "cafe", 7, [], {"tx": {}}, "0x0", True])
def test_answer_is_refused_when_it_is_no_bytes(
    signer: RpcSigner, node: Node, message: TypedData, answer: object
) -> None:
    node.lie = lambda _: answer
    with pytest.raises(TransportError, match="answers with no bytes in hexadecimal"):
        signer.sign(message)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("chainId", 1),
        ("nonce", 8),
        ("to", HOSPITAL),
        ("value", 2),
        ("gas", 60_001),
        ("maxFeePerGas", 4),
        ("maxPriorityFeePerGas", 1),
        ("data", b"\x01\x03"),
        ("accessList", [{"address": HOSPITAL, "storageKeys": []}]),
    ],
)
def test_transaction_is_refused_when_the_node_changed_a_field(
    signer: RpcSigner, node: Node, name: str, value: object
) -> None:
    other = LocalSigner.unsafe_from_key(KEY).sign_transaction({**TRANSACTION, name: value})
    node.lie = lambda _: "0x" + other.hex()
    with pytest.raises(SignatureMismatch, match="signed another transaction than the one asked"):
        signer.sign_transaction(TRANSACTION)


def test_transaction_is_refused_when_it_is_by_another_key(signer: RpcSigner, node: Node) -> None:
    node.lie = lambda _: "0x" + STRANGER.sign_transaction(TRANSACTION).hex()
    with pytest.raises(SignatureMismatch, match=f"as {STRANGER.address}, not as {HOSPITAL}"):
        signer.sign_transaction(TRANSACTION)


@pytest.mark.parametrize("answer", ["0x", "0x02", "0x02c0", "0xc0", "0x05", "0x" + 200 * "ff"])
def test_transaction_is_refused_when_it_is_none(signer: RpcSigner, node: Node, answer: str) -> None:
    node.lie = lambda _: answer
    with pytest.raises(SignatureMismatch, match="signed another transaction than the one asked"):
        signer.sign_transaction(TRANSACTION)


def test_refusal_of_the_node_says_what_to_do(
    signer: RpcSigner, node: Node, message: TypedData
) -> None:
    error = {"code": -32000, "message": "authentication needed:\n password or unlock"}
    node.reply = lambda body: json.dumps({"id": body["id"], "error": error}).encode()
    with pytest.raises(TransportError) as caught:
        signer.sign(message)
    told = str(caught.value)
    assert f"does not sign for {HOSPITAL} (eth_signTypedData_v4: authentication needed:" in told
    assert told.endswith("unlock the account there, or use a key of the keystore")


@pytest.mark.parametrize(
    "reply", [b"", b"\xff", b"<html>", b"[]", b"null", b'{"id": 99, "result": "0x"}']
)
def test_reply_is_refused_when_it_is_no_json_rpc(
    signer: RpcSigner, node: Node, message: TypedData, reply: bytes
) -> None:
    node.reply = lambda _: reply
    with pytest.raises(TransportError, match="with HTTP status 200 and no JSON-RPC"):
        signer.sign(message)


@pytest.mark.parametrize("reply", [b'{"id": 1, "result": null}', b'{"id": 1}'])
def test_reply_is_refused_when_it_holds_no_answer(
    signer: RpcSigner, node: Node, message: TypedData, reply: bytes
) -> None:
    node.reply = lambda _: reply
    with pytest.raises(TransportError, match="does not sign for"):
        signer.sign(message)


def test_nobody_signs_when_the_node_is_gone(message: TypedData) -> None:
    signer = RpcSigner("http://127.0.0.1:1", HOSPITAL, timeout=timedelta(seconds=5))
    with pytest.raises(TransportError, match=r"no node answers at http://127\.0\.0\.1:1: "):
        signer.sign(message)
    signer.close()


@pytest.mark.parametrize("url", ["", "127.0.0.1:8545", "ftp://node", "http://", "file:///etc"])
def test_address_of_the_node_is_refused_when_it_is_no_url(url: str) -> None:
    with pytest.raises(InvalidInput, match=r"is no URL that begins with http\(s\)://"):
        RpcSigner(url, HOSPITAL)


def test_secrets_of_the_url_are_not_shown(
    signer: RpcSigner, node: Node, message: TypedData
) -> None:
    node.lie = lambda _: "none"
    with pytest.raises(TransportError) as caught:
        signer.sign(message)
    for shown in (repr(signer), str(caught.value)):
        assert "http://127.0.0.1:" in shown
        assert "hidden" not in shown
