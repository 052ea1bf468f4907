"""Fetching events from a node that is not trusted to give them all, or only them.

Whatever range is asked, each log must be of our contracts, in the range, in a block as its header
has it, and come in the order of the chain. `fetch` looks at the blocks that logs came from;
`read_stretch` at every header of the range besides: they link to each other, and their bloom
filters tell where logs were left out.

What a node can still hide: of several logs of one block with the same contract and topics, the
last ones; and anything at all, where it forges the headers to fit. What it can still make up: a
log's data, and a log with the contract and topics of another one of its block; blooms tell neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from medaccord.chain import wire
from medaccord.chain.events.kinds import Event
from medaccord.chain.events.reading import TOPIC_OF, decode
from medaccord.chain.headers import Header, bloom_of
from medaccord.chain.http_node import Call
from medaccord.chain.network import block_call
from medaccord.core.blocks import BlockRef
from medaccord.core.errors import TransportError
from medaccord.core.identifiers import Address, Digest, address

if TYPE_CHECKING:
    from medaccord.chain.deployment.contracts import Contracts
    from medaccord.chain.network import Network

MAX_RANGE: Final = 2_000
"""Blocks asked for at once; common nodes refuse ranges of 10,000 and above."""

_ADDRESS_BYTES: Final = 20

_RECEIPTS_AT_ONCE: Final = 10
"""Blocks whose receipts are asked for in one batch: they are long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Consecutive blocks, with every event that our contracts reported in them.

    Attributes:
        headers: of each block, at least one, each linked to the one before it.
        events: in the order of the chain.
    """

    headers: tuple[Header, ...]
    events: tuple[Event, ...]

    @property
    def tip(self) -> BlockRef:
        """The last block."""
        return self.headers[-1].block


@dataclass(frozen=True, slots=True, kw_only=True)
class _Log:
    """A log whose form was checked, and nothing else yet.

    Attributes:
        number: of its block.
        block_hash: of its block.
        index: its place in the block.
        contract: who reported it, in 20 bytes.
        topics: its topics.
        parsed: as `decode` takes it.
    """

    number: int
    block_hash: Digest
    index: int
    contract: bytes
    topics: tuple[bytes, ...]
    parsed: dict[str, Any]

    @property
    def place(self) -> tuple[int, int]:
        return self.number, self.index


def fetch(
    network: Network,
    contracts: Contracts,
    from_block: int,
    to_block: int,
    *,
    kind: type[Event] | None = None,
    about: Address | None = None,
    organisation: Address | None = None,
) -> list[Event]:
    """Every event of our contracts in a range of blocks, in the order of the chain.

    A node that leaves logs out is not found out here: `read_stretch` asks for every header.

    Args:
        network: the chain asked.
        contracts: whose events.
        from_block: number of the first block.
        to_block: number of the last block, inclusive.
        kind: only events of this class; all of them unless given.
        about: only events whose first indexed parameter is this account: the patient, or the
            account that acted; all of them unless given.
        organisation: only events whose second indexed parameter is this account: the steward or
            the grantee; all of them unless given.

    Raises:
        TransportError: the node does not answer, or what it answers cannot be, or its chain
            changed while it was read; what was read is void.
    """
    found: list[Event] = []
    for first in range(from_block, to_block + 1, MAX_RANGE):
        last = min(first + MAX_RANGE - 1, to_block)
        wanted = (
            TOPIC_OF[kind] if kind else None,
            _word(about) if about else None,
            _word(organisation) if organisation else None,
        )
        logs = _parse(network.request(*_spread(_logs_call(contracts, first, last, wanted))))
        _check_logs(logs, contracts, first, last, wanted)
        numbers = sorted({log.number for log in logs})
        headers = {header.block.number: header for header in network.headers(numbers)}
        found += _events(logs, headers)
    return found


def read_stretch(network: Network, contracts: Contracts, first: int, last: int) -> Stretch:
    """Blocks with every event of our contracts in them, the node's answer held to their headers.

    Args:
        network: the chain asked.
        contracts: whose events.
        first: number of the first block.
        last: number of the last block, at most `MAX_RANGE` blocks in all.

    Raises:
        TransportError: the node does not answer, or what it answers cannot be, or leaves logs out,
            or its chain changed while it was read; what was read is void.
    """
    numbers = range(first, last + 1)
    calls = [_logs_call(contracts, first, last), *map(block_call, numbers)]
    answered, *blocks = network.batch(calls)
    headers = tuple(
        network.header_of(block, number) for block, number in zip(blocks, numbers, strict=True)
    )
    for below, above in pairwise(headers):
        if above.parent != below.block.hash:
            raise TransportError(
                f"block {above.block.number} does not follow the block before it: read again"
            )
    logs = _parse(answered)
    _check_logs(logs, contracts, first, last)
    found = _events(logs, {header.block.number: header for header in headers})
    _check_completeness(network, contracts, headers, logs)
    return Stretch(headers=headers, events=tuple(found))


def _logs_call(
    contracts: Contracts, first: int, last: int, topics: Sequence[bytes | None] = ()
) -> Call:
    wanted: dict[str, Any] = {
        "address": list(contracts.addresses),
        "fromBlock": hex(first),
        "toBlock": hex(last),
    }
    if any(topics):
        named = max(place for place, topic in enumerate(topics) if topic)
        # A place that is named, though by null, must be there in the log.
        wanted["topics"] = [each and "0x" + each.hex() for each in topics[: named + 1]]
    return "eth_getLogs", (wanted,)


def _spread(call: Call) -> tuple[Any, ...]:
    return call[0], *call[1]


def _word(account: Address) -> bytes:
    return bytes.fromhex(account[2:]).rjust(32, b"\0")


def _account(word: bytes) -> Address:
    return address("0x" + word[-_ADDRESS_BYTES:].hex())


def _parse(answer: object) -> list[_Log]:
    return [_log(wire.fields(each)) for each in wire.items(answer)]


def _log(log: Any) -> _Log:
    contract = wire.data(log.get("address"))
    if len(contract) != _ADDRESS_BYTES:
        raise wire.nonsense("an address", log.get("address"))
    if log.get("removed"):
        raise TransportError("the node gave a log that it says was removed: read again")
    topics = tuple(bytes(wire.hash32(topic)) for topic in wire.items(log.get("topics")))
    index = wire.quantity(log.get("logIndex"))
    return _Log(
        number=wire.quantity(log.get("blockNumber")),
        block_hash=wire.hash32(log.get("blockHash")),
        index=index,
        contract=contract,
        topics=topics,
        parsed={
            "address": log["address"],
            "topics": topics,
            "data": wire.data(log.get("data")),
            "transactionHash": wire.hash32(log.get("transactionHash")),
            "logIndex": index,
        },
    )


def _check_logs(
    logs: Sequence[_Log],
    contracts: Contracts,
    first: int,
    last: int,
    topics: Sequence[bytes | None] = (),
) -> None:
    """Refuse logs that were not asked for, or that are not in the order of the chain."""
    ours = {bytes.fromhex(each[2:]) for each in contracts.addresses}
    for log in logs:
        if not first <= log.number <= last:
            raise TransportError(
                f"the node gave a log of block {log.number}, asked for {first} to {last}"
            )
        if log.contract not in ours:
            raise TransportError(f"the node gave a log of 0x{log.contract.hex()}, not asked for")
        for place, topic in enumerate(topics):
            if topic is not None and log.topics[place : place + 1] != (topic,):
                what = f"not about {_account(topic)}" if place else "of another kind than asked for"
                raise TransportError(f"the node gave a log that is {what}")
    for one, next_one in pairwise(logs):
        if one.place >= next_one.place:
            raise TransportError(
                f"the node gave log {next_one.index} of block {next_one.number} twice, or after "
                f"log {one.index} of block {one.number}"
            )


def _events(logs: Sequence[_Log], headers: dict[int, Header]) -> list[Event]:
    found = []
    for log in logs:
        header = headers[log.number]
        if log.block_hash != header.block.hash:
            raise TransportError(f"block {log.number} was replaced while it was read: read again")
        if not header.may_hold(bloom_of((log.contract, *log.topics))):
            raise TransportError(
                f"block {log.number} cannot hold log {log.index} that the node gave: its bloom "
                "filter has no place for it"
            )
        if event := decode(log.parsed, header.block):
            found.append(event)
    return found


# --- What was left out ---


def _check_completeness(
    network: Network, contracts: Contracts, headers: Sequence[Header], logs: Sequence[_Log]
) -> None:
    """Ask again, in another way, for every block that may hold more logs than came."""
    ours = [bloom_of([bytes.fromhex(each[2:])]) for each in contracts.addresses]
    by_block: dict[int, list[_Log]] = {}
    for log in logs:
        by_block.setdefault(log.number, []).append(log)
    doubtful = [
        header
        for header in headers
        if any(map(header.may_hold, ours))
        and not _is_whole(header, by_block.get(header.block.number, []))
    ]
    answers = network.batch(
        [("eth_getBlockReceipts", ("0x" + each.block.hash.hex(),)) for each in doubtful],
        size=_RECEIPTS_AT_ONCE,
    )
    for header, answer in zip(doubtful, answers, strict=True):
        _compare(header, answer, contracts, by_block.get(header.block.number, []))


def _is_whole(header: Header, logs: Sequence[_Log]) -> bool:
    """Whether these logs are all that fit the header, whoever reported them."""
    numbered = all(log.index == place for place, log in enumerate(logs))
    return numbered and _bloom(logs) == header.bloom


def _compare(header: Header, answer: object, contracts: Contracts, given: Sequence[_Log]) -> None:
    """Hold the logs given for one block to its receipts, and these to its header."""
    number = header.block.number
    every = [
        log for receipt in wire.items(answer) for log in _parse(wire.fields(receipt).get("logs"))
    ]
    if _bloom(every) != header.bloom or any(log.block_hash != header.block.hash for log in every):
        raise TransportError(f"the receipts of block {number} are not those of its header")
    ours = {bytes.fromhex(each[2:]) for each in contracts.addresses}
    there = [log.index for log in every if log.contract in ours]
    if there != [log.index for log in given]:
        raise TransportError(
            f"the node left logs of block {number} out: it gave {len(given)} of {len(there)}"
        )


def _bloom(logs: Sequence[_Log]) -> int:
    return bloom_of(value for log in logs for value in (log.contract, *log.topics))
