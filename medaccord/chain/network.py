"""One Ethereum network: the node asked, what the network promises, and the clock beside it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Final, Self, TypeAlias

from web3 import Web3
from web3.contract.contract import ContractFunction
from web3.types import BlockIdentifier, RPCEndpoint, RPCResponse

from medaccord.chain import wire
from medaccord.chain.headers import Header, parse_header
from medaccord.chain.http_node import Batching, Call, HttpNode
from medaccord.chain.reverts import translated
from medaccord.core.blocks import BlockRef
from medaccord.core.errors import TransportError
from medaccord.core.identifiers import Digest
from medaccord.core.masking import masked

Clock: TypeAlias = Callable[[], datetime]
"""Tells the time, timezone-aware."""

Stopwatch: TypeAlias = Callable[[], float]
"""Tells the seconds since some moment; nobody can set it."""

_BATCH: Final = 100
"""Calls sent at once; common nodes take 1,000 and above."""

_HASH_LENGTH: Final = 66
"""Of a hash in hexadecimal."""

_UPTIME: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def utc_now() -> datetime:
    """The wall clock of this machine, in UTC."""
    return datetime.now(UTC)


def uptime() -> float:
    """Seconds since this machine was started; on Linux also those that it slept."""
    return time.clock_gettime(_UPTIME)


class Network:
    """A connection to one network. Any number of threads may share it.

    Attributes:
        web3: the connection; what it raises, `reverts.translated` turns into our errors.
        confirmations: blocks on top of a block before permits count it final; 0 where blocks are
            final at once.
        block_period: time between blocks where the network keeps one, else None: only then does
            the age of the head say whether the node is behind.
        clock: the time that deadlines and decisions are measured by.
        stopwatch: what the node's silence is measured by besides, so that setting the clock back
            makes nothing fresh.
    """

    def __init__(
        self,
        web3: Web3,
        *,
        confirmations: int = 0,
        block_period: timedelta | None = None,
        clock: Clock = utc_now,
        stopwatch: Stopwatch = uptime,
    ) -> None:
        """Use a connection that stands; nothing is asked of the node yet."""
        if confirmations < 0:
            raise ValueError(f"confirmations are 0 or more, not {confirmations}")
        self.web3 = web3
        self.confirmations = confirmations
        self.block_period = block_period
        self.clock = clock
        self.stopwatch = stopwatch

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
            timeout: how long one call, or one batch of them, may take.
            confirmations: see `Network`.
            block_period: see `Network`.
            clock: see `Network`.

        Raises:
            TransportError: no node answers there.
        """
        provider = HttpNode(url, timeout=timeout)
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
            raise TransportError(f"no Ethereum node answers at {masked(url)}: {error}") from error
        return network

    @cached_property
    def chain_id(self) -> int:
        """EIP-155 chain id. Raises TransportError."""
        return wire.quantity(self.request("eth_chainId"))

    @cached_property
    def genesis_hash(self) -> Digest:
        """Hash of block 0, which tells two chains of one id apart. Raises TransportError."""
        return self.block(0).hash

    # --- Blocks ---

    def head(self) -> BlockRef:
        """The newest block the node knows. Raises TransportError."""
        return self.block("latest")

    def block(self, identifier: BlockIdentifier) -> BlockRef:
        """A block by number, hash or name.

        Raises:
            TransportError: the node has no such block, or does not answer.
        """
        method, params = block_call(identifier)
        answer = self.request(method, *params)
        if isinstance(identifier, int):
            return self.header_of(answer, identifier).block
        if answer is None:
            raise TransportError(f"the node has no block {_named(identifier)}")
        return parse_header(answer, chain_id=self.chain_id).block

    def headers(self, numbers: Iterable[int]) -> list[Header]:
        """Several headers, in the order asked.

        Raises:
            TransportError: the node has not all of them, answers with other ones, or does not
                answer.
        """
        asked = list(numbers)
        answers = self.batch([block_call(number) for number in asked])
        return [
            self.header_of(answer, number) for number, answer in zip(asked, answers, strict=True)
        ]

    def hashes(self, numbers: Iterable[int]) -> list[Digest | None]:
        """The hashes that blocks have now, in the order asked; None where there is no such block.

        Raises:
            TransportError: the node answers with other blocks, or does not answer.
        """
        asked = list(numbers)
        answers = self.batch([block_call(number) for number in asked])
        return [
            None if answer is None else self.header_of(answer, number).block.hash
            for number, answer in zip(asked, answers, strict=True)
        ]

    def header_of(self, answer: object, number: int) -> Header:
        """What a node answered when it was asked for the block of a number.

        Raises:
            TransportError: it is something else.
        """
        if answer is None:
            raise TransportError(f"the node has no block {number}")
        header = parse_header(answer, chain_id=self.chain_id)
        if header.block.number != number:
            raise TransportError(
                f"the node answered with block {header.block.number} in place of {number}"
            )
        return header

    # --- Calls ---

    def request(self, method: str, *params: Any) -> Any:
        """Make one call of JSON-RPC.

        Returns:
            The result as it came, hexadecimal text, not yet looked at.

        Raises:
            TransportError: the node refuses, or does not answer, or badly.
        """
        with translated():
            return _result(method, self._make(RPCEndpoint(method), params))

    def batch(self, calls: Sequence[Call], *, size: int = _BATCH) -> list[Any]:
        """Make several calls that change nothing, many at once where the connection can.

        Args:
            calls: method and parameters of each.
            size: how many go at once; fewer where answers are long.

        Returns:
            The results as they came, in the order of the calls.

        Raises:
            TransportError: the node refuses one of them, or does not answer, or badly.
        """
        provider = self.web3.provider
        results: list[Any] = []
        for start in range(0, len(calls), size):
            part = calls[start : start + size]
            with translated():
                if isinstance(provider, Batching):
                    answers = provider.batch(part)
                else:
                    answers = [self._make(RPCEndpoint(name), params) for name, params in part]
            results += [
                _result(name, answer) for (name, _), answer in zip(part, answers, strict=True)
            ]
        return results

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

    def _make(self, method: RPCEndpoint, params: Sequence[Any]) -> RPCResponse:
        return self.web3.provider.request_func(self.web3, self.web3.middleware_onion)(
            method, list(params)
        )


def block_call(identifier: BlockIdentifier) -> Call:
    """The call that asks for a block by number, hash or name, without its transactions."""
    name = _named(identifier)
    by_hash = len(name) == _HASH_LENGTH
    return f"eth_getBlockBy{'Hash' if by_hash else 'Number'}", (name, False)


def _named(identifier: BlockIdentifier) -> str:
    if isinstance(identifier, int):
        return hex(identifier)
    return "0x" + identifier.hex() if isinstance(identifier, bytes) else str(identifier)


def _result(method: str, answer: RPCResponse) -> Any:
    if (error := answer.get("error")) is not None:
        raise TransportError(f"the node refused {method}: {error!r:.200}")
    if "result" not in answer:
        raise TransportError(f"the node answered {method} with neither a result nor an error")
    return answer["result"]
