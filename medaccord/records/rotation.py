"""Rotating keys: what is sealed to an older key of its owner is wrapped to the newest one.

Only the wrapping of data keys changes. Ciphertexts stay, and with them the leaves that are anchored
and every proof. There is no list of what is to be done: a row whose generation is below its owner's
newest is to be wrapped anew, whether a rotation was stopped there or a backup brought it back. So
a kill at any point loses nothing, and carrying on is the same call as beginning.

Each row is wrapped outside any lock and written in small transactions, and only where it still is
as it was read: imports and reads go on meanwhile. A row that does not open (its key was retired or
erased, or it was changed) is skipped and counted, never tried for ever.

The older keys stay, so that older backups still open, unless they are retired. Keys are retired
under the write lock, when no row is left that they open. A read that began before then may find its
key gone, and is refused; asking again answers it.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    bindparam,
    func,
    select,
    tuple_,
    update,
)

from medaccord.core.errors import DecryptionFailed, KeyMissing, StoreFailed
from medaccord.keys import PublicKey
from medaccord.records.deleting import NOBODY
from medaccord.records.erasure import key_lock
from medaccord.records.pseudonyms import Owner
from medaccord.records.sealed_rows import OF_STEWARD, SEALED_TABLES, SealedTable
from medaccord.records.sealer import Sealer, WrappedColumns
from medaccord.store import reading, writing
from medaccord.store.locks import exclusive
from medaccord.store.tables import patient_account

__all__ = ["Progress", "Rotated", "Rotation"]

Progress: TypeAlias = Callable[[int, int], None]
"""Told how many rows are done, and how many there are as far as is known."""

_Key: TypeAlias = tuple[Any, ...]

_CHUNK: Final = 256
"""Rows written in one transaction: some 50 ms of work, of which the write lock is held for 5."""

_TRIES: Final = 10
"""How often retiring looks again for rows that came in while it wrapped the last ones."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotated:
    """What carrying on a rotation came to.

    Attributes:
        owner: whose rows.
        generation: the key that they are wrapped to now.
        rewrapped: how many rows this took.
        unopenable: how many rows of older keys do not open, and were left as they are.
        retired: whether the older keys were destroyed.
    """

    owner: Owner
    generation: int
    rewrapped: int
    unopenable: int
    retired: bool = False


class Rotation:
    """Rotates the keys of a steward's patients, and its own."""

    def __init__(self, engine: Engine, sealer: Sealer, steward: Owner) -> None:
        """Rotate in a database and its key store.

        Args:
            engine: the database.
            sealer: holds the keys.
            steward: the steward's own pseudonym; the rows of `OF_STEWARD` are sealed to its key.
        """
        self._engine = engine
        self._sealer = sealer
        self._steward = steward

    def rotate(
        self, owner: Owner, *, destroy_old: bool = False, progress: Progress | None = None
    ) -> Rotated:
        """Renew a key, and wrap everything to it.

        Args:
            owner: a patient, or the steward.
            destroy_old: retire the older keys in the end. Backups made before no longer open for
                this owner.
            progress: told after each transaction.

        Raises:
            KeyMissing: the owner has no key, or it was erased; nothing was changed.
            KeyStoreFailed: the key store is not there; nothing was changed.
            StoreFailed: the database failed; carry on later.
        """
        with exclusive(self._engine, key_lock(owner)):
            self._sealer.keys.renew(owner)
        carry_on = self.retire if destroy_old else self.carry_on
        return carry_on(owner, progress=progress)

    def carry_on(self, owner: Owner, *, progress: Progress | None = None) -> Rotated:
        """Wrap to the owner's newest key whatever is wrapped to an older one.

        Args:
            owner: a patient, or the steward.
            progress: told after each transaction.

        Raises:
            KeyMissing: the owner has no key, or it was erased.
            KeyStoreFailed: the key store is not there.
            StoreFailed: the database failed; carry on later.
        """
        done, failed = 0, set[tuple[str, _Key]]()
        while True:
            newest = self._sealer.keys.public(owner)
            waiting = [
                (sealed, key)
                for sealed in self._tables(owner)
                for key in self._older(sealed, owner, newest.generation)
                if (sealed.table.name, key) not in failed
            ]
            if not waiting:
                break
            total = done + len(waiting)
            for sealed, keys in _chunks(waiting):
                skipped = self._rewrap(sealed, owner, keys, newest)
                failed |= {(sealed.table.name, key) for key in skipped}
                done += len(keys) - len(skipped)
                if progress is not None:
                    progress(done, total - len(failed))
        return Rotated(
            owner=owner, generation=newest.generation, rewrapped=done, unopenable=len(failed)
        )

    def retire(self, owner: Owner, *, progress: Progress | None = None) -> Rotated:
        """Carry on, then destroy every key of the owner but the newest.

        Args:
            owner: a patient, or the steward.
            progress: told after each transaction.

        Raises:
            KeyMissing: the owner has no key, or it was erased.
            KeyStoreFailed: the key store is not there.
            StoreFailed: the database failed, or others went on sealing to an older key; no key was
                destroyed.
        """
        keys, done = self._sealer.keys, 0
        for _ in range(_TRIES):
            rotated = self.carry_on(owner, progress=progress)
            done += rotated.rewrapped
            newest = rotated.generation
            with exclusive(self._engine, key_lock(owner)), writing(self._engine) as connection:
                # Whoever seals takes the newest key and writes under this lock: none is under way.
                unopenable = sum(
                    len(_older_keys(connection, sealed, owner, newest))
                    for sealed in self._tables(owner)
                )
                if unopenable <= rotated.unopenable and keys.public(owner).generation == newest:
                    keys.retire(owner, before=newest)
                    return Rotated(
                        owner=owner,
                        generation=newest,
                        rewrapped=done,
                        unopenable=unopenable,
                        retired=True,
                    )
        raise StoreFailed("the older keys are still in use: nothing was destroyed, try again")

    def pending(self) -> tuple[Owner, ...]:
        """Whose rotation was begun and is not finished, or was undone by a restored backup.

        Raises:
            KeyStoreFailed: the key store is not there.
        """
        keys = self._sealer.keys
        keys.public(self._steward)  # a key store that is gone looks like one without patients
        with reading(self._engine) as connection:
            oldest = self._oldest(connection)
        return tuple(
            owner
            for owner, generation in oldest.items()
            if generation < max(keys.generations(owner), default=0)
        )

    def carry_on_all(self) -> tuple[Rotated, ...]:
        """Carry on every unfinished rotation; one that cannot be does not hold up the others.

        Raises:
            KeyStoreFailed: the key store is not there.
            StoreFailed: the database failed.
        """
        carried = []
        for owner in self.pending():
            try:
                carried.append(self.carry_on(owner))
            except KeyMissing:  # erased since we looked
                _log.info("a rotation ended with the erasure of its key")
        unopenable = sum(each.unopenable for each in carried)
        if unopenable:
            _log.warning("%d sealed rows open with no key that is held", unopenable)
        return tuple(carried)

    def _tables(self, owner: Owner) -> tuple[SealedTable, ...]:
        return (*SEALED_TABLES, *OF_STEWARD) if owner == self._steward else SEALED_TABLES

    def _older(self, sealed: SealedTable, owner: Owner, newest: int) -> list[_Key]:
        with reading(self._engine) as connection:
            return _older_keys(connection, sealed, owner, newest)

    def _rewrap(
        self, sealed: SealedTable, owner: Owner, keys: Sequence[_Key], newest: PublicKey
    ) -> list[_Key]:
        """Wrap some rows anew; give those that do not open."""
        table, names = sealed.table, [column.name for column in sealed.table.primary_key]
        wanted = (*sealed.bound, table.c.wrapped_key, table.c.key_generation)
        with reading(self._engine) as connection:
            among = tuple_(*table.primary_key).in_(keys)
            rows = connection.execute(select(*wanted).where(among)).all()
        changed, skipped = [], []
        for row in rows:
            columns = row._mapping
            key = {f"is_{name}": columns[name] for name in names}
            try:
                wrapped = self._sealer.rewrap(owner, columns, sealed.context(columns), to=newest)
            except (DecryptionFailed, KeyMissing):
                skipped.append(tuple(key.values()))
                continue
            changed.append({**key, "was": row.wrapped_key, **_renamed(wrapped)})
        if changed:
            # One that was written anew meanwhile is sealed to the newest key, or listed again.
            as_read = [table.c[name] == bindparam(f"is_{name}") for name in names]
            as_read.append(table.c.wrapped_key == bindparam("was"))
            values: dict[str, Any] = {
                name: bindparam(f"new_{name}") for name in WrappedColumns.__annotations__
            }
            with writing(self._engine) as connection:
                connection.execute(update(table).where(*as_read).values(values), changed)
        return skipped

    def _oldest(self, connection: Connection) -> dict[Owner, int]:
        oldest: dict[Owner, int] = {}
        for sealed in (*SEALED_TABLES, *OF_STEWARD):
            generation = func.min(sealed.table.c.key_generation)
            if sealed in OF_STEWARD:
                whose: ColumnElement[Any] | None = None
                query = select(generation)
            elif sealed.by_account:
                whose = patient_account.c.patient_ref
                query = select(generation, whose).join(
                    patient_account, patient_account.c.account == sealed.whose
                )
            else:
                whose = sealed.whose
                query = select(generation, whose).where(whose != NOBODY)
            if whose is not None:
                query = query.group_by(whose)
            for row in connection.execute(query):
                owner = self._steward if whose is None else Owner(row[1])
                if row[0] is not None:
                    oldest[owner] = min(oldest.get(owner, row[0]), row[0])
        return oldest


def _older_keys(
    connection: Connection, sealed: SealedTable, owner: Owner, newest: int
) -> list[_Key]:
    """The primary keys of what is wrapped to an older key of an owner."""
    table = sealed.table
    query = select(*table.primary_key).where(table.c.key_generation < newest)
    if sealed.by_account:
        accounts = select(patient_account.c.account).where(patient_account.c.patient_ref == owner)
        query = query.where(sealed.whose.in_(accounts))
    elif sealed not in OF_STEWARD:
        query = query.where(sealed.whose == owner)
    return [tuple(row) for row in connection.execute(query)]


def _chunks(
    waiting: Sequence[tuple[SealedTable, _Key]],
) -> Iterator[tuple[SealedTable, list[_Key]]]:
    by_table: dict[str, tuple[SealedTable, list[_Key]]] = {}
    for sealed, key in waiting:
        by_table.setdefault(sealed.table.name, (sealed, []))[1].append(key)
    for sealed, keys in by_table.values():
        for start in range(0, len(keys), _CHUNK):
            yield sealed, keys[start : start + _CHUNK]


def _renamed(wrapped: WrappedColumns) -> dict[str, Any]:
    return {f"new_{name}": value for name, value in wrapped.items()}
