"""Events as rows of the database, and back: what one dataclass holds, as JSON."""

import json
import sys
from collections.abc import Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import Any, Final, get_type_hints

from eth_typing import ChecksumAddress, HexAddress, HexStr

from medaccord.chain.events import Event, kinds
from medaccord.core.blocks import BlockRef
from medaccord.core.identifiers import Address, Digest, hex_digest

__all__ = ["KINDS", "event_of", "row_of"]

_COLUMNS = frozenset({"block", "transaction", "log_index"})


def row_of(event: Event) -> dict[str, Any]:
    """The columns of `ledger_event` for one event."""
    names = (each.name for each in fields(event) if each.name not in _COLUMNS)
    values = {name: _written(getattr(event, name)) for name in names}
    return {
        "block_number": event.block.number,
        "log_index": event.log_index,
        "transaction_hash": event.transaction,
        "kind": type(event).__name__,
        "fields": json.dumps(values, separators=(",", ":")),
    }


def event_of(row: Any, block: BlockRef) -> Event:
    """The event of one row.

    Args:
        row: a row of `ledger_event`.
        block: the block it stands in.
    """
    made = KINDS[row.kind]
    kept = json.loads(row.fields)
    values = {name: read(kept[name]) for name, read in _READERS[row.kind].items()}
    transaction = Digest(row.transaction_hash)
    return made(block=block, transaction=transaction, log_index=row.log_index, **values)


def _written(value: object) -> object:
    return hex_digest(Digest(value)) if isinstance(value, bytes) else value


def _readers(made: type[Event]) -> dict[str, Any]:
    hints = get_type_hints(made)
    readers = {Address: _address, Digest: _digest, int: int}
    return {name: readers[hint] for name, hint in hints.items() if name not in _COLUMNS}


def _address(text: str) -> Address:
    """What `row_of` wrote, checked then. One object for each address, whatever it occurs in."""
    return Address(ChecksumAddress(HexAddress(HexStr(sys.intern(text)))))


def _digest(text: str) -> Digest:
    return Digest(bytes.fromhex(text[2:]))


KINDS: Final[Mapping[str, type[Event]]] = MappingProxyType(
    {
        name: made
        for name, made in vars(kinds).items()
        if isinstance(made, type) and issubclass(made, Event) and made is not Event
    }
)
"""Every kind of event, by the name that its rows have."""

_READERS: Final = {name: _readers(made) for name, made in KINDS.items()}
