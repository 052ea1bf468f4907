"""Applying the erasure list: at every start, before anything is served.

| On the list | in the database | keys it means | what is done                                     |
|-------------|-----------------|---------------|--------------------------------------------------|
| yes         | no              | held or not   | erased: it was stopped, or a backup undid it     |
| yes         | yes             | held          | the keys are destroyed                           |
| no          | yes             | held or not   | listed: the list was lost or is an older one;    |
|             |                 |               | then as above                                    |
| yes         | yes             | gone          | nothing                                          |

Stopping it anywhere and starting again gives the same. A patient who enrolled anew after an erasure
has later keys: what is sealed to those is not touched.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, select

from medaccord.core.identifiers import digest
from medaccord.keys import PatientKeys
from medaccord.records.deleting import is_noted
from medaccord.records.erasure import Erased, Erasure, key_lock
from medaccord.records.erasure_list import ErasureLine, ErasureList
from medaccord.records.holds import ERASING
from medaccord.records.overwriting import overwrite
from medaccord.records.pseudonyms import Owner, Pseudonyms
from medaccord.records.sealer import Sealer
from medaccord.store import reading
from medaccord.store.locks import exclusive
from medaccord.store.tables import erasure

__all__ = ["Restored", "apply", "unfinished"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What applying the list came to.

    Attributes:
        erased: what was erased again, or to the end.
        listed: how many erasures the database knew of and the list did not.
        overwritten: whether nothing deleted is left in SQLite's file and log.
    """

    erased: tuple[Erased, ...]
    listed: int
    overwritten: bool


def apply(
    engine: Engine,
    sealer: Sealer,
    pseudonyms: Pseudonyms,
    erasures: ErasureList,
    *,
    at: datetime,
) -> Restored:
    """Bring a database, whatever backup it is, to where nothing erased is in it.

    Args:
        engine: the database.
        sealer: holds the keys.
        pseudonyms: the steward's names for what is in the database.
        erasures: the list outside the database.
        at: now.

    Raises:
        KeyStoreFailed: the key store is not there: nothing may be served without the list.
        InvalidDocument: the list was changed.
        StoreFailed: the list or the database failed; apply it again.
    """
    if not _to_list(engine, erasures) and not unfinished(engine, sealer.keys, erasures):
        return Restored(erased=(), listed=0, overwritten=overwrite(engine))
    erasing = Erasure(engine, sealer, pseudonyms, erasures)
    done = []
    with exclusive(engine, ERASING):
        sealer.keys.public(pseudonyms.steward)  # a store that is gone holds no keys to destroy
        unlisted = _to_list(engine, erasures)
        for line in unlisted:
            erasures.append(line)
        for line in unfinished(engine, sealer.keys, erasures):
            with exclusive(engine, key_lock(line.owner)):
                done.append(erasing.carry_out(line, at=at))
    return Restored(erased=tuple(done), listed=len(unlisted), overwritten=overwrite(engine))


def unfinished(engine: Engine, keys: PatientKeys, erasures: ErasureList) -> tuple[ErasureLine, ...]:
    """The erasures on the list that are not done, or were undone by a restore."""
    lines = {line.key: line for line in erasures.lines()}
    with reading(engine) as connection:
        return tuple(
            line
            for line in lines.values()
            if not is_noted(connection, line) or _has_keys(keys, line)
        )


def _has_keys(keys: PatientKeys, line: ErasureLine) -> bool:
    if line.record is not None:
        return False
    return any(held <= line.upto_generation for held in keys.generations(line.owner))


def _to_list(engine: Engine, erasures: ErasureList) -> tuple[ErasureLine, ...]:
    listed = {line.key for line in erasures.lines()}
    with reading(engine) as connection:
        rows = connection.execute(select(erasure).order_by(erasure.c.id)).all()
    noted = (
        ErasureLine(
            owner=Owner(row.owner),
            record=None if row.record is None else digest(row.record),
            upto_generation=row.upto_generation or 0,
            erased_at=row.erased_at,
        )
        for row in rows
    )
    return tuple({line.key: line for line in noted if line.key not in listed}.values())
