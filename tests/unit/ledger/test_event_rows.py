"""Every event survives the database."""

from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, get_type_hints

import pytest

from medaccord.chain.events import Event
from medaccord.core.blocks import BlockRef
from medaccord.core.identifiers import Address, address, digest
from medaccord.ledger.event_rows import KINDS, event_of, row_of

BLOCK = BlockRef(
    chain_id=1337,
    number=7,
    hash=digest(b"\x07" * 32),
    timestamp=datetime(2026, 3, 1, 12, tzinfo=UTC),
)


def example(made: type[Event]) -> Event:
    values: dict[str, Any] = {"block": BLOCK, "transaction": digest(b"\x08" * 32), "log_index": 3}
    hints = get_type_hints(made)
    for number, field in enumerate(fields(made), start=1):
        if field.name in values:
            continue
        if hints[field.name] is int:
            values[field.name] = 2**40 - number
        elif hints[field.name] is Address:
            values[field.name] = address("0x" + f"{number:02x}" * 20)
        else:
            values[field.name] = digest(bytes([number]) * 32)
    return made(**values)


@pytest.mark.parametrize("made", KINDS.values(), ids=KINDS.keys())
def test_event_comes_back_as_it_was_when_stored(made: type[Event]) -> None:
    event = example(made)
    row: Mapping[str, Any] = row_of(event)
    assert event_of(SimpleNamespace(**row), BLOCK) == event
