"""What the embedded chain answers to JSON-RPC that is wrong, and to whom it answers none."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest

from medaccord.chain.rpc_server import MAX_BATCH, MAX_BODY_BYTES
from tests.integration.rpc_node import CHAIN_ID, Node, named, serving


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    with serving() as running:
        yield running


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
