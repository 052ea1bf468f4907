"""Streams of server-sent events: written, kept alive, bounded in number, and ended together.

A stream ends when its reader leaves, when its source does, when its source refuses (the last event
then says why), and when the gatekeeper stops. Whoever reads on begins after the last id it saw.

Source: WHATWG HTML, section 9.2 (Server-sent events).
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from medaccord.core.errors import InvalidInput, MedaccordError
from medaccord.core.identifiers import Address
from medaccord.gatekeeper.errors import TooManyRequests
from medaccord.gatekeeper.refusals import problem_of

EVENT_STREAM: Final = "text/event-stream"

LAST_EVENT_HEADER: Final = "Last-Event-ID"
"""What a reader sends that saw a part already: the id of the last event it saw."""

_REFUSED: Final = "refused"
"""Kind of the event that ends a stream whose reader may not read on."""

_TRY_AGAIN_SECONDS: Final = 30
"""What somebody is told to wait who finds every stream taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamEvent:
    """One event.

    Attributes:
        kind: what a reader tells events apart by; one line.
        data: JSON.
        id: where to read on after this one; one line, None where it is no such place.

    Raises:
        InvalidInput: kind or id is more than one line, which would forge another event.
    """

    kind: str
    data: Mapping[str, Any]
    id: str | None = None

    def __post_init__(self) -> None:
        """Refuse what would be read as something else."""
        if any(mark in f"{self.kind}{self.id or ''}" for mark in "\r\n\0"):
            raise InvalidInput("kind and id of an event are one line each")

    def encode(self) -> bytes:
        """The event as it travels."""
        lines = [f"event: {self.kind}", f"data: {json.dumps(self.data, separators=(',', ':'))}"]
        if self.id is not None:
            lines.append(f"id: {self.id}")
        return ("\n".join(lines) + "\n\n").encode()


Source = AsyncGenerator[StreamEvent, None]
"""What a stream tells, in its order."""


class EventStreams:
    """The streams that a gatekeeper's process has open. Any thread may use it."""

    def __init__(
        self,
        *,
        limit: int = 200,
        per_account: int = 8,
        heartbeat: timedelta = timedelta(seconds=15),
    ) -> None:
        """Begin with none.

        Args:
            limit: how many there may be.
            per_account: how many of them one account may have.
            heartbeat: how long a stream may be silent; a comment is sent then, so that no proxy
                takes it for dead, and a reader that is gone is noticed.
        """
        self._limit = limit
        self._per_account = per_account
        self._heartbeat = heartbeat.total_seconds()
        self._lock = threading.Lock()
        self._open: Counter[Address] = Counter()
        self._closers: set[Callable[[], None]] = set()
        self._closed = False

    def respond(self, account: Address, source: Source) -> StreamingResponse:
        """Answer with what a source tells.

        Args:
            account: whose stream it is.
            source: what it tells. Where it raises one of our errors, the stream ends with it.

        Raises:
            TooManyRequests: there are as many streams as there may be, or the gatekeeper stops.
        """
        with self._lock:
            if (
                self._closed
                or self._open.total() >= self._limit
                or self._open[account] >= self._per_account
            ):
                raise TooManyRequests(
                    "there are as many event streams open as there may be: close one, or wait",
                    retry_after=_TRY_AGAIN_SECONDS,
                )
            self._open[account] += 1
        return _Response(self._chunks(source), release=lambda: self._release(account))

    def close(self) -> None:
        """End every stream, and open none any more. Closing twice does no harm."""
        with self._lock:
            self._closed = True
            closers = tuple(self._closers)
        for each in closers:
            each()

    @property
    def count(self) -> int:
        """How many are open."""
        with self._lock:
            return self._open.total()

    def _release(self, account: Address) -> None:
        with self._lock:
            self._open[account] -= 1
            self._open += Counter()  # accounts without a stream take no room

    async def _chunks(self, source: Source) -> AsyncGenerator[bytes, None]:
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()

        def end() -> None:
            loop.call_soon_threadsafe(ended.set)

        with self._lock:
            self._closers.add(end)
            if self._closed:
                ended.set()
        stop = asyncio.ensure_future(ended.wait())
        following = asyncio.ensure_future(anext(source))
        try:
            yield b": open\n\n"  # the reader learns at once that it is answered
            while True:
                done, _ = await asyncio.wait(
                    {stop, following}, timeout=self._heartbeat, return_when=asyncio.FIRST_COMPLETED
                )
                if stop in done:
                    return
                if following not in done:
                    yield b": still here\n\n"
                    continue
                try:
                    event = following.result()
                except StopAsyncIteration:
                    return
                except MedaccordError as error:
                    yield _refusal(error).encode()
                    return
                following = asyncio.ensure_future(anext(source))
                yield event.encode()
        finally:
            with self._lock:
                self._closers.discard(end)
            for task in (stop, following):
                task.cancel()
            await asyncio.gather(stop, following, return_exceptions=True)
            await source.aclose()


async def polled(
    poll: Callable[[], Sequence[StreamEvent]], *, every: timedelta
) -> AsyncGenerator[StreamEvent, None]:
    """A source that asks again and again, in a thread of its own each time.

    Args:
        poll: tells what is new since it was asked last. It should check as well, each time, that
            the reader may still be told.
        every: how long to wait after each time.
    """
    while True:
        for event in await run_in_threadpool(poll):
            yield event
        await asyncio.sleep(every.total_seconds())


class _Response(StreamingResponse):
    """Gives its place back, and ends its source, however it ends."""

    def __init__(self, chunks: AsyncGenerator[bytes, None], *, release: Callable[[], None]) -> None:
        # Proxies that gather an answer before they pass it on would withhold the events.
        super().__init__(chunks, media_type=EVENT_STREAM, headers={"X-Accel-Buffering": "no"})
        self._chunks = chunks
        self._release = release

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._release()
            await self._chunks.aclose()


def _refusal(error: MedaccordError) -> StreamEvent:
    problem = problem_of(error)
    return StreamEvent(
        kind=_REFUSED, data={"code": problem.code, "diagnostics": problem.diagnostics}
    )
