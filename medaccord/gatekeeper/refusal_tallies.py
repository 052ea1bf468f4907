"""Refusals beyond a limit are counted, so that nobody can fill the disk by being refused.

Of what one requester is refused in one log within `SPAN`, the first `LINES` refusals have lines of
their own. Each one after them is counted, in one row: that is on the disk, too, before the answer
leaves. When the span is over, a line says how many there were and since when. Until then the row
tells it, and the patient sees it beside the log. So lines and row together are exact at any moment:
what is counted becomes a line in the same transaction that sets the count back.

A counted refusal has no line of its own, so no receipt can be signed for it: its answer carries
none. Accounts that are no organisation cost nothing to make, so they are counted as one, and so is
whoever does not say who it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, insert, select, update

from medaccord.core.errors import KeyMissing
from medaccord.core.identifiers import Address, Digest, address, digest
from medaccord.core.refusal_count import COUNTED, REPEATED, RefusalCount
from medaccord.gatekeeper.audit_log import Event, Logged, Subject
from medaccord.gatekeeper.foundation import Foundation
from medaccord.gatekeeper.group_commit import GroupCommit
from medaccord.records import Owner
from medaccord.store import reading, writing
from medaccord.store.tables import refusal_tally

LINES: Final = 20
"""Refusals of one requester in one log that have lines of their own within `SPAN`."""

SPAN: Final = timedelta(hours=1)
"""How long refusals are counted before a line tells how many; its end is excluded."""

OTHERS: Final = address("0x" + 40 * "0")
"""In the place of a requester: everybody who is no organisation, or nobody can tell who it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTally:
    """What was counted and has no line yet.

    Attributes:
        requester: who was refused; None for all who are no organisation.
        refusals: how often, and when.
    """

    requester: Address | None
    refusals: RefusalCount


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counted:
    place: _Place
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where refusals are counted: one log, one requester."""

    relationship: Digest
    requester: Address


class _Moved(Exception):
    """Another thread or process changed the tally since it was read."""


class RefusalTallies:
    """Logs refusals one by one up to a limit, and as counts beyond it."""

    def __init__(self, base: Foundation, *, lines: int = LINES, span: timedelta = SPAN) -> None:
        """Count on a foundation; `lines` and `span` as of `LINES` and `SPAN`."""
        self._engine = base.engine
        self._ledger = base.ledger
        self._log = base.log
        self._clock = base.clock
        self._lines = lines
        self._span = span
        self._counting = GroupCommit(base.engine, self._count)

    def append(
        self, subject: Subject, event: Event, *, tells: Address | None = None
    ) -> Logged | None:
        """Log an event, or count it where it is one refusal too many; either is durable then.

        Args:
            subject: whose log.
            event: what happened.
            tells: as of `AuditLog.append`, of what is no refusal.

        Returns:
            The entry; None where it was counted.

        Raises:
            KeyMissing: the patient's key was erased.
            StoreFailed: it is neither logged nor counted, and nothing may be told for it.
        """
        if event.outcome != "refused":
            return self._log.append(subject, event, tells=tells)
        place = _Place(
            relationship=subject.relationship, requester=self._counted_as(event.requester)
        )
        while True:
            now = self._clock()
            tally = self._tally(place)
            try:
                if tally is None or not self._is_over(tally, now):
                    if tally is not None and tally.logged >= self._lines:
                        self._counting.add(_Counted(place=place, at=now))
                        return None
                    return self._line(subject, event, place, now)
                self._close(subject, tally)
            except _Moved:
                continue

    def close(self) -> int:
        """Write the lines of all spans that are over, and forget those without anything to tell.

        Called in the background; several processes may at once.

        Returns:
            How many lines were written.
        """
        now = self._clock()
        with reading(self._engine) as connection:
            over = connection.execute(
                select(refusal_tally).where(refusal_tally.c.since <= now - self._span)
            ).all()
        written = 0
        for tally in over:
            subject = Subject(
                relationship=digest(tally.relationship), owner=Owner(tally.patient_ref)
            )
            try:
                written += self._close(subject, tally)
            except _Moved:  # whoever moved it closed it
                continue
            except KeyMissing:  # the patient was erased meanwhile, and the tally with it
                continue
        return written

    def _counted_as(self, requester: Address | None) -> Address:
        if requester is None or self._ledger.organisation(requester) is None:
            return OTHERS
        return requester

    def _is_over(self, tally: Row[Any], now: datetime) -> bool:
        return bool(now >= tally.since + self._span)

    def _tally(self, place: _Place) -> Row[Any] | None:
        with reading(self._engine) as connection:
            return connection.execute(select(refusal_tally).where(*_at(place))).first()

    def _line(self, subject: Subject, event: Event, place: _Place, now: datetime) -> Logged:
        """Log a refusal in a line of its own; of several at once, a few more than the limit."""

        def along(connection: Connection, _: Logged) -> None:
            live = *_at(place), refusal_tally.c.since > now - self._span
            logged = refusal_tally.c.logged + 1
            more = update(refusal_tally).where(*live).values(logged=logged, last_at=now)
            if connection.execute(more).rowcount:
                return
            if connection.execute(select(refusal_tally).where(*_at(place))).first():
                raise _Moved
            connection.execute(
                insert(refusal_tally).values(
                    relationship=place.relationship,
                    requester=place.requester,
                    patient_ref=subject.owner,
                    since=now,
                    logged=1,
                    counted=0,
                    last_at=now,
                )
            )

        return self._log.append(subject, event, along=along)

    def _count(self, connection: Connection, batch: Sequence[_Counted]) -> list[None]:
        for each in batch:
            live = (
                refusal_tally.c.since > each.at - self._span,
                refusal_tally.c.logged >= self._lines,
            )
            counted = refusal_tally.c.counted + 1
            more = update(refusal_tally).where(*_at(each.place), *live)
            if not connection.execute(more.values(counted=counted, last_at=each.at)).rowcount:
                raise _Moved
        return [None] * len(batch)

    def _close(self, subject: Subject, tally: Row[Any]) -> int:
        """End a span: one line for what was counted in it, or none where nothing was."""
        as_read = (
            refusal_tally.c.relationship == tally.relationship,
            refusal_tally.c.requester == tally.requester,
            refusal_tally.c.since == tally.since,
            refusal_tally.c.counted == tally.counted,
        )

        def forget(connection: Connection) -> None:
            if not connection.execute(delete(refusal_tally).where(*as_read)).rowcount:
                raise _Moved

        if not tally.counted:
            with writing(self._engine) as connection:
                forget(connection)
            return 0
        event = Event(
            requester=_named(tally.requester),
            by=None,
            action=COUNTED,
            query=_refusals(tally).query,
            outcome="refused",
            reason=REPEATED,
            block=self._ledger.tip,
        )
        self._log.append(subject, event, along=lambda connection, _: forget(connection))
        return 1


def open_tallies(connection: Connection, relationship: Digest) -> tuple[OpenTally, ...]:
    """What was counted in a log and has no line yet, as of the transaction that reads the log."""
    rows = connection.execute(
        select(refusal_tally)
        .where(refusal_tally.c.relationship == relationship, refusal_tally.c.counted > 0)
        .order_by(refusal_tally.c.requester)
    ).all()
    return tuple(
        OpenTally(requester=_named(row.requester), refusals=_refusals(row)) for row in rows
    )


def _at(place: _Place) -> tuple[Any, ...]:
    return (
        refusal_tally.c.relationship == place.relationship,
        refusal_tally.c.requester == place.requester,
    )


def _named(requester: str) -> Address | None:
    return None if requester == OTHERS else address(requester)


def _refusals(tally: Row[Any]) -> RefusalCount:
    return RefusalCount(count=tally.counted, since=tally.since, last=tally.last_at)
