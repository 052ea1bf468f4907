"""Transactions on their way, in the database: what is recorded here survives the process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Select,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from medaccord.core.errors import StoreFailed
from medaccord.core.identifiers import address, digest, hex_digest
from medaccord.core.outgoing import Attempt, Outgoing, SendingKey
from medaccord.store.engine import reading, writing
from medaccord.store.locks import exclusive
from medaccord.store.tables import outgoing_attempt, outgoing_transaction

__all__ = ["DatabaseOutbox"]

_SETTLED_KEPT: Final = timedelta(days=7)
"""How long a settled transaction can still be looked up."""

_T = outgoing_transaction.c
_A = outgoing_attempt.c
_EVERYTHING: Final = select(
    outgoing_transaction, _A.hash, _A.raw, _A.max_fee, _A.max_priority_fee, _A.sent_at
).join(outgoing_attempt, _A.transaction_id == _T.id)


class DatabaseOutbox:
    """An outbox for every process that has the database open; see `medaccord.chain.outbox`."""

    def __init__(self, engine: Engine) -> None:
        """Keep transactions in a database.

        Args:
            engine: as `open_engine` gives it.
        """
        self._engine = engine

    @contextmanager
    def exclusive(self, key: SendingKey) -> Iterator[None]:
        """Hold a key alone, among all threads and processes that use the database.

        Raises:
            StoreFailed: another holds it for too long, or the database fails.
        """
        with exclusive(self._engine, f"sender/{hex_digest(key.genesis_hash)}/{key.address}"):
            yield

    def highest_nonce(self, key: SendingKey) -> int | None:
        """The highest nonce under way; None where nothing is."""
        with reading(self._engine) as connection:
            found: int | None = connection.execute(
                select(func.max(_T.nonce)).where(*_under_way(key))
            ).scalar_one()
        return found

    def unsettled(self, key: SendingKey) -> Sequence[Outgoing]:
        """What is under way, by nonce."""
        wanted = _EVERYTHING.where(*_under_way(key)).order_by(_T.nonce)
        with reading(self._engine) as connection:
            return _read(connection, wanted)

    def under_way(self, key: SendingKey, purpose: str) -> Outgoing | None:
        """The transaction of a purpose that is under way, if there is one."""
        wanted = _EVERYTHING.where(*_under_way(key), _T.purpose == purpose)
        with reading(self._engine) as connection:
            return next(iter(_read(connection, wanted)), None)

    def find(self, id: int) -> Outgoing | None:
        """A transaction as it is recorded now; None where it was withdrawn or forgotten."""
        with reading(self._engine) as connection:
            return _find(connection, id)

    def record(
        self, key: SendingKey, *, nonce: int, purpose: str | None, document: str, attempt: Attempt
    ) -> Outgoing:
        """Record a transaction and its first attempt, on the disk once this returns.

        Raises:
            StoreFailed: the nonce is under way already, or the database fails.
        """
        with writing(self._engine) as connection:
            _make_room(connection, key, nonce)
            statement = insert(outgoing_transaction).values(
                genesis_hash=key.genesis_hash,
                sender=key.address,
                nonce=nonce,
                purpose=purpose,
                document=document,
                prepared_at=attempt.sent_at,
            )
            try:
                id = connection.execute(statement.returning(_T.id)).scalar_one()
            except IntegrityError as error:
                # Only where the lock was lost unnoticed: the database is the second line.
                raise StoreFailed(
                    f"nonce {nonce} of {key.address} was recorded by another meanwhile: try again"
                ) from error
            _add(connection, id, attempt)
            return _known(connection, id)

    def add_attempt(self, id: int, attempt: Attempt) -> Outgoing:
        """Record one more attempt of a transaction, on the disk once this returns."""
        with writing(self._engine) as connection:
            _add(connection, id, attempt)
            return _known(connection, id)

    def renumber(self, id: int, *, nonce: int, attempt: Attempt) -> Outgoing:
        """Give a transaction another nonce; its earlier attempts are forgotten."""
        with writing(self._engine) as connection:
            _make_room(connection, _known(connection, id).key, nonce)
            connection.execute(delete(outgoing_attempt).where(_A.transaction_id == id))
            connection.execute(update(outgoing_transaction).where(_T.id == id).values(nonce=nonce))
            _add(connection, id, attempt)
            return _known(connection, id)

    def settle(self, id: int, *, at: datetime) -> None:
        """Note that nothing is left to do for a transaction. Doing it twice does no harm."""
        with writing(self._engine) as connection:
            settled = (
                update(outgoing_transaction)
                .where(_T.id == id, _T.settled_at.is_(None))
                .values(settled_at=at)
                .returning(_T.genesis_hash)
            )
            chain = connection.execute(settled).scalar()
            # Another chain in the same database may have another clock, days apart from this one.
            connection.execute(
                delete(outgoing_transaction).where(
                    _T.genesis_hash == chain, _T.settled_at < at - _SETTLED_KEPT
                )
            )

    def reopen(self, key: SendingKey, nonce: int) -> Outgoing | None:
        """Take back that a transaction is settled, since the chain took back its block.

        Returns:
            The transaction; None where none of that nonce is remembered.
        """
        settled = update(outgoing_transaction).where(
            _T.genesis_hash == key.genesis_hash, _T.sender == key.address, _T.nonce == nonce
        )
        with writing(self._engine) as connection:
            id = connection.execute(settled.values(settled_at=None).returning(_T.id)).scalar()
            return None if id is None else _known(connection, id)

    def withdraw(self, id: int) -> None:
        """Forget a transaction that no node ever took."""
        with writing(self._engine) as connection:
            connection.execute(delete(outgoing_transaction).where(_T.id == id))


def _under_way(key: SendingKey) -> tuple[ColumnElement[bool], ...]:
    return (
        _T.genesis_hash == key.genesis_hash,
        _T.sender == key.address,
        _T.settled_at.is_(None),
    )


def _make_room(connection: Connection, key: SendingKey, nonce: int) -> None:
    """Forget a settled transaction whose nonce is free again: the chain took back its block."""
    connection.execute(
        delete(outgoing_transaction).where(
            _T.genesis_hash == key.genesis_hash,
            _T.sender == key.address,
            _T.nonce == nonce,
            _T.settled_at.is_not(None),
        )
    )


def _add(connection: Connection, id: int, attempt: Attempt) -> None:
    connection.execute(
        insert(outgoing_attempt).values(
            hash=attempt.hash,
            transaction_id=id,
            raw=attempt.raw,
            max_fee=str(attempt.max_fee),
            max_priority_fee=str(attempt.max_priority_fee),
            sent_at=attempt.sent_at,
        )
    )


def _known(connection: Connection, id: int) -> Outgoing:
    found = _find(connection, id)
    if found is None:
        raise StoreFailed(f"transaction {id} is not in the outbox any more")
    return found


def _find(connection: Connection, id: int) -> Outgoing | None:
    return next(iter(_read(connection, _EVERYTHING.where(_T.id == id))), None)


def _read(connection: Connection, wanted: Select[Any]) -> list[Outgoing]:
    """Read transactions and their attempts in one statement, so that they fit each other."""
    rows: dict[int, Any] = {}
    attempts: dict[int, list[Attempt]] = {}
    for row in connection.execute(wanted):
        rows[row.id] = row
        attempts.setdefault(row.id, []).append(
            Attempt(
                hash=digest(row.hash),
                raw=bytes(row.raw),
                max_fee=int(row.max_fee),
                max_priority_fee=int(row.max_priority_fee),
                sent_at=row.sent_at,
            )
        )
    return [
        Outgoing(
            id=row.id,
            key=SendingKey(genesis_hash=digest(row.genesis_hash), address=address(row.sender)),
            nonce=row.nonce,
            purpose=row.purpose,
            document=row.document,
            attempts=tuple(sorted(attempts[row.id], key=lambda each: each.max_fee)),
            settled_at=row.settled_at,
        )
        for row in rows.values()
    ]
