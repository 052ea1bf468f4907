"""How values of the contracts look in Python, and the other way round.

An address is an `Address`, a bytes32 a `Digest`, an integer an `int`. Times of the contracts stay
the Unix seconds they are: some, such as the end of a delegation that has none, lie beyond what a
`datetime` can say.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Final

from medaccord.core.errors import InvalidInput
from medaccord.core.identifiers import address, digest

FOREVER: Final = datetime.max.replace(tzinfo=UTC)
"""The end of what has no end; the contracts count it as the largest uint40."""

_LAST_SECOND: Final = 2**40 - 1
_LAST_IN_CALENDAR: Final = 253_402_300_799  # 9999-12-31 23:59:59
_CAPITAL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def snake_case(name: str) -> str:
    """The Python name of a parameter: `validFrom` is `valid_from`."""
    return _CAPITAL.sub("_", name).lower()


def from_abi(kind: str, value: Any) -> Any:
    """A decoded value as Python has it.

    Args:
        kind: its Solidity type, none of them a struct or an array.
        value: as eth-abi decodes it.
    """
    if kind == "address":
        return address(value)
    if kind == "bytes32":
        return digest(value)
    return value


def seconds(moment: datetime) -> int:
    """A time as the contracts count it: Unix seconds, fractions cut off.

    Raises:
        InvalidInput: the time has no timezone, or lies before 1970.
    """
    if moment.tzinfo is None:
        raise InvalidInput(f"the time {moment} needs a timezone")
    if moment == FOREVER:
        return _LAST_SECOND
    if (unix := int(moment.timestamp() // 1)) < 0:
        raise InvalidInput(f"the time {moment} lies before 1970, which no contract can say")
    return unix


def moment(unix: int) -> datetime:
    """A time that the contracts count, in UTC; `FOREVER` from the year 10000 on.

    Args:
        unix: Unix seconds, from 0 to 2**40 - 1.
    """
    return datetime.fromtimestamp(unix, UTC) if unix <= _LAST_IN_CALENDAR else FOREVER
