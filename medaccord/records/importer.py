"""Importing: new and changed records become versions, sealed and committed to.

An import goes in two phases. First, with no lock held, every patient's resources are compared with
what is here, and what is new is sealed and staged in a file. Then one short transaction a file
takes it in, if nothing that it was compared with has changed; where something has, that part is
prepared anew. So the audit log never waits for an import, two importers at once both succeed, and a
file is taken in whole or not at all, wherever it is cut off.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, insert, select

from medaccord.core.descriptor import Descriptor
from medaccord.core.errors import InvalidBundle
from medaccord.core.identifiers import Address, Digest
from medaccord.fhir.bundle import PatientBundle
from medaccord.fhir.label_table import LabelTable
from medaccord.fhir.resource import Resource
from medaccord.fhir.resources import UNLABELLED, describe
from medaccord.fhir.source import Source
from medaccord.records.batches import Batch, add_batch
from medaccord.records.index import write_index
from medaccord.records.patients import PatientAccounts, accounts_of, ensure_key
from medaccord.records.preparing import Part, Preparer
from medaccord.records.pseudonyms import Owner, Pseudonyms
from medaccord.records.sealer import Sealer
from medaccord.records.sources import Counter, OneBundle, Progress, RecordSource
from medaccord.records.staging import Staging, staging_folder
from medaccord.records.upgrading import upgrade_some
from medaccord.store import reading, writing
from medaccord.store.tables import imported_file, record_index, record_version

__all__ = ["Imported", "Importer"]

_CHUNK_ROWS: Final = 500
_CHUNK_BYTES: Final = 8_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an import came to.

    Attributes:
        patients: how many patients were taken in.
        left_out: how many patients were left out: nobody enrolled for them here.
        records: how many resources are of the patients taken in.
        directory: how many are the steward's own: practitioners, organisations, locations.
        new_versions: how many of both were new or changed.
        unchanged: how many were there already, byte for byte.
        erased: how many were erased here before, and were not brought back.
        batches: what is to be anchored: one a patient with something new, and one for what is the
            steward's own.
        known: whether the file had been taken in before, so that it was not even looked into.
    """

    patients: int = 0
    left_out: int = 0
    records: int = 0
    directory: int = 0
    new_versions: int = 0
    unchanged: int = 0
    erased: int = 0
    batches: tuple[Batch, ...] = ()
    known: bool = False


class _Moved(Exception):
    """What some parts were compared with is not what is here now."""

    def __init__(self, owners: frozenset[Owner]) -> None:
        super().__init__(f"{len(owners)} parts have to be prepared anew")
        self.owners = owners


class Importer:
    """Takes records in, for one steward. Threads and processes may import at once."""

    def __init__(
        self,
        engine: Engine,
        sealer: Sealer,
        pseudonyms: Pseudonyms,
        steward: Address,
        *,
        unlabelled: frozenset[str] = UNLABELLED,
        labels: LabelTable | None = None,
    ) -> None:
        """Import into a database.

        Args:
            engine: the database.
            sealer: seals to the keys of the patients and of the steward itself.
            pseudonyms: the steward's names for what is in the database.
            steward: account of the steward.
            unlabelled: the labels of a record that carries none.
            labels: the codes that mark a record as sensitive; the table that comes along unless
                given.
        """
        self._engine = engine
        self._sealer = sealer
        self._names = pseudonyms
        self._steward = steward
        self._unlabelled = unlabelled
        self._labels = LabelTable.default() if labels is None else labels
        self._accounts = PatientAccounts(engine, sealer.keys)

    def import_bundle(self, bundle: PatientBundle, account: Address, *, at: datetime) -> Imported:
        """Take in a Bundle of one patient, whole or not at all.

        A record that was never here becomes version 1, one that changed the next version; importing
        the same Bundle again changes nothing. Nothing is released before its batch is anchored.

        Args:
            bundle: what was read from the file.
            account: the account that stands for its patient.
            at: now.

        Raises:
            AccessRefused: UNKNOWN_PATIENT: nobody enrolled with this account.
            InvalidBundle: the account stands for another patient than the Bundle's.
            KeyMissing: the patient's key was erased.
            StoreFailed: the database is out of reach, or there is no room left.
        """
        if self._names.patient(bundle.patient_id) != self._accounts.owner_of(account):
            raise InvalidBundle(
                f"the Bundle is of another patient than the one enrolled as {account}"
            )
        return self.import_source(OneBundle(bundle=bundle), at=at)

    def import_file(
        self,
        path: Path,
        *,
        at: datetime,
        wanted: Callable[[Owner], bool] | None = None,
        progress: Progress | None = None,
        again: bool = False,
    ) -> Imported:
        """Take in a file of any number of patients, whole or not at all.

        A file that was taken in before is not looked into again, so that a folder of files can be
        gone through anew after it was cut off. One of which patients were left out counts as not
        taken in: they may have enrolled meanwhile.

        Args:
            path: a Bundle in JSON, or NDJSON as a bulk export writes it.
            at: now.
            wanted: see `import_source`.
            progress: see `import_source`.
            again: look into it in any case, for what was changed since.

        Raises:
            InvalidBundle: it cannot be read, or holds something that cannot be told whose it is.
            KeyMissing: as `import_source`.
            DecryptionFailed: as `import_source`.
            StoreFailed: as `import_source`.
        """
        with _mapped(path) as content:
            file = self._names.file(content)
            if not again and self._is_known(file):
                return Imported(known=True)
            source = Source.open(content, name=path.name)
            return self.import_source(
                source, at=at, wanted=wanted, progress=progress, file=(file, len(content))
            )

    def import_source(
        self,
        source: RecordSource,
        *,
        at: datetime,
        wanted: Callable[[Owner], bool] | None = None,
        progress: Progress | None = None,
        file: tuple[Digest, int] | None = None,
    ) -> Imported:
        """Take in the resources of any number of patients, whole or not at all.

        Patients who are not enrolled are left out, and so are records that were erased.

        Args:
            source: the resources.
            at: now.
            wanted: says of each patient enrolled whether to take it in; all unless given.
            progress: told how far it is.
            file: how the file is known, and its size in bytes; noted unless a patient is left out.

        Raises:
            KeyMissing: the key of a patient or of the steward is not there.
            DecryptionFailed: an index was changed.
            StoreFailed: the database is out of reach, or there is no room left.
        """
        ensure_key(self._sealer.keys, self._names.steward)
        patients = {self._names.patient(each): each for each in source.patients}
        counter = Counter(source.total, progress)
        with Staging(staging_folder(self._engine.url)) as staging:
            preparer = Preparer(
                self._engine,
                self._sealer,
                self._names,
                self._steward,
                staging,
                self._descriptor,
                at=at,
            )

            def prepare(owner: Owner) -> Part | None:
                if owner == self._names.steward:
                    return preparer.prepare(owner, source.directory(), step=counter.step)
                if not self._is_enrolled(owner) or not (wanted is None or wanted(owner)):
                    counter.step(source.count(patients[owner]))
                    return None
                resources = source.resources(patients[owner])
                return preparer.prepare(owner, resources, step=counter.step)

            owners = [*patients, self._names.steward]
            parts = {owner: prepare(owner) for owner in owners}
            while True:
                held = [part for owner in owners if (part := parts[owner]) is not None]
                whole = len(held) == len(owners)
                try:
                    batches = self._take_in(
                        held, preparer, staging, at=at, file=file if whole else None
                    )
                    break
                except _Moved as moved:
                    parts |= {owner: prepare(owner) for owner in moved.owners}
        return _report(held, batches, left_out=len(owners) - len(held), names=self._names)

    def upgrade(self, *, most: int) -> int:
        """Write what indexes of earlier versions lack, so that searches need not open records.

        Args:
            most: patients, at most.

        Returns:
            How many were written; 0 where none lacks anything.

        Raises:
            StoreFailed: the database is out of reach.
        """
        return upgrade_some(self._engine, self._sealer, self._names, self._descriptor, most=most)

    def _descriptor(self, resource: Resource) -> Descriptor:
        return describe(resource, unlabelled=self._unlabelled, labels=self._labels)

    def _is_enrolled(self, owner: Owner) -> bool:
        with reading(self._engine) as connection:
            return bool(accounts_of(connection, owner))

    def _is_known(self, file: Digest) -> bool:
        with reading(self._engine) as connection:
            return _note_of(connection, file)

    # --- The second phase ---

    def _take_in(
        self,
        parts: Sequence[Part],
        preparer: Preparer,
        staging: Staging,
        *,
        at: datetime,
        file: tuple[Digest, int] | None,
    ) -> tuple[Batch, ...]:
        changed = [part for part in parts if part.versions.rows]
        if not changed and file is None:
            return ()
        with writing(self._engine) as connection:
            # A file is noted for all of its parts, also for those in which nothing was new.
            self._refuse_moved(connection, changed if file is None else parts)
            batches = []
            for part in changed:
                batch = add_batch(
                    connection, part.owner, part.topic, part.leaf_list, state=part.state, at=at
                )
                for rows in _chunks(_rows(part, batch, staging)):
                    connection.execute(insert(record_version), rows)
                columns = preparer.index_columns(part, batch.id)
                write_index(connection, part.owner, columns, after=part.after)
                batches.append(batch)
            if file is not None and not _note_of(connection, file[0]):
                note = {
                    "file": file[0],
                    "size": file[1],
                    "resources": sum(part.resources for part in parts),
                    "imported_at": at,
                }
                connection.execute(insert(imported_file).values(note))
        return tuple(batches)

    def _refuse_moved(self, connection: Connection, parts: Sequence[Part]) -> None:
        """See that every index, and every key, is still the one that was looked at."""
        revisions: dict[str, int] = {}
        owners = [part.owner for part in parts]
        for start in range(0, len(owners), _CHUNK_ROWS):
            some = record_index.c.owner.in_(owners[start : start + _CHUNK_ROWS])
            query = select(record_index.c.owner, record_index.c.revision).where(some)
            revisions |= {row.owner: row.revision for row in connection.execute(query)}
        keys = self._sealer.keys
        moved = {
            part.owner
            for part in parts
            if revisions.get(part.owner, 0) != part.after
            or keys.generations(part.owner)[-1:] != (part.generation,)
        }
        if moved:
            raise _Moved(frozenset(moved))


def _report(
    parts: Sequence[Part], batches: tuple[Batch, ...], *, left_out: int, names: Pseudonyms
) -> Imported:
    own = sum(part.resources for part in parts if part.owner == names.steward)
    return Imported(
        patients=len(parts) - 1,
        left_out=left_out,
        records=sum(part.resources for part in parts) - own,
        directory=own,
        new_versions=sum(part.versions.rows for part in parts),
        unchanged=sum(part.unchanged for part in parts),
        erased=sum(part.erased for part in parts),
        batches=batches,
    )


def _rows(part: Part, batch: Batch, staging: Staging) -> Iterator[Mapping[str, object]]:
    for position, row in enumerate(staging.rows(part.versions)):
        yield {
            "owner": part.owner,
            "record": row.record,
            "version": row.version,
            "batch_id": batch.id,
            "position": position,
            **row.sealed,
        }


def _chunks(rows: Iterable[Mapping[str, object]]) -> Iterator[list[Mapping[str, object]]]:
    chunk: list[Mapping[str, object]] = []
    size = 0
    for row in rows:
        chunk.append(row)
        size += len(row["ciphertext"])  # type: ignore[arg-type]  # bytes, as every sealed row has
        if len(chunk) == _CHUNK_ROWS or size >= _CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _note_of(connection: Connection, file: Digest) -> bool:
    query = select(imported_file.c.file).where(imported_file.c.file == file)
    return connection.execute(query).first() is not None


@contextmanager
def _mapped(path: Path) -> Iterator[bytes | mmap]:
    """The bytes of a file, brought in as they are looked at."""
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            content = mmap(file.fileno(), size, access=ACCESS_READ) if size else b""
    except OSError as error:
        raise InvalidBundle(f"{path.name} cannot be opened: {error.strerror or error}") from error
    try:
        yield content
    finally:
        if isinstance(content, mmap):
            content.close()
