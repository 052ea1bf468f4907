"""The records of a steward: found by an index, opened one by one, each checked before it leaves."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, Engine, select

from medaccord.core.canonical import Object, parse_object
from medaccord.core.descriptor import Descriptor
from medaccord.core.errors import (
    AccessRefused,
    InvalidInput,
    KeyMissing,
    VerificationFailed,
)
from medaccord.core.identifiers import Address, digest
from medaccord.core.proofs import RecordProof, verify_record
from medaccord.core.refusals import Refusal
from medaccord.fhir.resource import Resource
from medaccord.fhir.resources import describe
from medaccord.fhir.search_values import Searchable, SearchValues, references_of, values_of
from medaccord.records.evidence import Anchors, Evidence, Standing
from medaccord.records.index import Index, IndexEntry, load_index
from medaccord.records.opened_indexes import OpenedIndexes
from medaccord.records.patients import PatientAccounts
from medaccord.records.pseudonyms import Owner, Pseudonyms
from medaccord.records.sealer import Sealer
from medaccord.records.sealing import VersionId, open_version
from medaccord.records.upgrading import learn
from medaccord.store import asked_once, reading
from medaccord.store.tables import batch

__all__ = ["Found", "History", "Record", "RecordRepository"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A record that a search found; nothing of its content is open yet.

    Attributes:
        owner: whose it is.
        entry: the version: its newest that was anchored, unless others were asked for.
        standing: how far its stream has come on the chain; None where the chain tells no state of
            it that is ours.
    """

    owner: Owner
    entry: IndexEntry
    standing: Standing | None = None

    @property
    def descriptor(self) -> Descriptor:
        """What the index says it is about; opening checks it against the content."""
        return self.entry.descriptor

    @property
    def values(self) -> SearchValues:
        """What searches compare; opening checks it too."""
        return self.entry.values

    @property
    def references(self) -> frozenset[str]:
        """Practitioners, organisations and locations that it refers to; opening checks it too."""
        return self.entry.references

    @property
    def updated(self) -> datetime:
        """When this version was taken in."""
        return self.entry.updated


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Every version of every record of a patient.

    Attributes:
        records: of each record its versions, oldest first, in the order of the records' names.
        not_anchored: how many versions are left out, since their anchor is not final.
    """

    records: tuple[tuple[Found, ...], ...]
    not_anchored: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A record that opened, and is what was anchored.

    Attributes:
        descriptor: what it is about.
        version: from 1.
        content: its canonical bytes: what is released.
        proof: shows that the chain holds exactly this, and which version is the newest.
    """

    descriptor: Descriptor
    version: int
    content: bytes
    proof: RecordProof


class RecordRepository:
    """The records of one steward. Any number of threads may share it."""

    def __init__(
        self,
        engine: Engine,
        sealer: Sealer,
        pseudonyms: Pseudonyms,
        steward: Address,
        anchors: Anchors,
    ) -> None:
        """Read from a database.

        Args:
            engine: the database.
            sealer: opens with the keys of the patients and of the steward itself.
            pseudonyms: the steward's names for what is in the database.
            steward: account of the steward.
            anchors: what the chain holds.
        """
        self._engine = engine
        self._sealer = sealer
        self._names = pseudonyms
        self._steward = steward
        self._accounts = PatientAccounts(engine, sealer.keys)
        self._indexes = OpenedIndexes(sealer)
        self._evidence = Evidence(self._indexes, steward, anchors)

    @property
    def evidence(self) -> Evidence:
        """What its proofs are made from; kept once for all that make some."""
        return self._evidence

    def find(self, account: Address, wanted: Callable[[Searchable], bool]) -> tuple[Found, ...]:
        """The patient's records that are wanted, in the order of their names.

        Of each record the version counts that the last append of the stream names as the newest;
        until a batch's anchor is final, it stays with what was before.

        Args:
            account: the account that stands for the patient.
            wanted: says of each record whether it is wanted and may be released.

        Raises:
            AccessRefused: UNKNOWN_PATIENT, or RECORD_UNVERIFIABLE where the index does not open.
        """
        return self._find(self._accounts.owner_of(account), wanted)

    def find_directory(self, wanted: Callable[[Searchable], bool]) -> tuple[Found, ...]:
        """As `find`, among the steward's own practitioners, organisations and locations."""
        return self._find(self._names.steward, wanted)

    def versions(self, account: Address, name: str) -> tuple[Found, ...]:
        """Every anchored version of one of the patient's records, oldest first.

        Args:
            account: the account that stands for the patient.
            name: ``Type/id``.

        Raises:
            AccessRefused: as `find`.
        """
        owner = self._accounts.owner_of(account)
        with reading(self._engine) as connection:
            entries = self._index(connection, owner).records.get(name, [])
            standing = self._standing(connection, owner)
            if standing is not None:
                held = [each for each in entries if _is_told(each, standing)]
            else:
                anchored = self._anchored(connection, {entry.batch for entry in entries})
                held = [each for each in entries if each.batch in anchored]
        return tuple(Found(owner=owner, entry=each, standing=standing) for each in held)

    def history(self, account: Address) -> History:
        """Every anchored version of every record of a patient.

        Raises:
            AccessRefused: as `find`.
        """
        owner = self._accounts.owner_of(account)
        with reading(self._engine) as connection:
            index = self._index(connection, owner)
            standing = self._standing(connection, owner)
            ids = {each.batch for versions in index.records.values() for each in versions}
            anchored = self._anchored(connection, ids)
        held, left_out = [], 0
        for _, versions in sorted(index.records.items()):
            final = [
                Found(owner=owner, entry=each, standing=standing)
                for each in versions
                if anchored.get(each.batch) and (standing is None or _is_told(each, standing))
            ]
            left_out += len(versions) - len(final)
            if final:
                held.append(tuple(final))
        return History(records=tuple(held), not_anchored=left_out)

    def proof(self, account: Address, name: str, version: int) -> RecordProof:
        """The proof of one version of a record, which checks with the chain alone.

        Of a version that was superseded it shows that it was anchored, and by which version it is.

        Args:
            account: the account that stands for the patient.
            name: ``Type/id``.
            version: from 1.

        Raises:
            AccessRefused: SCOPE_NOT_COVERED where there is no such version, or none that is final;
                RECORD_UNVERIFIABLE where it is not what was anchored; UNKNOWN_PATIENT.
        """
        for found in self.versions(account, name):
            if found.entry.version == version:
                return self.open([found])[0].proof
        raise AccessRefused(
            Refusal.SCOPE_NOT_COVERED, f"There is no version {version} of {name} here."
        )

    def open(self, found: Iterable[Found]) -> tuple[Record, ...]:
        """Open records and check each: seal, content, leaf, root, and that the chain has the root.

        Args:
            found: what to open, in the order wanted.

        Raises:
            AccessRefused: RECORD_UNVERIFIABLE, naming the first record that fails; none is given.
        """
        with reading(self._engine) as connection:
            return tuple(self._open(connection, each) for each in found)

    def _find(self, owner: Owner, wanted: Callable[[Searchable], bool]) -> tuple[Found, ...]:
        with reading(self._engine) as connection:
            index = self._index(connection, owner)
            standing = self._standing(connection, owner)
            told = () if standing is None else index.told(upto=standing.batch.id)
            # What no state of the stream can name: all of it before the first one is anchored.
            apart = index.apart(upto=None if standing is None else standing.batch.id)
            ids = {each.batch for versions in apart.values() for each in versions}
            anchored = self._anchored(connection, ids)
        found = [Found(owner=owner, entry=each, standing=standing) for each in told if wanted(each)]
        for versions in apart.values():
            older = _newest_anchored(versions, anchored)
            if older is not None and wanted(older):
                found.append(Found(owner=owner, entry=older))
        if apart:
            found.sort(key=lambda each: each.descriptor.record)
        return tuple(found)

    def _standing(self, connection: Connection, owner: Owner) -> Standing | None:
        return self._evidence.standing(connection, self._names.records_topic(owner))

    def _index(self, connection: Connection, owner: Owner) -> Index:
        return asked_once(
            connection, ("searchable index", owner), lambda: self._searchable(connection, owner)
        )

    def _searchable(self, connection: Connection, owner: Owner) -> Index:
        try:
            index = self._indexes.of(connection, owner)
            if not index.is_searchable:
                index = load_index(connection, self._sealer, owner)  # our own, to be changed
                learn(connection, self._sealer, self._names, owner, index)
            return index
        except (KeyMissing, VerificationFailed) as error:
            raise AccessRefused(
                Refusal.RECORD_UNVERIFIABLE, f"The index of these records does not open: {error}."
            ) from error

    def _open(self, connection: Connection, found: Found) -> Record:
        name = found.descriptor.record
        try:
            return self._checked(connection, found)
        except (InvalidInput, KeyMissing, VerificationFailed) as error:
            raise AccessRefused(
                Refusal.RECORD_UNVERIFIABLE,
                f"{name}, version {found.entry.version}, is not what was anchored: {error}.",
            ) from error

    def _checked(self, connection: Connection, found: Found) -> Record:
        entry, name = found.entry, found.descriptor.record
        record = self._names.record(name)
        stored = self._evidence.anchored(connection, found.owner, record, entry.version)
        anchor = stored.anchor
        version = VersionId(
            owner=found.owner,
            name=name,
            record=record,
            version=entry.version,
            steward=self._steward,
            topic=stored.batch.topic,
        )
        opened = open_version(version, stored.row._mapping, self._sealer)
        proof = RecordProof(
            pointer=opened.pointer,
            siblings=stored.tree.proof(stored.row.position),
            anchor=anchor,
            state=stored.batch.state,
        )
        verify_record(opened.content, proof, lambda each: each == anchor)
        if opened.pointer.plaintext != entry.plaintext:
            raise VerificationFailed("the index holds another version of it")
        if found.standing is not None:
            newest = self._evidence.newest(connection, found.owner, found.standing, name)
            proof = replace(proof, newest=newest)
        _check_entry(entry, parse_object(opened.content))
        return Record(
            descriptor=entry.descriptor,
            version=entry.version,
            content=opened.content,
            proof=proof,
        )

    def _anchored(self, connection: Connection, ids: set[int]) -> dict[int, bool]:
        """The batches whose anchor was sent, and whether the chain shows it as final."""
        if not ids:
            return {}
        query = select(batch.c.id, batch.c.topic, batch.c.root).where(
            batch.c.id.in_(ids), batch.c.anchored_at.is_not(None)
        )
        return {
            row.id: self._evidence.anchor_of(digest(row.topic), digest(row.root)) is not None
            for row in connection.execute(query)
        }


def _is_told(entry: IndexEntry, standing: Standing) -> bool:
    """Whether a version was there at the last append of its stream."""
    return entry.batch <= standing.batch.id


def _newest_anchored(
    versions: Sequence[IndexEntry], anchored: Mapping[int, bool]
) -> IndexEntry | None:
    """The newest version whose anchor is final, else the newest whose anchor was sent."""
    held = [each for each in versions if each.batch in anchored]
    final = (each for each in reversed(held) if anchored[each.batch])
    return next(final, held[-1] if held else None)


def _check_entry(entry: IndexEntry, content: Object) -> None:
    """Hold the index to the content: a false index must not widen what is released."""
    indexed = entry.descriptor
    kind, _, identity = indexed.record.partition("/")
    resource = Resource(type=kind, id=identity, value=content)
    found = describe(resource, unlabelled=frozenset())
    # The steward may have labelled the record beyond what it says of itself.
    if replace(found, labels=indexed.labels) != indexed or not found.labels <= indexed.labels:
        raise VerificationFailed("the index says something else of it than its content does")
    if entry.values != values_of(resource) or entry.references != references_of(resource):
        raise VerificationFailed("the index lets it be found by what its content does not say")
