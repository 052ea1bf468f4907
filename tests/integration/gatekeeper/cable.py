"""The line between a gatekeeper and its node, which a test can cut."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from web3 import Web3
from web3.providers.base import BaseProvider
from web3.types import RPCEndpoint, RPCResponse

from medaccord.chain import Network
from medaccord.chain.embedded import EmbeddedChain


class Cable(BaseProvider):
    """Passes every call on to the node of a chain; once cut, it fails as a dead connection does.

    Attributes:
        is_cut: whether calls fail now.
        cut_before: name of a call that does not reach the node any more, nor does what comes after.
        cut_after: name of a call that still reaches the node, but whose answer is lost, as is
            everything after it.
        meanwhile: what happens, once, before a call of a name reaches the node.
    """

    def __init__(self, chain: EmbeddedChain) -> None:
        super().__init__()
        self.is_cut = False
        self.cut_before: str | None = None
        self.cut_after: str | None = None
        self.meanwhile: dict[str, Callable[[], object]] = {}
        self._chain = chain
        self._node = chain.network().web3.provider

    def mend(self) -> None:
        self.is_cut, self.cut_before, self.cut_after = False, None, None

    def network(self, *, confirmations: int = 0) -> Network:
        return Network(
            Web3(self, middleware=()), confirmations=confirmations, clock=self._chain.clock
        )

    def request_func(self, web3: Any, middleware: Any) -> Callable[..., RPCResponse]:
        passed_on = self._node.request_func(web3, middleware)

        def request(method: RPCEndpoint, params: Any) -> RPCResponse:
            self.is_cut = self.is_cut or method == self.cut_before
            if self.is_cut:
                raise ConnectionRefusedError("the node is stopped")
            if method in self.meanwhile:
                self.meanwhile.pop(method)()
            answer: RPCResponse = passed_on(method, params)
            if method == self.cut_after:
                self.is_cut = True
                raise ConnectionResetError("the node stopped before it answered")
            return answer

        return request
