"""Load on an HTTP server: kept-alive connections that each ask again as soon as they are answered.

A client of its own, since one that does more could not keep a server busy from one core.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

_LENGTH: Final = b"content-length:"
_END: Final = b"\r\n\r\n"
_LONGEST_HEAD: Final = 64 * 1024


@dataclass(slots=True)
class Figures:
    """What was measured of one question, in all its rounds.

    Attributes:
        seconds: how long it was asked.
        latencies: of every answer, in seconds.
        refused: answers of another status than 200.
    """

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    refused: int = 0

    @property
    def per_second(self) -> float:
        """Answers in a second, over all connections."""
        return len(self.latencies) / self.seconds

    def document(self) -> dict[str, float]:
        """Rate, and the times that half, 95 and 99 of a hundred answers took at most."""
        ordered = sorted(self.latencies)
        return {"requests_per_second": round(self.per_second, 1)} | {
            f"p{share}_milliseconds": round(1e3 * ordered[len(ordered) * share // 100], 2)
            for share in (50, 95, 99)
        }


def load(
    url: str,
    requests: Iterator[bytes],
    figures: Figures,
    *,
    connections: int,
    seconds: float,
) -> None:
    """Ask a server for a time, and add what is measured to `figures`.

    Args:
        url: where it answers.
        requests: whole requests, one after the other, for whichever connection is free.
        figures: of this question.
        connections: how many ask at the same time.
        seconds: how long; questions under way are waited for.

    Raises:
        ConnectionError: the server broke off.
    """
    asyncio.run(_load(url, requests, figures, connections, seconds))


def request(
    method: str, url: str, path: str, *, token: str | None = None, body: bytes | None = None
) -> bytes:
    """A request as it goes over the wire."""
    head = [f"{method} {path} HTTP/1.1", f"Host: {urlsplit(url).netloc}", "Accept: */*"]
    if token is not None:
        head.append(f"Authorization: Bearer {token}")
    if body is not None:
        head += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join(head).encode() + _END + (body or b"")


async def _load(
    url: str, requests: Iterator[bytes], figures: Figures, connections: int, seconds: float
) -> None:
    place = urlsplit(url)
    opened = [
        await asyncio.open_connection(place.hostname, place.port, limit=_LONGEST_HEAD)
        for _ in range(connections)
    ]
    started = time.perf_counter()
    until = started + seconds

    async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (asked := time.perf_counter()) < until:
            writer.write(next(requests))
            status = await _answer(reader)
            figures.latencies.append(time.perf_counter() - asked)
            figures.refused += status != 200
        writer.close()

    await asyncio.gather(*(ask(*each) for each in opened))
    figures.seconds += time.perf_counter() - started


async def _answer(reader: asyncio.StreamReader) -> int:
    head = (await reader.readuntil(_END)).lower()
    start = head.index(_LENGTH) + len(_LENGTH)
    await reader.readexactly(int(head[start : head.index(b"\r\n", start)]))
    return int(head[9:12])
