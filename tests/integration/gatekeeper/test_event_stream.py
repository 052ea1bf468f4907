"""Streams of events as a reader over HTTP sees them: told, kept alive, bounded, ended."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI
from starlette.responses import Response

from medaccord.core.errors import AccessRefused, InvalidInput
from medaccord.core.refusals import Refusal
from medaccord.gatekeeper import refusals
from medaccord.gatekeeper.boundary import Boundary
from medaccord.gatekeeper.event_stream import EventStreams, Source, StreamEvent, polled
from medaccord.gatekeeper.server import RunningServer, bind, serve
from medaccord.keys import LocalSigner

READER = LocalSigner.create().address
ONE = StreamEvent(kind="grant", data={"n": 1}, id="1")
TWO = StreamEvent(kind="revocation", data={"n": 2}, id="2")

Serving = Callable[[EventStreams, Callable[[], Source]], str]


@pytest.fixture
def serving() -> Iterator[Serving]:
    servers: list[RunningServer] = []

    def start(streams: EventStreams, source: Callable[[], Source]) -> str:
        app = FastAPI()
        refusals.install(app)

        @app.get("/")
        def answer() -> Response:
            return streams.respond(READER, source())

        servers.append(serve(Boundary(app), bind()))
        return servers[-1].url

    yield start
    for server in servers:
        server.stop()


async def telling(*events: StreamEvent) -> AsyncGenerator[StreamEvent, None]:
    for event in events:
        yield event


async def silent() -> AsyncGenerator[StreamEvent, None]:
    await asyncio.Event().wait()
    yield ONE


async def refusing() -> AsyncGenerator[StreamEvent, None]:
    yield ONE
    raise AccessRefused(Refusal.SUSPENDED, "The requester is suspended.")


def wait_for_none(streams: EventStreams) -> None:
    """Wait until the writer has noticed; a place that is never given back fails here."""
    patience = time.monotonic() + 10
    while streams.count:
        assert time.monotonic() < patience
        time.sleep(0.01)


def test_stream_tells_events_in_order_and_ends_when_its_source_does(serving: Serving) -> None:
    streams = EventStreams()
    answer = httpx.get(serving(streams, lambda: telling(ONE, TWO)))
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.text == (
        ": open\n\n"
        'event: grant\ndata: {"n":1}\nid: 1\n\n'
        'event: revocation\ndata: {"n":2}\nid: 2\n\n'
    )
    wait_for_none(streams)


def test_stream_ends_with_the_reason_when_its_source_refuses(serving: Serving) -> None:
    answer = httpx.get(serving(EventStreams(), refusing))
    assert answer.text.endswith(
        'event: refused\ndata: {"code":"suspended","diagnostics":"The requester is suspended."}\n\n'
    )


def test_stream_sends_a_comment_when_there_is_nothing_to_tell(serving: Serving) -> None:
    url = serving(EventStreams(heartbeat=timedelta(milliseconds=20)), silent)
    with httpx.stream("GET", url) as answer:
        lines = answer.iter_lines()
        assert [next(lines) for _ in range(5)] == [": open", "", ": still here", "", ": still here"]


def test_stream_ends_when_the_gatekeeper_stops(serving: Serving) -> None:
    streams = EventStreams()
    with httpx.stream("GET", serving(streams, silent)) as answer:
        lines = answer.iter_lines()
        assert next(lines) == ": open"
        threading.Thread(target=streams.close).start()
        assert list(lines) == [""]
    wait_for_none(streams)


def test_stream_is_refused_when_the_gatekeeper_has_stopped(serving: Serving) -> None:
    streams = EventStreams()
    url = serving(streams, lambda: telling(ONE))
    streams.close()
    assert httpx.get(url).status_code == 429


def test_stream_is_refused_when_the_account_has_as_many_as_it_may(serving: Serving) -> None:
    streams = EventStreams(per_account=1)
    url = serving(streams, silent)
    with httpx.stream("GET", url) as answer:
        lines = answer.iter_lines()
        assert next(lines) == ": open"
        refused = httpx.get(url)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "30")


def test_place_is_free_again_when_the_reader_left(serving: Serving) -> None:
    streams = EventStreams(limit=1, heartbeat=timedelta(milliseconds=20))
    url = serving(streams, silent)
    for _ in range(3):
        with httpx.stream("GET", url) as answer:
            assert answer.status_code == 200
            assert next(answer.iter_lines()) == ": open"
        wait_for_none(streams)


def test_polled_source_asks_again_after_each_time(serving: Serving) -> None:
    waiting = [[ONE], [], [TWO]]

    def poll() -> list[StreamEvent]:
        if not waiting:
            raise AccessRefused(Refusal.NOT_SIGNED_IN, "Sign in again.")
        return waiting.pop(0)

    answer = httpx.get(serving(EventStreams(), lambda: polled(poll, every=timedelta())))
    kinds = [line for line in answer.text.splitlines() if line.startswith("event:")]
    assert kinds == ["event: grant", "event: revocation", "event: refused"]


def test_event_is_refused_when_its_id_would_forge_another() -> None:
    with pytest.raises(InvalidInput, match="one line"):
        StreamEvent(kind="grant", data={}, id="1\ndata: {}")
