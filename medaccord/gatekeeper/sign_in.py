"""Signing in with a key: a message to sign once, then a token that is good for minutes.

A token speaks for an account, for one purpose of use. It is checked against the ledger at every
use, so that it dies with the delegation it was given under. Asking for a message leaves nothing
here, so nobody can fill the disk with it: the nonce carries a mark of this gatekeeper over all that
the message says. A nonce serves once; of nonces and tokens the database has hashes alone.

Source: EIP-4361 (the message), RFC 6750 (bearer tokens), ERC-1271 (wallets that are contracts).
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from fastapi import APIRouter, Request
from sqlalchemy import Connection, delete, insert, select

from medaccord.chain.network import Clock
from medaccord.chain.powers import Power
from medaccord.core.errors import AccessRefused, SignatureMismatch
from medaccord.core.identifiers import AccountId, Address, address
from medaccord.core.purposes import Purpose
from medaccord.core.refusals import Refusal
from medaccord.core.sign_in import SignInMessage
from medaccord.gatekeeper.foundation import Foundation
from medaccord.gatekeeper.wire import AddressField, Form, SignatureField, time_text
from medaccord.store import reading, writing
from medaccord.store.tables import spent_nonce, token

CHALLENGE_LIFE: Final = timedelta(minutes=5)
"""How long a message may be signed and handed in; its end is excluded."""

TOKEN_LIFE: Final = timedelta(minutes=10)
"""How long a token is good; its end is excluded."""


_NONCE_BYTES: Final = 16
"""Of what is drawn, and again of the mark over it: the nonce is both in hexadecimal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Who is asking.

    Attributes:
        account: the account acted for.
        by: the key that signed in: its controller, or a delegate with the power READ.
        purpose: what it may be used for.
        expires_at: when the token ends, exclusive.
    """

    account: Address
    by: Address
    purpose: Purpose
    expires_at: datetime


class SignIn:
    """Gives out challenges and tokens, and says whom a token speaks for."""

    def __init__(self, base: Foundation, *, url: str) -> None:
        """Answer at an address, without a slash at its end; people sign in to it and no other."""
        self._url = url
        self._domain = urlsplit(url).netloc
        self._chain_id = base.network.chain_id
        self._registry = address(base.contracts.registry.address)
        self._engine = base.engine
        self._standing = base.standing
        self._secret = base.secret_for("sign-in")

    @property
    def _clock(self) -> Clock:
        return self._standing.clock

    def challenge(self, account: Address, by: Address, purpose: Purpose) -> str:
        """Write a message that `by` may sign to speak for `account`, once, within five minutes."""
        expires = self._clock().replace(microsecond=0) + CHALLENGE_LIFE
        drawn = secrets.token_hex(_NONCE_BYTES)
        return self._message(account, by, purpose, drawn, expires).text()

    def redeem(self, text: str, signature: bytes) -> tuple[str, Session]:
        """Take a signed message for a token.

        The text must be, byte for byte, one that `challenge` wrote: so its domain, URI, chain,
        account and times are this gatekeeper's own. Each counts once, also of two at a time.

        Raises:
            AccessRefused: NOT_SIGNED_IN, for whatever does not fit; CHAIN_UNREACHABLE and its like
                when it cannot be known whether `by` still acts for the account.
            InvalidSignIn: the text is no EIP-4361 message.
        """
        message = SignInMessage.parse(text)
        self._check_issued(message, text)
        account = message.account.address
        try:
            self._standing.check_text(message.address, text, signature)
        except SignatureMismatch as error:
            raise _refused("the message is not signed by the key it names") from error
        self._standing.require_fresh()
        if not self._standing.authorised(account, message.address, Power.READ):
            raise _refused("this key does not act for this account, or not to read")
        bearer = secrets.token_urlsafe(32)
        now = self._clock()
        session = Session(
            account=account,
            by=message.address,
            purpose=message.purpose,
            expires_at=now + TOKEN_LIFE,
        )
        with writing(self._engine) as connection:
            if now >= message.expiration_time or not _spend(
                connection, message.nonce, message.expiration_time, now
            ):
                raise _refused("this message was used before, or is too old: ask for a new one")
            connection.execute(delete(token).where(token.c.expires_at <= now))
            connection.execute(
                insert(token).values(
                    hash=_hash(bearer),
                    account=session.account,
                    by=session.by,
                    purpose=session.purpose.value,
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
            raise _refused("sign in first, at /sign-in/challenge, and send the token")
        with reading(self._engine) as connection:
            row = connection.execute(select(token).where(token.c.hash == _hash(bearer))).first()
        if row is None or self._clock() >= row.expires_at:
            raise _refused("the token is unknown or has ended: sign in again")
        self._standing.refresh()
        if not self._standing.authorised(row.account, row.by, Power.READ):
            raise _refused("the key that signed in no longer acts for this account")
        return Session(
            account=row.account,
            by=row.by,
            purpose=Purpose(row.purpose),
            expires_at=row.expires_at,
        )

    def fresh_session(self, request: Request) -> Session:
        """As `session`, and the ledger is known to be up to date.

        Raises:
            AccessRefused: also CHAIN_UNREACHABLE and its like.
        """
        session = self.session(request)
        self._standing.require_fresh()
        return session

    def _check_issued(self, message: SignInMessage, text: str) -> None:
        expires = message.expiration_time
        drawn = message.nonce[: 2 * _NONCE_BYTES]
        given = self._message(
            message.account.address, message.address, message.purpose, drawn, expires
        )
        if not hmac.compare_digest(text.encode(), given.text().encode()):
            raise _refused("this is not the message that was given out: sign it unchanged")
        if self._clock() >= expires:
            raise _refused("this message was used before, or is too old: ask for a new one")

    def _message(
        self, account: Address, by: Address, purpose: Purpose, drawn: str, expires: datetime
    ) -> SignInMessage:
        said = f"{self._url} {account} {by} {purpose} {drawn} {int(expires.timestamp())}"
        mark = hmac.new(self._secret, said.encode(), hashlib.sha256).hexdigest()
        return SignInMessage(
            domain=self._domain,
            address=by,
            uri=self._url,
            chain_id=self._chain_id,
            nonce=drawn + mark[: 2 * _NONCE_BYTES],
            issued_at=expires - CHALLENGE_LIFE,
            expiration_time=expires,
            account=AccountId(chain_id=self._chain_id, address=account),
            registry=self._registry,
            purpose=purpose,
        )


class ChallengeForm(Form):
    """Body of POST /sign-in/challenge."""

    account: AddressField
    by: AddressField
    purpose: Purpose | None = None


class SignInForm(Form):
    """Body of POST /sign-in."""

    message: str
    signature: SignatureField


def routes(sign_in: SignIn) -> APIRouter:
    """POST /sign-in/challenge and POST /sign-in."""
    router = APIRouter()

    @router.post("/sign-in/challenge")
    def challenge(form: ChallengeForm) -> dict[str, Any]:
        return {"message": sign_in.challenge(form.account, form.by, form.purpose or Purpose.TREAT)}

    @router.post("/sign-in")
    def redeem(form: SignInForm) -> dict[str, Any]:
        bearer, session = sign_in.redeem(form.message, form.signature)
        return {
            "token": bearer,
            "expiresAt": time_text(session.expires_at),
            "account": str(session.account),
            "purpose": session.purpose.value,
        }

    return router


def _spend(connection: Connection, nonce: str, expires: datetime, now: datetime) -> bool:
    """Use up what may be used once; False where it was used before."""
    connection.execute(delete(spent_nonce).where(spent_nonce.c.expires_at <= now))
    row = {"hash": _hash(nonce), "expires_at": expires}
    known = select(spent_nonce.c.hash).where(spent_nonce.c.hash == row["hash"])
    if connection.execute(known).first() is not None:
        return False
    connection.execute(insert(spent_nonce).values(**row))
    return True


def _hash(bearer: str) -> bytes:
    return hashlib.sha256(bearer.encode()).digest()


def _refused(detail: str) -> AccessRefused:
    return AccessRefused(Refusal.NOT_SIGNED_IN, detail)
