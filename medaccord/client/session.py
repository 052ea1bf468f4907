"""A signed-in session with one gatekeeper: a short token, renewed when it ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import httpx

from medaccord.chain.network import Clock
from medaccord.client.gatekeeper_api import GatekeeperApi, reading_answer
from medaccord.core.documents import DocumentReader
from medaccord.core.errors import AccessRefused, InvalidSignIn
from medaccord.core.identifiers import AccountId
from medaccord.core.refusals import Refusal
from medaccord.core.sign_in import SignInMessage
from medaccord.keys.signer import Signer

_Answer = TypeVar("_Answer")

_MAX_LIFE: Final = timedelta(minutes=15)
"""Longest life of a message this side signs; gatekeepers give less."""


class Session:
    """Speaks to a gatekeeper for an account. Signs in at the first call that needs it."""

    def __init__(
        self, api: GatekeeperApi, signer: Signer, account: AccountId, clock: Clock
    ) -> None:
        """Prepare to sign in.

        Args:
            api: The gatekeeper.
            signer: The account's controller, or a delegate with the power READ.
            account: The account acted for.
            clock: Tells the time that messages are checked against.
        """
        self.api = api
        self.account = account
        self._signer = signer
        self._clock = clock
        self._token: str | None = None

    def get(
        self,
        path: str,
        *,
        parameters: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """`GatekeeperApi.get`, signed in."""
        return self._signed_in(
            lambda token: self.api.get(
                path, parameters=parameters, headers={**(headers or {}), **token}
            )
        )

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """`GatekeeperApi.post`, signed in."""
        return self._signed_in(lambda token: self.api.post(path, body, headers=token))

    def sign_in(self) -> None:
        """Sign a fresh message of the gatekeeper for a token.

        Raises:
            InvalidSignIn: The gatekeeper asks to sign something else than a sign-in to itself.
            AccessRefused: NOT_SIGNED_IN, the key may not act for the account; or the gatekeeper
                cannot tell now.
            TransportError: The gatekeeper does not answer, or badly.
        """
        who = {"account": self.account.address, "by": self._signer.address}
        text = self._member(self.api.post("/sign-in/challenge", who), "message")
        self._check(SignInMessage.parse(text))
        signature = "0x" + self._signer.sign_text(text).hex()
        answer = self.api.post("/sign-in", {"message": text, "signature": signature})
        self._token = self._member(answer, "token")

    def _signed_in(self, call: Callable[[dict[str, str]], _Answer]) -> _Answer:
        fresh = self._token is None
        if fresh:
            self.sign_in()
        try:
            return call(self._authorization())
        except AccessRefused as error:
            if fresh or error.reason is not Refusal.NOT_SIGNED_IN:
                raise
        self.sign_in()  # the token ended meanwhile
        return call(self._authorization())

    def _authorization(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"}

    def _check(self, message: SignInMessage) -> None:
        """Whoever sits in between could hand on another gatekeeper's message to be signed."""
        here = urlsplit(self.api.url).netloc
        if message.domain != here:
            raise InvalidSignIn(f"{here} asks to sign in at {message.domain}: nothing was signed")
        if message.account != self.account or message.address != self._signer.address:
            raise InvalidSignIn(f"{here} asks to sign in as somebody else: nothing was signed")
        if message.expiration_time - message.issued_at > _MAX_LIFE:
            raise InvalidSignIn(f"{here} asks for a sign-in of over {_MAX_LIFE}: not signed")
        if self._clock() >= message.expiration_time:
            raise InvalidSignIn(f"the sign-in {here} asks for is over: compare the clocks")

    def _member(self, answer: Mapping[str, Any], name: str) -> str:
        with reading_answer(self.api.url):
            reader = DocumentReader(answer, what="the answer", required=[name], optional=answer)
            return reader.text(name)
