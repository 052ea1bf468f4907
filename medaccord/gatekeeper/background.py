"""Work that a gatekeeper does by itself, at intervals, while it answers.

Of all processes on one database one does it, the one that holds a lock there. When that process
ends, however it ends, another takes over. A job may be cut off anywhere, and may for a moment run
twice, where the holder lost its connection to the database and does not know it yet.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Final

from sqlalchemy import Engine

from medaccord.core.errors import StoreFailed
from medaccord.gatekeeper.metrics import Metrics
from medaccord.store.locks import if_free

LOCK: Final = "background work"
"""Name of the lock whose holder does it."""

_LOOK_AGAIN: Final = 2.0
"""Seconds between two looks at the lock, whether it is free or is still ours."""

_log = logging.getLogger(__name__)


class Repeating:
    """One job in one thread, run again and again until stopped; it may be started anew after that.

    A failure is logged and the job is run again at its next turn: what a gatekeeper owes (anchoring
    its log, sending a revocation) it goes on owing until it is done.
    """

    def __init__(self, name: str, job: Callable[[], object], *, every: timedelta) -> None:
        self._name = name
        self._job = job
        self._every = every
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, metrics: Metrics, *, at_once: bool = False) -> None:
        """Begin; the first run is one interval from now, or at once. Twice does no harm."""
        if self._thread is None:
            self._stop.clear()
            self._thread = threading.Thread(
                target=self._run, args=(metrics, at_once), name=self._name, daemon=True
            )
            self._thread.start()

    def end(self) -> None:
        """Run no more after the run under way, which is not waited for."""
        self._stop.set()

    def stop(self) -> None:
        """Wait for the run under way, if any, and run no more. Stopping twice does no harm."""
        self.end()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self, metrics: Metrics, at_once: bool) -> None:
        while at_once or not self._stop.wait(self._every.total_seconds()):
            at_once = False
            try:
                self._job()
            except Exception:  # a thread that died would owe its work for ever, unseen
                metrics.jobs.labels(self._name, "failed").inc()
                _log.exception("%s failed and will be tried again", self._name)
            else:
                metrics.jobs.labels(self._name, "done").inc()


class Background:
    """All jobs of a gatekeeper, run while this process is the one to do them."""

    def __init__(self, engine: Engine, jobs: Iterable[Repeating], metrics: Metrics) -> None:
        self._engine = engine
        self._jobs = tuple(jobs)
        self._metrics = metrics
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="background", daemon=True)

    def start(self) -> None:
        """Begin, here or as the one who waits to take over. Starting twice does no harm."""
        if self._thread.ident is None:
            self._thread.start()

    def stop(self) -> None:
        """Finish what is under way and leave the rest to others. Twice does no harm."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        waited = False
        while not self._stop.is_set():
            try:
                with if_free(self._engine, LOCK) as is_ours:
                    if is_ours is not None:
                        self._lead(is_ours, taken_over=waited)
            except StoreFailed as error:
                _log.warning("the work in the background waits for the database: %s", error)
            except Exception:  # nobody else may be there to do it
                _log.exception("the work in the background was broken off and is begun again")
            waited = True
            self._stop.wait(_LOOK_AGAIN)

    def _lead(self, is_ours: Callable[[], bool], *, taken_over: bool) -> None:
        self._metrics.leads.set(1)
        if taken_over:
            _log.info("took over the work in the background")
        try:
            for job in self._jobs:
                job.start(self._metrics, at_once=taken_over)
            while not self._stop.wait(_LOOK_AGAIN) and is_ours():
                pass
        finally:
            for job in self._jobs:
                job.end()  # all of them first: none begins another run while a slow one is awaited
            for job in self._jobs:
                job.stop()
            self._metrics.leads.set(0)
