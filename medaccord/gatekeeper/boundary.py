"""The outermost layer: bodies bounded, answers kept by nobody, failures inside never unmapped."""

import logging
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from medaccord.gatekeeper.errors import BodyTooLarge
from medaccord.gatekeeper.refusals import outcome_response

MAX_BODY_BYTES: Final = 64 * 1024
"""Length of the longest body taken, inclusive; nothing a gatekeeper takes comes near it."""

_NO_STORE: Final = (b"cache-control", b"no-store")

_log = logging.getLogger(__name__)


class Boundary:
    """Reads a body of at most `MAX_BODY_BYTES` before the application sees the request.

    It counts what arrives and does not trust Content-Length, which may be missing or false. Any
    exception the application lets through becomes an OperationOutcome without detail; the detail
    goes to the steward's own log.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = finished = False

        async def watched_send(message: Message) -> None:
            nonlocal started, finished
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = [*message.get("headers", ()), _NO_STORE]
            await send(message)
            finished = started and not message.get("more_body", False)

        try:
            body = await _read(receive)
            if body is None:
                return
            await self._app(scope, _Replay(body, receive), watched_send)
        except Exception as error:  # whatever failed, the outside gets an answer, no trace
            if not isinstance(error, BodyTooLarge):
                _log.exception("%s %r failed", scope["method"], scope["path"])
            if started and not finished:
                raise  # so that the server breaks off the connection
            if not started:
                await outcome_response(error)(scope, receive, watched_send)


async def _read(receive: Receive) -> bytes | None:
    """The whole body; None when whoever sent it left before its end."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            raise BodyTooLarge(f"send at most {MAX_BODY_BYTES} bytes")
        if not message.get("more_body", False):
            return bytes(body)


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
