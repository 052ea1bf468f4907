"""Values of JSON-RPC, read without trust: a node may answer anything.

Source: Ethereum JSON-RPC specification, "Hex value encoding".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from medaccord.core.errors import InvalidIdentifier, TransportError
from medaccord.core.identifiers import Digest, digest

_QUANTITY = re.compile(r"0x[0-9a-fA-F]{1,64}", re.ASCII)
_DATA = re.compile(r"0x(?:[0-9a-fA-F]{2})*", re.ASCII)
_SHOWN: Final = 80


def quantity(value: object) -> int:
    """A number, in hexadecimal; the embedded node also writes plain ones.

    Raises:
        TransportError: it is none, or longer than 256 bits.
    """
    if isinstance(value, str) and _QUANTITY.fullmatch(value):
        return int(value, 16)
    if type(value) is int and 0 <= value < 2**256:
        return value
    raise nonsense("a number", value)


def data(value: object) -> bytes:
    """Bytes, in hexadecimal.

    Raises:
        TransportError: it is something else.
    """
    if isinstance(value, str) and _DATA.fullmatch(value):
        return bytes.fromhex(value[2:])
    raise nonsense("bytes", value)


def hash32(value: object) -> Digest:
    """A hash of 32 bytes.

    Raises:
        TransportError: it is something else.
    """
    try:
        return digest(value)  # type: ignore[arg-type]  # it refuses what it does not know
    except InvalidIdentifier as error:
        raise nonsense("a hash", value) from error


def fields(value: object) -> Mapping[str, Any]:
    """An object of JSON.

    Raises:
        TransportError: it is something else.
    """
    if isinstance(value, Mapping):
        return value
    raise nonsense("an object", value)


def items(value: object) -> list[Any]:
    """A list of JSON.

    Raises:
        TransportError: it is something else.
    """
    if isinstance(value, list | tuple):
        return list(value)
    raise nonsense("a list", value)


def nonsense(expected: str, value: object) -> TransportError:
    """What to raise where a node answered something else than was expected."""
    return TransportError(f"the node answered with {value!r:.{_SHOWN}} in place of {expected}")
