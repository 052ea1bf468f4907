"""Reading server-sent events, from somebody who is not trusted to keep to any bound.

Source: WHATWG HTML, section 9.2.6 (Interpreting an event stream).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from medaccord.core.errors import InvalidDocument

MAX_LINE: Final = 1 << 20
"""Bytes of the longest line taken, inclusive; no event of a gatekeeper comes near it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerEvent:
    """One event.

    Attributes:
        kind: what it is; "message" where it says nothing.
        data: its data.
        id: id of the last event that had one, this one included; empty where none had.
    """

    kind: str
    data: str
    id: str


def read_events(chunks: Iterable[bytes]) -> Iterator[ServerEvent]:
    """The events of a stream as they come; comments and unknown fields are passed over.

    Raises:
        InvalidDocument: A line is too long, or no UTF-8.
    """
    kind, data, size, last = "", list[str](), 0, ""
    for line in _lines(chunks):
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if data:
                yield ServerEvent(kind=kind or "message", data="\n".join(data), id=last)
            kind, data, size = "", [], 0
        elif name == "event":
            kind = value
        elif name == "data":
            data.append(value)
            size += len(value) + 1
            if size > MAX_LINE:
                raise InvalidDocument(f"an event has more than {MAX_LINE} characters")
        elif name == "id" and "\0" not in value:
            last = value


def _lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """Whole lines; what comes after the last line end is no line yet."""
    left = b""
    for chunk in chunks:
        # A carriage return at the end may be half of a line end.
        text = left + chunk
        half = text.endswith(b"\r")
        *whole, left = (
            text.removesuffix(b"\r").replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        )
        left += b"\r" if half else b""
        if len(left) > MAX_LINE:
            raise InvalidDocument(f"a line of the stream has more than {MAX_LINE} bytes")
        for line in whole:
            try:
                yield line.decode()
            except UnicodeDecodeError as error:
                raise InvalidDocument("the stream is no UTF-8") from error
