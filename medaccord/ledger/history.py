"""The events and blocks that were followed to, in the database."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Engine, delete, exists, insert, select

from medaccord.chain.deployment import Contracts
from medaccord.chain.events import Event
from medaccord.chain.network import Network
from medaccord.core.blocks import BlockRef
from medaccord.core.errors import DeploymentMismatch, MedaccordError
from medaccord.core.identifiers import digest
from medaccord.ledger.event_rows import event_of, row_of
from medaccord.store import reading, writing
from medaccord.store.tables import ledger_block, ledger_chain, ledger_event

__all__ = ["History", "HistoryMoved"]

_KEPT_BLOCKS = 256
"""Blocks without events are kept this far back, to find where two histories part."""


class HistoryMoved(MedaccordError):
    """The database was followed further, or back, by another process."""


class History:
    """What was taken in from the chain, each block with all its events or not at all.

    Attributes:
        first_block: number of the first block that can hold events of the contracts.
    """

    def __init__(self, engine: Engine, network: Network, contracts: Contracts) -> None:
        """Take up the history of one deployment.

        Raises:
            DeploymentMismatch: the database holds that of another one.
            TransportError: the node does not answer.
        """
        self._engine = engine
        self._chain_id = network.chain_id
        self.first_block = contracts.deployment.first_block
        row = {
            "id": 1,
            "chain_id": network.chain_id,
            "genesis_hash": network.genesis_hash,
            "registry": contracts.registry.address,
        }
        with writing(engine) as connection:
            known = connection.execute(select(ledger_chain)).mappings().one_or_none()
            if known is None:
                connection.execute(insert(ledger_chain).values(row))
            elif dict(known) != row:
                raise DeploymentMismatch(
                    "the database holds the ledger of another chain or deployment: name another "
                    "database, or the deployment it belongs to"
                )

    def load(self, *, after: BlockRef | None = None) -> tuple[BlockRef | None, list[Event]]:
        """The newest block, and every event up to it in the order of the chain.

        Args:
            after: leave out this block and those before it.
        """
        first = -1 if after is None else after.number
        query = (
            select(ledger_event, ledger_block.c.hash, ledger_block.c.timestamp)
            .join(ledger_block, ledger_block.c.number == ledger_event.c.block_number)
            .where(ledger_event.c.block_number > first)
            .order_by(ledger_event.c.block_number, ledger_event.c.log_index)
        )
        with reading(self._engine) as connection:
            tip = self._tip(connection)
            rows = connection.execute(query).all()
        found: list[Event] = []
        for row in rows:
            same = found and found[-1].block.number == row.block_number
            block = found[-1].block if same else self._block(row.block_number, row)
            found.append(event_of(row, block))
        return tip, found

    def holds(self, block: BlockRef) -> bool:
        """Whether the block is part of the history."""
        with reading(self._engine) as connection:
            query = select(ledger_block.c.hash).where(ledger_block.c.number == block.number)
            return connection.execute(query).scalar_one_or_none() == block.hash

    def newest_first(self, *, upto: int | None = None) -> Iterator[BlockRef]:
        """The blocks kept, from the newest down.

        Args:
            upto: leave out blocks above this number.
        """
        query = select(ledger_block).order_by(ledger_block.c.number.desc()).limit(1)
        below = None if upto is None else upto + 1
        while True:
            page = query if below is None else query.where(ledger_block.c.number < below)
            with reading(self._engine) as connection:
                row = connection.execute(page).one_or_none()
            if row is None:
                return
            yield self._block(row.number, row)
            below = row.number

    def append(self, found: list[Event], *, tip: BlockRef, after: BlockRef | None) -> None:
        """Take in the next blocks, durably, in one transaction.

        Args:
            found: their events in the order of the chain.
            tip: the newest of them.
            after: the newest block before them; None for the first ones.

        Raises:
            HistoryMoved: the history does not end there.
        """
        blocks = {event.block.number: event.block for event in found} | {tip.number: tip}
        with writing(self._engine) as connection:
            if self._tip(connection) != after:
                raise HistoryMoved
            connection.execute(
                insert(ledger_block),
                [
                    {"number": each.number, "hash": each.hash, "timestamp": each.timestamp}
                    for each in blocks.values()
                ],
            )
            if found:
                connection.execute(insert(ledger_event), [row_of(event) for event in found])
            eventful = exists().where(ledger_event.c.block_number == ledger_block.c.number)
            old = ledger_block.c.number < tip.number - _KEPT_BLOCKS
            connection.execute(delete(ledger_block).where(old, ~eventful))

    def undo_after(self, ancestor: BlockRef | None, *, from_tip: BlockRef | None) -> None:
        """Take back every block above one; all of them where there is none.

        Raises:
            HistoryMoved: the history does not end at `from_tip`.
        """
        number = -1 if ancestor is None else ancestor.number
        with writing(self._engine) as connection:
            if self._tip(connection) != from_tip:
                raise HistoryMoved
            _delete_after(connection, number)

    def clear(self) -> None:
        """Take back everything."""
        with writing(self._engine) as connection:
            _delete_after(connection, -1)

    def _tip(self, connection: Connection) -> BlockRef | None:
        query = select(ledger_block).order_by(ledger_block.c.number.desc()).limit(1)
        row = connection.execute(query).one_or_none()
        return None if row is None else self._block(row.number, row)

    def _block(self, number: int, row: Any) -> BlockRef:
        return BlockRef(
            chain_id=self._chain_id,
            number=number,
            hash=digest(row.hash),
            timestamp=row.timestamp,
        )


def _delete_after(connection: Connection, number: int) -> None:
    connection.execute(delete(ledger_event).where(ledger_event.c.block_number > number))
    connection.execute(delete(ledger_block).where(ledger_block.c.number > number))
