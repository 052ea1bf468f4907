"""What proofs are made from: the trees of batches and the states of streams, made once and kept."""

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final, Protocol

from sqlalchemy import Connection, Row, bindparam, select

from medaccord.core.anchors import Anchor
from medaccord.core.errors import VerificationFailed
from medaccord.core.identifiers import Address, Digest
from medaccord.core.merkle import MerkleTree
from medaccord.core.pointers import record_key
from medaccord.core.record_state import NewestProof, tree_root
from medaccord.core.sparse_map import SparseMap
from medaccord.records.batches import Batch, find_batch, load_leaves
from medaccord.records.opened_indexes import OpenedIndexes
from medaccord.records.pseudonyms import Owner
from medaccord.store.tables import record_version

__all__ = ["Anchored", "Anchors", "Evidence", "Standing"]

_VERSION: Final = select(record_version).where(
    record_version.c.owner == bindparam("owner"),
    record_version.c.record == bindparam("record"),
    record_version.c.version == bindparam("version"),
)

_KEPT_BATCHES: Final = 20_000
"""Heads of streams whose batch is known, inclusive: some 500 bytes each."""

_KEPT_LEAVES: Final = 200_000
"""Leaves of trees kept in memory, of all batches together; some 200 bytes each."""

_KEPT_ENTRIES: Final = 500_000
"""Entries of states kept in memory, of all patients together; some 300 bytes each."""


class Anchors(Protocol):
    """What the chain holds of a stream, where it is final; the ledger is one."""

    def anchor_of(self, account: Address, topic: Digest, root: Digest) -> Anchor | None:
        """The append of a root to a stream; None where the chain holds none."""
        ...

    def newest_anchor(self, account: Address, topic: Digest) -> Anchor | None:
        """The last append to a stream; None where there is none."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How far a stream has come on the chain.

    Attributes:
        batch: the batch that was appended last: its state says which versions are the newest.
        anchor: the append.
    """

    batch: Batch
    anchor: Anchor


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchored:
    """A version of a record as it lies in the database, and what was anchored of its batch.

    Attributes:
        row: the version, sealed.
        batch: what it was imported in.
        tree: over the leaves of the batch; the version's is at the row's position.
        anchor: the append of the batch.
    """

    row: Row[Any]
    batch: Batch
    tree: MerkleTree
    anchor: Anchor


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    map: SparseMap
    tree: Digest
    newest: dict[Digest, tuple[int, Digest]]


class Evidence:
    """Makes the parts of proofs. Any number of threads may share it."""

    def __init__(self, indexes: OpenedIndexes, steward: Address, anchors: Anchors) -> None:
        """Prove the records of one steward."""
        self._indexes = indexes
        self._steward = steward
        self._anchors = anchors
        self._lock = Lock()
        # What was appended stays as it was: a stream's head names one batch, whose salts are fresh.
        self._appended: OrderedDict[tuple[Digest, Digest], Batch] = OrderedDict()
        self._trees: OrderedDict[int, tuple[Batch, MerkleTree]] = OrderedDict()
        self._leaves = 0
        self._states: OrderedDict[tuple[Owner, int], _State] = OrderedDict()
        self._entries = 0

    def anchor_of(self, topic: Digest, root: Digest) -> Anchor | None:
        """The append of a root to one of the steward's streams, once it is final."""
        return self._anchors.anchor_of(self._steward, topic, root)

    def standing(self, connection: Connection, topic: Digest) -> Standing | None:
        """The last append of a stream that is final, if it tells a state of ours."""
        anchor = self._anchors.newest_anchor(self._steward, topic)
        if anchor is None:
            return None
        held = self._appended.get((topic, anchor.root))
        if held is None:
            held = find_batch(connection, topic, anchor.root)
            if held is None or held.state is None:
                return None
            with self._lock:
                self._appended[topic, anchor.root] = held
                while len(self._appended) > _KEPT_BATCHES:
                    self._appended.popitem(last=False)
        return Standing(batch=held, anchor=anchor)

    def tree(self, connection: Connection, batch_id: int) -> tuple[Batch, MerkleTree]:
        """A batch with the tree over its leaves.

        Raises:
            VerificationFailed: it was not anchored.
        """
        with self._lock:
            known = self._trees.get(batch_id)
            if known is not None:
                self._trees.move_to_end(batch_id)
                return known
        loaded = load_leaves(connection, batch_id)
        if loaded is None or not loaded[0].is_anchored:
            raise VerificationFailed("its batch was not anchored")
        made = loaded[0], MerkleTree(loaded[1])
        with self._lock:
            if batch_id not in self._trees:
                self._trees[batch_id] = made
                self._leaves += len(loaded[1])
            while self._leaves > _KEPT_LEAVES and len(self._trees) > 1:
                self._leaves -= self._trees.popitem(last=False)[1][0].size
        return made

    def anchored(
        self, connection: Connection, owner: Owner, record: Digest, version: int
    ) -> Anchored:
        """Look up a version of a record, and its anchor.

        Args:
            connection: a transaction.
            owner: whose record it is.
            record: the steward's name for it in the database.
            version: from 1.

        Raises:
            VerificationFailed: it is gone, or the chain holds no anchor of its batch.
        """
        place = {"owner": owner, "record": record, "version": version}
        row = connection.execute(_VERSION, place).one_or_none()
        if row is None:
            raise VerificationFailed("it is gone from the database")
        held, tree = self.tree(connection, row.batch_id)
        anchor = self.anchor_of(held.topic, held.root)
        if anchor is None:
            raise VerificationFailed("the chain holds no anchor of its batch")
        return Anchored(row=row, batch=held, tree=tree, anchor=anchor)

    def newest(
        self, connection: Connection, owner: Owner, standing: Standing, name: str
    ) -> NewestProof:
        """The proof which version of a record was the newest at the last append of its stream.

        Args:
            connection: a transaction.
            owner: whose record it is.
            standing: of the stream that the record stands in.
            name: ``Type/id``.

        Raises:
            VerificationFailed: the state cannot be made again from the index, or lacks the record.
            KeyMissing: the owner's key is not there, or was erased.
        """
        state = self._state(connection, owner, standing)
        key = record_key(name)
        if key not in state.newest:
            raise VerificationFailed("the state that was anchored does not name it")
        version, leaf = state.newest[key]
        return NewestProof(
            version=version,
            leaf=leaf,
            siblings=state.map.proof(key),
            tree=state.tree,
            state=state.map.root,
            anchor=standing.anchor,
        )

    def _state(self, connection: Connection, owner: Owner, standing: Standing) -> _State:
        place = (owner, standing.batch.id)
        with self._lock:
            known = self._states.get(place)
            if known is not None:
                self._states.move_to_end(place)
                return known
        made = self._make_state(connection, owner, standing)
        with self._lock:
            if place not in self._states:
                self._states[place] = made
                self._entries += len(made.newest)
            while self._entries > _KEPT_ENTRIES and len(self._states) > 1:
                self._entries -= len(self._states.popitem(last=False)[1].newest)
        return made

    def _make_state(self, connection: Connection, owner: Owner, standing: Standing) -> _State:
        held = standing.batch
        index = self._indexes.of(connection, owner)
        made = SparseMap(index.state(upto=held.id))
        if made.root != held.state:
            raise VerificationFailed("the index says something else of it than the anchored state")
        loaded = load_leaves(connection, held.id)
        if loaded is None:
            raise VerificationFailed("the batch appended last is gone from the database")
        newest = {}
        for name in index.records:
            entry = index.newest(name, upto=held.id)
            if entry is not None and entry.leaf is not None:
                newest[record_key(name)] = entry.version, entry.leaf
        return _State(map=made, tree=tree_root(loaded[1]), newest=newest)
