"""The layer around the routes: what comes in is bounded, what fails inside is never unmapped."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from medaccord.core.errors import MedaccordError
from medaccord.gatekeeper.bodies import check_body, check_target
from medaccord.gatekeeper.errors import BodyTooLarge, Overloaded, RequestTooSlow
from medaccord.gatekeeper.observing import route_of
from medaccord.gatekeeper.refusals import outcome_response

MAX_BODY_BYTES: Final = 64 * 1024
"""Length of the longest body taken, inclusive; nothing a gatekeeper takes comes near it."""

BODY_SECONDS: Final = 20.0
"""How long a body may take to come in."""

MAX_UNDER_WAY: Final = 1000
"""Requests that may be under way in one process; how it is must be told also beyond that."""

MAX_COMING_IN: Final = 4000
"""Bodies that may be coming in to one process, 256 MiB of them. Who sends none waits for none."""

_ALWAYS: Final = frozenset({"/health", "/ready"})
_NO_STORE: Final = (b"cache-control", b"no-store")
_CLOSE: Final = (b"connection", b"close")

_log = logging.getLogger(__name__)


class Boundary:
    """Reads and checks a body of at most `MAX_BODY_BYTES` before a route sees the request.

    It counts what arrives and does not trust Content-Length, which may be missing or false. Any
    exception the application lets through becomes an OperationOutcome without detail; the detail
    goes to the steward's own log.
    """

    def __init__(self, app: ASGIApp, *, limit: int = MAX_UNDER_WAY) -> None:
        self._app = app
        self._limit = limit
        self._under_way = 0
        self._coming_in = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = finished = broken_off = False

        async def watched_send(message: Message) -> None:
            nonlocal started, finished
            if message["type"] == "http.response.start":
                started = True
                ends = (_NO_STORE, _CLOSE) if broken_off else (_NO_STORE,)
                message["headers"] = [*message.get("headers", ()), *ends]
            await send(message)
            finished = started and not message.get("more_body", False)

        try:
            check_target(scope["path"], scope["query_string"])
            body = await self._body(scope, receive)
            if body is None:
                return
            check_body(scope["path"], scope["headers"], body)
            await self._pass_on(scope, _Replay(body, receive), watched_send)
        except Exception as error:  # whatever failed, the outside gets an answer, no trace
            if not isinstance(error, MedaccordError):
                _log.exception("%s %s failed", scope["method"], route_of(scope))
            if started and not finished:
                raise  # so that the server breaks off the connection
            broken_off = isinstance(error, BodyTooLarge | RequestTooSlow)  # the rest is not read
            if not started:
                await outcome_response(error)(scope, receive, watched_send)

    async def _body(self, scope: Scope, receive: Receive) -> bytes | None:
        """As `_read`, of no more than may come in at a time."""
        if not _brings_body(scope["headers"]):
            return await _read(receive)
        if self._coming_in >= MAX_COMING_IN:
            raise _overloaded()
        self._coming_in += 1
        try:
            return await _read(receive)
        finally:
            self._coming_in -= 1

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Have the application answer what is here as a whole: who sends slowly holds no place."""
        if self._under_way >= self._limit and scope["path"] not in _ALWAYS:
            raise _overloaded()
        self._under_way += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._under_way -= 1


def _overloaded() -> Overloaded:
    return Overloaded("more is asked than can be answered: try again", retry_after=1)


def _brings_body(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value != b"0")
        for name, value in headers
    )


async def _read(receive: Receive) -> bytes | None:
    """The whole body; None when whoever sent it left before its end."""
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    return None
                body += message.get("body", b"")
                if len(body) > MAX_BODY_BYTES:
                    raise BodyTooLarge(f"send at most {MAX_BODY_BYTES} bytes")
                if not message.get("more_body", False):
                    return bytes(body)
    except TimeoutError as error:
        raise RequestTooSlow(f"send the body within {BODY_SECONDS:g} seconds") from error


class _Replay:
    """Hands over the body once, then whatever the connection has to say (that it was closed)."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Message:
        if self._body is None:
            return await self._receive()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}
