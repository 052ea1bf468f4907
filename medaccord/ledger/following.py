"""Keeping a ledger at the chain's head, until told to stop."""

from __future__ import annotations

import logging
import threading
from datetime import timedelta
from types import TracebackType
from typing import Protocol, Self

from medaccord.chain.new_heads import NewHeads
from medaccord.core.blocks import BlockRef
from medaccord.core.errors import MedaccordError

__all__ = ["Following", "Syncing"]

_log = logging.getLogger(__name__)


class Syncing(Protocol):
    """What can be brought to the chain's head: a `Ledger`, or its follower alone."""

    def sync(self) -> BlockRef:
        """Take in everything up to the chain's head."""


class Following:
    """Syncs at once, then at an interval, and besides whenever the node tells of a new block.

    A sync fills whatever gap there is, so nothing is lost while a subscription is broken, and a
    subscription that is refused costs no more than the interval. Use it as a context manager:

        with Following(ledger, every=timedelta(seconds=2), heads="ws://127.0.0.1:8546"):
            ...

    Attributes:
        failure: why the last sync failed; None where it did not.
    """

    def __init__(
        self,
        ledger: Syncing,
        *,
        every: timedelta,
        heads: str | None = None,
        first_pause: timedelta = timedelta(seconds=1),
    ) -> None:
        """Nothing is asked yet.

        Args:
            ledger: what is kept at the head.
            every: longest time between two syncs, above zero.
            heads: the node's address for subscriptions, `ws://…`; none to poll alone.
            first_pause: before a broken subscription is tried again; grows up to a minute.

        Raises:
            InvalidInput: the address for subscriptions is of another kind.
            ValueError: the interval is not above zero.
        """
        if every <= timedelta():
            raise ValueError(f"the interval must be above zero, not {every}")
        self._ledger = ledger
        self._every = every.total_seconds()
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="following", daemon=True)
        self._heads = (
            None if heads is None else NewHeads(heads, self._wake.set, first_pause=first_pause)
        )
        self.failure: MedaccordError | None = None

    def __enter__(self) -> Self:
        """As `start`."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """As `stop`."""
        self.stop()

    def start(self) -> None:
        """Begin, on a thread of its own. Starting twice does no harm."""
        if self._thread.ident is None:
            self._thread.start()
            if self._heads is not None:
                self._heads.start()

    def stop(self) -> None:
        """Stop; a sync under way is finished first. Stopping twice does no harm."""
        self._stop.set()
        self._wake.set()
        if self._thread.ident is not None:
            if self._heads is not None:
                self._heads.stop()
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.clear()
            self._sync()
            if self._stop.is_set():  # told so after the line above that would have forgotten it
                return
            self._wake.wait(self._every)

    def _sync(self) -> None:
        """One sync. What fails is told once, and tried again: what was known stands meanwhile."""
        try:
            self._ledger.sync()
        except MedaccordError as error:
            if str(error) != str(self.failure):
                _log.warning("the ledger cannot be brought to the chain's head: %s", error)
            self.failure = error
        else:
            self.failure = None
