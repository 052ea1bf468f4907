"""Signing in with a key: a message to sign once, then a token that is good for minutes.

A token speaks for an account. It is checked against the ledger at every use, so that it dies with
the delegation it was given under. Neither nonces nor tokens can be read out of the database: a
nonce serves once, a token is kept as its hash.

Source: EIP-4361 (the message), RFC 6750 (bearer tokens), ERC-1271 (wallets that are contracts).
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from fastapi import APIRouter, Request
from sqlalchemy import Engine, delete, insert, select, update

from medaccord.chain.network import Clock
from medaccord.chain.powers import Power
from medaccord.core.errors import AccessRefused, SignatureMismatch
from medaccord.core.identifiers import AccountId, Address
from medaccord.core.refusals import Refusal
from medaccord.core.sign_in import SignInMessage
from medaccord.gatekeeper.standing import Standing
from medaccord.gatekeeper.wire import AddressField, Form, SignatureField, time_text
from medaccord.store import reading, writing
from medaccord.store.tables import sign_in_nonce, token

CHALLENGE_LIFE: Final = timedelta(minutes=5)
"""How long a message may be signed and handed in; its end is excluded."""

TOKEN_LIFE: Final = timedelta(minutes=10)
"""How long a token is good; its end is excluded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Who is asking.

    Attributes:
        account: the account acted for.
        by: the key that signed in: its controller, or a delegate with the power READ.
        expires_at: when the token ends, exclusive.
    """

    account: Address
    by: Address
    expires_at: datetime


class SignIn:
    """Gives out challenges and tokens, and says whom a token speaks for."""

    def __init__(self, *, url: str, chain_id: int, engine: Engine, standing: Standing) -> None:
        self._url = url
        self._domain = urlsplit(url).netloc
        self._chain_id = chain_id
        self._engine = engine
        self._standing = standing

    @property
    def _clock(self) -> Clock:
        return self._standing.clock

    def challenge(self, account: Address, by: Address) -> str:
        """Write a message that `by` may sign to speak for `account`, once, within five minutes."""
        now = self._clock()
        expires = now.replace(microsecond=0) + CHALLENGE_LIFE
        nonce = secrets.token_hex(16)
        with writing(self._engine) as connection:
            connection.execute(delete(sign_in_nonce).where(sign_in_nonce.c.expires_at <= now))
            connection.execute(
                insert(sign_in_nonce).values(
                    nonce=nonce, account=account, by=by, expires_at=expires
                )
            )
        return self._message(account, by, nonce, expires).text()

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
        account, expires = self._issued(message, text)
        try:
            self._standing.check_text(message.address, text, signature)
        except SignatureMismatch as error:
            raise _refused("the message is not signed by the key it names") from error
        self._standing.require_fresh()
        if not self._standing.authorised(account, message.address, Power.READ):
            raise _refused("this key does not act for this account, or not to read")
        bearer = secrets.token_urlsafe(32)
        now = self._clock()
        session = Session(account=account, by=message.address, expires_at=now + TOKEN_LIFE)
        with writing(self._engine) as connection:
            used = connection.execute(
                update(sign_in_nonce)
                .where(sign_in_nonce.c.nonce == message.nonce, sign_in_nonce.c.used_at.is_(None))
                .values(used_at=now)
            )
            if used.rowcount != 1 or now >= expires:
                raise _refused("this message was used before, or is too old: ask for a new one")
            connection.execute(delete(token).where(token.c.expires_at <= now))
            connection.execute(
                insert(token).values(
                    hash=_hash(bearer),
                    account=session.account,
                    by=session.by,
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
        return Session(account=row.account, by=row.by, expires_at=row.expires_at)

    def fresh_session(self, request: Request) -> Session:
        """As `session`, and the ledger is known to be up to date.

        Raises:
            AccessRefused: also CHAIN_UNREACHABLE and its like.
        """
        session = self.session(request)
        self._standing.require_fresh()
        return session

    def _issued(self, message: SignInMessage, text: str) -> tuple[Address, datetime]:
        with reading(self._engine) as connection:
            row = connection.execute(
                select(sign_in_nonce).where(sign_in_nonce.c.nonce == message.nonce)
            ).first()
        if row is None or row.used_at is not None or self._clock() >= row.expires_at:
            raise _refused("this message was used before, or is too old: ask for a new one")
        if text != self._message(row.account, row.by, row.nonce, row.expires_at).text():
            raise _refused("this is not the message that was given out: sign it unchanged")
        return row.account, row.expires_at

    def _message(
        self, account: Address, by: Address, nonce: str, expires: datetime
    ) -> SignInMessage:
        return SignInMessage(
            domain=self._domain,
            address=by,
            uri=self._url,
            chain_id=self._chain_id,
            nonce=nonce,
            issued_at=expires - CHALLENGE_LIFE,
            expiration_time=expires,
            resources=(AccountId(chain_id=self._chain_id, address=account),),
        )


class ChallengeForm(Form):
    """Body of POST /sign-in/challenge."""

    account: AddressField
    by: AddressField


class SignInForm(Form):
    """Body of POST /sign-in."""

    message: str
    signature: SignatureField


def routes(sign_in: SignIn) -> APIRouter:
    """POST /sign-in/challenge and POST /sign-in."""
    router = APIRouter()

    @router.post("/sign-in/challenge")
    def challenge(form: ChallengeForm) -> dict[str, Any]:
        return {"message": sign_in.challenge(form.account, form.by)}

    @router.post("/sign-in")
    def redeem(form: SignInForm) -> dict[str, Any]:
        bearer, session = sign_in.redeem(form.message, form.signature)
        return {
            "token": bearer,
            "expiresAt": time_text(session.expires_at),
            "account": str(session.account),
        }

    return router


def _hash(bearer: str) -> bytes:
    return hashlib.sha256(bearer.encode()).digest()


def _refused(detail: str) -> AccessRefused:
    return AccessRefused(Refusal.NOT_SIGNED_IN, detail)
