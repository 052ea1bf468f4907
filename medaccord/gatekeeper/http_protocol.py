"""HTTP/1.1 of httptools with every size and every wait bounded, which httptools leaves open.

A parser that takes one header without end keeps all of it in memory, and a connection that sends
half a request, or does not read its answer, holds its place for ever. Here a head has a length and
a time, and so has what comes after it on the wire (chunks and trailers too), and an answer must be
read. What is refused here never reaches the application.

Source: RFC 9112; RFC 6585 section 5 (431).
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)
from uvicorn.server import ServerState

from medaccord.fhir.answers import operation_outcome

MAX_HEAD_BYTES: Final = 64 * 1024
"""Length of request line and headers together, inclusive."""

MAX_WIRE_BYTES: Final = 1024 * 1024
"""Length of what follows a head, inclusive. A body over its own, lower bound gets an answer (413);
a sender who goes on after that is cut off here."""

HEAD_SECONDS: Final = 15.0
"""How long a head may take, from its first byte or the connection's beginning to its end."""

READ_SECONDS: Final = 30.0
READ_BYTES: Final = 16 * 1024
"""How much of an answer that waits for its reader must be taken in how long."""


class BoundedHttp(HttpToolsProtocol):
    """One connection."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._taken = 0
        self._in_head = True
        self._head_timer: asyncio.TimerHandle | None = None
        self._answered: RequestResponseCycle | None = None
        self._unread = 0
        self._reader_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn: a server's transports are no others
        """Wait for the first head."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._head_came()
        self._answer_was_read()
        if self._answered is not None:  # uvicorn tells the last request that came, not this one
            self._answered.disconnected = True
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Begin to wait for the reader of an answer."""
        super().pause_writing()
        self._await_reader()

    def resume_writing(self) -> None:
        """Go on: most of the answer was taken."""
        self._answer_was_read()
        super().resume_writing()

    def on_response_complete(self) -> None:
        """Wait for the reader where the connection closes with this answer."""
        super().on_response_complete()
        if self.transport.is_closing():
            self._await_reader()

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection that nothing more comes on, though its last answer was not read."""
        super().timeout_keep_alive_handler()
        self._await_reader()

    def data_received(self, data: bytes) -> None:
        """Take what fits, and refuse the rest."""
        if self._in_head and self._head_timer is None:
            self._await_head()
        rest = memoryview(data)
        while rest and not self.transport.is_closing():
            room = (MAX_HEAD_BYTES if self._in_head else MAX_WIRE_BYTES) - self._taken
            if room <= 0:
                self._refuse(431, "HeadTooLarge", f"send at most {MAX_HEAD_BYTES} bytes of headers")
                return
            piece, rest = rest[:room], rest[room:]
            self._taken += len(piece)
            super().data_received(bytes(piece))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; what comes after a body is none, whatever it is called."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin to count what follows the head."""
        self._head_came()
        self._in_head = False
        self._taken = 0
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Begin to count the next head."""
        self._in_head = True
        self._taken = 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP."""
        self._refuse(400, "InvalidRequest", "this is no HTTP request")

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        """Remember which of the requests that came is being answered."""
        self._answered = cycle
        super()._start_asgi_task(cycle, app)

    def _unsupported_upgrade_warning(self) -> None:
        """Say nothing: who asks for another protocol is answered in this one."""

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(HEAD_SECONDS, self._head_is_late)

    def _head_came(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_is_late(self) -> None:
        self._refuse(408, "RequestTooSlow", f"send the headers within {HEAD_SECONDS:g} seconds")

    def _await_reader(self) -> None:
        if self._reader_timer is None:
            self._unread = self.transport.get_write_buffer_size()
            self._reader_timer = self.loop.call_later(READ_SECONDS, self._look_at_reader)

    def _answer_was_read(self) -> None:
        if self._reader_timer is not None:
            self._reader_timer.cancel()
            self._reader_timer = None

    def _look_at_reader(self) -> None:
        self._reader_timer = None
        unread = self.transport.get_write_buffer_size()
        if unread and self._unread - unread < READ_BYTES:
            self.transport.abort()  # closing would wait for the reader
        elif unread:
            self._await_reader()

    def _refuse(self, status: int, code: str, diagnostics: str) -> None:
        """Answer where nothing else is being answered, and close the connection."""
        self._head_came()
        if self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.response_complete:
            body = operation_outcome(issue="invalid", code=code, diagnostics=diagnostics)
            head = (
                b"content-type: application/fhir+json\r\ncache-control: no-store\r\n"
                b"connection: close\r\ncontent-length: %d\r\n\r\n" % len(body)
            )
            self.transport.write(STATUS_LINE[status] + head + body)
        self.transport.close()
        self._await_reader()
