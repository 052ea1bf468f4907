"""A node of its own for a test: anvil, which mines when it is told to."""

from __future__ import annotations

import platform
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from web3 import HTTPProvider
from web3.types import RPCEndpoint

from medaccord.chain import Clock, Network, utc_now
from medaccord.core.errors import TransportError
from medaccord.core.identifiers import Address
from medaccord.keys import LocalSigner

ROOT: Final = Path(__file__).resolve().parents[2]
ANVIL: Final = ROOT / "node_modules" / "@foundry-rs" / "anvil-linux-amd64" / "bin" / "anvil"
CHAIN_ID: Final = 1337
ETHER: Final = 10**18

NEEDS_ANVIL: Final = [
    pytest.mark.compiler,
    pytest.mark.skipif(
        (sys.platform, platform.machine()) != ("linux", "x86_64"),
        reason="npm carries the local node for Linux on x86-64 only",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Anvil:
    """A running node.

    Attributes:
        url: where it answers.
    """

    url: str

    def network(self, *, confirmations: int = 0, clock: Clock = utc_now) -> Network:
        return Network.connect(self.url, confirmations=confirmations, clock=clock)

    def call(self, method: str, *parameters: Any) -> Any:
        answer = HTTPProvider(self.url).make_request(RPCEndpoint(method), list(parameters))
        assert "error" not in answer, answer
        return answer["result"]

    def mine(self, blocks: int = 1) -> None:
        self.call("anvil_mine", hex(blocks))

    def funded_signer(self, wei: int = 100 * ETHER) -> LocalSigner:
        signer = LocalSigner.create()
        self.fund(signer.address, wei)
        return signer

    def fund(self, account: Address, wei: int) -> None:
        self.call("anvil_setBalance", account, hex(wei))

    @contextmanager
    def mining_by_hand(self) -> Iterator[None]:
        """Mine nothing but what `mine` says; whatever then still waits is dropped."""
        self.call("evm_setAutomine", False)
        try:
            yield
        finally:
            self.call("anvil_dropAllTransactions")
            self.call("evm_setAutomine", True)


@contextmanager
def running() -> Iterator[Anvil]:
    """A node until the block ends; it mines every transaction at once until told otherwise."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    node = Anvil(url=f"http://127.0.0.1:{port}")
    arguments = ["--port", str(port), "--chain-id", str(CHAIN_ID), "--hardfork", "cancun"]
    with subprocess.Popen([ANVIL, "--silent", *arguments]) as process:
        try:
            _await(node, process)
            yield node
        finally:
            process.terminate()


def _await(node: Anvil, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until and process.poll() is None:
        try:
            node.network()
        except TransportError:
            time.sleep(0.05)
        else:
            return
    pytest.fail(f"no node answers at {node.url}")
