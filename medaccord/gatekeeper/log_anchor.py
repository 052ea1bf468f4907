"""Anchoring the audit logs: one root, over a map with exactly one leaf a relationship.

The leaf says how long a log is and what its head is. Once the root is on the chain, whoever shows a
shorter log, or another one, is found out by anybody who holds the proof.

What was to be anchored is kept before it is sent; whether it was, the chain alone says. So a crash
or a lost answer at any moment leaves nothing to repair.
"""

import threading
from datetime import datetime

from sqlalchemy import Connection, func, insert, select

from medaccord.chain import actions
from medaccord.chain.sender import Receipt
from medaccord.core.anchors import Anchor
from medaccord.core.audit import AUDIT_TOPIC, log_leaf
from medaccord.core.identifiers import Digest, digest, hex_digest
from medaccord.core.proofs import LogProof
from medaccord.core.sparse_map import SparseMap
from medaccord.gatekeeper.foundation import Foundation
from medaccord.store import reading, writing
from medaccord.store.tables import audit_anchor, audit_anchor_entry, audit_entry

Logs = dict[Digest, tuple[int, Digest]]
"""Count and head of each log, by its relationship."""


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

    def anchor(self) -> Receipt | None:
        """Append the state of the logs now.

        Returns:
            The receipt; None when nothing was logged since the last time.

        Raises:
            TransportError: the chain is out of reach: call again later.
            ContractReverted: the key may not append for the steward.
        """
        with self._lock:
            self._ledger.sync()
            newest = self._newest()
            with writing(self._engine) as connection:
                logs = _logs_now(connection)
                if logs == ({} if newest is None else _snapshot(connection, newest[0])):
                    return None
                root = _map(logs).root
                _keep(connection, AUDIT_TOPIC, root, logs, at=self._clock())
            action = actions.append(
                self._contracts,
                account=self._steward,
                by=self._sender.address,
                topic=AUDIT_TOPIC,
                previous=self._ledger.head_of(self._steward, AUDIT_TOPIC),
                root=root,
            )
            return actions.submit(self._sender, action, purpose=f"log:{hex_digest(root)}")

    def proof(self, relationship: Digest) -> LogProof | None:
        """What the newest anchored root says of one log; None when none has it."""
        newest = self._newest()
        if newest is None:
            return None
        anchor_id, anchor = newest
        with reading(self._engine) as connection:
            logs = _snapshot(connection, anchor_id)
        if relationship not in logs:
            return None
        count, head = logs[relationship]
        return LogProof(
            relationship=relationship,
            count=count,
            head=head,
            siblings=_map(logs).proof(relationship),
            anchor=anchor,
        )

    def _newest(self) -> tuple[int, Anchor] | None:
        """The newest state kept whose root the chain has."""
        on_chain = {
            anchor.root: anchor for anchor in self._ledger.anchors(self._steward, AUDIT_TOPIC)
        }
        with reading(self._engine) as connection:
            rows = connection.execute(
                select(audit_anchor.c.id, audit_anchor.c.root)
                .where(audit_anchor.c.topic == AUDIT_TOPIC)
                .order_by(audit_anchor.c.id.desc())
            ).all()
        for row in rows:
            if digest(row.root) in on_chain:
                return row.id, on_chain[digest(row.root)]
        return None


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
