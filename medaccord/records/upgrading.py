"""Bringing an index that version 0001 of the database wrote up to what is written today.

It lacks the leaves, and its records were described without label table and with fewer date fields:
both come from the records themselves, opened once.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from sqlalchemy import Connection, select

from medaccord.core.canonical import parse_object
from medaccord.core.descriptor import Descriptor
from medaccord.core.errors import VerificationFailed
from medaccord.core.identifiers import Digest, digest
from medaccord.fhir.resource import Resource
from medaccord.records.index import Index, IndexEntry
from medaccord.records.pseudonyms import Owner, Pseudonyms
from medaccord.records.sealed_rows import version_context
from medaccord.records.sealer import Columns, Sealer
from medaccord.store.tables import batch, record_version

__all__ = ["Describe", "upgrade"]

Describe = Callable[[Resource], Descriptor]
"""Says what a resource is about."""

_SALT_BYTES: Final = 32
_LEAF_BYTES: Final = 32


def upgrade(
    connection: Connection,
    sealer: Sealer,
    names: Pseudonyms,
    owner: Owner,
    index: Index,
    describe: Describe,
) -> None:
    """Give an index what it lacks; one that lacks nothing is not touched.

    The steward's own practitioners, organisations and locations were anchored in patients' streams
    then: they stay without leaves here, since no state of the steward's stream names them.

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
        return
    leaves: dict[int, bytes] = {}
    for name, versions in index.records.items():
        record = names.record(name)
        for place, entry in enumerate(versions):
            if entry.batch not in leaves:
                held = select(batch.c.leaves).where(batch.c.id == entry.batch)
                leaves = {entry.batch: connection.execute(held).scalar_one()}
            row = connection.execute(
                select(record_version).where(
                    record_version.c.owner == owner,
                    record_version.c.record == record,
                    record_version.c.version == entry.version,
                )
            ).one_or_none()
            if row is None:
                continue  # whoever asks for it is told
            start = row.position * _LEAF_BYTES
            leaf = digest(leaves[entry.batch][start : start + _LEAF_BYTES])
            versions[place] = replace(
                entry,
                leaf=None if owner == names.steward else leaf,
                descriptor=_described(sealer, owner, record, entry, row._mapping, describe),
            )
    index.is_current = True


def _described(
    sealer: Sealer,
    owner: Owner,
    record: Digest,
    entry: IndexEntry,
    row: Columns,
    describe: Describe,
) -> Descriptor:
    try:
        text = sealer.open(owner, row, version_context(owner, record, entry.version))
    except VerificationFailed:
        return entry.descriptor  # it is refused when it is read
    kind, _, identity = entry.descriptor.record.partition("/")
    value = parse_object(text[_SALT_BYTES:])
    return describe(Resource(type=kind, id=identity, value=value))
