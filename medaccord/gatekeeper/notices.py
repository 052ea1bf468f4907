"""The outbox of notices: written in the transaction of what they tell of, kept for thirty days.

So a notice is there exactly when what it tells of is, whatever is killed when. Ids grow in the
order in which notices become visible, since the database has one writer at a time: whoever reads on
after the last id it saw misses none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, Engine, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from medaccord.chain.network import Clock
from medaccord.core.identifiers import Address
from medaccord.core.notices import Notice, NoticeKind
from medaccord.store import reading, writing
from medaccord.store.tables import notice

KEPT: Final = timedelta(days=30)
"""How long a notice is kept; what happened longer ago is told to nobody."""

MAX_PAGE: Final = 500
"""Notices on one page, inclusive."""

_INSERTS: Final = {
    "sqlite": sqlite.insert(notice).on_conflict_do_nothing(),
    "postgresql": postgresql.insert(notice).on_conflict_do_nothing(),
}

_DELETED_AT_ONCE: Final = 500
"""So that nobody who writes waits long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What somebody is told; the fields are the arguments of `Notices.add`."""

    account: Address
    kind: NoticeKind
    subject: str
    actor: Address | None
    at: datetime


class Notices:
    """Takes notices in, and tells each account its own."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        """Keep them in a database, by a clock."""
        self._engine = engine
        self._clock = clock

    def add(
        self,
        connection: Connection,
        *,
        account: Address,
        kind: NoticeKind,
        subject: str,
        actor: Address | None,
        at: datetime,
    ) -> None:
        """Tell an account of something, once: the same again changes nothing.

        Args:
            connection: the transaction that writes what is told of.
            account: who is told: a patient enrolled here, or an organisation.
            kind: of what.
            subject: what it is about, as the kind says.
            actor: the account that did it.
            at: when it happened.
        """
        self.add_all(
            connection,
            [Told(account=account, kind=kind, subject=subject, actor=actor, at=at)],
        )

    def add_all(self, connection: Connection, told: Sequence[Told]) -> None:
        """As `add`, of several, in their order and at the cost of one."""
        rows = [
            {
                "account": each.account,
                "kind": each.kind.value,
                "subject": each.subject,
                "actor": each.actor,
                "at": each.at,
            }
            for each in told
        ]
        if rows:
            connection.execute(_INSERTS[connection.dialect.name], rows)

    def after(self, account: Address, last: int, *, count: int = MAX_PAGE) -> tuple[Notice, ...]:
        """The notices to an account, oldest first.

        Args:
            account: who is told.
            last: id of the last notice not wanted; 0 for all that are kept.
            count: how many at most.
        """
        of_account = notice.c.account == account, notice.c.id > last
        query = select(notice).where(*of_account).order_by(notice.c.id).limit(count)
        with reading(self._engine) as connection:
            rows = connection.execute(query).all()
        return tuple(
            Notice(
                id=row.id,
                account=Address(row.account),
                kind=NoticeKind(row.kind),
                subject=row.subject,
                actor=None if row.actor is None else Address(row.actor),
                at=row.at,
            )
            for row in rows
        )

    def newest(self) -> int:
        """The highest id there is, of whatever account; 0 where there is none."""
        with reading(self._engine) as connection:
            return connection.execute(select(func.max(notice.c.id))).scalar_one() or 0

    def told_since(self, last: int) -> Mapping[Address, int]:
        """Who is told something after an id, with the highest id each."""
        newest = func.max(notice.c.id)
        query = select(notice.c.account, newest).where(notice.c.id > last)
        with reading(self._engine) as connection:
            rows = connection.execute(query.group_by(notice.c.account)).all()
        return {Address(account): upto for account, upto in rows}

    @property
    def floor(self) -> datetime:
        """What happened before this is told to nobody."""
        return self._clock() - KEPT

    def forget_old(self) -> int:
        """Delete what is older than `KEPT`; say how many they were.

        They are looked for from the lowest id on, for no index is kept by time. A block's time may
        be a little behind the clock: a notice may go a little later than it could.
        """
        deleted = 0
        while True:
            oldest = select(notice.c.id, notice.c.at).order_by(notice.c.id).limit(_DELETED_AT_ONCE)
            with reading(self._engine) as connection:
                rows = connection.execute(oldest).all()
            old = [row.id for row in rows if row.at < self.floor]
            if old:
                with writing(self._engine) as connection:
                    connection.execute(delete(notice).where(notice.c.id.in_(old)))
            deleted += len(old)
            if len(old) < _DELETED_AT_ONCE:
                return deleted
