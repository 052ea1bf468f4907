"""Headers of blocks: what links one to the block before it, and what tells which logs it may hold.

Source: Ethereum Yellow Paper, section 4.4.1 (the bloom filter of logs).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from eth_utils.crypto import keccak

from medaccord.chain import wire
from medaccord.core.blocks import BlockRef
from medaccord.core.identifiers import Digest

_BLOOM_BITS: Final = 2048
_LATEST_SECOND: Final = 253_402_300_799  # 9999-12-31, the last that a datetime can say


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """A block and what its header says besides.

    Attributes:
        block: the block.
        parent: hash of the block before it.
        bloom: its bloom filter of logs, 2048 bits as one number.
    """

    block: BlockRef
    parent: Digest
    bloom: int

    def may_hold(self, mask: int) -> bool:
        """Whether a log with everything that went into a mask of `bloom_of` may be in the block."""
        return self.bloom & mask == mask


def parse_header(answer: object, *, chain_id: int) -> Header:
    """Read a block as `eth_getBlockByNumber` gives it.

    Args:
        answer: the result of the call.
        chain_id: of the chain asked.

    Raises:
        TransportError: it is no block.
    """
    block = wire.fields(answer)
    bloom = block.get("logsBloom")
    # The embedded node writes the filter as a plain number.
    filter_ = bloom if isinstance(bloom, int) else int.from_bytes(wire.data(bloom), "big")
    timestamp = wire.quantity(block.get("timestamp"))
    if filter_ >= 1 << _BLOOM_BITS or timestamp > _LATEST_SECOND:
        raise wire.nonsense("a block", answer)
    return Header(
        block=BlockRef(
            chain_id=chain_id,
            number=wire.quantity(block.get("number")),
            hash=wire.hash32(block.get("hash")),
            timestamp=datetime.fromtimestamp(timestamp, UTC),
        ),
        parent=wire.hash32(block.get("parentHash")),
        bloom=filter_,
    )


def bloom_of(values: Iterable[bytes]) -> int:
    """The bits that addresses and topics of logs set in a bloom filter."""
    mask = 0
    for value in values:
        mask |= _bits(value)
    return mask


@lru_cache(maxsize=4096)
def _bits(value: bytes) -> int:
    hashed = keccak(value)
    places = (int.from_bytes(hashed[at : at + 2], "big") % _BLOOM_BITS for at in (0, 2, 4))
    mask = 0
    for place in places:
        mask |= 1 << place
    return mask
