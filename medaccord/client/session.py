"""A signed-in session with one gatekeeper: a short token for each purpose, renewed when it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import httpx

from medaccord.chain.network import Clock
from medaccord.client.gatekeeper_api import GatekeeperApi, Query, reading_answer
from medaccord.core.documents import DocumentReader
from medaccord.core.errors import AccessRefused, InvalidSignIn
from medaccord.core.identifiers import AccountId, Address
from medaccord.core.purposes import Purpose
from medaccord.core.refusals import Refusal
from medaccord.core.sign_in import SignInMessage
from medaccord.keys.signer import Signer

_Answer = TypeVar("_Answer")

_MAX_LIFE: Final = timedelta(minutes=15)
"""Longest life of a message this side signs; gatekeepers give less."""


class Session:
    """Speaks to a gatekeeper for an account. Signs in at the first call that needs it."""

    def __init__(
        self,
        api: GatekeeperApi,
        signer: Signer,
        account: AccountId,
        *,
        registry: Address,
        purpose: Purpose,
        clock: Clock,
    ) -> None:
        """Prepare to sign in.

        Args:
            api: The gatekeeper.
            signer: The account's controller, or a delegate with the power READ.
            account: The account acted for.
            registry: The Registry that says who may act for it.
            purpose: What is asked for, where a call names nothing else.
            clock: Tells the time that messages are checked against.
        """
        self.api = api
        self.account = account
        self._signer = signer
        self._registry = registry
        self._purpose = purpose
        self._clock = clock
        self._tokens: dict[Purpose, str] = {}

    def get(
        self,
        path: str,
        *,
        parameters: Query | None = None,
        headers: Mapping[str, str] | None = None,
        purpose: Purpose | None = None,
    ) -> httpx.Response:
        """`GatekeeperApi.get`, signed in for a purpose."""
        return self._signed_in(
            lambda token: self.api.get(
                path, parameters=parameters, headers={**(headers or {}), **token}
            ),
            purpose or self._purpose,
        )

    def post(
        self,
        path: str,
        body: Mapping[str, Any],
        *,
        headers: Mapping[str, str] | None = None,
        purpose: Purpose | None = None,
    ) -> dict[str, Any]:
        """`GatekeeperApi.post`, signed in for a purpose."""
        return self._signed_in(
            lambda token: self.api.post(path, body, headers={**(headers or {}), **token}),
            purpose or self._purpose,
        )

    def delete(self, path: str) -> None:
        """`GatekeeperApi.delete`, signed in."""
        self._signed_in(lambda token: self.api.delete(path, headers=token), self._purpose)

    @contextmanager
    def stream(self, path: str, *, parameters: Query | None = None) -> Iterator[Iterator[bytes]]:
        """`GatekeeperApi.stream`, signed in; a token that ends meanwhile is not renewed."""
        with ExitStack() as answers:
            yield self._signed_in(
                lambda token: answers.enter_context(
                    self.api.stream(path, parameters=parameters, headers=token)
                ),
                self._purpose,
            )

    def sign_in(self, purpose: Purpose | None = None) -> str:
        """Sign a fresh message of the gatekeeper for a token, and keep it for its purpose.

        Returns:
            The bearer token.

        Raises:
            InvalidSignIn: The gatekeeper asks to sign something else than a sign-in to itself.
            AccessRefused: NOT_SIGNED_IN, the key may not act for the account; or the gatekeeper
                cannot tell now.
            TransportError: The gatekeeper does not answer, or badly.
        """
        asked = purpose or self._purpose
        who = {
            "account": self.account.address,
            "by": self._signer.address,
            "purpose": asked.value,
        }
        text = self._member(self.api.post("/sign-in/challenge", who), "message")
        self._check(SignInMessage.parse(text), asked)
        signature = "0x" + self._signer.sign_text(text).hex()
        answer = self.api.post("/sign-in", {"message": text, "signature": signature})
        self._tokens[asked] = self._member(answer, "token")
        return self._tokens[asked]

    def _signed_in(self, call: Callable[[dict[str, str]], _Answer], purpose: Purpose) -> _Answer:
        held = self._tokens.get(purpose)
        if held is not None:
            try:
                return call(_authorization(held))
            except AccessRefused as error:  # the token may have ended meanwhile
                if error.reason is not Refusal.NOT_SIGNED_IN:
                    raise
        return call(_authorization(self.sign_in(purpose)))

    def _check(self, message: SignInMessage, purpose: Purpose) -> None:
        """Whoever sits in between could hand on another gatekeeper's message to be signed."""
        here = urlsplit(self.api.url).netloc
        if message.domain != here:
            raise InvalidSignIn(f"{here} asks to sign in at {message.domain}: nothing was signed")
        if message.account != self.account or message.address != self._signer.address:
            raise InvalidSignIn(f"{here} asks to sign in as somebody else: nothing was signed")
        if message.registry != self._registry:
            raise InvalidSignIn(f"{here} asks to sign in by another registry: nothing was signed")
        if message.purpose is not purpose:
            raise InvalidSignIn(
                f"{here} asks to sign in for {message.purpose}, not {purpose}: nothing was signed"
            )
        if message.expiration_time - message.issued_at > _MAX_LIFE:
            raise InvalidSignIn(f"{here} asks for a sign-in of over {_MAX_LIFE}: not signed")
        if self._clock() >= message.expiration_time:
            raise InvalidSignIn(f"the sign-in {here} asks for is over: compare the clocks")

    def _member(self, answer: Mapping[str, Any], name: str) -> str:
        with reading_answer(self.api.url):
            reader = DocumentReader(answer, what="the answer", required=[name], optional=answer)
            return reader.text(name)


def _authorization(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
