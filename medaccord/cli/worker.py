"""One process that answers: from its gatekeeper's opening to the last line of its log anchored."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from medaccord.cli.steward import open_gatekeeper
from medaccord.core.errors import TransportError
from medaccord.gatekeeper import Gatekeeper
from medaccord.settings import Settings

_LOOK_SECONDS: Final = 1.0

STOPPING: Final = (signal.SIGTERM, signal.SIGINT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """What can be told once a process answers.

    Attributes:
        steward: whose records it keeps.
        chain_id: the chain it follows.
    """

    steward: str
    chain_id: int


def answer(
    flags: Mapping[str, Any],
    listener: socket.socket,
    url: str,
    *,
    stop: threading.Event,
    ready: Callable[[Gatekeeper, Ready], None],
) -> None:
    """Answer until told to stop, then finish what is under way, anchor the log and close.

    Args:
        flags: settings by name, as of `open_gatekeeper`.
        listener: the port, which other processes may listen on as well.
        url: what people sign in to.
        stop: set from anywhere when it is time.
        ready: told once it answers.

    Raises:
        MedaccordError: as `open_gatekeeper`.
        TransportError: the server ended by itself.
    """
    settings = Settings.load(**flags)
    with open_gatekeeper(flags) as gatekeeper:
        server = gatekeeper.serve(listener=listener, url=url, grace=settings.grace_time)
        ready(
            gatekeeper,
            Ready(steward=gatekeeper.steward, chain_id=gatekeeper.network.chain_id),
        )
        while not stop.wait(_LOOK_SECONDS):
            if not server.is_running:
                raise TransportError("the server ended by itself: see its log, and start it again")
        gatekeeper.drain()
        # Whoever sends requests here has this time to see it at /ready and send them elsewhere.
        threading.Event().wait(settings.drain_time.total_seconds())
        gatekeeper.shut_down()


def stop_on_signals(stop: threading.Event, *, at_once: Callable[[], None]) -> None:
    """Set an event at the first signal, and do something more at the second."""

    def hear(*_: object) -> None:
        if stop.is_set():
            at_once()
        stop.set()

    for each in STOPPING:
        signal.signal(each, hear)


def closed(listener: socket.socket) -> None:
    """Close a port, whatever became of it."""
    with suppress(OSError):
        listener.close()
