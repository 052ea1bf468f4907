"""What a search needs to know of records: one sealed index an owner, opened in memory."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from medaccord.core.descriptor import Descriptor
from medaccord.core.errors import InvalidRequest
from medaccord.core.identifiers import Digest, digest, hex_digest
from medaccord.core.periods import DatePeriod
from medaccord.core.pointers import record_key
from medaccord.core.record_state import state_value
from medaccord.fhir.search_values import VALUES_FORMAT, SearchValues
from medaccord.records.pseudonyms import Owner
from medaccord.records.sealed_rows import index_context
from medaccord.records.sealer import SealedColumns, Sealer
from medaccord.store.tables import record_index

__all__ = [
    "PREPARED",
    "ErasedVersion",
    "Index",
    "IndexEntry",
    "index_text",
    "load_index",
    "save_index",
    "seal_index",
    "write_index",
]

PREPARED: Final = 0
"""In place of a batch's id: the batch that is being prepared, which has none yet."""

_UNKNOWN: Final = datetime.min.replace(tzinfo=UTC)
"""When a version was taken in, until `upgrading` has looked it up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexEntry:
    """One version of one record.

    Attributes:
        version: from 1.
        batch: id of the batch it was imported in.
        plaintext: keccak256 of its canonical bytes.
        leaf: its salted leaf. None for what version 0001 of the database wrote, until `upgrading`
            found it; for good where it stands in another's stream, as practitioners once did.
        descriptor: its name, type, codes, categories, date and labels.
        values: what searches compare.
        references: names of the practitioners, organisations and locations that it refers to.
        updated: when it was taken in.
    """

    version: int
    batch: int
    plaintext: Digest
    leaf: Digest | None
    descriptor: Descriptor
    values: SearchValues
    references: frozenset[str]
    updated: datetime


_ROW: Final = select(record_index).where(record_index.c.owner == bindparam("of"))
_LOCKED_ROW: Final = _ROW.with_for_update()


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasedVersion:
    """What is left of a version that was erased, as long as the anchored state still names it.

    Without it the other records under that state could not be proven. Neither name nor version can
    be told from it.

    Attributes:
        key: the record's key in the state.
        value: its value there.
        since: id of the batch that brought the version.
        until: id of the batch whose state no longer names it.
    """

    key: Digest
    value: Digest
    since: int
    until: int


@dataclass(slots=True)
class Index:
    """Every version of every record of one owner.

    Attributes:
        revision: counts the changes, from 0 for an index never saved.
        records: versions by the record's name, oldest first.
        erased: what the state of earlier batches still names.
        is_current: False where version 0001 of the database wrote it: see `upgrading`.
        is_searchable: False where it was written for another table of search parameters, or none:
            its entries have no values then, until `upgrading` has told them from the records.
    """

    revision: int = 0
    records: dict[str, list[IndexEntry]] = field(default_factory=dict)
    erased: list[ErasedVersion] = field(default_factory=list)
    is_current: bool = True
    is_searchable: bool = True
    _told: dict[int, tuple[IndexEntry, ...]] = field(default_factory=dict, compare=False)

    def latest(self, name: str) -> IndexEntry | None:
        """The newest version of a record, anchored or not; None where there is none."""
        versions = self.records.get(name)
        return versions[-1] if versions else None

    def add(self, entry: IndexEntry) -> None:
        """Add the next version of a record."""
        self._told.clear()
        self.records.setdefault(entry.descriptor.record, []).append(entry)

    def newest(self, name: str, *, upto: int | None = None) -> IndexEntry | None:
        """The version of a record that the state names.

        Args:
            name: ``Type/id``.
            upto: id of the batch whose state is meant; the state of now unless given.
        """
        versions = self.records.get(name, ())
        return next((each for each in reversed(versions) if _is_named(each, upto)), None)

    def told(self, *, upto: int) -> tuple[IndexEntry, ...]:
        """The versions that the state of a batch names, in the order of their records' names."""
        known = self._told.get(upto)
        if known is None:
            newest = (self.newest(name, upto=upto) for name in sorted(self.records))
            known = self._told[upto] = tuple(each for each in newest if each is not None)
        return known

    def apart(self, *, upto: int | None) -> dict[str, list[IndexEntry]]:
        """The versions that no state up to a batch's can name, of records of which it names none.

        Args:
            upto: id of the batch; None where no state was anchored yet: all versions, then.
        """
        if upto is None:
            return self.records
        named = {each.descriptor.record for each in self.told(upto=upto)}
        return {
            name: [each for each in versions if not each.leaf]
            for name, versions in self.records.items()
            if name not in named
        }

    def state(self, *, upto: int | None = None) -> dict[Digest, Digest]:
        """The entries of the state's map, where the index is current.

        Args:
            upto: id of the batch whose state is meant; the state of now unless given.
        """
        gone = sorted(self.erased, key=lambda each: each.since)
        held = (
            {}
            if upto is None
            else {each.key: each.value for each in gone if each.since <= upto < each.until}
        )
        for name in self.records:
            newest = self.newest(name, upto=upto)
            if newest is not None and newest.leaf is not None:
                held[record_key(name)] = state_value(newest.version, newest.leaf)
        return held

    def erase(self, name: str, *, in_batch: int) -> None:
        """Forget a record, but for what the state of earlier batches needs.

        Args:
            name: ``Type/id``.
            in_batch: id of the batch whose state no longer names it.

        Raises:
            InvalidRequest: there is no such record.
        """
        if name not in self.records:
            raise InvalidRequest(f"there is no record {name}")
        self._told.clear()
        key = record_key(name)
        self.erased += [
            ErasedVersion(
                key=key,
                value=state_value(each.version, each.leaf),
                since=each.batch,
                until=in_batch,
            )
            for each in self.records.pop(name)
            if each.leaf is not None
        ]

    def forget_erased(self, *, upto: int) -> bool:
        """Drop what no state needs any more.

        Args:
            upto: id of a batch whose anchor is final, so that states before it are never asked for.

        Returns:
            Whether there was any.
        """
        left = [each for each in self.erased if each.until > upto]
        dropped = len(left) < len(self.erased)
        self.erased = left
        return dropped


def load_index(
    connection: Connection, sealer: Sealer, owner: Owner, *, to_write: bool = False
) -> Index:
    """Open the index of an owner; an empty one where nothing was imported yet.

    Args:
        connection: a transaction.
        sealer: opens it.
        owner: whose index.
        to_write: hold the row until the transaction ends.

    Raises:
        KeyMissing: the owner's key is not there, or was erased.
        DecryptionFailed: the index was changed.
    """
    row = index_row(connection, owner, to_write=to_write)
    if row is None:
        return Index()
    text = sealer.open(owner, row._mapping, index_context(owner, row.revision))
    return read_index(text, row.revision)


def index_row(connection: Connection, owner: Owner, *, to_write: bool = False) -> Row[Any] | None:
    """The sealed index of an owner; None where nothing was imported yet."""
    query = _LOCKED_ROW if to_write else _ROW
    return connection.execute(query, {"of": owner}).one_or_none()


def read_index(text: bytes, revision: int) -> Index:
    """Read what `index_text` wrote.

    Args:
        text: the opened index.
        revision: of the row it stands in.
    """
    index = Index(revision=revision)
    document = json.loads(text)
    if isinstance(document, list):  # as version 0001 of the database wrote it
        index.is_current = False
        document = {"records": [[*line, None] for line in document]}
    index.is_searchable = document.get("values") == VALUES_FORMAT
    taken_in = {
        int(batch_id): datetime.fromisoformat(at)
        for batch_id, at in document.get("taken_in", {}).items()
    }
    for line in document["records"]:
        index.add(_entry(line, document.get("batch", PREPARED), taken_in))
    index.erased = [
        ErasedVersion(key=digest(key), value=digest(value), since=since, until=until)
        for key, value, since, until in document.get("erased", ())
    ]
    return index


def save_index(connection: Connection, sealer: Sealer, owner: Owner, index: Index) -> None:
    """Seal and write the index of an owner, one revision on; it is current then.

    Raises:
        KeyMissing: the owner's key is not there, or was erased.
    """
    sealed = seal_index(sealer, owner, index_text(index), after=index.revision)
    values_format = VALUES_FORMAT if index.is_searchable else None
    write_index(connection, owner, sealed, after=index.revision, values_format=values_format)
    index.revision += 1


def index_text(index: Index) -> bytes:
    """What an index says, to be sealed by `seal_index`."""
    entries = list(_entries(index))
    document: dict[str, Any] = {
        "records": [_line(entry) for entry in entries],
        "erased": [
            [hex_digest(each.key), hex_digest(each.value), each.since, each.until]
            for each in index.erased
        ],
    }
    if index.is_searchable:
        document["values"] = VALUES_FORMAT
        document["taken_in"] = {each.batch: each.updated.isoformat() for each in entries}
        for entry, line in zip(entries, document["records"], strict=True):
            line += [entry.values.written, sorted(entry.references)]
    return json.dumps(document, separators=(",", ":")).encode()


def seal_index(
    sealer: Sealer, owner: Owner, text: bytes, *, after: int, prepared: int | None = None
) -> SealedColumns:
    """Seal what `index_text` gave.

    Args:
        sealer: seals it.
        owner: whose index.
        text: what it says.
        after: the revision it follows.
        prepared: id of the batch that was being prepared when the text was written.

    Raises:
        KeyMissing: the owner's key is not there, or was erased.
    """
    if prepared is not None:
        text = b'{"batch":%d,' % prepared + text.removeprefix(b"{")
    return sealer.seal(owner, text, index_context(owner, after + 1))


def write_index(
    connection: Connection,
    owner: Owner,
    sealed: SealedColumns,
    *,
    after: int,
    values_format: str | None = VALUES_FORMAT,
) -> None:
    """Write a sealed index in the place of the revision it follows.

    Args:
        connection: a transaction that writes.
        owner: whose index.
        sealed: what `seal_index` gave.
        after: the revision it follows.
        values_format: how its search values were told; None where it has none.
    """
    values = {"revision": after + 1, "values_format": values_format, **sealed}
    if after == 0:
        connection.execute(insert(record_index).values(owner=owner, **values))
    else:
        changed = update(record_index).where(record_index.c.owner == owner)
        connection.execute(changed.values(**values))


def _entries(index: Index) -> Iterator[IndexEntry]:
    for versions in index.records.values():
        yield from versions


def _is_named(entry: IndexEntry, upto: int | None) -> bool:
    """Whether the state of a batch, or of now, can name a version: it has a leaf in that stream."""
    return entry.leaf is not None and (upto is None or entry.batch <= upto)


def _line(entry: IndexEntry) -> list[Any]:
    about = entry.descriptor
    days = about.date
    return [
        about.record,
        entry.version,
        None if entry.batch == PREPARED else entry.batch,
        hex_digest(entry.plaintext),
        sorted(about.codes),
        sorted(about.categories),
        None if days is None else [_day(days.start), _day(days.end)],
        sorted(about.labels),
        None if entry.leaf is None else hex_digest(entry.leaf),
    ]


def _entry(line: list[Any], prepared: int, taken_in: dict[int, datetime]) -> IndexEntry:
    name, version, batch_id, plaintext, codes, categories, days, labels, leaf, *searched = line
    values, references = searched or ({}, ())
    descriptor = Descriptor(
        resource_type=name.partition("/")[0],
        record=name,
        codes=frozenset(codes),
        categories=frozenset(categories),
        date=None if days is None else DatePeriod(start=_date(days[0]), end=_date(days[1])),
        labels=frozenset(labels),
    )
    return IndexEntry(
        version=version,
        batch=prepared if batch_id is None else batch_id,
        plaintext=digest(plaintext),
        leaf=None if leaf is None else digest(leaf),
        descriptor=descriptor,
        values=SearchValues(values),
        references=frozenset(references),
        updated=taken_in.get(PREPARED if batch_id is None else batch_id, _UNKNOWN),
    )


def _day(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _date(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)
