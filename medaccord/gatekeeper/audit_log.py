"""The audit log: what was decided, numbered and hash-chained per relationship, before it is told.

An entry is on the disk when `append` returns; only then may the answer it stands for leave. A
crash between the two leaves an entry for an answer nobody got: the log may over-report, it never
under-reports. Entries are sealed to the patient's key and linked by salted commitments, so that
they can be erased and the chain still verifies.
"""

import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self, TypeAlias

from sqlalchemy import Connection, Engine, Select, bindparam, insert, select, union_all

from medaccord.chain.network import Clock
from medaccord.core.audit import GENESIS, AuditEntry, chain_head, relationship_key
from medaccord.core.blocks import BlockRef
from medaccord.core.commitments import commit
from medaccord.core.identifiers import Address, Digest, digest
from medaccord.core.notices import NoticeKind
from medaccord.gatekeeper.group_commit import GroupCommit
from medaccord.gatekeeper.notices import Notices, Told
from medaccord.gatekeeper.observing import request_id
from medaccord.records import Owner, Sealer
from medaccord.records.sealed_rows import entry_context
from medaccord.store.tables import audit_entry

_ADD: Final = insert(audit_entry)


def _last(place: int) -> Select[Any]:
    return (
        select(audit_entry.c.relationship, audit_entry.c.number, audit_entry.c.head)
        .where(audit_entry.c.relationship == bindparam(f"of_{place}"))
        .order_by(audit_entry.c.number.desc())
        .limit(1)
    )


_AT_ONCE: Final = 8
_LAST: Final = union_all(*(select(_last(place).subquery()) for place in range(_AT_ONCE)))
"""The last lines of several logs: each round trip to a server makes every writer wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What an entry says beside its number, time and salt; the fields are those of `AuditEntry`.

    Unless it is told otherwise, it rested on no consent, and no record was released.
    The id of the request is that of the one being answered here and now, if there is one.
    """

    requester: Address | None
    by: Address | None
    action: str
    query: str
    outcome: str
    reason: str
    basis: str = ""
    consent: Digest | None = None
    records: tuple[str, ...] = ()
    block: BlockRef | None
    request: str | None = field(default_factory=request_id)

    @classmethod
    def by_steward(
        cls,
        steward: Address,
        action: str,
        *,
        query: str,
        outcome: str,
        reason: str = "",
        block: BlockRef | None,
    ) -> Self:
        """What the steward itself did, on its own account: no consent, and no record named.

        Args:
            steward: its account.
            action: what it did.
            query: what with.
            outcome: "released", "refused" or "done".
            reason: why it was refused; empty where it was not.
            block: where the chain stood.
        """
        return cls(
            requester=steward,
            by=None,
            action=action,
            query=query,
            outcome=outcome,
            reason=reason,
            block=block,
        )


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
        commitment: the entry's.
        head: head of the log up to and with it.
    """

    entry: AuditEntry
    commitment: Digest
    head: Digest


Along: TypeAlias = Callable[[Connection, Logged], None]
"""Writes rows that must be there exactly when an entry is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    subject: Subject
    event: Event
    tells: Address | None
    along: Along | None


class AuditLog:
    """Appends to the logs of one steward; `log_pages` reads them."""

    def __init__(
        self,
        *,
        engine: Engine,
        steward: Address,
        own: Owner,
        sealer: Sealer,
        clock: Clock,
        told: Callable[[int, float], object] = lambda entries, seconds: None,
    ) -> None:
        """Write to a database; `told` is told of each commit, how many entries in what time."""
        self._notices = Notices(engine, clock)
        self._engine = engine
        self._steward = steward
        self._own = own
        self._sealer = sealer
        self._clock = clock
        self._together = GroupCommit(engine, self._write, told=told)

    def subject(self, patient: Address, owner: Owner) -> Subject:
        """The log of the relationship with an enrolled patient."""
        return Subject(relationship=relationship_key(self._steward, patient), owner=owner)

    def own(self) -> Subject:
        """The steward's own log: of requests that concern no patient of its."""
        return self.subject(self._steward, self._own)

    def append(
        self,
        subject: Subject,
        event: Event,
        *,
        tells: Address | None = None,
        along: Along | None = None,
    ) -> Logged:
        """Write the next entry of a log; it is on the disk when this returns.

        Entries that are appended at the same time are written together.

        Args:
            subject: whose log.
            event: what the entry says.
            tells: the account that gets a notice of it in the same transaction, as of a release.
            along: called within the transaction, once the entry is written. It may be called again
                where that was taken back for somebody else's fault: all it does is to write rows.
                It must not append itself.

        Raises:
            KeyMissing: the patient's key was erased.
            StoreFailed: the entry is not in the log, and nothing may be released for it. Where the
                connection was lost at the end it may be there all the same.
            Exception: whatever `along` raises; then the entry is not in the log either.
        """
        return self._together.add(_Asked(subject=subject, event=event, tells=tells, along=along))

    def _write(self, connection: Connection, batch: Sequence[_Asked]) -> list[Logged]:
        ends = _ends(connection, {each.subject.relationship for each in batch})
        rows, written = [], []
        for each in batch:
            relationship = each.subject.relationship
            count, head = ends[relationship]
            entry = self._entry(count + 1, each)
            document = entry.document_bytes
            commitment = commit(entry.salt, document)
            head = chain_head(head, entry.number, commitment)
            ends[relationship] = entry.number, head
            logged = Logged(entry=entry, commitment=commitment, head=head)
            rows.append(self._row(logged, document, each.subject.owner))
            written.append(logged)
        connection.execute(_ADD, rows)
        self._notices.add_all(
            connection,
            [
                Told(
                    account=asked.tells,
                    kind=NoticeKind.READ,
                    subject=str(logged.entry.number),
                    actor=logged.entry.requester,
                    at=logged.entry.at,
                )
                for asked, logged in zip(batch, written, strict=True)
                if asked.tells is not None
            ],
        )
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
            request=event.request,
        )

    def _row(self, logged: Logged, document: bytes, owner: Owner) -> dict[str, Any]:
        # Sealed here and not before: the seal is bound to the number, and a key looked up before
        # the transaction may have been retired since.
        entry = logged.entry
        context = entry_context(entry.relationship, entry.number)
        return {
            "relationship": entry.relationship,
            "number": entry.number,
            "patient_ref": owner,
            "at": entry.at,
            "commitment": logged.commitment,
            "head": logged.head,
            **self._sealer.seal(owner, document, context),
        }


def last_of(connection: Connection, relationship: Digest) -> tuple[int, Digest]:
    """Number and head of the last line of a log; 0 and `GENESIS` where there is none."""
    return _ends(connection, {relationship})[relationship]


def _ends(connection: Connection, logs: Collection[Digest]) -> dict[Digest, tuple[int, Digest]]:
    """The same of several."""
    ends = dict.fromkeys(logs, (0, GENESIS))
    wanted = list(logs)
    for start in range(0, len(wanted), _AT_ONCE):
        some = wanted[start : start + _AT_ONCE]
        some += [Digest(b"")] * (_AT_ONCE - len(some))  # no log: one statement for all numbers
        rows = connection.execute(_LAST, {f"of_{place}": each for place, each in enumerate(some)})
        ends |= {digest(row.relationship): (row.number, digest(row.head)) for row in rows}
    return ends
