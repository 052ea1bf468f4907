"""Bringing an index that an earlier version wrote up to what is written today.

What version 0001 of the database wrote lacks the leaves, and its records were described without
label table and with fewer date fields. What version 0002 wrote, or a program with another table of
search parameters, lacks what searches compare. All of it comes from the records themselves: they
are opened for a search that comes first, and in the background once and for all.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Engine, Row, or_, select

from medaccord.core.canonical import parse_object
from medaccord.core.descriptor import Descriptor
from medaccord.core.errors import KeyMissing, VerificationFailed
from medaccord.core.identifiers import Digest, digest
from medaccord.fhir.resource import Resource
from medaccord.fhir.search_values import VALUES_FORMAT, references_of, values_of
from medaccord.records.index import Index, IndexEntry, load_index, save_index
from medaccord.records.pseudonyms import Owner, Pseudonyms
from medaccord.records.sealed_rows import version_context
from medaccord.records.sealer import Sealer
from medaccord.store import reading, writing
from medaccord.store.tables import batch, record_index, record_version

__all__ = ["Describe", "learn", "upgrade", "upgrade_some"]

Describe = Callable[[Resource], Descriptor]
"""Says what a resource is about."""

_SALT_BYTES: Final = 32
_LEAF_BYTES: Final = 32
_AT_ONCE: Final = 500
"""Rows brought in at once."""


def learn(
    connection: Connection, sealer: Sealer, names: Pseudonyms, owner: Owner, index: Index
) -> None:
    """Give an index what searches compare; one that has it is not touched.

    A record that does not open gets no values: no search finds it by one, and whoever reads it is
    told.

    Args:
        connection: a transaction.
        sealer: opens the records.
        names: the steward's names for what is in the database.
        owner: whose index.
        index: the index, changed in place.

    Raises:
        KeyMissing: the owner's key is not there, or was erased.
    """
    if index.is_searchable:
        return
    prepared = _prepared_at(connection, owner)
    for versions, place, row in _rows(connection, names, owner, index):
        entry = versions[place]
        resource = _opened(sealer, owner, row, entry)
        versions[place] = _searchable(entry, resource, prepared)
    index.is_searchable = True


def upgrade(
    connection: Connection,
    sealer: Sealer,
    names: Pseudonyms,
    owner: Owner,
    index: Index,
    describe: Describe,
) -> None:
    """Give an index all that it lacks; one that lacks nothing is not touched.

    The steward's own practitioners, organisations and locations were anchored in patients' streams
    by version 0001: they stay without leaves here, since no state of the steward's stream names
    them.

    Args:
        connection: a transaction.
        sealer: opens the records.
        names: the steward's names for what is in the database.
        owner: whose index.
        index: the index, changed in place.
        describe: says what a resource is about.

    Raises:
        KeyMissing: the owner's key is not there, or was erased.
    """
    if index.is_current:
        learn(connection, sealer, names, owner, index)
        return
    prepared = _prepared_at(connection, owner)
    leaves: dict[int, bytes] = {}
    for versions, place, row in _rows(connection, names, owner, index):
        entry = versions[place]
        if entry.batch not in leaves:
            held = select(batch.c.leaves).where(batch.c.id == entry.batch)
            leaves = {entry.batch: connection.execute(held).scalar_one()}
        start = row.position * _LEAF_BYTES
        leaf = digest(leaves[entry.batch][start : start + _LEAF_BYTES])
        entry = replace(entry, leaf=None if owner == names.steward else leaf)
        resource = _opened(sealer, owner, row, entry)
        if resource is not None:  # else it is refused when it is read
            entry = replace(entry, descriptor=describe(resource))
        versions[place] = _searchable(entry, resource, prepared)
    index.is_current = index.is_searchable = True


def upgrade_some(
    engine: Engine, sealer: Sealer, names: Pseudonyms, describe: Describe, *, most: int
) -> int:
    """Write what some of the indexes lack, a transaction each.

    Records are opened with no lock held; an index that was changed meanwhile is left for the next
    time, as is one whose key is not there.

    Args:
        engine: the database.
        sealer: opens the records and seals the indexes.
        names: the steward's names for what is in the database.
        describe: says what a resource is about.
        most: indexes looked at, at most.

    Returns:
        How many were written; 0 where none lacks anything.
    """
    lacking = or_(
        record_index.c.values_format.is_(None), record_index.c.values_format != VALUES_FORMAT
    )
    with reading(engine) as connection:
        query = select(record_index.c.owner).where(lacking).order_by(record_index.c.owner)
        owners = [Owner(each) for each in connection.execute(query.limit(most)).scalars()]
    return sum(_upgrade_one(engine, sealer, names, owner, describe) for owner in owners)


def _upgrade_one(
    engine: Engine, sealer: Sealer, names: Pseudonyms, owner: Owner, describe: Describe
) -> bool:
    try:
        with reading(engine) as connection:
            index = load_index(connection, sealer, owner)
            upgrade(connection, sealer, names, owner, index, describe)
        with writing(engine) as connection:
            found = load_index(connection, sealer, owner, to_write=True)
            if found.revision != index.revision or index.revision == 0:
                return False
            save_index(connection, sealer, owner, index)
    except (KeyMissing, VerificationFailed):
        return False
    return True


def _rows(
    connection: Connection, names: Pseudonyms, owner: Owner, index: Index
) -> Iterator[tuple[list[IndexEntry], int, Row[Any]]]:
    """The rows of an owner's versions, with their places in the index, batch by batch."""
    places = {
        (names.record(name), entry.version): (versions, place)
        for name, versions in index.records.items()
        for place, entry in enumerate(versions)
    }
    query = (
        select(record_version)
        .where(record_version.c.owner == owner)
        .order_by(record_version.c.batch_id)
        .execution_options(yield_per=_AT_ONCE)
    )
    for row in connection.execute(query):
        held = places.get((Digest(bytes(row.record)), row.version))
        if held is not None:
            yield *held, row


def _opened(sealer: Sealer, owner: Owner, row: Row[Any], entry: IndexEntry) -> Resource | None:
    context = version_context(owner, Digest(bytes(row.record)), entry.version)
    try:
        text = sealer.open(owner, row._mapping, context)
    except VerificationFailed:
        return None
    kind, _, identity = entry.descriptor.record.partition("/")
    return Resource(type=kind, id=identity, value=parse_object(text[_SALT_BYTES:]))


def _searchable(
    entry: IndexEntry, resource: Resource | None, prepared: dict[int, datetime]
) -> IndexEntry:
    entry = replace(entry, updated=prepared.get(entry.batch, entry.updated))
    if resource is None:
        return entry
    return replace(entry, values=values_of(resource), references=references_of(resource))


def _prepared_at(connection: Connection, owner: Owner) -> dict[int, datetime]:
    """When each batch was prepared that holds a version of an owner."""
    held = select(record_version.c.batch_id).where(record_version.c.owner == owner)
    query = select(batch.c.id, batch.c.prepared_at).where(batch.c.id.in_(held))
    return {row.id: row.prepared_at for row in connection.execute(query)}
