"""Erasing a record, or all of a patient: content, keys, salts, index, and who was who.

States of an erasure, and what a crash leaves in each::

    asked ──refused: a hold, nothing there, no key store──▶ nothing was changed
      │ one line in the erasure list, flushed
    decided ── a restart goes on from here ──▶ `carry_out`
      │ one transaction: rows gone, a row in `erasure`
    deleted ── a restart goes on from here
      │ of a patient: the keys are destroyed, then a second look for what came in meanwhile
    done ── what SQLite's file and log still held is overwritten

What holds afterwards: no content, data key, salt, index or map from account to patient is left in
the database; what backups hold opens with no key that exists, where a patient was erased; leaves
and log commitments stay, salted, so that everybody else's proofs and every audit log still verify.
An audit entry keeps number, time, commitment and head.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine, func, insert, select

from medaccord.core.errors import InvalidRequest, KeyMissing
from medaccord.keys import PatientKeys
from medaccord.records.batches import Batch
from medaccord.records.deleting import delete_patient, delete_record, is_noted
from medaccord.records.erasure_list import ErasureLine, ErasureList
from medaccord.records.holds import ERASING, refuse_if_held
from medaccord.records.overwriting import overwrite
from medaccord.records.patients import accounts_of
from medaccord.records.pseudonyms import Owner, Pseudonyms
from medaccord.records.sealed_rows import SEALED_TABLES
from medaccord.records.sealer import Sealer
from medaccord.store import reading, writing
from medaccord.store.locks import exclusive
from medaccord.store.tables import erasure, record_version

__all__ = ["Erased", "Erasure", "destroy_keys", "key_lock"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """What an erasure came to.

    Attributes:
        line: what was decided.
        versions: how many versions of records were deleted.
        batch: tells the state of the stream without the record, once anchored; None where all of a
            patient was erased, or the record stood in no state.
        overwritten: whether nothing of it is left in SQLite's file and log. False where others were
            in the way: the next erasure or start does it.
    """

    line: ErasureLine
    versions: int
    batch: Batch | None
    overwritten: bool


class Erasure:
    """Erases, for one steward."""

    def __init__(
        self, engine: Engine, sealer: Sealer, pseudonyms: Pseudonyms, erasures: ErasureList
    ) -> None:
        """Erase in a database and its key store.

        Args:
            engine: the database.
            sealer: holds the keys of the patients and of the steward itself.
            pseudonyms: the steward's names for what is in the database.
            erasures: the list outside the database.
        """
        self._engine = engine
        self._sealer = sealer
        self._names = pseudonyms
        self._list = erasures

    def check(self, owner: Owner, name: str | None) -> None:
        """Raise what erasing would raise now; change nothing.

        Args:
            owner: the patient.
            name: ``Type/id`` of one record; None for all of the patient's.

        Raises:
            ErasureRefused: a legal hold is on it; it says since when.
            InvalidRequest: there is nothing of the kind, or the owner is the steward.
            KeyStoreFailed: the key store is not there.
        """
        keys = self._sealer.keys
        keys.public(self._names.steward)  # a key store that is gone looks like one without patients
        if owner == self._names.steward:
            raise InvalidRequest("the steward's own records are not a patient's to erase")
        record = None if name is None else self._names.record(name)
        with reading(self._engine) as connection:
            refuse_if_held(connection, owner, record)
            versions = select(record_version.c.id).where(record_version.c.owner == owner)
            if record is not None:
                versions = versions.where(record_version.c.record == record)
            there = connection.execute(versions.limit(1)).first() is not None
            if record is None and not there:
                there = bool(keys.generations(owner)) or bool(accounts_of(connection, owner))
        if not there:
            what = "such patient" if name is None else f"record {name} of this patient"
            raise InvalidRequest(f"there is no {what} here")

    def erase_record(self, owner: Owner, name: str, *, at: datetime) -> Erased:
        """Erase one record, every version of it. An import does not bring it back.

        Warning: what the database itself keeps of its past (backups; dead rows and the write-ahead
        log of PostgreSQL) still opens with the patient's key, until that is renewed and its older
        generations are retired (`medaccord.records.rotation`).

        Args:
            owner: the patient.
            name: ``Type/id``.
            at: now.

        Raises:
            ErasureRefused: a legal hold is on the record or on the patient.
            InvalidRequest: there is no such record.
            KeyStoreFailed: the key store is not there.
            StoreFailed: the list or the database failed. Where that came after the line in the
                list, the erasure is decided and the next start finishes it.
        """
        return self._erase(owner, name, at=at)

    def erase_patient(self, owner: Owner, *, at: datetime) -> Erased:
        """Erase all of a patient, keys included. The patient may enrol anew afterwards.

        Args:
            owner: the patient.
            at: now.

        Raises:
            ErasureRefused: a legal hold is on the patient or on one of its records.
            InvalidRequest: there is no such patient.
            KeyStoreFailed: the key store is not there.
            StoreFailed: as in `erase_record`.
        """
        return self._erase(owner, None, at=at)

    def carry_out(self, line: ErasureLine, *, at: datetime) -> Erased:
        """Do what a line of the list says; doing it again changes nothing.

        Legal holds are not looked at: there was none when it was decided, and one that a backup
        brought back is of before that.

        Args:
            line: what was decided.
            at: now.
        """
        if line.record is not None:
            with writing(self._engine) as connection:
                versions, batch = delete_record(
                    connection, self._sealer, self._names, line.owner, line.record, at=at
                )
                _note(connection, line)
        else:
            batch = None
            with writing(self._engine) as connection:
                accounts = accounts_of(connection, line.owner)
                versions = delete_patient(connection, line)
                _note(connection, line)
            destroy_keys(self._sealer.keys, line)
            with writing(self._engine) as connection:
                # What had the key already may have come in between: an import, a read.
                enrolled_anew = bool(self._sealer.keys.generations(line.owner))
                versions += delete_patient(
                    connection, line, accounts=not enrolled_anew, earlier=accounts
                )
        overwritten = overwrite(self._engine)
        return Erased(line=line, versions=versions, batch=batch, overwritten=overwritten)

    def _erase(self, owner: Owner, name: str | None, *, at: datetime) -> Erased:
        with exclusive(self._engine, ERASING), exclusive(self._engine, key_lock(owner)):
            self.check(owner, name)
            line = ErasureLine(
                owner=owner,
                record=None if name is None else self._names.record(name),
                upto_generation=self._newest_generation(owner),
                erased_at=at,
            )
            self._list.append(line)
            return self.carry_out(line, at=at)

    def _newest_generation(self, owner: Owner) -> int:
        """Of the keys, and of the rows where the keys were lost."""
        newest = max(self._sealer.keys.generations(owner), default=0)
        with reading(self._engine) as connection:
            for sealed in SEALED_TABLES:
                if not sealed.by_account:
                    newest_row = select(func.max(sealed.table.c.key_generation))
                    of_owner = newest_row.where(sealed.whose == owner)
                    newest = max(newest, connection.execute(of_owner).scalar_one() or 0)
        return newest


def key_lock(owner: Owner) -> str:
    """Name of the lock under which the keys of a patient are renewed, retired and erased."""
    return f"keys/{owner}"


def destroy_keys(keys: PatientKeys, line: ErasureLine) -> None:
    """Destroy the keys that a line means; one made after the erasure stays."""
    held = keys.generations(line.owner)
    meant = [generation for generation in held if generation <= line.upto_generation]
    if not meant:
        return
    later = [generation for generation in held if generation > line.upto_generation]
    try:
        if later:
            keys.retire(line.owner, before=later[0])
        else:
            keys.erase(line.owner)
    except KeyMissing:  # another process, finishing the same
        return


def _note(connection: Connection, line: ErasureLine) -> None:
    if not is_noted(connection, line):
        connection.execute(
            insert(erasure).values(
                owner=line.owner,
                record=line.record,
                upto_generation=line.upto_generation,
                erased_at=line.erased_at,
            )
        )
