"""The audit log: what was decided, numbered and hash-chained per relationship, before it is told.

An entry is on the disk when `append` returns; only then may the answer it stands for leave. A
crash between the two leaves an entry for an answer nobody got: the log may over-report, it never
under-reports. Entries are sealed to the patient's key and linked by salted commitments, so that
they can be erased and the chain still verifies.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import Connection, Engine, Row, insert, select

from medaccord.chain.network import Clock
from medaccord.core.audit import GENESIS, AuditEntry, chain_head, relationship_key
from medaccord.core.blocks import BlockRef
from medaccord.core.errors import DecryptionFailed, KeyMissing
from medaccord.core.identifiers import Address, Digest, digest
from medaccord.gatekeeper.group_commit import GroupCommit
from medaccord.records import Owner, Sealer
from medaccord.records.sealed_rows import entry_context
from medaccord.store import reading
from medaccord.store.tables import audit_entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What an entry says beside its number, time and salt; the fields are those of `AuditEntry`."""

    requester: Address | None
    by: Address | None
    action: str
    query: str
    outcome: str
    reason: str
    basis: str
    consent: Digest | None
    records: tuple[str, ...]
    block: BlockRef | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whose log an entry belongs to.

    Attributes:
        relationship: key of the log.
        owner: pseudonym whose key the entry is sealed to.
    """

    relationship: Digest
    owner: Owner


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """An entry that is durably in the log.

    Attributes:
        entry: the entry.
        head: head of the log up to and with it.
    """

    entry: AuditEntry
    head: Digest


Along: TypeAlias = Callable[[Connection, Logged], None]
"""Writes rows that must be there exactly when an entry is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    subject: Subject
    event: Event
    along: Along | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPage:
    """A log, or its end.

    Attributes:
        count: number of the last entry in the log; 0 when there is none.
        head: head of the log; 32 zero bytes when there is none.
        entries: those asked for that can be read, by number. One that was changed is left out, as
            one that is not there is: whoever checks the log finds the gap.
        erased: of those that were erased, or whose key was, the commitment, by number: with it the
            log still verifies.
        heads: the head with each entry that is there, by its number.
    """

    count: int
    head: Digest
    entries: tuple[AuditEntry, ...]
    erased: Mapping[int, Digest]
    heads: Mapping[int, Digest]


class AuditLog:
    """Appends to the logs of one steward, and reads them."""

    def __init__(
        self,
        *,
        engine: Engine,
        steward: Address,
        own: Owner,
        sealer: Sealer,
        clock: Clock,
    ) -> None:
        self._engine = engine
        self._steward = steward
        self._own = own
        self._sealer = sealer
        self._clock = clock
        self._together = GroupCommit(engine, self._write)

    def subject(self, patient: Address, owner: Owner) -> Subject:
        """The log of the relationship with an enrolled patient."""
        return Subject(relationship=relationship_key(self._steward, patient), owner=owner)

    def own(self) -> Subject:
        """The steward's own log: of requests that concern no patient of its."""
        return self.subject(self._steward, self._own)

    @property
    def waiting(self) -> int:
        """How many entries wait for the transaction that is being written."""
        return self._together.waiting

    def append(self, subject: Subject, event: Event, *, along: Along | None = None) -> Logged:
        """Write the next entry of a log; it is on the disk when this returns.

        Entries that are appended at the same time are written together.

        Args:
            subject: whose log.
            event: what the entry says.
            along: called within the transaction, once the entry is written. It may be called again
                where that was taken back for somebody else's fault: all it does is to write rows.
                It must not append itself.

        Raises:
            KeyMissing: the patient's key was erased.
            StoreFailed: the entry is not in the log, and nothing may be released for it. Where the
                connection was lost at the end it may be there all the same.
            Exception: whatever `along` raises; then the entry is not in the log either.
        """
        return self._together.add(_Asked(subject=subject, event=event, along=along))

    def _write(self, connection: Connection, batch: Sequence[_Asked]) -> list[Logged]:
        ends: dict[Digest, tuple[int, Digest]] = {}
        rows, written = [], []
        for each in batch:
            relationship = each.subject.relationship
            if relationship not in ends:
                ends[relationship] = _last(connection, relationship)
            count, head = ends[relationship]
            entry = self._entry(count + 1, each)
            head = chain_head(head, entry.number, entry.commitment)
            ends[relationship] = entry.number, head
            rows.append(self._row(entry, head, each.subject.owner))
            written.append(Logged(entry=entry, head=head))
        connection.execute(insert(audit_entry), rows)
        for asked, logged in zip(batch, written, strict=True):
            if asked.along is not None:
                asked.along(connection, logged)
        return written

    def _entry(self, number: int, asked: _Asked) -> AuditEntry:
        event = asked.event
        return AuditEntry(
            number=number,
            relationship=asked.subject.relationship,
            at=self._clock(),
            requester=event.requester,
            by=event.by,
            action=event.action,
            query=event.query,
            outcome=event.outcome,
            reason=event.reason,
            basis=event.basis,
            consent=event.consent,
            records=event.records,
            block=event.block,
            salt=digest(os.urandom(32)),
        )

    def _row(self, entry: AuditEntry, head: Digest, owner: Owner) -> dict[str, Any]:
        # Sealed here and not before: the seal is bound to the number, and a key looked up before
        # the transaction may have been retired since.
        context = entry_context(entry.relationship, entry.number)
        return {
            "relationship": entry.relationship,
            "number": entry.number,
            "patient_ref": owner,
            "at": entry.at,
            "commitment": entry.commitment,
            "head": head,
            **self._sealer.seal(owner, entry.document_bytes, context),
        }

    def read(self, subject: Subject, after: int = 0) -> LogPage:
        """Read a log, as it stands in the database: whoever reads it checks it.

        Args:
            subject: whose.
            after: number of the last entry not wanted; 0 for all.
        """
        with reading(self._engine) as connection:
            count, head = _last(connection, subject.relationship)
            rows = connection.execute(
                select(audit_entry)
                .where(
                    audit_entry.c.relationship == subject.relationship,
                    audit_entry.c.number > after,
                )
                .order_by(audit_entry.c.number)
            ).all()
        entries, erased = [], {}
        for row in rows:
            with suppress(DecryptionFailed):
                try:
                    entries.append(self._open(row))
                except KeyMissing:
                    erased[row.number] = digest(row.commitment)
        return LogPage(
            count=count,
            head=head,
            entries=tuple(entries),
            erased=erased,
            heads={row.number: digest(row.head) for row in rows},
        )

    def _open(self, row: Row[Any]) -> AuditEntry:
        place = entry_context(digest(row.relationship), row.number)
        if not row.ciphertext:
            raise KeyMissing("this entry was erased")
        try:
            opened = self._sealer.open(Owner(row.patient_ref), row._mapping, place)
        except KeyMissing:
            # Its key was retired since we read it, and the row wrapped to a newer one before that.
            with reading(self._engine) as connection:
                same = select(audit_entry).where(
                    audit_entry.c.relationship == row.relationship,
                    audit_entry.c.number == row.number,
                )
                again = connection.execute(same).one()
            if again.key_generation == row.key_generation:
                raise
            return self._open(again)
        return AuditEntry.parse(opened)


def _last(connection: Connection, relationship: Digest) -> tuple[int, Digest]:
    row = connection.execute(
        select(audit_entry.c.number, audit_entry.c.head)
        .where(audit_entry.c.relationship == relationship)
        .order_by(audit_entry.c.number.desc())
        .limit(1)
    ).first()
    return (0, GENESIS) if row is None else (row.number, digest(row.head))
