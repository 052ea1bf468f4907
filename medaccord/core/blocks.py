"""A block of the chain, named so that it cannot be taken for another one."""

from dataclasses import dataclass
from datetime import datetime

from medaccord.core.errors import InvalidInput
from medaccord.core.identifiers import Digest

__all__ = ["BlockRef"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockRef:
    """Where on which chain something was read or decided.

    Attributes:
        chain_id: EIP-155 chain id, at least 1.
        number: height of the block, 0 for the first.
        hash: hash of the block, which tells two blocks of one height apart.
        timestamp: time of the block, whole seconds, timezone-aware.
    """

    chain_id: int
    number: int
    hash: Digest
    timestamp: datetime

    def __post_init__(self) -> None:
        """Refuse a time without a zone: it could be compared with nothing.

        Raises:
            InvalidInput: the timestamp has no timezone, or number or chain id is out of range.
        """
        if self.timestamp.tzinfo is None:
            raise InvalidInput("the time of a block needs a timezone")
        if self.number < 0 or self.chain_id < 1:
            raise InvalidInput(f"no such block: {self.number} of chain {self.chain_id}")
