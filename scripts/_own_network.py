"""Ape's own test network, which is in Ape's process, as a node on a network answers."""

from __future__ import annotations

from typing import Any, Final

from eth_tester.exceptions import (  # type: ignore[import-untyped]  # eth-tester carries no types
    TransactionFailed,
    ValidationError,
)
from web3 import Web3
from web3.providers.base import BaseProvider
from web3.types import RPCEndpoint, RPCError, RPCResponse

from medaccord.chain.embedded_node import revert_of

_REVERTED: Final = 3
_REFUSED: Final = -32000


class OwnNode(BaseProvider):
    """Says what went wrong in the answer, where Ape's chain raises: with what a contract said."""

    def __init__(self, chain: BaseProvider) -> None:
        """Stand in front of the chain."""
        super().__init__()
        self._chain = chain

    def is_connected(self, show_traceback: bool = False) -> bool:
        """It is, as long as the process runs."""
        return self._chain.is_connected(show_traceback)

    def request_func(self, w3: Web3, middleware_onion: Any) -> Any:
        """What calls go through."""
        ask = self._chain.request_func(w3, middleware_onion)

        def request(method: RPCEndpoint, params: Any) -> RPCResponse:
            try:
                return ask(method, params)
            except TransactionFailed as error:
                message, data = revert_of(error)
                return _failed({"code": _REVERTED, "message": message, "data": "0x" + data.hex()})
            except ValidationError as error:
                return _failed({"code": _REFUSED, "message": str(error)})

        return request


def _failed(error: RPCError) -> RPCResponse:
    return {"jsonrpc": "2.0", "id": 0, "error": error}
