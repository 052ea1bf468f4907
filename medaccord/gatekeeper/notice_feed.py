"""Waking the streams whose account is told something, by one query for all of them together.

The database is what the processes of a gatekeeper share, so it is asked, four times a second while
anybody listens: a notice is seen alike whichever process wrote it. A stream that waits holds
neither a thread nor a connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Final

from starlette.concurrency import run_in_threadpool

from medaccord.core.errors import StoreFailed
from medaccord.core.identifiers import Address
from medaccord.gatekeeper.notices import Notices

EVERY: Final = timedelta(milliseconds=250)
"""How often is asked what is new."""


class NoticeFeed:
    """Watches the outbox while anybody listens. It belongs to one event loop."""

    def __init__(self, notices: Notices, *, every: timedelta = EVERY) -> None:
        self._notices = notices
        self._every = every.total_seconds()
        self._listening: dict[Address, set[asyncio.Event]] = {}
        self._watching: asyncio.Task[None] | None = None

    @contextmanager
    def listen(self, account: Address) -> Iterator[asyncio.Event]:
        """An event that is set whenever the account may have been told something new."""
        told = asyncio.Event()
        self._listening.setdefault(account, set()).add(told)
        if self._watching is None:
            self._watching = asyncio.create_task(self._watch())
        try:
            yield told
        finally:
            self._listening[account].discard(told)
            if not self._listening[account]:
                del self._listening[account]
            if not self._listening:
                self._watching.cancel()
                self._watching = None

    async def _watch(self) -> None:
        last: int | None = None
        while True:
            with suppress(StoreFailed):  # each stream asks by itself as well, and says so then
                last = await self._wake(last)
            await asyncio.sleep(self._every)

    async def _wake(self, last: int | None) -> int:
        """Wake whoever is told something after an id; give the newest.

        Without an id everybody is woken: what came before the first look was seen by nobody.
        """
        if last is None:
            newest = await run_in_threadpool(self._notices.newest)
            woken = set(self._listening)
        else:
            told = await run_in_threadpool(self._notices.told_since, last)
            newest = max(told.values(), default=last)
            woken = told.keys() & self._listening.keys()
        for account in woken:
            for each in self._listening[account]:
                each.set()
        return newest
