"""Networks whose node is away, or talks nonsense: every fault is a TransportError."""

from __future__ import annotations

import json
import socket
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from medaccord.chain import Network
from medaccord.chain.embedded import EmbeddedChain
from medaccord.core.errors import TransportError
from medaccord.core.identifiers import digest

SECRET = 3 * "hid" + "den"
"""In no line of this file, which tracebacks quote."""

BLOCK = {
    "number": "0x0",
    "hash": "0x" + 64 * "a",
    "parentHash": "0x" + 64 * "0",
    "logsBloom": "0x" + 512 * "0",
    "timestamp": "0x1",
    # Networks with proof of authority put more than 32 bytes here.
    "extraData": "0x" + 200 * "0",
}


@contextmanager
def node(answer: Any, *, status: int = 200) -> Iterator[str]:
    """A server on loopback that gives one answer to everything, or by method."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            body = answer[request["method"]] if isinstance(answer, dict) else answer
            if not isinstance(body, str):
                body = json.dumps({"jsonrpc": "2.0", "id": request["id"], **body})
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def connect(url: str) -> Network:
    return Network.connect(url, timeout=timedelta(seconds=2))


def test_network_is_connected_when_a_node_answers() -> None:
    answers = {"eth_chainId": {"result": "0x539"}, "eth_getBlockByNumber": {"result": BLOCK}}
    with node(answers) as url:
        network = connect(url)
        head = network.head()
    assert (network.chain_id, network.genesis_hash) == (1337, digest("0x" + 64 * "a"))
    assert head.timestamp == datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)


def test_connecting_fails_when_nobody_listens() -> None:
    with socket.socket() as reserved:  # bound and never listening, so that nobody else can be there
        reserved.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{reserved.getsockname()[1]}"
        with pytest.raises(TransportError, match=f"no Ethereum node answers at {url}"):
            connect(url)


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ("<html>It works!</html>", 200),
        ("", 500),
        ("[]", 200),
        ({"error": {"code": -32601, "message": "no such method"}}, 200),
        ({"result": None}, 200),
    ],
)
def test_connecting_fails_when_something_else_answers(answer: Any, status: int) -> None:
    answers = answer if isinstance(answer, str) else {"eth_chainId": answer}
    with node(answers, status=status) as url, pytest.raises(TransportError, match=url):
        connect(url)


def test_block_is_refused_when_the_node_has_none() -> None:
    network = EmbeddedChain().network()
    with pytest.raises(TransportError, match="the node has no block 99"):
        network.block(99)


def test_confirmations_are_refused_when_negative() -> None:
    with pytest.raises(ValueError, match="0 or more, not -1"):
        EmbeddedChain().network(confirmations=-1)


def test_secrets_of_the_address_are_not_told_when_nobody_answers() -> None:
    with pytest.raises(TransportError) as caught:
        Network.connect("http://user:hidden@127.0.0.1:1/v3/hidden")
    assert str(caught.value).startswith("no Ethereum node answers at http://***@127.0.0.1:1/***: ")
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize("status", [302, 401, 500])
def test_refusal_of_a_node_shows_no_secret_of_its_address(status: int) -> None:
    with node("", status=status) as url, pytest.raises(TransportError) as caught:
        connect(f"{url.replace('//', f'//user:{SECRET}@')}/v3/{SECRET}")
    assert str(caught.value).endswith(f"HTTP status {status}")
    assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("host", ["a..b", 64 * "a" + ".example", "name:hidden"])
def test_address_that_no_node_has_is_refused_and_not_shown(host: str) -> None:
    with pytest.raises(TransportError) as caught:
        connect(f"http://{host}/hidden")
    assert str(caught.value).endswith("its address is malformed")
    assert "hidden" not in str(caught.value)
