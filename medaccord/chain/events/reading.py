"""Reading events: from the logs of one transaction, or from a range of blocks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from eth_abi.abi import decode as decode_abi
from eth_typing import BlockNumber, ChecksumAddress, HexStr
from eth_utils.crypto import keccak

from medaccord.chain import artifacts
from medaccord.chain.events import kinds
from medaccord.chain.events.kinds import Event
from medaccord.chain.reverts import translated
from medaccord.chain.values import from_abi, snake_case
from medaccord.core.blocks import BlockRef
from medaccord.core.errors import TransportError
from medaccord.core.identifiers import Address, address, digest

if TYPE_CHECKING:
    from medaccord.chain.deployment.contracts import Contracts
    from medaccord.chain.network import Network

MAX_RANGE: Final = 2_000
"""Blocks asked for at once; common nodes refuse ranges of 10,000 and above."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    made: type[Event]
    indexed: tuple[tuple[str, str], ...]
    unindexed: tuple[tuple[str, str], ...]

    def values(self, log: Mapping[str, Any]) -> dict[str, Any]:
        """Topics hold one word a parameter, data holds the others together."""
        topics = b"".join(map(bytes, log["topics"][1:]))
        parts = ((self.indexed, topics), (self.unindexed, bytes(log["data"])))
        return {
            name: from_abi(kind, value)
            for parameters, data in parts
            for (kind, name), value in zip(
                parameters, decode_abi([kind for kind, _ in parameters], data), strict=True
            )
        }


def decode(log: Mapping[str, Any], block: BlockRef) -> Event | None:
    """Read one log.

    Warning: any contract can report an event of our form. `fetch` asks ours alone; whoever reads
    other logs looks at `contract`.

    Args:
        log: as web3 gives it.
        block: the block it stands in.

    Returns:
        The event; None where its form is none of ours.
    """
    layout = _LAYOUTS.get(bytes(log["topics"][0])) if log["topics"] else None
    if layout is None:
        return None
    return layout.made(
        contract=address(log["address"]),
        block=block,
        transaction=digest(bytes(log["transactionHash"])),
        log_index=log["logIndex"],
        **layout.values(log),
    )


def fetch(
    network: Network,
    contracts: Contracts,
    from_block: int,
    to_block: int,
    *,
    about: Address | None = None,
) -> list[Event]:
    """Every event of our contracts in a range of blocks, in the order of the chain.

    Args:
        network: the chain asked.
        contracts: whose events.
        from_block: number of the first block.
        to_block: number of the last block, inclusive.
        about: only events whose first indexed parameter is this account: the patient, or the
            account that acted; all of them unless given.

    Raises:
        TransportError: the node does not answer, or its chain changed while it was read; what was
            read is void.
    """
    ours: list[ChecksumAddress] = list(contracts.addresses)
    topics = [] if about is None else [None, HexStr("0x" + about[2:].lower().rjust(64, "0"))]
    blocks: dict[int, BlockRef] = {}
    found: list[Event] = []
    for first in range(from_block, to_block + 1, MAX_RANGE):
        last = min(first + MAX_RANGE - 1, to_block)
        with translated():
            logs = network.web3.eth.get_logs(
                {
                    "address": ours,
                    "fromBlock": BlockNumber(first),
                    "toBlock": BlockNumber(last),
                    "topics": topics,
                }
            )
        for log in sorted(logs, key=lambda log: (log["blockNumber"], log["logIndex"])):
            number = log["blockNumber"]
            if number not in blocks:
                blocks[number] = network.block(number)
            if bytes(log["blockHash"]) != blocks[number].hash:
                raise TransportError(f"block {number} was replaced while it was read: read again")
            if event := decode(log, blocks[number]):
                found.append(event)
    return found


def _layouts() -> dict[bytes, _Layout]:
    layouts = {}
    for contract in artifacts.CONTRACTS:
        for abi in artifacts.load(contract).entries("event"):
            made = getattr(kinds, abi["name"], None)
            if made is None:  # EIP712DomainChanged, which our contracts never report
                continue
            parameters = [
                (bool(each["indexed"]), (each["type"], snake_case(each["name"])))
                for each in abi["inputs"]
            ]
            signature = f"{abi['name']}({','.join(each['type'] for each in abi['inputs'])})"
            layouts[keccak(text=signature)] = _Layout(
                made=made,
                indexed=tuple(each for indexed, each in parameters if indexed),
                unindexed=tuple(each for indexed, each in parameters if not indexed),
            )
    return layouts


_LAYOUTS: Final = _layouts()
