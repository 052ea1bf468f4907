"""A chain inside this process, for the demo and for tests: py-evm through eth-tester.

Any number of threads may share it; every block is dated by the chain's own clock.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from eth_account import Account
from eth_utils.currency import to_wei
from web3 import Web3
from web3.types import RPCEndpoint, RPCResponse

from medaccord.chain.embedded_node import CHAIN_ID, EmbeddedNode
from medaccord.chain.embedded_wire import written
from medaccord.chain.network import Clock, Network, utc_now
from medaccord.core.identifiers import Address
from medaccord.keys.signer import LocalSigner

_ALLOWANCE: Final = to_wei(100, "ether")

_SHORTEST_PERIOD: Final = timedelta(seconds=1)
_LOOK: Final = timedelta(milliseconds=20)
"""Between two looks for what waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A point that an `EmbeddedChain` can be taken back to."""

    block_hash: bytes
    offset: timedelta


class EmbeddedChain:
    """A chain of one process: mines a block per transaction, at once, unless paused.

    Two chains never share a genesis hash, so the deployment record of one does not fit another.
    """

    def __init__(self, *, wall: Clock = utc_now) -> None:
        """Start at block 0.

        Args:
            wall: the time outside; `clock` is this plus what `advance` added.
        """
        self._wall = wall
        self._offset = timedelta()
        self._node = EmbeddedNode(self._now)
        self._web3 = Web3(self._node, middleware=())
        self._faucet = LocalSigner(Account.from_key(self._node.faucet_key))

    def network(self, *, confirmations: int = 0) -> Network:
        """Connect to it; any number of networks may be open, on any thread.

        Args:
            confirmations: blocks on top of a block before permits count it final.
        """
        return Network(self._web3, confirmations=confirmations, clock=self.clock)

    def clock(self) -> datetime:
        """The time on this chain: never behind its head, never standing still behind the wall."""
        with self._node.lock:
            head = datetime.fromtimestamp(self._node.head_timestamp, UTC)
            return max(head, self._now())

    def advance(self, span: timedelta) -> None:
        """Let time pass, and mine one empty block so that calls see it.

        Args:
            span: above zero, counted from `clock`.
        """
        if span <= timedelta():
            raise ValueError(f"time passes forwards only, not by {span}")
        with self._node.lock:
            target = self.clock() + span
            self._offset += target - self._now()
            self._node.mine()

    def mine(self, blocks: int = 1) -> None:
        """Mine blocks; the first one takes in whatever waits."""
        with self._node.lock:
            for _ in range(blocks):
                self._node.mine()

    @contextmanager
    def mining_paused(self) -> Iterator[None]:
        """Let transactions wait, unmined, until the block ends; then mine them in one block."""
        with self._node.lock:
            already, self._node.paused = self._node.paused, True
        try:
            yield
        finally:
            with self._node.lock:
                self._node.paused = already
                if not already and self._node.waiting:
                    self._node.mine()

    @contextmanager
    def mining_on_time(self, period: timedelta | None = None) -> Iterator[None]:
        """Mine on a thread until the block ends, so that no block is dated ahead of the clock.

        Programs elsewhere measure by clocks of their own, which `clock` cannot reach.

        Args:
            period: between two blocks, which may be empty, a second or more; unless given, what
                waits is mined at once, but not twice within a second.
        """
        if period is not None and period < _SHORTEST_PERIOD:
            raise ValueError(f"blocks are at least {_SHORTEST_PERIOD} apart, not {period}")
        pause = (_LOOK if period is None else period).total_seconds()
        ended = threading.Event()

        def mine() -> None:
            while not ended.wait(pause):
                with self._node.lock:
                    if period is not None or (self._node.waiting and self._is_due()):
                        self._node.mine()

        with self.mining_paused():
            miner = threading.Thread(target=mine, name="embedded-miner", daemon=True)
            miner.start()
            try:
                yield
            finally:
                ended.set()
                miner.join()

    def answer(self, method: str, params: list[Any]) -> RPCResponse:
        """Answer a call of JSON-RPC as a node on a network does: for programs elsewhere.

        Args:
            method: such as `eth_getBlockByNumber`.
            params: as JSON has them.

        Raises:
            Exception: of any kind, where a parameter is not what the chain's libraries expect.
        """
        request = self._node.request_func(self._web3, self._web3.middleware_onion)
        with self._node.lock:
            said = request(RPCEndpoint(method), params)
            if "result" in said:
                said["result"] = written(method, said["result"])
            return said

    def fund(self, account: Address, wei: int = _ALLOWANCE) -> None:
        """Give money to an account.

        Args:
            account: who gets it.
            wei: how much, in wei; 100 ether unless said otherwise.
        """
        eth = self._web3.eth
        with self._node.lock:
            base_fee = eth.get_block("latest")["baseFeePerGas"]
            eth.send_raw_transaction(
                self._faucet.sign_transaction(
                    {
                        "chainId": CHAIN_ID,
                        "nonce": eth.get_transaction_count(self._faucet.address, "pending"),
                        "to": account,
                        "value": wei,
                        "gas": 21_000,
                        "maxFeePerGas": 2 * base_fee + eth.max_priority_fee,
                        "maxPriorityFeePerGas": eth.max_priority_fee,
                    }
                )
            )

    def funded_signer(self) -> LocalSigner:
        """A fresh key with money to send transactions."""
        signer = LocalSigner.create()
        self.fund(signer.address)
        return signer

    def snapshot(self) -> Snapshot:
        """Remember this point: the head, and the time that `advance` added so far."""
        with self._node.lock:
            return Snapshot(block_hash=self._node.head_hash, offset=self._offset)

    def revert(self, snapshot: Snapshot) -> None:
        """Go back to a point: blocks mined since are gone, and what waits is dropped.

        Blocks mined afterwards have other hashes, so followers see a reorganisation.
        """
        with self._node.lock:
            self._node.revert(snapshot.block_hash)
            self._offset = snapshot.offset

    def _is_due(self) -> bool:
        """Whether a block mined now is dated by the clock, not ahead of it."""
        return int(self._now().timestamp()) > self._node.head_timestamp

    def _now(self) -> datetime:
        return self._wall() + self._offset
