"""The events and blocks that were followed to, in the database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, Result, delete, exists, insert, select

from medaccord.chain.deployment import Contracts
from medaccord.chain.events import Event, Stretch
from medaccord.chain.network import Network
from medaccord.core.blocks import BlockRef
from medaccord.core.errors import DeploymentMismatch, MedaccordError
from medaccord.core.identifiers import Digest, digest
from medaccord.ledger.event_rows import event_of, row_of
from medaccord.store import reading, writing
from medaccord.store.tables import ledger_block, ledger_chain, ledger_event

__all__ = ["History", "HistoryMoved"]

_KEPT_BLOCKS = 256
"""Blocks without events are kept this far back, to find where two histories part."""

_ROWS_AT_ONCE = 5_000
_BLOCKS_AT_ONCE = 100


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

    @contextmanager
    def read(
        self, *, after: BlockRef | None = None
    ) -> Iterator[tuple[BlockRef | None, Iterator[Event]]]:
        """The newest block, and every event up to it in the order of the chain.

        The events are read as they are asked for, and only until the block ends: a long history
        never lies in memory as a whole.

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
            rows = connection.execution_options(yield_per=_ROWS_AT_ONCE).execute(query)
            with rows:  # the server's cursor is closed, however far it was read
                yield tip, self._events(rows)

    def _events(self, rows: Result[Any]) -> Iterator[Event]:
        block: BlockRef | None = None
        for row in rows:
            if block is None or block.number != row.block_number:
                block = self._block(row.block_number, row)
            yield event_of(row, block)

    def holds(self, block: BlockRef) -> bool:
        """Whether the block is part of the history."""
        return self.hash_at(block.number) == block.hash

    def hash_at(self, number: int) -> Digest | None:
        """The hash of the block of a height; None where it is not part of what is remembered."""
        with reading(self._engine) as connection:
            query = select(ledger_block.c.hash).where(ledger_block.c.number == number)
            found = connection.execute(query).scalar_one_or_none()
        return None if found is None else digest(found)

    def newest_first(self, *, upto: int) -> Iterator[list[BlockRef]]:
        """The blocks kept, from the newest down, some at a time.

        Args:
            upto: leave out blocks above this number.
        """
        query = select(ledger_block).order_by(ledger_block.c.number.desc()).limit(_BLOCKS_AT_ONCE)
        while True:
            with reading(self._engine) as connection:
                rows = connection.execute(query.where(ledger_block.c.number <= upto)).all()
            if not rows:
                return
            yield [self._block(row.number, row) for row in rows]
            upto = rows[-1].number - 1

    def append(
        self,
        stretch: Stretch,
        *,
        after: BlockRef | None,
        in_place_of: BlockRef | None,
        along: Callable[[Connection], None] | None = None,
    ) -> None:
        """Take in the next blocks, durably, and take back what they replace, in one transaction.

        Args:
            stretch: the blocks.
            after: the block they follow; None for the first ones.
            in_place_of: the newest block until now: `after`, or one of a branch that is taken back.
            along: writes, in the same transaction, what must be there exactly when they are.

        Raises:
            HistoryMoved: the history does not end there.
            StoreFailed: the database is out of reach, full, or held by somebody else too long.
        """
        tip = stretch.tip
        eventful = {event.block.number for event in stretch.events}
        blocks = [
            header.block
            for header in stretch.headers
            if header.block.number in eventful or header.block.number > tip.number - _KEPT_BLOCKS
        ]
        with writing(self._engine) as connection:
            if self._tip(connection) != in_place_of:
                raise HistoryMoved
            if after != in_place_of:
                _delete_after(connection, -1 if after is None else after.number)
            connection.execute(
                insert(ledger_block),
                [
                    {"number": each.number, "hash": each.hash, "timestamp": each.timestamp}
                    for each in blocks
                ],
            )
            if stretch.events:
                connection.execute(insert(ledger_event), [row_of(each) for each in stretch.events])
            if after is not None:
                _delete_old(connection, after.number - _KEPT_BLOCKS, tip.number - _KEPT_BLOCKS)
            if along is not None:
                along(connection)

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


def _delete_old(connection: Connection, first: int, last: int) -> None:
    """Forget blocks without events; those below `first` were forgotten before."""
    eventful = exists().where(ledger_event.c.block_number == ledger_block.c.number)
    old = ledger_block.c.number.between(first, last)
    connection.execute(delete(ledger_block).where(old, ~eventful))
