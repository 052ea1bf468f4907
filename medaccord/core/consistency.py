"""Consistency tokens: a block, named so that another answer can be asked to know it as well.

Whoever did something (granted, revoked) or was told something as of one block can ask for an answer
that is no older: "at this block or later, or not at all".
"""

import re
from dataclasses import dataclass
from typing import Final, Self

from medaccord.core.blocks import BlockRef
from medaccord.core.errors import InvalidRequest
from medaccord.core.identifiers import Digest, digest, hex_digest

__all__ = ["ConsistencyToken"]

_TEXT: Final = re.compile(r"([1-9][0-9]{0,31}):(0|[1-9][0-9]{0,18}):(0x[0-9a-f]{64})", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsistencyToken:
    """The block that something was decided at.

    Attributes:
        chain_id: EIP-155 chain id, at least 1.
        number: height of the block, 0 for the first; below 10^19.
        hash: hash of the block, which tells two branches apart.

    Raises:
        InvalidRequest: chain id or number is out of range, or the hash is not 32 bytes.
    """

    chain_id: int
    number: int
    hash: Digest

    def __post_init__(self) -> None:
        """Refuse what has no text."""
        if len(self.hash) != 32 or not _TEXT.fullmatch(str(self)):
            raise _malformed(str(self))

    def __str__(self) -> str:
        """Write it as ``<chain id>:<number>:<0x and 64 lower-case hex digits>``."""
        return f"{self.chain_id}:{self.number}:{hex_digest(self.hash)}"

    @classmethod
    def of(cls, block: BlockRef) -> Self:
        """The token of what was decided at a block."""
        return cls(chain_id=block.chain_id, number=block.number, hash=block.hash)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the text that ``str`` writes; a token has exactly one such text.

        Raises:
            InvalidRequest: any other text.
        """
        match = _TEXT.fullmatch(text) if isinstance(text, str) else None
        if match is None:
            raise _malformed(text)
        return cls(chain_id=int(match[1]), number=int(match[2]), hash=digest(match[3]))


def _malformed(text: object) -> InvalidRequest:
    return InvalidRequest(
        f"not a consistency token (<chain id>:<block number>:<0x and 64 hex digits>): {text!r}"
    )
