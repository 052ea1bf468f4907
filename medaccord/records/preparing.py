"""Preparing what an import adds for one owner: compared, sealed and staged, with no lock held."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from eth_utils.crypto import keccak
from sqlalchemy import Engine, select

from medaccord.core import sparse_map
from medaccord.core.identifiers import ZERO_DIGEST, Address, Digest
from medaccord.core.sparse_map import SparseMap
from medaccord.fhir.resource import Resource
from medaccord.fhir.search_values import references_of, values_of
from medaccord.keys import PublicKey
from medaccord.records.index import (
    PREPARED,
    Index,
    IndexEntry,
    index_text,
    load_index,
    seal_index,
)
from medaccord.records.pseudonyms import Owner, Pseudonyms
from medaccord.records.sealer import SealedColumns, Sealer, row_context
from medaccord.records.sealing import VersionId, seal_version
from medaccord.records.staging import Section, StagedRow, Staging
from medaccord.records.upgrading import Describe, upgrade
from medaccord.store import reading
from medaccord.store.tables import erasure

__all__ = ["Part", "Preparer"]

_NO_RECORD: Final = ZERO_DIGEST
_LEAF_BYTES: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What an import adds for one owner, and what that was compared with.

    Attributes:
        owner: a patient, or the steward itself.
        topic: the stream it will be anchored in.
        after: revision of the index it was compared with.
        generation: the owner's key it is sealed to.
        leaves: of the new versions in their order, 32 bytes each.
        state: root over the newest versions with these.
        versions: the new versions, staged.
        index: the new index, staged; it lacks the id of the batch.
        resources: how many there were.
        unchanged: how many of them were here already, byte for byte.
        erased: how many of them were erased here, and are not brought back.
    """

    owner: Owner
    topic: Digest
    after: int
    generation: int
    leaves: bytes
    state: Digest
    versions: Section
    index: Section
    resources: int
    unchanged: int
    erased: int

    @property
    def leaf_list(self) -> list[Digest]:
        """The leaves, one by one."""
        starts = range(0, len(self.leaves), _LEAF_BYTES)
        return [Digest(self.leaves[start : start + _LEAF_BYTES]) for start in starts]


@dataclass(slots=True, kw_only=True)
class _Work:
    """A part while it is prepared."""

    owner: Owner
    topic: Digest
    public: PublicKey
    index: Index
    gone: frozenset[bytes]
    start: int
    leaves: bytearray
    resources: int = 0
    unchanged: int = 0
    erased: int = 0


class Preparer:
    """Prepares the parts of one import."""

    def __init__(
        self,
        engine: Engine,
        sealer: Sealer,
        names: Pseudonyms,
        steward: Address,
        staging: Staging,
        describe: Describe,
        *,
        at: datetime,
    ) -> None:
        self._engine = engine
        self._sealer = sealer
        self._names = names
        self._steward = steward
        self._staging = staging
        self._describe = describe
        self._at = at

    def prepare(
        self, owner: Owner, resources: Iterable[Resource], *, step: Callable[[], None]
    ) -> Part:
        """Compare resources with what is here, and stage what is new.

        Args:
            owner: whose they are.
            resources: the resources, one at a time.
            step: called after each of them.

        Raises:
            KeyMissing: the owner's key is not there, or was erased.
            DecryptionFailed: the owner's index was changed.
            StoreFailed: the database is out of reach, or there is no room left.
        """
        work = self._begin(owner)
        for resource in resources:
            self._take(work, resource)
            step()
        return self._end(work)

    def index_columns(self, part: Part, batch_id: int) -> SealedColumns:
        """The new index of an owner, sealed as it goes into the database.

        Args:
            part: what was prepared, with something new in it.
            batch_id: the batch that it is added in.

        Raises:
            KeyMissing: the owner's key is gone meanwhile.
            StoreFailed: the disk fails.
        """
        (staged,) = self._staging.rows(part.index)
        text = self._sealer.open(part.owner, staged.sealed, _on_the_way(part.owner))
        return seal_index(self._sealer, part.owner, text, after=part.after, prepared=batch_id)

    def _begin(self, owner: Owner) -> _Work:
        erased = select(erasure.c.record).where(
            erasure.c.owner == owner, erasure.c.record.is_not(None)
        )
        with reading(self._engine) as connection:
            index = load_index(connection, self._sealer, owner)
            upgrade(connection, self._sealer, self._names, owner, index, self._describe)
            gone = frozenset(bytes(each) for each in connection.execute(erased).scalars())
        return _Work(
            owner=owner,
            topic=self._names.records_topic(owner),
            public=self._sealer.keys.public(owner),
            index=index,
            gone=gone,
            start=self._staging.end,
            leaves=bytearray(),
        )

    def _take(self, work: _Work, resource: Resource) -> None:
        work.resources += 1
        content = resource.canonical()
        plaintext = Digest(keccak(content))
        latest = work.index.latest(resource.record)
        if latest is not None and latest.plaintext == plaintext:
            work.unchanged += 1
            return
        record = self._names.record(resource.record)
        if record in work.gone:
            work.erased += 1
            return
        version = VersionId(
            owner=work.owner,
            name=resource.record,
            record=record,
            version=1 if latest is None else latest.version + 1,
            steward=self._steward,
            topic=work.topic,
        )
        sealed, pointer = seal_version(version, content, self._sealer, to=work.public)
        self._staging.add(StagedRow(record=record, version=version.version, sealed=sealed))
        leaf = pointer.leaf
        work.leaves += leaf
        work.index.add(
            IndexEntry(
                version=version.version,
                batch=PREPARED,
                plaintext=plaintext,
                leaf=leaf,
                descriptor=self._describe(resource),
                values=values_of(resource),
                references=references_of(resource),
                updated=self._at,
            )
        )

    def _end(self, work: _Work) -> Part:
        added, index_start = len(work.leaves) // _LEAF_BYTES, self._staging.end
        if added:
            sealed = self._sealer.seal(
                work.owner, index_text(work.index), _on_the_way(work.owner), to=work.public
            )
            self._staging.add(StagedRow(record=_NO_RECORD, version=0, sealed=sealed))
        return Part(
            owner=work.owner,
            topic=work.topic,
            after=work.index.revision,
            generation=work.public.generation,
            leaves=bytes(work.leaves),
            state=SparseMap(work.index.state()).root if added else sparse_map.EMPTY,
            versions=Section(start=work.start, rows=added),
            index=Section(start=index_start, rows=1 if added else 0),
            resources=work.resources,
            unchanged=work.unchanged,
            erased=work.erased,
        )


def _on_the_way(owner: Owner) -> bytes:
    return row_context("staged_index", bytes.fromhex(owner))
