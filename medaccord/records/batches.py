"""Batches: what one import adds to a stream, under one root, prepared first and anchored after.

The batches of a stream are anchored oldest first, so that the last append tells the newest state.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Engine, bindparam, func, insert, select, update

from medaccord.core.blocks import BlockRef
from medaccord.core.errors import InvalidRequest
from medaccord.core.identifiers import Digest, digest
from medaccord.core.record_state import anchored_root, tree_root
from medaccord.records.pseudonyms import Owner
from medaccord.store import reading, writing
from medaccord.store.tables import batch

__all__ = ["Batch", "Batches", "add_batch", "find_batch", "load_leaves"]

_LEAF_BYTES: Final = 32
_COLUMNS: Final[tuple[ColumnElement[Any], ...]] = (
    *(column for column in batch.c if column is not batch.c.leaves),
    func.length(batch.c.leaves).label("length"),
)
_WITH_LEAVES: Final = select(*_COLUMNS, batch.c.leaves).where(batch.c.id == bindparam("of"))
_NEWEST: Final = (
    select(*_COLUMNS)
    .where(batch.c.topic == bindparam("stream"), batch.c.root == bindparam("appended"))
    .order_by(batch.c.id.desc())
    .limit(1)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What is appended to a stream at once.

    Attributes:
        id: counts up.
        owner: whose records they are: a patient's, or the steward's own.
        topic: the stream it is anchored in, under the steward's account.
        root: what is anchored, over leaves and state.
        state: root over the newest versions. None in a batch that version 0001 of the database
            wrote, whose root is the Merkle root over its leaves itself.
        size: how many leaves it has; none where it only tells the state.
        prepared_at: when it was imported.
        transaction: the transaction that anchored it; None while it is only prepared.
        block_number: its block; None while it is only prepared.
    """

    id: int
    owner: Owner
    topic: Digest
    root: Digest
    state: Digest | None
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
        query = select(*_COLUMNS).where(batch.c.anchored_at.is_(None)).order_by(batch.c.id)
        with reading(self._engine) as connection:
            return tuple(_batch(row) for row in connection.execute(query))

    def newest(self) -> tuple[Batch, ...]:
        """The newest batch of each stream, anchored or not, oldest first."""
        newest = select(func.max(batch.c.id)).group_by(batch.c.topic)
        query = select(*_COLUMNS).where(batch.c.id.in_(newest)).order_by(batch.c.id)
        with reading(self._engine) as connection:
            return tuple(_batch(row) for row in connection.execute(query))

    def of_stream(self, topic: Digest) -> tuple[Batch, ...]:
        """Every batch of a stream, oldest first."""
        query = select(*_COLUMNS).where(batch.c.topic == topic).order_by(batch.c.id)
        with reading(self._engine) as connection:
            return tuple(_batch(row) for row in connection.execute(query))

    def restated(self) -> tuple[tuple[Digest, Owner], ...]:
        """The streams that have a batch without leaves, and whose they are; erased ones left out.

        Such a batch tells a state that lost a record, or the first one a stream got.
        """
        query = (
            select(batch.c.topic, batch.c.patient_ref)
            .where(func.length(batch.c.leaves) == 0, batch.c.patient_ref != "")
            .distinct()
        )
        with reading(self._engine) as connection:
            rows = connection.execute(query).all()
        return tuple((digest(row.topic), Owner(row.patient_ref)) for row in rows)

    def find(self, topic: Digest, root: Digest) -> Batch | None:
        """The newest batch of a stream with this root; None where there is none."""
        with reading(self._engine) as connection:
            return find_batch(connection, topic, root)

    def get(self, batch_id: int) -> Batch:
        """One batch.

        Raises:
            InvalidRequest: there is none with this id.
        """
        with reading(self._engine) as connection:
            row = connection.execute(select(*_COLUMNS).where(batch.c.id == batch_id)).one_or_none()
        if row is None:
            raise InvalidRequest(f"there is no batch {batch_id}")
        return _batch(row)

    def mark_anchored(
        self, prepared: Batch, *, transaction: Digest, block: BlockRef, at: datetime
    ) -> bool:
        """Note that a batch was anchored. Noting it again, or in another block, is no error.

        Args:
            prepared: which batch.
            transaction: what appended its root to its stream.
            block: the block it stands in.
            at: now.

        Returns:
            Whether it is there to be noted: it is not where its patient was erased meanwhile.
        """
        # By its root, too: the id of one that was erased may be another's by now.
        same = batch.c.id == prepared.id, batch.c.root == prepared.root
        values = {
            "transaction_hash": transaction,
            "block_number": block.number,
            "block_hash": block.hash,
            "anchored_at": at,
        }
        with writing(self._engine) as connection:
            return connection.execute(update(batch).where(*same).values(values)).rowcount == 1


def add_batch(
    connection: Connection,
    owner: Owner,
    topic: Digest,
    leaves: Sequence[Digest],
    *,
    state: Digest,
    at: datetime,
) -> Batch:
    """Prepare a batch.

    Args:
        connection: a transaction that writes.
        owner: whose records they are.
        topic: the stream it will be anchored in.
        leaves: of its versions, in their order; none for a batch that only tells the state.
        state: root over the newest versions with this batch.
        at: now.
    """
    row = {
        "patient_ref": owner,
        "topic": topic,
        "root": anchored_root(tree_root(leaves), state),
        "leaves": b"".join(leaves),
        "state": state,
        "prepared_at": at,
    }
    made = connection.execute(insert(batch).values(row).returning(*_COLUMNS)).one()
    return _batch(made)


def load_leaves(connection: Connection, batch_id: int) -> tuple[Batch, tuple[Digest, ...]] | None:
    """A batch with its leaves; None where there is none with this id."""
    row = connection.execute(_WITH_LEAVES, {"of": batch_id}).one_or_none()
    if row is None:
        return None
    starts = range(0, len(row.leaves), _LEAF_BYTES)
    return _batch(row), tuple(digest(row.leaves[i : i + _LEAF_BYTES]) for i in starts)


def find_batch(connection: Connection, topic: Digest, root: Digest) -> Batch | None:
    """The newest batch of a stream with this root; None where there is none."""
    row = connection.execute(_NEWEST, {"stream": topic, "appended": root}).one_or_none()
    return None if row is None else _batch(row)


def _batch(row: Any) -> Batch:
    return Batch(
        id=row.id,
        owner=Owner(row.patient_ref),
        topic=digest(row.topic),
        root=digest(row.root),
        state=None if row.state is None else digest(row.state),
        size=row.length // _LEAF_BYTES,
        prepared_at=row.prepared_at,
        transaction=None if row.transaction_hash is None else digest(row.transaction_hash),
        block_number=row.block_number,
    )
