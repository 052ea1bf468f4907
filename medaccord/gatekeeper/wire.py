"""How values travel in the JSON of a gatekeeper: addresses, digests, signatures and times."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, WithJsonSchema

from medaccord.core.blocks import BlockRef
from medaccord.core.errors import InvalidRequest
from medaccord.core.identifiers import Address, Digest, address, digest, hex_digest

_MAX_SIGNATURE_BYTES: Final = 4096
_HEX = re.compile(r"0x(?:[0-9a-fA-F]{2})*", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d[Tt]", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)


def time_text(moment: datetime) -> str:
    """Write a time as RFC 3339 in UTC with whole seconds (fractions are cut off).

    Source: RFC 3339, section 5.6.
    """
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def read_time(text: Any) -> datetime:
    """Read what `time_text` writes, and nothing else.

    Raises:
        InvalidRequest: another form, or no such moment.
    """
    if not isinstance(text, str) or not _TIME.fullmatch(text):
        raise InvalidRequest("write times in UTC as 2026-01-31T12:00:00Z")
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise InvalidRequest(f"there is no such moment as {text}") from error


def read_signature(text: Any) -> bytes:
    """Read a signature: 65 bytes of a key, or what an ERC-1271 wallet takes (at most 4,096).

    Raises:
        InvalidRequest: not 0x-prefixed hexadecimal, empty, or too long.
    """
    if not isinstance(text, str) or not _HEX.fullmatch(text):
        raise InvalidRequest("write a signature as 0x and an even number of hexadecimal digits")
    signature = bytes.fromhex(text[2:])
    if not 0 < len(signature) <= _MAX_SIGNATURE_BYTES:
        raise InvalidRequest(f"a signature has 1 to {_MAX_SIGNATURE_BYTES} bytes")
    return signature


def _no_number(value: Any) -> Any:
    if isinstance(value, str) and not _DATE.match(value):
        raise InvalidRequest("write times as 2026-01-31T12:00:00Z")
    return value


def _text(pattern: str, example: str) -> WithJsonSchema:
    """How text looks that one of the functions above reads."""
    return WithJsonSchema({"type": "string", "pattern": pattern, "examples": [example]})


AddressField = Annotated[
    Address, BeforeValidator(address), _text("^0x[0-9a-fA-F]{40}$", "0x" + "00" * 20)
]
DigestField = Annotated[
    Digest, BeforeValidator(digest), _text("^0x[0-9a-f]{64}$", "0x" + "00" * 32)
]
TimeField = Annotated[
    datetime,
    BeforeValidator(read_time),
    _text(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$", "2026-01-31T12:00:00Z"),
]
InstantField = Annotated[
    AwareDatetime,
    BeforeValidator(_no_number),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""A time to the fraction, with its zone."""

SignatureField = Annotated[
    bytes, BeforeValidator(read_signature), _text("^0x([0-9a-fA-F]{2})+$", "0x" + "00" * 65)
]


class Form(BaseModel):
    """The body of a request: exactly the fields it names."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Block(BaseModel):
    """A block of the chain, as `block_document` writes it."""

    chainId: int
    number: int
    hash: str
    timestamp: str


def block_document(block: BlockRef) -> dict[str, Any]:
    """A block in JSON."""
    return {
        "chainId": block.chain_id,
        "number": block.number,
        "hash": hex_digest(block.hash),
        "timestamp": time_text(block.timestamp),
    }
