"""Webhooks: where an account wants its notices posted, each with a secret that signs them.

A webhook counts as long as the key that made it may still read for its account: what a delegate
set up ends with the delegation. While guardians recover an account, its controller is told on, so
that it learns of a recovery it did not ask for; what others set up waits. Address and secret are
sealed to the steward's own key.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, delete, func, insert, select, update

from medaccord.core.errors import AccessRefused
from medaccord.core.identifiers import Address, address
from medaccord.core.webhook_signatures import secret_text
from medaccord.gatekeeper.errors import Conflict, NotFound
from medaccord.gatekeeper.foundation import Foundation
from medaccord.gatekeeper.posting import Posting
from medaccord.gatekeeper.recipients import Recipients
from medaccord.gatekeeper.tokens import Session, Tokens
from medaccord.records.sealed_rows import WEBHOOKS
from medaccord.records.sealer import Columns, SealedColumns
from medaccord.store import reading, writing
from medaccord.store.tables import webhook

MAX_WEBHOOKS: Final = 5
"""Webhooks that one account may have, inclusive."""

_SECRET_BYTES: Final = 32
_ID_BYTES: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """Where an account is told, and how far it was.

    Attributes:
        id: names it.
        account: who is told.
        url: where.
        by: the key that made it; as of `Session`.
        key: thumbprint of the key of the profile that made it; as of `Session`.
        made_at: when it was made; what was told before is not posted.
        delivered_upto: id of the last notice it took.
        failures: tries in a row that failed.
        next_at: when the next try may be.
        stopped_at: when it was given up; None while it is in use.
    """

    id: str
    account: Address
    url: str
    by: Address
    key: str | None
    made_at: datetime
    delivered_upto: int
    failures: int
    next_at: datetime
    stopped_at: datetime | None


class Webhooks:
    """Makes, shows, resumes and deletes them."""

    def __init__(self, base: Foundation, *, tokens: Tokens, posting: Posting) -> None:
        """Have them posted to as `posting` allows."""
        self._engine = base.engine
        self._clock = base.clock
        self._notices = base.notices
        self._names = base.names
        self._sealer = base.sealer
        self._standing = base.standing
        self._tokens = tokens
        self._recipients = Recipients(base)
        self._posting = posting

    def make(self, session: Session, url: str) -> tuple[Webhook, str]:
        """Post the notices of whoever is signed in to an address from now on.

        Returns:
            The webhook, and the secret that signs what is posted; it is told this once.

        Raises:
            AccessRefused: UNKNOWN_PATIENT, nobody whom anything is told here.
            Conflict: there are as many of the account's as there may be.
            InvalidRequest: the address cannot be posted to.
        """
        self._posting.check(url)
        secret, now = secret_text(os.urandom(_SECRET_BYTES)), self._clock()
        webhook_id = os.urandom(_ID_BYTES).hex()
        row = {
            "id": webhook_id,
            "account": session.account,
            "made_at": now,
            "delivered_upto": self._notices.newest(),
            "failures": 0,
            "next_at": now,
        }
        with writing(self._engine) as connection:
            self._recipients.require(session.account)  # now: an erasure may have come in between
            of_account = webhook.c.account == session.account
            count = select(func.count()).select_from(webhook).where(of_account)
            if connection.execute(count).scalar_one() >= MAX_WEBHOOKS:
                raise Conflict(f"an account has at most {MAX_WEBHOOKS} webhooks: delete one")
            sealed = self._seal(session, row, url, secret)
            connection.execute(insert(webhook).values(**row, **sealed))
        return self.get(session, webhook_id), secret

    def list(self, session: Session) -> tuple[Webhook, ...]:
        """Those of whoever is signed in, oldest first."""
        of_account = webhook.c.account == session.account
        query = select(webhook).where(of_account).order_by(webhook.c.made_at, webhook.c.id)
        with reading(self._engine) as connection:
            rows = connection.execute(query).all()
        return tuple(self._read(row)[0] for row in rows)

    def get(self, session: Session, webhook_id: str) -> Webhook:
        """One of whoever is signed in.

        Raises:
            NotFound: it has none with this id.
        """
        return self._own(session, webhook_id)[0]

    def delete(self, session: Session, webhook_id: str) -> None:
        """Post nothing there any more. Errors as `get`."""
        with writing(self._engine) as connection:
            gone = connection.execute(delete(webhook).where(*_of(session, webhook_id))).rowcount
        if not gone:
            raise _unknown()

    def resume(self, session: Session, webhook_id: str) -> Webhook:
        """Post there again, from the first notice on that it did not take and that is still kept.

        It counts from now on as made by the key that is signed in. Errors as `get`.
        """
        known, secret = self._own(session, webhook_id)
        values = {"failures": 0, "next_at": self._clock(), "stopped_at": None}
        with writing(self._engine) as connection:
            sealed = self._seal(session, {"id": known.id}, known.url, secret)
            again = update(webhook).where(*_of(session, webhook_id))
            connection.execute(again.values(**values, **sealed))
        return self.get(session, webhook_id)

    def open(self, row: Row[Any]) -> tuple[str, str] | None:
        """Address and secret of a row, to post there; None where that ended with its key.

        Raises:
            AccessRefused: CHAIN_UNREACHABLE and its like, whether it ended cannot be told now;
                NOT_SIGNED_IN, its account is being recovered, and its key is not the controller.
            DecryptionFailed: the row was changed.
            KeyMissing: the key that it is sealed to is not here.
        """
        known, secret = self._read(row)
        self._standing.require_fresh()
        try:
            self._tokens.require_acting(known.account, known.by, known.key)
        except AccessRefused:
            if not self._standing.in_recovery(known.account):
                return None
            if known.key is not None or not self._standing.controls(known.account, known.by):
                raise
        return known.url, secret

    def _own(self, session: Session, webhook_id: str) -> tuple[Webhook, str]:
        with reading(self._engine) as connection:
            row = connection.execute(select(webhook).where(*_of(session, webhook_id))).first()
        if row is None:
            raise _unknown()
        return self._read(row)

    def _seal(self, session: Session, row: Columns, url: str, secret: str) -> SealedColumns:
        content = {"url": url, "secret": secret, "by": session.by, "key": session.key}
        sealed = json.dumps(content).encode()
        return self._sealer.seal(self._names.steward, sealed, WEBHOOKS.context(row))

    def _read(self, row: Row[Any]) -> tuple[Webhook, str]:
        context = WEBHOOKS.context(row._mapping)
        content: Mapping[str, Any] = json.loads(
            self._sealer.open(self._names.steward, row._mapping, context)
        )
        known = Webhook(
            id=row.id,
            account=Address(row.account),
            url=content["url"],
            by=address(content["by"]),
            key=content["key"],
            made_at=row.made_at,
            delivered_upto=row.delivered_upto,
            failures=row.failures,
            next_at=row.next_at,
            stopped_at=row.stopped_at,
        )
        return known, content["secret"]


def _of(session: Session, webhook_id: str) -> tuple[Any, Any]:
    return webhook.c.id == webhook_id, webhook.c.account == session.account


def _unknown() -> NotFound:
    return NotFound("you have no webhook of that id here")
