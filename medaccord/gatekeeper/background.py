"""Work that a gatekeeper does by itself, at intervals, while it answers."""

import logging
import threading
from collections.abc import Callable
from datetime import timedelta

_log = logging.getLogger(__name__)


class Repeating:
    """One job in one thread, run again and again until stopped.

    A failure is logged and the job is run again at its next turn: what a gatekeeper owes (anchoring
    its log, sending a revocation) it goes on owing until it is done.
    """

    def __init__(self, name: str, job: Callable[[], object], *, every: timedelta) -> None:
        self._name = name
        self._job = job
        self._every = every
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin; the first run is one interval from now. Starting twice does no harm."""
        if self._thread.ident is None:
            self._thread.start()

    def stop(self) -> None:
        """Wait for the run under way, if any, and run no more. Stopping twice does no harm."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._every.total_seconds()):
            try:
                self._job()
            except Exception:  # a thread that died would owe its work for ever, unseen
                _log.exception("%s failed and will be tried again", self._name)
