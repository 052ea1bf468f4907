"""Several processes that answer on one port, kept up by one that does nothing else.

A worker that dies is replaced, one that dies again soon ever more slowly. Workers end with the
supervisor, however it ends: each reads from a pipe that breaks then.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import Any, Final

from medaccord.cli import logs
from medaccord.cli.ending import FAILED, code_of, one_line
from medaccord.cli.worker import STOPPING, Ready, answer, closed, stop_on_signals
from medaccord.core.errors import MedaccordError
from medaccord.gatekeeper import Gatekeeper
from medaccord.gatekeeper.metrics import merged
from medaccord.settings import Settings

_METRICS: Final = "metrics"
_STOP: Final = "stop"

_LOOK_SECONDS: Final = 0.5
_SCRAPE_SECONDS: Final = 5.0
_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 30.0
_LIVED_WELL: Final = 60.0
"""Seconds after which a worker that died is replaced at once again."""

_CLOSE_SECONDS: Final = 60.0
"""What a worker may take to close beside the times of the settings: anchoring waits for blocks."""

_log = logging.getLogger(__name__)
_spawning = multiprocessing.get_context("spawn")  # a copy of a process with threads is none


class _Worker:
    """One process and the supervisor's end of its pipe."""

    def __init__(
        self, number: int, flags: Mapping[str, Any], listener: socket.socket, url: str
    ) -> None:
        self.began = time.monotonic()
        self.ready: Ready | None = None
        self.failure: tuple[int, str] | None = None
        self._pipe, theirs = _spawning.Pipe()
        self._asking = threading.Lock()
        self.process = _spawning.Process(
            target=work, args=(dict(flags), listener, url, theirs), name=f"worker-{number}"
        )
        self.process.start()
        theirs.close()

    def hear(self) -> None:
        """Take what it says as it starts, if it says anything."""
        with suppress(EOFError, OSError), self._asking:
            if self.ready is None and self._pipe.poll():
                said = self._pipe.recv()
                if isinstance(said, Ready):
                    self.ready = said
                else:
                    self.failure = said

    def metrics(self) -> bytes | None:
        """What it counts; None where it does not answer."""
        with suppress(EOFError, OSError), self._asking:
            if self.ready is not None:
                while self._pipe.poll():  # an answer that came too late
                    self._pipe.recv()
                self._pipe.send(_METRICS)
                if self._pipe.poll(_SCRAPE_SECONDS):
                    said: bytes = self._pipe.recv()
                    return said
        return None

    def stop(self) -> None:
        """Tell it to finish."""
        with suppress(OSError):
            self._pipe.send(_STOP)

    def end(self, until: float) -> int:
        """Wait for it, no longer than until then; its exit code."""
        self.process.join(max(0.0, until - time.monotonic()))
        if self.process.is_alive():
            _log.error("%s did not end in time and is killed", self.process.name)
            self.process.kill()
            self.process.join()
        self._pipe.close()
        return self.process.exitcode or 0


class Supervisor:
    """Starts workers, replaces those that die, and ends them all."""

    def __init__(
        self, settings: Settings, flags: Mapping[str, Any], listener: socket.socket, url: str
    ) -> None:
        """Have as many workers as the settings say answer on a port; see `worker.answer`."""
        self._settings = settings
        self._arguments = (flags, listener, url)
        self._workers: dict[int, _Worker] = {}
        self._pauses: dict[int, float] = {}
        self._due: dict[int, float] = {}
        self._stop = threading.Event()

    def run(self, ready: Callable[[Ready], None]) -> int:
        """Have them answer until a signal says to stop.

        Args:
            ready: told once all of them answer.

        Returns:
            The exit code.
        """
        stop_on_signals(self._stop, at_once=self._kill)
        self._start(0)
        failure = self._await_all()  # alone: what is made at a first start is made once
        for number in range(1, self._settings.workers if failure is None else 1):
            self._start(number)
        failure = failure or self._await_all()
        if failure is None and not self._stop.is_set():
            told = self._workers[0].ready
            assert told is not None  # what `_await_all` waited for
            ready(told)
            self._keep()
        code = self._end()
        if failure is None:
            return code
        print(f"medaccord: {one_line(failure[1])}", file=sys.stderr)
        return failure[0]

    def metrics(self) -> bytes:
        """What all of them count, each under its number."""
        texts = ((str(number), worker.metrics()) for number, worker in self._workers.items())
        return merged({number: text for number, text in texts if text is not None})

    def _start(self, number: int) -> None:
        self._workers[number] = _Worker(number, *self._arguments)

    def _await_all(self) -> tuple[int, str] | None:
        """Wait until all answer; why one cannot, where it cannot."""
        while not self._stop.is_set():
            self._look()
            for worker in self._workers.values():
                if worker.failure is not None:
                    return worker.failure
                if not worker.process.is_alive():
                    return FAILED, "a worker ended before it answered"
            if all(worker.ready for worker in self._workers.values()):
                return None
        return None

    def _keep(self) -> None:
        """Replace whoever dies, until told to stop."""
        while not self._stop.is_set():
            self._look()
            now = time.monotonic()
            for number, worker in self._workers.items():
                if worker.process.is_alive():
                    continue
                if number not in self._due:
                    lived = now - worker.began
                    pause = 0.0 if lived > _LIVED_WELL else self._pauses.get(number, 0.0)
                    self._pauses[number] = min(max(_FIRST_PAUSE, 2 * pause), _LONGEST_PAUSE)
                    self._due[number] = now + pause
                    why = "" if worker.failure is None else f": {one_line(worker.failure[1])}"
                    _log.error("worker %d ended and is replaced%s", number, why)
            for number in [each for each, due in self._due.items() if due <= now]:
                del self._due[number]
                self._workers[number].end(now)
                self._start(number)

    def _look(self) -> None:
        """Wait a little, or until one ends, and hear what they say."""
        alive = [each.process for each in self._workers.values() if each.process.is_alive()]
        if alive:
            wait([each.sentinel for each in alive], timeout=_LOOK_SECONDS)
        else:
            self._stop.wait(_LOOK_SECONDS)
        for worker in self._workers.values():
            worker.hear()

    def _end(self) -> int:
        closed(self._arguments[1])  # or it would go on taking connections that nobody answers
        for worker in self._workers.values():
            worker.stop()
        spans = self._settings.drain_time + self._settings.grace_time
        until = time.monotonic() + spans.total_seconds() + _CLOSE_SECONDS
        codes = [worker.end(until) for worker in self._workers.values()]
        return FAILED if any(codes) else 0

    def _kill(self) -> None:
        for worker in self._workers.values():
            worker.process.kill()
        os._exit(FAILED)


def work(flags: Mapping[str, Any], listener: socket.socket, url: str, pipe: Connection) -> None:
    """Be a worker: answer until the supervisor says to stop, or is gone."""
    for each in STOPPING:  # a terminal or a service manager signals the whole group; see Supervisor
        signal.signal(each, signal.SIG_IGN)
    settings = Settings.load(**flags)
    logs.configure(settings.log_level, settings.log_format)
    stop = threading.Event()
    counting: list[Gatekeeper] = []

    def listen() -> None:
        with suppress(EOFError, OSError):
            while pipe.recv() == _METRICS:
                pipe.send(counting[0].metrics_text())
        stop.set()

    def ready(gatekeeper: Gatekeeper, told: Ready) -> None:
        counting.append(gatekeeper)
        pipe.send(told)

    threading.Thread(target=listen, name="supervisor", daemon=True).start()
    try:
        answer(flags, listener, url, stop=stop, ready=ready)
    except (MedaccordError, OSError) as error:
        with suppress(OSError):
            pipe.send((code_of(error), str(error)))
        raise SystemExit(FAILED) from None
    except Exception:  # told as the service tells things, not as Python does
        _log.exception("the worker failed")
        raise SystemExit(FAILED) from None
