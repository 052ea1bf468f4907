"""Finding the resources in a file of any size without reading it as a whole.

A Bundle is split at the brackets of its entries; the envelope around them stays small, and is read
as any other JSON. Nothing is judged by where a bracket stands: each entry, the envelope, and
whatever else stands between entries goes through the parser, so that together they are all of the
file, read once.

Source: RFC 8259 (JSON); FHIR R4 Bundle; FHIR Bulk Data Access, NDJSON: one resource a line.
"""

import json
import mmap
import re
from collections.abc import Generator, Iterator
from typing import Final, TypeAlias

from medaccord.core.canonical import Value, parse
from medaccord.core.errors import InvalidBundle, InvalidDocument

__all__ = [
    "MAX_RESOURCE_BYTES",
    "Buffer",
    "BundleText",
    "bare",
    "is_ndjson",
    "lines",
    "moved",
    "place",
]

Buffer: TypeAlias = bytes | bytearray | memoryview | mmap.mmap
"""Bytes that lie somewhere: in memory, or in a file that is mapped into it."""

MAX_RESOURCE_BYTES: Final = 64 * 2**20
"""One entry or line, and all of a Bundle beside its entries, may be this long, and no longer.

A file has no bound: it is never held as a whole, but for the one resource that is read.
"""

_STRING: Final = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_PLAIN: Final = rb'[^"\[\]{}]'
_FLAT: Final = rb"(?:%s++|%s)*+" % (_PLAIN, _STRING)
# Both match wherever they are put: a search that began anew inside a string would find brackets
# there, and take for ever. What holds no bracket itself is passed over in one go.
_WITHIN = re.compile(
    rb"(?:%s++|%s|\{%s\}|\[%s\])*+(?:([\[{])|([\]}])|.*)" % (_PLAIN, _STRING, _FLAT, _FLAT),
    re.DOTALL,
)
_BESIDE = re.compile(
    rb'%s*+(?:"([^"\\]*+(?:\\.[^"\\]*+)*+)"(%s*+))*+(?:([\[{])|([\]}])|.*)' % (_PLAIN, _PLAIN),
    re.DOTALL,
)
_OPENS: Final = 3
_CLOSES: Final = 4

_COLON = re.compile(rb"[ \t\r\n]*+:[ \t\r\n]*+")
_COMMA = re.compile(rb"[ \t\r\n]*+,[ \t\r\n]*+")
_SPACE = re.compile(rb"[ \t\r\n]*+")
_LINE = re.compile(rb"([^\n]*)(?:\n|\Z)")
_TWO_LINES = re.compile(rb"\s*+\{[^\n]*\}[ \t\r]*+\n\s*+[^\s,\]}]")
_CHUNK: Final = 2**20


class BundleText:
    """The text of a Bundle, and where its parts lie."""

    def __init__(self, data: Buffer) -> None:
        """Take a text apart.

        Args:
            data: the text; its first byte that is no space is ``{``.
        """
        self._data = data
        self._head: int | None = None
        self._tail: int | None = None

    def entries(self) -> Iterator[tuple[int, int]]:
        """Where each entry begins and ends.

        One that never ends is given with the end of the text, and is the last.

        Raises:
            InvalidDocument: what stands between two entries is no JSON.
            InvalidBundle: an entry is no object.
        """
        at: int | None = 0
        depth = 0
        while at is not None and (match := _BESIDE.match(self._data, at)) is not None:
            at = match.end()
            if match.lastindex != _OPENS:
                return
            if depth == 0:
                depth = 1
            elif self._head is None and match[3] == b"[" and _is_entry(match[1], match[2]):
                self._head = at
                at = yield from self._elements(at)
            else:
                at = self._behind(at)

    def envelope(self) -> Value:
        """All of the Bundle but its entries, once they have all been asked for.

        Where it has any, the member "entry" is an empty list.

        Raises:
            InvalidDocument: it is no JSON; line and column are those in the file.
            InvalidBundle: it is longer than `MAX_RESOURCE_BYTES`.
        """
        size = len(self._data)
        head = size if self._head is None else self._head
        tail = size if self._tail is None else self._tail
        if head + size - tail > MAX_RESOURCE_BYTES:
            raise InvalidBundle("the Bundle is too long beside its entries, or is none")
        before = bytes(self._data[:head])
        try:
            return parse(before + bytes(self._data[tail:]))
        except InvalidDocument as error:
            if error.line is None or error.column is None:
                raise
            line, column = place(before, head)
            if (error.line, error.column) < (line, column):
                raise
            first = error.line == line
            behind = InvalidDocument(
                bare(error),
                line=error.line - line + 1,
                column=error.column - column + 1 if first else error.column,
            )
            raise moved(behind, self._data, tail) from error

    def _elements(self, at: int) -> Generator[tuple[int, int], None, int | None]:
        """The objects of the array that begins here; gives where it ends."""
        size = len(self._data)
        gap = at
        number = 0
        while True:
            match = _BESIDE.match(self._data, at)
            if match is None or match.lastindex not in (_OPENS, _CLOSES):
                self._between(gap, size, number, b"")
                return None
            at = match.end()
            if match.lastindex == _CLOSES:
                self._between(gap, at - 1, number, b"]")
                self._tail = at - 1
                return at
            end = self._behind(at)
            if match[3] == b"{":
                self._between(gap, at - 1, number, b"{}]")
                number += 1
                yield at - 1, size if end is None else end
                gap = size if end is None else end
            if end is None:
                return None
            at = end

    def _between(self, start: int, end: int, number: int, closing: bytes) -> None:
        """Refuse what stands before, between or behind entries and is not the comma alone."""
        if end - start > MAX_RESOURCE_BYTES:
            raise InvalidBundle(f"what follows entry {number} of the Bundle is too long")
        gap = bytes(self._data[start:end])
        expected = _COMMA if number and closing == b"{}]" else _SPACE
        if closing and expected.fullmatch(gap):
            return
        opening = b"[{}" if number else b"["
        try:
            parse(opening + gap + closing)
        except InvalidDocument as error:
            raise moved(error, self._data, start, before=len(opening)) from error
        raise InvalidBundle(f"entry {number + 1} of the Bundle has no resource")

    def _behind(self, at: int) -> int | None:
        """Where what was opened just before `at` is closed; None where it never is."""
        depth = 1
        for match in _WITHIN.finditer(self._data, at):
            if match.lastindex is None:
                return None
            if match.lastindex == 1:
                depth += 1
            else:
                depth -= 1
                if depth == 0:
                    return match.end()
        return None


def is_ndjson(data: Buffer) -> bool:
    """Whether an object on the first line is followed by more: no one JSON value is like that.

    A single line is no telling.
    """
    return _TWO_LINES.match(data) is not None


def lines(data: Buffer) -> Iterator[tuple[int, int, int]]:
    """The lines that are not blank: each one's number, from 1, and where it begins and ends."""
    for number, match in enumerate(_LINE.finditer(data), start=1):
        if match[1].strip():
            start, end = match.span(1)
            yield number, start, end


def place(data: Buffer, offset: int) -> tuple[int, int]:
    """Line and column of a byte, both from 1; the column is counted in characters."""
    line, line_start = 1, 0
    for start in range(0, offset, _CHUNK):
        chunk = bytes(data[start : min(start + _CHUNK, offset)])
        line += chunk.count(b"\n")
        if b"\n" in chunk:
            line_start = start + chunk.rindex(b"\n") + 1
    before = bytes(data[line_start:offset])
    return line, len(before.decode(errors="replace")) + 1


def moved(error: InvalidDocument, data: Buffer, start: int, *, before: int = 0) -> InvalidDocument:
    """An error in a piece of the text, with its line and column in all of it.

    Args:
        error: what the parser said of the piece.
        data: all of the text.
        start: where the piece begins in it.
        before: how many characters stood before the piece when it was parsed.
    """
    if error.line is None or error.column is None:
        return error
    line, column = place(data, start)
    if error.line == 1:
        return _placed(error, line, max(column, column + error.column - 1 - before))
    return _placed(error, line + error.line - 1, error.column)


def _placed(error: InvalidDocument, line: int, column: int) -> InvalidDocument:
    return InvalidDocument(bare(error), line=line, column=column)


def bare(error: InvalidDocument) -> str:
    """What an error says, without where."""
    return error.problem.removesuffix(f" (line {error.line}, column {error.column})")


def _is_entry(name: bytes | None, gap: bytes | None) -> bool:
    """Whether a bracket behind this string and this gap opens the member "entry"."""
    if name is None or gap is None or not _COLON.fullmatch(gap):
        return False
    if b"\\" not in name:
        return name == b"entry"
    try:
        return bool(json.loads(b'"' + name + b'"') == "entry")
    except ValueError:
        return False
