"""Each request gets an id, a line in the service's log and a place in its numbers.

The line names the route's template and never what stood in it: no path, no query, no token, no
account. Who read what is in the audit log, which is sealed; this one may go to whoever operates.
"""

from __future__ import annotations

import logging
import re
import secrets
import time
from contextvars import ContextVar
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from medaccord.gatekeeper.metrics import Metrics

REQUEST_ID_HEADER: Final = "X-Request-Id"
"""Told apart by it: taken from the request where it is fit for it, made otherwise."""

_NAME: Final = REQUEST_ID_HEADER.lower().encode()
_FIT: Final = re.compile(rb"[A-Za-z0-9._-]{8,64}")
_METHODS: Final = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})
_UNKNOWN: Final = "(none)"
_QUIET: Final = frozenset({"/health", "/ready"})

_current: ContextVar[str | None] = ContextVar("request_id", default=None)
_log = logging.getLogger("medaccord.requests")


def request_id() -> str | None:
    """The id of the request that is being answered, also in the threads that answer it."""
    return _current.get()


def route_of(scope: Scope) -> str:
    """The template of the route that took a request, such as `/fhir/{resource_type}`."""
    path = getattr(scope.get("route"), "path", None)
    return path if isinstance(path, str) else _UNKNOWN


class Observed:
    """Watches an application answer."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        identity = _identity(scope)
        status = 0

        async def watched_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (_NAME, identity)]
            await send(message)

        began = time.perf_counter()
        before = _current.set(identity.decode())
        self._metrics.under_way.inc()
        try:
            await self._app(scope, receive, watched_send)
        finally:
            self._metrics.under_way.dec()
            self._note(scope, status, time.perf_counter() - began)
            _current.reset(before)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route = route_of(scope)
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        # 0 where whoever asked left before there was an answer.
        self._metrics.requests.labels(method, route, status).inc()
        self._metrics.request_seconds.labels(route).observe(seconds)
        level = logging.DEBUG if route in _QUIET else logging.INFO
        if _log.isEnabledFor(level):
            told = {
                "method": method,
                "route": route,
                "status": status,
                "milliseconds": round(seconds * 1000, 1),
            }
            _log.log(level, "answered", extra=told)


def _identity(scope: Scope) -> bytes:
    given = [value for name, value in scope["headers"] if name == _NAME]
    if len(given) == 1 and _FIT.fullmatch(given[0]):
        return bytes(given[0])
    return secrets.token_hex(8).encode()
