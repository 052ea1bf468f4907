"""A node that mines by hand, and a key that sends through an outbox, for tests of the sender."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from hexbytes import HexBytes
from web3.contract.contract import ContractFunction
from web3.types import TxData

from medaccord.chain import Contracts, Sender
from medaccord.chain.outbox import MemoryOutbox
from medaccord.core.outgoing import Outgoing, SendingKey
from medaccord.keys import LocalSigner
from tests.integration.anvil import Anvil
from tests.integration.stream_calls import first_append

GWEI: Final = 10**9
BASE_FEE: Final = GWEI


@dataclass(kw_only=True)
class World:
    """A node that mines by hand, a key of our own on it, and a clock set by its last block."""

    node: Anvil
    contracts: Contracts
    signer: LocalSigner
    now: datetime
    outbox: MemoryOutbox = field(default_factory=MemoryOutbox)

    def clock(self) -> datetime:
        return self.now

    def sender(
        self,
        *,
        confirmations: int = 0,
        timeout: timedelta = timedelta(seconds=10),
        max_fee: int = 500 * GWEI,
    ) -> Sender:
        network = self.node.network(confirmations=confirmations, clock=self.clock)
        return Sender(network, self.signer, timeout=timeout, outbox=self.outbox, max_fee=max_fee)

    def call(self, number: int = 0) -> ContractFunction:
        return first_append(self.contracts, self.signer.address, number)

    def under_way(self) -> list[Outgoing]:
        key = SendingKey(
            genesis_hash=self.contracts.network.genesis_hash, address=self.signer.address
        )
        return list(self.outbox.unsettled(key))

    def nonce(self) -> int:
        return self.contracts.network.web3.eth.get_transaction_count(self.signer.address)

    def transaction(self, hash: bytes) -> TxData:
        return self.contracts.network.web3.eth.get_transaction(HexBytes(hash))

    def waiting(self) -> int:
        return int(self.node.call("txpool_status")["pending"], 16)


@contextmanager
def world_on(node: Anvil, contracts: Contracts) -> Iterator[World]:
    """A fresh key on a node whose pool is empty."""
    signer = node.funded_signer()
    with node.mining_by_hand():
        node.call("anvil_setNextBlockBaseFeePerGas", hex(BASE_FEE))
        node.mine()
        # Blocks mined in one second are dated ahead of the wall; the next is a second from here.
        now = contracts.network.head().timestamp + timedelta(milliseconds=500)
        yield World(node=node, contracts=contracts, signer=signer, now=now)
