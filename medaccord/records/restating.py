"""Telling the state of a stream anew, without adding a version to it."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection

from medaccord.core.descriptor import Descriptor
from medaccord.core.pointers import record_key
from medaccord.core.sparse_map import SparseMap
from medaccord.fhir.label_table import LabelTable
from medaccord.fhir.resource import Resource
from medaccord.fhir.resources import describe as _describe
from medaccord.records.batches import Batch, add_batch
from medaccord.records.index import load_index, save_index
from medaccord.records.pseudonyms import Owner, Pseudonyms
from medaccord.records.sealer import Sealer
from medaccord.records.upgrading import Describe, upgrade

__all__ = ["forget_erased", "restate"]


def described(resource: Resource) -> Descriptor:
    """What a resource is about, by the label table that comes along."""
    return _describe(resource, labels=LabelTable.default())


def restate(
    connection: Connection,
    sealer: Sealer,
    names: Pseudonyms,
    owner: Owner,
    *,
    at: datetime,
    without: Collection[str] = (),
    describe: Describe = described,
) -> Batch:
    """Prepare a batch that adds nothing and tells which versions are the newest.

    With it a stream that version 0001 of the database wrote gets a state; and records are taken out
    of the state and the index when they are erased. Until the batch's anchor is final, the state
    before it proves the records that are left.

    Args:
        connection: a transaction that writes.
        sealer: opens and seals the index.
        names: the steward's names for what is in the database.
        owner: whose records.
        at: now.
        without: names of the records, ``Type/id``, that the state and the index no longer hold.
        describe: says what a record is about, where version 0001 of the database described it.

    Returns:
        The batch, to be anchored.

    Raises:
        InvalidRequest: the owner has no such record.
        KeyMissing: the owner's key is not there, or was erased.
        DecryptionFailed: the index was changed.
    """
    index = load_index(connection, sealer, owner, to_write=True)
    upgrade(connection, sealer, names, owner, index, describe)
    left = index.state()
    for name in without:
        left.pop(record_key(name), None)
    batch = add_batch(
        connection, owner, names.records_topic(owner), [], state=SparseMap(left).root, at=at
    )
    for name in without:
        index.erase(name, in_batch=batch.id)
    save_index(connection, sealer, owner, index)
    return batch


def forget_erased(connection: Connection, sealer: Sealer, owner: Owner, *, upto: int) -> bool:
    """Drop from an index what erased records left in it, where no state needs it any more.

    Args:
        connection: a transaction that writes.
        sealer: opens and seals the index.
        owner: whose index.
        upto: id of the batch whose anchor is the last of its stream and final.

    Returns:
        Whether there was any.

    Raises:
        KeyMissing: the owner's key is not there, or was erased.
        DecryptionFailed: the index was changed.
    """
    index = load_index(connection, sealer, owner, to_write=True)
    if not index.forget_erased(upto=upto):
        return False
    save_index(connection, sealer, owner, index)
    return True
