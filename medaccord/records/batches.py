"""Batches: what one import adds, under one root, prepared first and anchored after."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, Row, insert, select, update

from medaccord.core.blocks import BlockRef
from medaccord.core.errors import InvalidRequest
from medaccord.core.identifiers import Digest, digest
from medaccord.core.merkle import MerkleTree
from medaccord.records.pseudonyms import Owner
from medaccord.store import reading, writing
from medaccord.store.tables import batch

__all__ = ["Batch", "Batches", "add_batch", "load_leaves"]

_LEAF_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The versions of one import.

    Attributes:
        id: counts up.
        topic: the stream it is anchored in, under the steward's account.
        root: Merkle root over its leaves.
        size: how many leaves it has, at least 1.
        prepared_at: when it was imported.
        transaction: the transaction that anchored it; None while it is only prepared.
        block_number: its block; None while it is only prepared.
    """

    id: int
    topic: Digest
    root: Digest
    size: int
    prepared_at: datetime
    transaction: Digest | None
    block_number: int | None

    @property
    def is_anchored(self) -> bool:
        """Whether it was anchored; until then none of its records is released."""
        return self.transaction is not None


class Batches:
    """The batches of a steward."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def unanchored(self) -> tuple[Batch, ...]:
        """The batches that are only prepared, oldest first."""
        query = select(batch).where(batch.c.anchored_at.is_(None)).order_by(batch.c.id)
        with reading(self._engine) as connection:
            return tuple(_batch(row) for row in connection.execute(query))

    def anchored_after(self, block: int) -> tuple[Batch, ...]:
        """The batches noted as anchored in blocks above a number, oldest first."""
        query = select(batch).where(batch.c.block_number > block).order_by(batch.c.id)
        with reading(self._engine) as connection:
            return tuple(_batch(row) for row in connection.execute(query))

    def get(self, batch_id: int) -> Batch:
        """One batch.

        Raises:
            InvalidRequest: there is none with this id.
        """
        with reading(self._engine) as connection:
            row = connection.execute(select(batch).where(batch.c.id == batch_id)).one_or_none()
        if row is None:
            raise InvalidRequest(f"there is no batch {batch_id}")
        return _batch(row)

    def mark_anchored(
        self, batch_id: int, *, transaction: Digest, block: BlockRef, at: datetime
    ) -> None:
        """Note that a batch was anchored. Noting it again, or in another block, is no error.

        Args:
            batch_id: which batch.
            transaction: what appended its root to its stream.
            block: the block it stands in.
            at: now.

        Raises:
            InvalidRequest: there is no such batch.
        """
        changed = update(batch).where(batch.c.id == batch_id)
        values = {
            "transaction_hash": transaction,
            "block_number": block.number,
            "block_hash": block.hash,
            "anchored_at": at,
        }
        with writing(self._engine) as connection:
            if connection.execute(changed.values(values)).rowcount != 1:
                raise InvalidRequest(f"there is no batch {batch_id}")


def add_batch(
    connection: Connection, owner: Owner, topic: Digest, leaves: Sequence[Digest], *, at: datetime
) -> Batch:
    """Prepare a batch.

    Args:
        connection: a transaction that writes.
        owner: the patient whose import it is.
        topic: the stream it will be anchored in.
        leaves: of its versions, in their order; at least one.
        at: now.
    """
    row = {
        "patient_ref": owner,
        "topic": topic,
        "root": MerkleTree(leaves).root,
        "leaves": b"".join(leaves),
        "prepared_at": at,
    }
    made = connection.execute(insert(batch).values(row).returning(batch)).one()
    return _batch(made)


def load_leaves(connection: Connection, batch_id: int) -> tuple[Batch, tuple[Digest, ...]] | None:
    """A batch with its leaves; None where there is none with this id."""
    row = connection.execute(select(batch).where(batch.c.id == batch_id)).one_or_none()
    if row is None:
        return None
    starts = range(0, len(row.leaves), _LEAF_BYTES)
    return _batch(row), tuple(digest(row.leaves[i : i + _LEAF_BYTES]) for i in starts)


def _batch(row: Row[Any]) -> Batch:
    return Batch(
        id=row.id,
        topic=digest(row.topic),
        root=digest(row.root),
        size=len(row.leaves) // _LEAF_BYTES,
        prepared_at=row.prepared_at,
        transaction=None if row.transaction_hash is None else digest(row.transaction_hash),
        block_number=row.block_number,
    )
