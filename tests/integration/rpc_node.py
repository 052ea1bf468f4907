"""The embedded chain behind HTTP, with our contracts on it, and how a test asks it by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from medaccord.chain import (
    Contracts,
    FounderAdmission,
    Network,
    Role,
    Sender,
    connect,
    deploy,
)
from medaccord.chain.embedded import EmbeddedChain
from medaccord.chain.rpc_server import RpcServer
from medaccord.gatekeeper.server import bind, serve
from medaccord.keys import LocalSigner
from tests.integration.conftest import KEY, PROFILE

CHAIN_ID = 1337


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


@contextmanager
def serving() -> Iterator[Node]:
    """A node until the block ends."""
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
