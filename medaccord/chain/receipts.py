"""What came of a transaction that was mined."""

from __future__ import annotations

from dataclasses import dataclass

from hexbytes import HexBytes
from web3.exceptions import TransactionNotFound
from web3.types import TxReceipt

from medaccord.chain import events
from medaccord.chain.events import Event
from medaccord.chain.network import Network
from medaccord.chain.prepared import Prepared
from medaccord.chain.reverts import Reverted, translated
from medaccord.core.blocks import BlockRef
from medaccord.core.identifiers import Address, Digest, address, digest, hex_digest
from medaccord.core.outgoing import Outgoing


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


def mined(network: Network, sent: Outgoing) -> TxReceipt | None:
    """The receipt of whichever attempt was mined; None where none was.

    Raises:
        TransportError: the node does not answer, or cannot say yet.
    """
    for attempt in reversed(sent.attempts):
        with translated():
            try:
                return network.web3.eth.get_transaction_receipt(HexBytes(attempt.hash))
            except TransactionNotFound:
                continue
    return None


def read(network: Network, sent: Outgoing, receipt: TxReceipt) -> Receipt:
    """Read a receipt of a transaction of our own.

    Raises:
        ContractReverted: a contract refused; or its gas ran out.
        TransportError: the node does not answer.
    """
    if receipt["status"] == 0:
        _explain(network, Prepared.parse(sent.document), sent.key.address, receipt)
    return _read(network, receipt)


def find(network: Network, transaction: Digest) -> Receipt | None:
    """What came of a transaction, whoever sent it; None where the node knows of none mined.

    Raises:
        ContractReverted: a contract refused; or its gas ran out.
        TransportError: the node does not answer.
    """
    with translated():
        try:
            receipt = network.web3.eth.get_transaction_receipt(HexBytes(transaction))
            sent = network.web3.eth.get_transaction(HexBytes(transaction))
        except TransactionNotFound:
            return None
    if receipt["status"] == 0:
        call = Prepared(
            chain_id=network.chain_id,
            to=address(sent["to"]) if sent.get("to") else None,
            data=bytes(HexBytes(sent["input"])),
            gas=sent["gas"],
        )
        _explain(network, call, address(sent["from"]), receipt)
    return _read(network, receipt)


def _read(network: Network, receipt: TxReceipt) -> Receipt:
    block = network.block(receipt["blockHash"])
    decoded = (events.decode(log, block) for log in receipt["logs"])
    created = receipt["contractAddress"]
    return Receipt(
        transaction=digest(bytes(receipt["transactionHash"])),
        block=block,
        gas_used=receipt["gasUsed"],
        events=tuple(event for event in decoded if event),
        created=address(created) if created else None,
    )


def _explain(network: Network, call: Prepared, sender: Address, receipt: TxReceipt) -> None:
    """Ask again in the block it failed in: receipts do not say why."""
    number = receipt["blockNumber"]
    with translated():
        call.attempt(network.web3, sender=sender, at=number)
    raise Reverted(
        f"transaction {hex_digest(digest(bytes(receipt['transactionHash'])))} failed in block "
        f"{number}; tried again there, it does not: its gas may have run out"
    )
