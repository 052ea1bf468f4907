"""One Ethereum network: the node asked, what the network promises, and the clock beside it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Self, TypeAlias

from web3 import HTTPProvider, Web3
from web3.contract.contract import ContractFunction
from web3.exceptions import BadResponseFormat
from web3.types import BlockIdentifier, RPCEndpoint, RPCResponse

from medaccord.chain.reverts import translated
from medaccord.core.blocks import BlockRef
from medaccord.core.errors import TransportError
from medaccord.core.identifiers import Digest, digest

Clock: TypeAlias = Callable[[], datetime]
"""Tells the time, timezone-aware."""


def utc_now() -> datetime:
    """The wall clock of this machine, in UTC."""
    return datetime.now(UTC)


class Network:
    """A connection to one network. Any number of threads may share it.

    Attributes:
        web3: the connection; what it raises, `reverts.translated` turns into our errors.
        confirmations: blocks on top of a block before permits count it final; 0 where blocks are
            final at once.
        block_period: time between blocks where the network keeps one, else None: only then does
            the age of the head say whether the node is behind.
        clock: the time that deadlines and decisions are measured by.
    """

    def __init__(
        self,
        web3: Web3,
        *,
        confirmations: int = 0,
        block_period: timedelta | None = None,
        clock: Clock = utc_now,
    ) -> None:
        """Use a connection that stands; nothing is asked of the node yet."""
        if confirmations < 0:
            raise ValueError(f"confirmations are 0 or more, not {confirmations}")
        self.web3 = web3
        self.confirmations = confirmations
        self.block_period = block_period
        self.clock = clock

    @classmethod
    def connect(
        cls,
        url: str,
        *,
        timeout: timedelta = timedelta(seconds=10),
        confirmations: int = 0,
        block_period: timedelta | None = None,
        clock: Clock = utc_now,
    ) -> Self:
        """Connect to a node over HTTP, and ask it which network it is on.

        Args:
            url: the node's JSON-RPC address, `http://…` or `https://…`.
            timeout: how long one call may take.
            confirmations: see `Network`.
            block_period: see `Network`.
            clock: see `Network`.

        Raises:
            TransportError: no node answers there.
        """
        provider = _HttpProvider(url, request_kwargs={"timeout": timeout.total_seconds()})
        # Without middleware: web3's own asks for the chain id beside every call.
        network = cls(
            Web3(provider, middleware=()),
            confirmations=confirmations,
            block_period=block_period,
            clock=clock,
        )
        try:
            _ = network.chain_id, network.genesis_hash
        except TransportError as error:
            raise TransportError(f"no Ethereum node answers at {url}: {error}") from error
        return network

    @cached_property
    def chain_id(self) -> int:
        """EIP-155 chain id. Raises TransportError."""
        with translated():
            return self.web3.eth.chain_id

    @cached_property
    def genesis_hash(self) -> Digest:
        """Hash of block 0, which tells two chains of one id apart. Raises TransportError."""
        return self.block(0).hash

    def head(self) -> BlockRef:
        """The newest block the node knows. Raises TransportError."""
        return self.block("latest")

    def block(self, identifier: BlockIdentifier) -> BlockRef:
        """A block by number, hash or name.

        Raises:
            TransportError: the node has no such block, or does not answer.
        """
        with translated():
            block = self.web3.eth.get_block(identifier)
            return BlockRef(
                chain_id=self.chain_id,
                number=block["number"],
                hash=digest(bytes(block["hash"])),
                timestamp=datetime.fromtimestamp(block["timestamp"], UTC),
            )

    def call(self, function: ContractFunction, *, at: BlockIdentifier = "latest") -> Any:
        """Call a view of a contract.

        Args:
            function: with its arguments bound.
            at: the block whose state is asked.

        Raises:
            ContractReverted: the contract refused.
            TransportError: the node does not answer, or badly.
        """
        with translated():
            return function.call(block_identifier=at)


class _HttpProvider(HTTPProvider):
    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """Refuse JSON that is no answer, over which web3 would stumble later."""
        response = super().make_request(method, params)
        if not isinstance(response, dict):
            raise BadResponseFormat(f"no answer of JSON-RPC: {response!r:.200}")
        return response
