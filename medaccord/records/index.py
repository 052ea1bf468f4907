"""What a search needs to know of records: one sealed index an owner, opened in memory."""

import json
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlalchemy import Connection, insert, select, update

from medaccord.core.descriptor import Descriptor
from medaccord.core.identifiers import Digest, digest, hex_digest
from medaccord.core.periods import DatePeriod
from medaccord.records.pseudonyms import Owner
from medaccord.records.sealed_rows import index_context
from medaccord.records.sealer import Sealer
from medaccord.store.tables import record_index

__all__ = ["Index", "IndexEntry", "load_index", "save_index"]


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexEntry:
    """One version of one record.

    Attributes:
        version: from 1.
        batch: id of the batch it was imported in.
        plaintext: keccak256 of its canonical bytes.
        descriptor: its name, type, codes, categories, date and labels.
    """

    version: int
    batch: int
    plaintext: Digest
    descriptor: Descriptor


@dataclass(slots=True)
class Index:
    """Every version of every record of one owner.

    Attributes:
        revision: counts the changes, from 0 for an index never saved.
        records: versions by the record's name, oldest first.
    """

    revision: int = 0
    records: dict[str, list[IndexEntry]] = field(default_factory=dict)

    def latest(self, name: str) -> IndexEntry | None:
        """The newest version of a record, anchored or not; None where there is none."""
        versions = self.records.get(name)
        return versions[-1] if versions else None

    def add(self, entry: IndexEntry) -> None:
        """Add the next version of a record."""
        self.records.setdefault(entry.descriptor.record, []).append(entry)


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
    query = select(record_index).where(record_index.c.owner == owner)
    row = connection.execute(query.with_for_update() if to_write else query).one_or_none()
    if row is None:
        return Index()
    text = sealer.open(owner, row._mapping, index_context(owner, row.revision))
    index = Index(revision=row.revision)
    for line in json.loads(text):
        index.add(_entry(line))
    return index


def save_index(connection: Connection, sealer: Sealer, owner: Owner, index: Index) -> None:
    """Seal and write the index of an owner, one revision on.

    Raises:
        KeyMissing: the owner's key is not there, or was erased.
    """
    lines = [_line(entry) for versions in index.records.values() for entry in versions]
    text = json.dumps(lines, separators=(",", ":")).encode()
    revision = index.revision + 1
    sealed = sealer.seal(owner, text, index_context(owner, revision))
    values = {"revision": revision, **sealed}
    if index.revision == 0:
        connection.execute(insert(record_index).values(owner=owner, **values))
    else:
        changed = update(record_index).where(record_index.c.owner == owner)
        connection.execute(changed.values(**values))
    index.revision = revision


def _line(entry: IndexEntry) -> list[Any]:
    about = entry.descriptor
    days = about.date
    return [
        about.record,
        entry.version,
        entry.batch,
        hex_digest(entry.plaintext),
        sorted(about.codes),
        sorted(about.categories),
        None if days is None else [_day(days.start), _day(days.end)],
        sorted(about.labels),
    ]


def _entry(line: list[Any]) -> IndexEntry:
    name, version, batch, plaintext, codes, categories, days, labels = line
    descriptor = Descriptor(
        resource_type=name.partition("/")[0],
        record=name,
        codes=frozenset(codes),
        categories=frozenset(categories),
        date=None if days is None else DatePeriod(start=_date(days[0]), end=_date(days[1])),
        labels=frozenset(labels),
    )
    return IndexEntry(
        version=version, batch=batch, plaintext=digest(plaintext), descriptor=descriptor
    )


def _day(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _date(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)
