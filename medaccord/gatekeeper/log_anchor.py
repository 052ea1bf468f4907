"""Anchoring the audit logs: one root, over a map with exactly one leaf a relationship.

The leaf says how long a log is and what its head is. Once the root is on the chain, whoever shows a
shorter log, or another one, is found out by anybody who holds the proof.

What was to be anchored is kept before it is sent; whether it was, the chain alone says. So a crash
or a lost answer at any moment leaves nothing to repair. What is older than the newest state that is
final on the chain proves nothing any more, and is deleted.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, func, insert, select

from medaccord.chain import actions
from medaccord.chain.sender import Receipt
from medaccord.core.anchors import Anchor
from medaccord.core.audit import AUDIT_TOPIC, log_leaf
from medaccord.core.errors import AccessRefused, ContractReverted
from medaccord.core.identifiers import Digest, digest, hex_digest
from medaccord.core.proofs import LogProof
from medaccord.core.refusals import Refusal
from medaccord.core.sparse_map import SparseMap
from medaccord.gatekeeper.foundation import Foundation
from medaccord.store import reading, writing
from medaccord.store.locks import exclusive
from medaccord.store.tables import audit_anchor, audit_anchor_entry, audit_entry

Logs = dict[Digest, tuple[int, Digest]]
"""Count and head of each log, by its relationship."""

_log = logging.getLogger(__name__)

_LOCK: Final = "anchor-log"
_WAIT: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    """The state of all logs under one root; the root decides all of it."""

    logs: Logs
    map: SparseMap


class LogAnchors:
    """Appends the state of all logs of a steward to its stream, and proves what was appended."""

    def __init__(self, base: Foundation) -> None:
        self._engine = base.engine
        self._steward = base.steward
        self._clock = base.clock
        self._contracts = base.contracts
        self._ledger = base.ledger
        self._sender = base.sender
        self._lock = threading.Lock()
        self._last: _State | None = None

    def anchor(self) -> Receipt | None:
        """Append the state of the logs now. Of several processes one does at a time.

        Returns:
            The receipt; None when nothing was logged since the last time.

        Raises:
            TransportError: the chain is out of reach: call again later.
            ContractReverted: the key may not append for the steward.
            StoreFailed: the database failed, or another process holds on for ten minutes.
        """
        with exclusive(self._engine, _LOCK, timeout=_WAIT):
            self._ledger.sync()
            self._prune()
            newest = self._newest_sent()
            with reading(self._engine) as connection:  # the log goes on: it is in the next one
                logs = _logs_now(connection)
                if logs == ({} if newest is None else _snapshot(connection, newest)):
                    return None
            root = _map(logs).root
            with writing(self._engine) as connection:
                _keep(connection, AUDIT_TOPIC, root, logs, at=self._clock())
            return self._append(root)

    def proof(self, relationship: Digest) -> LogProof | None:
        """What the newest root that is final says of one log; None when none has it.

        Raises:
            AccessRefused: RECORD_UNVERIFIABLE, what was anchored was changed in the database.
        """
        with reading(self._engine) as connection:
            found = self._newest_final(connection)
            if found is None:
                return None
            row, anchor = found
            state = self._state(connection, row)
        if relationship not in state.logs:
            return None
        count, head = state.logs[relationship]
        return LogProof(
            relationship=relationship,
            count=count,
            head=head,
            siblings=state.map.proof(relationship),
            anchor=anchor,
        )

    def _append(self, root: Digest) -> Receipt:
        """Append a root where the stream ends.

        An earlier append may be on its way still: once it is there, the stream ends elsewhere.
        """
        while True:
            previous = self._ledger.head_of(self._steward, AUDIT_TOPIC)
            action = actions.append(
                self._contracts,
                account=self._steward,
                by=self._sender.address,
                topic=AUDIT_TOPIC,
                previous=previous,
                root=root,
            )
            try:
                return actions.submit(self._sender, action, purpose=f"log:{hex_digest(root)}")
            except ContractReverted:
                self._ledger.sync()
                if self._ledger.head_of(self._steward, AUDIT_TOPIC) == previous:
                    raise

    def _newest_final(self, connection: Connection) -> tuple[Row[Any], Anchor] | None:
        """The newest state kept whose root the chain has for good."""
        for row in _kept(connection):
            anchor = self._ledger.anchor_of(self._steward, AUDIT_TOPIC, digest(row.root))
            if anchor is not None:
                return row, anchor
        return None

    def _newest_sent(self) -> int | None:
        """The newest state kept whose root the chain has, final or not."""
        on_chain = [each.root for each in self._ledger.anchors(self._steward, AUDIT_TOPIC)]
        with reading(self._engine) as connection:
            kept = {digest(row.root): int(row.id) for row in reversed(_kept(connection))}
        if on_chain and on_chain[-1] not in kept:
            _log.warning(
                "the chain holds a later state of the logs than this database: it is an older "
                "backup, or was changed; what was logged since is lost, and patients are shown so"
            )
        return max((kept[root] for root in on_chain if root in kept), default=None)

    def _state(self, connection: Connection, row: Row[Any]) -> _State:
        """A state that was kept. Nothing but what its root says is ever taken for it.

        It is put together once for each root, also where several ask at once.
        """
        root = digest(row.root)
        with self._lock:
            if self._last is None or self._last.map.root != root:
                logs = _snapshot(connection, row.id)
                state = _State(logs=logs, map=_map(logs))
                if state.map.root != root:
                    raise AccessRefused(
                        Refusal.RECORD_UNVERIFIABLE,
                        "What was anchored of the logs was changed in the database: tell the"
                        " steward.",
                    )
                self._last = state
            return self._last

    def _prune(self) -> None:
        """Delete the states that are older than the newest one that is final."""
        with reading(self._engine) as connection:
            found = self._newest_final(connection)
        if found is None:
            return
        older = audit_anchor.c.topic == AUDIT_TOPIC, audit_anchor.c.id < found[0].id
        with reading(self._engine) as connection:
            if connection.execute(select(audit_anchor.c.id).where(*older).limit(1)).first() is None:
                return
        with writing(self._engine) as connection:
            connection.execute(delete(audit_anchor).where(*older))


def _kept(connection: Connection) -> list[Row[Any]]:
    """The states that are kept, newest first: a few, since older ones are deleted."""
    return list(
        connection.execute(
            select(audit_anchor.c.id, audit_anchor.c.root)
            .where(audit_anchor.c.topic == AUDIT_TOPIC)
            .order_by(audit_anchor.c.id.desc())
        )
    )


def _logs_now(connection: Connection) -> Logs:
    last = (
        select(audit_entry.c.relationship, func.max(audit_entry.c.number).label("number"))
        .group_by(audit_entry.c.relationship)
        .subquery()
    )
    rows = connection.execute(
        select(audit_entry.c.relationship, audit_entry.c.number, audit_entry.c.head).join(
            last,
            (audit_entry.c.relationship == last.c.relationship)
            & (audit_entry.c.number == last.c.number),
        )
    )
    return {digest(row.relationship): (row.number, digest(row.head)) for row in rows}


def _snapshot(connection: Connection, anchor_id: int) -> Logs:
    rows = connection.execute(
        select(
            audit_anchor_entry.c.relationship, audit_anchor_entry.c.count, audit_anchor_entry.c.head
        ).where(audit_anchor_entry.c.anchor_id == anchor_id)
    )
    return {digest(row.relationship): (row[1], digest(row.head)) for row in rows}


def _keep(connection: Connection, topic: Digest, root: Digest, logs: Logs, *, at: datetime) -> None:
    prepared = insert(audit_anchor).values(topic=topic, root=root, prepared_at=at)
    anchor_id = connection.execute(prepared.returning(audit_anchor.c.id)).scalar_one()
    connection.execute(
        insert(audit_anchor_entry),
        [
            {"anchor_id": anchor_id, "relationship": relationship, "count": count, "head": head}
            for relationship, (count, head) in logs.items()
        ],
    )


def _map(logs: Logs) -> SparseMap:
    return SparseMap({key: log_leaf(count, head) for key, (count, head) in logs.items()})
