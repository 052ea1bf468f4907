"""Bearer tokens: who asks, for which account and purpose, for minutes.

However somebody signed in, the token is given out and checked here. It is checked against the
ledger at every use, so that it dies with the key or the delegation it was given under. What is
signed for it counts once; of that and of tokens the database has hashes alone.

Source: RFC 6750 (bearer tokens).
"""

import hashlib
import secrets
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Final

from fastapi import Request
from sqlalchemy import Connection, bindparam, delete, insert, select

from medaccord.chain.powers import Power
from medaccord.core.errors import AccessRefused
from medaccord.core.identifiers import Address
from medaccord.core.purposes import Purpose
from medaccord.core.refusals import Refusal
from medaccord.gatekeeper.directory import Directory
from medaccord.gatekeeper.foundation import Foundation
from medaccord.store import reading, writing
from medaccord.store.tables import spent_nonce, token

TOKEN_LIFE: Final = timedelta(minutes=10)
"""How long a token is good; its end is excluded."""

SCOPE: Final = "system/*.rs"
"""What a token is for, in SMART's words. What it opens, the patients' consents say."""

_KNOWN: Final = 10_000
"""Tokens kept in mind, inclusive: some 500 bytes each."""

_REMEMBERED: Final = timedelta(minutes=10)
"""How long past its end what was used is remembered: another process's clock may be behind ours."""

_ONCE: Final = "this was used before, or is too old: sign a new one"

_RECOVERING: Final = (
    "guardians are handing this account to another key: until that is over its keys may revoke and"
    " close, and not read. Whoever did not ask for it stops it together with one guardian"
)

_TOKEN: Final = select(token).where(token.c.hash == bindparam("of"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Who is asking.

    Attributes:
        account: the account acted for.
        by: the key that signed in, its controller or a delegate with the power READ; the account
            itself where it signed in with a key of its profile.
        purpose: what it may be used for.
        key: RFC 7638 thumbprint of the key of its profile; None where `by` is what signed.
        expires_at: when the token ends, exclusive.
    """

    account: Address
    by: Address
    purpose: Purpose
    key: str | None = None
    expires_at: datetime


class Tokens:
    """Gives out tokens, and says whom one speaks for."""

    def __init__(self, base: Foundation, *, directory: Directory) -> None:
        self._engine = base.engine
        self._standing = base.standing
        self._directory = directory
        self._lock = Lock()
        self._known: OrderedDict[bytes, Session] = OrderedDict()

    def give(
        self,
        *,
        account: Address,
        by: Address,
        purpose: Purpose,
        key: str | None = None,
        once: str,
        until: datetime,
    ) -> tuple[str, Session]:
        """Give a token for what was signed, if this is the first time it is handed in.

        Args:
            account: the account acted for.
            by: the key that signed; see `Session`.
            purpose: what it may be used for.
            key: thumbprint of the key of its profile; see `Session`.
            once: names what was signed; it counts once, also of two at a time.
            until: when what was signed ends, exclusive.

        Raises:
            AccessRefused: NOT_SIGNED_IN, it was handed in before, or has ended.
        """
        with reading(self._engine) as connection:  # who hands in again makes no writer wait
            if _is_spent(connection, once):
                raise refused(_ONCE)
        bearer = secrets.token_urlsafe(32)
        now = self._standing.clock()
        session = Session(
            account=account, by=by, purpose=purpose, key=key, expires_at=now + TOKEN_LIFE
        )
        with writing(self._engine) as connection:
            if now >= until or not _spend(connection, once, until, now):
                raise refused(_ONCE)
            connection.execute(delete(token).where(token.c.expires_at <= now))
            connection.execute(
                insert(token).values(
                    hash=_hash(bearer),
                    account=account,
                    by=by,
                    key=key,
                    purpose=purpose.value,
                    expires_at=session.expires_at,
                )
            )
        return bearer, session

    def session(self, request: Request) -> Session:
        """Say whom the bearer token of a request speaks for, by what the ledger knows now.

        The ledger may be out of date; what is answered to a session must see to that (`decide`
        does; everything else asks `fresh_session`).

        Raises:
            AccessRefused: NOT_SIGNED_IN, there is no token, it ended, or its key no longer acts
                for the account.
        """
        scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not bearer:
            raise refused("sign in first, at /sign-in/challenge, and send the token")
        session = self._given(_hash(bearer))
        if session is None or self._standing.clock() >= session.expires_at:
            raise refused("the token is unknown or has ended: sign in again")
        self._standing.refresh()
        self.require_acting(session.account, session.by, session.key)
        return session

    def _given(self, hashed: bytes) -> Session | None:
        """What a token was given out for, which no token ever changes; None where it was not.

        Nothing takes a token back before its end: it is worth nothing by itself. A patient who was
        erased is nobody's patient any more, and an account that a key lost is not that key's.
        """
        with self._lock:
            known = self._known.get(hashed)
        if known is not None:
            return known
        with reading(self._engine) as connection:
            row = connection.execute(_TOKEN, {"of": hashed}).first()
        if row is None:
            return None
        session = Session(
            account=row.account,
            by=row.by,
            purpose=Purpose(row.purpose),
            key=row.key,
            expires_at=row.expires_at,
        )
        with self._lock:
            self._known[hashed] = session
            while len(self._known) > _KNOWN:
                self._known.popitem(last=False)
        return session

    def require_acting(self, account: Address, by: Address, key: str | None) -> None:
        """Refuse what signed in where it no longer acts for its account; fields as of `Session`.

        Raises:
            AccessRefused: NOT_SIGNED_IN.
        """
        if key is not None:
            if not self._directory.carries(account, key):
                raise refused("the profile in force no longer has the key that signed in")
        elif not self._standing.authorised(account, by, Power.READ):
            raise self.refused_key(
                account, "the key that signed in no longer acts for this account"
            )

    def refused_key(self, account: Address, detail: str) -> AccessRefused:
        """A key may not read for an account: since a recovery runs, or as `detail` says."""
        return refused(_RECOVERING if self._standing.in_recovery(account) else detail)

    def fresh_session(self, request: Request) -> Session:
        """As `session`, and the ledger is known to be up to date.

        Raises:
            AccessRefused: also CHAIN_UNREACHABLE and its like.
        """
        session = self.session(request)
        self._standing.require_fresh()
        return session


def refused(detail: str) -> AccessRefused:
    """Somebody is not signed in, and what to do about it."""
    return AccessRefused(Refusal.NOT_SIGNED_IN, detail)


def _spend(connection: Connection, once: str, until: datetime, now: datetime) -> bool:
    """Use up what may be used once; False where it was used before."""
    connection.execute(delete(spent_nonce).where(spent_nonce.c.expires_at <= now - _REMEMBERED))
    if _is_spent(connection, once):
        return False
    connection.execute(insert(spent_nonce).values(hash=_hash(once), expires_at=until))
    return True


def _is_spent(connection: Connection, once: str) -> bool:
    known = select(spent_nonce.c.hash).where(spent_nonce.c.hash == _hash(once))
    return connection.execute(known).first() is not None


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
