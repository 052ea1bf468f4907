"""Sending transactions: one sender a key, one transaction after another."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal, TypeAlias, overload

from hexbytes import HexBytes
from web3.contract.contract import ContractConstructor, ContractFunction
from web3.exceptions import TimeExhausted
from web3.types import TxParams, TxReceipt, Wei

from medaccord.chain import events
from medaccord.chain.events import Event
from medaccord.chain.network import Network
from medaccord.chain.reverts import Reverted, translated
from medaccord.core.blocks import BlockRef
from medaccord.core.errors import TransportError
from medaccord.core.identifiers import Address, Digest, address, digest, hex_digest
from medaccord.keys.signer import Signer

Call: TypeAlias = ContractFunction | ContractConstructor
"""A function or a constructor of a contract with its arguments bound."""

_POLL_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """A transaction that was mined and did what it was sent for.

    Attributes:
        transaction: its hash.
        block: the block it stands in; not final yet where the network needs confirmations.
        gas_used: gas it cost.
        events: what our contracts reported in it, in order.
        created: address of the contract it created, if it created one.
    """

    transaction: Digest
    block: BlockRef
    gas_used: int
    events: tuple[Event, ...]
    created: Address | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A transaction that a node took, mined or not.

    Attributes:
        transaction: its hash.
    """

    transaction: Digest
    _sender: Sender
    _call: Call

    def wait(self) -> Receipt:
        """Wait until it is mined.

        Raises:
            ContractReverted: it was mined, but a contract refused: the state changed after it was
                tried, or its gas ran out.
            TransportError: it was not mined in time, and may be later; or the node is out of reach.
        """
        return self._sender.wait(self)


class Sender:
    """Sends transactions from one key. Make one a key; any number of threads may share it.

    Attributes:
        network: where to.
        address: of the key; it pays.
    """

    def __init__(
        self, network: Network, signer: Signer, *, timeout: timedelta = timedelta(minutes=2)
    ) -> None:
        """Send from a key.

        Args:
            network: where to.
            signer: the key.
            timeout: how long to wait for a transaction to be mined.
        """
        self.network = network
        self.address = signer.address
        self._signer = signer
        self._timeout = timeout
        self._lock = threading.Lock()

    @overload
    def send(self, call: Call, *, wait: Literal[True] = True) -> Receipt: ...
    @overload
    def send(self, call: Call, *, wait: Literal[False]) -> Pending: ...
    @overload
    def send(self, call: Call, *, wait: bool) -> Receipt | Pending: ...

    def send(self, call: Call, *, wait: bool = True) -> Receipt | Pending:
        """Send a transaction. It is tried first, so that one that would fail costs nothing.

        Args:
            call: what to do.
            wait: whether to wait until it is mined.

        Raises:
            ContractReverted: a contract refuses.
            TransportError: the node is out of reach or does not take it, or it was not mined in
                time (it may be later).
        """
        with self._lock, translated():
            eth = self.network.web3.eth
            transaction: TxParams = {"from": self.address, "value": Wei(0)}
            # A fourth on top: what others do in between may make it cost more.
            transaction["gas"] = call.estimate_gas(transaction) * 5 // 4
            tip = eth.max_priority_fee
            transaction["maxPriorityFeePerGas"] = tip
            # Stays enough while the base fee doubles, which takes six full blocks.
            base_fee = eth.get_block("latest")["baseFeePerGas"]
            transaction["maxFeePerGas"] = Wei(2 * base_fee + tip)
            transaction["chainId"] = self.network.chain_id
            transaction["nonce"] = eth.get_transaction_count(self.address, "pending")
            filled = call.build_transaction(transaction)
            del filled["from"]  # the signature says it
            raw = self._signer.sign_transaction(filled)
            sent = digest(bytes(eth.send_raw_transaction(raw)))
        pending = Pending(transaction=sent, _sender=self, _call=call)
        return pending.wait() if wait else pending

    def wait(self, pending: Pending) -> Receipt:
        """See `Pending.wait`."""
        try:
            with translated():
                receipt = self.network.web3.eth.wait_for_transaction_receipt(
                    HexBytes(pending.transaction),
                    timeout=self._timeout.total_seconds(),
                    poll_latency=_POLL_SECONDS,
                )
        except TransportError as error:
            if isinstance(error.__cause__, TimeExhausted):
                raise TransportError(
                    f"transaction {hex_digest(pending.transaction)} was not mined within "
                    f"{self._timeout}; it may be later"
                ) from error
            raise
        if receipt["status"] == 0:
            self._explain(pending, receipt)
        return self._receipt(receipt)

    def _receipt(self, receipt: TxReceipt) -> Receipt:
        block = self.network.block(receipt["blockHash"])
        decoded = (events.decode(log, block) for log in receipt["logs"])
        created = receipt["contractAddress"]
        return Receipt(
            transaction=digest(bytes(receipt["transactionHash"])),
            block=block,
            gas_used=receipt["gasUsed"],
            events=tuple(event for event in decoded if event),
            created=address(created) if created else None,
        )

    def _explain(self, pending: Pending, receipt: TxReceipt) -> None:
        """Ask again in the block it failed in: receipts do not say why."""
        if isinstance(pending._call, ContractFunction):
            with translated():
                pending._call.call({"from": self.address}, receipt["blockNumber"])
        raise Reverted(
            f"transaction {hex_digest(pending.transaction)} failed in block "
            f"{receipt['blockNumber']}; tried again there, it does not: its gas may have run out"
        )
