"""Signing in with an Ethereum key: a message to sign once, then a token that is good for minutes.

A token speaks for an account, for one purpose of use. Asking for a message leaves nothing here, so
nobody can fill the disk with it: the nonce carries a mark of this gatekeeper over all that the
message says. A nonce serves once.

Source: EIP-4361 (the message), ERC-1271 (wallets that are contracts).
"""

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta
from typing import Final, Literal
from urllib.parse import urlsplit

from fastapi import APIRouter, Request
from pydantic import BaseModel

from medaccord.chain.network import Clock
from medaccord.chain.powers import Power
from medaccord.core.errors import SignatureMismatch
from medaccord.core.identifiers import AccountId, Address, address
from medaccord.core.purposes import Purpose
from medaccord.core.sign_in import SignInMessage
from medaccord.gatekeeper.foundation import Foundation
from medaccord.gatekeeper.openapi import REFUSALS, Tag
from medaccord.gatekeeper.tokens import SCOPE, TOKEN_LIFE, Session, Tokens, refused
from medaccord.gatekeeper.wire import AddressField, Form, SignatureField, time_text

CHALLENGE_LIFE: Final = timedelta(minutes=5)
"""How long a message may be signed and handed in; its end is excluded."""

_NONCE_BYTES: Final = 16
"""Of what is drawn, and again of the mark over it: the nonce is both in hexadecimal."""


class SignIn:
    """Gives out challenges and tokens, and says whom a token speaks for."""

    def __init__(self, base: Foundation, *, tokens: Tokens, url: str) -> None:
        """Answer at an address, without a slash at its end; people sign in to it and no other."""
        self._tokens = tokens
        self._url = url
        self._domain = urlsplit(url).netloc
        self._chain_id = base.network.chain_id
        self._registry = address(base.contracts.registry.address)
        self._ledger = base.ledger
        self._standing = base.standing
        self._secret = base.secret_for("sign-in")

    @property
    def _clock(self) -> Clock:
        return self._standing.clock

    def challenge(self, account: Address, by: Address, purpose: Purpose | None = None) -> str:
        """Write a message that `by` may sign to speak for `account`, once, within five minutes.

        Args:
            account: the account acted for.
            by: the key that is to sign.
            purpose: what the token is to be used for; unless given, TREAT for an organisation and
                PATRQT for anybody else.
        """
        if purpose is None:
            self._standing.refresh()
            is_organisation = self._ledger.organisation(account) is not None
            purpose = Purpose.TREAT if is_organisation else Purpose.PATRQT
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
            raise refused("the message is not signed by the key it names") from error
        self._standing.require_fresh()
        if not self._standing.authorised(account, message.address, Power.READ):
            raise self._tokens.refused_key(
                account, "this key does not act for this account, or not to read"
            )
        return self._tokens.give(
            account=account,
            by=message.address,
            purpose=message.purpose,
            once=message.nonce,
            until=message.expiration_time,
        )

    def session(self, request: Request) -> Session:
        """Say whom the bearer token of a request speaks for, by what the ledger knows now.

        The ledger may be out of date; what is answered to a session must see to that (`decide`
        does; everything else asks `fresh_session`).

        Raises:
            AccessRefused: NOT_SIGNED_IN, there is no token, it ended, or its key no longer acts
                for the account.
        """
        return self._tokens.session(request)

    def fresh_session(self, request: Request) -> Session:
        """As `session`, and the ledger is known to be up to date.

        Raises:
            AccessRefused: also CHAIN_UNREACHABLE and its like.
        """
        return self._tokens.fresh_session(request)

    def _check_issued(self, message: SignInMessage, text: str) -> None:
        expires = message.expiration_time
        if self._clock() >= expires:
            raise refused("this message was used before, or is too old: ask for a new one")
        drawn = message.nonce[: 2 * _NONCE_BYTES]
        given = self._message(
            message.account.address, message.address, message.purpose, drawn, expires
        )
        if not hmac.compare_digest(text.encode(), given.text().encode()):
            raise refused("this is not the message that was given out: sign it unchanged")

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


class ChallengeAnswer(BaseModel):
    """What is to be signed, byte for byte (EIP-191)."""

    message: str


class SignInAnswer(BaseModel):
    """A token; the second half says in OAuth's words what the first does."""

    token: str
    expiresAt: str  # the name it has in JSON
    account: str
    purpose: Purpose
    access_token: str
    token_type: Literal["bearer"] = "bearer"
    expires_in: int
    scope: str


def routes(sign_in: SignIn) -> APIRouter:
    """POST /sign-in/challenge and POST /sign-in."""
    router = APIRouter(prefix="/sign-in", tags=[Tag.SIGN_IN], responses=REFUSALS)

    @router.post("/challenge", summary="Ask for a message to sign")
    def challenge(form: ChallengeForm) -> ChallengeAnswer:
        return ChallengeAnswer(message=sign_in.challenge(form.account, form.by, form.purpose))

    @router.post("", summary="Take a signed message for a token")
    def redeem(form: SignInForm) -> SignInAnswer:
        bearer, session = sign_in.redeem(form.message, form.signature)
        return SignInAnswer(
            token=bearer,
            expiresAt=time_text(session.expires_at),
            account=session.account,
            purpose=session.purpose,
            access_token=bearer,
            expires_in=int(TOKEN_LIFE.total_seconds()),
            scope=SCOPE,
        )

    return router
