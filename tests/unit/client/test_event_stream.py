"""Server-sent events as the standard has them, however they are cut into pieces."""

from __future__ import annotations

import itertools

import pytest

from medaccord.client.event_stream import MAX_LINE, ServerEvent, read_events
from medaccord.core.errors import InvalidDocument

STREAM = (
    ": open\n\n"
    "event: opened\ndata: {}\nid: 3\n\n"
    ": still here\n\n"
    "data: first\ndata:second\nretry: 5\n\n"
    "event: nothing\n\n"
    "event: notice\ndata: {}\nid: 4\n\n"
    "event: cut\ndata: off\n"
)
EVENTS = [
    ServerEvent(kind="opened", data="{}", id="3"),
    ServerEvent(kind="message", data="first\nsecond", id="3"),
    ServerEvent(kind="notice", data="{}", id="4"),
]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_events_are_read_when_they_come_in_pieces(size: int, end: str) -> None:
    raw = STREAM.replace("\n", end).encode()
    pieces = [raw[at : at + size] for at in range(0, len(raw), size)]
    assert list(read_events(pieces)) == EVENTS


def test_stream_is_refused_when_a_line_has_no_end() -> None:
    with pytest.raises(InvalidDocument, match="has more than"):
        list(read_events([b"x" * MAX_LINE, b"x"]))


def test_stream_is_refused_when_an_event_has_no_end() -> None:
    half = b"data: " + b"x" * (MAX_LINE // 2) + b"\n"
    with pytest.raises(InvalidDocument, match="an event has more than"):
        list(read_events([half, half, half]))


def test_stream_is_refused_when_it_is_no_utf_8() -> None:
    with pytest.raises(InvalidDocument, match="no UTF-8"):
        list(read_events([b"data: \xff\n\n"]))


def test_stream_is_refused_when_an_event_has_lines_without_end() -> None:
    lines = itertools.repeat(b"data:\n" * 1000)
    with pytest.raises(InvalidDocument, match="an event has more than"):
        list(read_events(lines))
