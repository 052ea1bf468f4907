"""The audit log: what was decided, numbered and hash-chained per relationship, before it is told.

An entry is on the disk when `append` returns; only then may the answer it stands for leave. A
crash between the two leaves an entry for an answer nobody got: the log may over-report, it never
under-reports. Entries are sealed to the patient's key and linked by salted commitments, so that
they can be erased and the chain still verifies.
"""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, Row, insert, select

from medaccord.chain.network import Clock
from medaccord.core.audit import GENESIS, AuditEntry, chain_head, relationship_key
from medaccord.core.blocks import BlockRef
from medaccord.core.errors import DecryptionFailed, KeyMissing
from medaccord.core.identifiers import Address, Digest, digest
from medaccord.records import Owner, Sealer
from medaccord.records.sealed_rows import entry_context
from medaccord.store import reading, writing
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

    def subject(self, patient: Address, owner: Owner) -> Subject:
        """The log of the relationship with an enrolled patient."""
        return Subject(relationship=relationship_key(self._steward, patient), owner=owner)

    def own(self) -> Subject:
        """The steward's own log: of requests that concern no patient of its."""
        return self.subject(self._steward, self._own)

    def append(self, subject: Subject, event: Event) -> Logged:
        """Write the next entry of a log; it is on the disk when this returns.

        Raises:
            KeyMissing: the patient's key was erased.
        """
        with writing(self._engine) as connection:
            count, head = _last(connection, subject.relationship)
            entry = AuditEntry(
                number=count + 1,
                relationship=subject.relationship,
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
            head = chain_head(head, entry.number, entry.commitment)
            connection.execute(
                insert(audit_entry).values(
                    relationship=subject.relationship,
                    number=entry.number,
                    patient_ref=subject.owner,
                    at=entry.at,
                    commitment=entry.commitment,
                    head=head,
                    **self._sealer.seal(
                        subject.owner,
                        entry.document_bytes,
                        entry_context(subject.relationship, entry.number),
                    ),
                )
            )
        return Logged(entry=entry, head=head)

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
