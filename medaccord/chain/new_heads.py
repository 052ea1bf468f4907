"""Hearing of new blocks over a WebSocket. What is heard is a hint to ask, never an answer."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from websockets.exceptions import WebSocketException
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from medaccord.core.errors import InvalidInput
from medaccord.core.masking import masked

_log = logging.getLogger(__name__)

_SUBSCRIBE: Final = json.dumps(
    {"jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": ["newHeads"]}
)
_LISTEN_SECONDS: Final = 0.5
_OPEN_SECONDS: Final = 10


class NewHeads:
    """Calls somebody whenever a node may have a new block.

    That is at each head it tells of, and each time the connection stands again: what happened
    meanwhile is unknown. Where the socket is refused or breaks it is tried again, each time after a
    longer pause, until a subscription stood.

    Source: Ethereum JSON-RPC `eth_subscribe`, `newHeads`.
    """

    def __init__(
        self,
        url: str,
        heard: Callable[[], object],
        *,
        first_pause: timedelta = timedelta(seconds=1),
        longest_pause: timedelta = timedelta(minutes=1),
    ) -> None:
        """Nothing is connected yet.

        Args:
            url: the node's address for subscriptions, `ws://…` or `wss://…`.
            heard: called on a thread of this object's own; it must return at once.
            first_pause: before the first new try; doubled at each further one.
            longest_pause: the most a pause grows to.

        Raises:
            InvalidInput: the address is of another kind, or malformed.
        """
        if not _can_be_heard_at(url):
            raise InvalidInput(f"subscribe at an address of ws:// or wss://, not {masked(url)}")
        self._url = url
        self._heard = heard
        self._first_pause = first_pause.total_seconds()
        self._longest_pause = longest_pause.total_seconds()
        self._stood = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="new heads", daemon=True)

    def start(self) -> None:
        """Begin to listen, on a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Listen no more; returns once the thread has ended."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        pause = self._first_pause
        while not self._stop.is_set():
            self._stood = False
            try:
                with connect(self._url, open_timeout=_OPEN_SECONDS, close_timeout=1) as socket:
                    socket.send(_SUBSCRIBE)
                    self._listen(socket)
            except (OSError, WebSocketException) as error:
                _log.warning("no subscription at the node, polling alone: %s", error)
            if self._stood:
                pause = self._first_pause
            self._stop.wait(pause)
            pause = min(2 * pause, self._longest_pause)

    def _listen(self, socket: Connection) -> None:
        """Pass on what comes, until it is told to stop or the node refuses to subscribe."""
        while not self._stop.is_set():
            try:
                message = socket.recv(timeout=_LISTEN_SECONDS)
            except TimeoutError:
                continue
            if '"error"' in str(message):
                _log.warning("the node refused to subscribe: %.200s", message)
                return
            # The first message says that the subscription stands: there may be news since before.
            self._stood = True
            self._heard()


def _can_be_heard_at(url: str) -> bool:
    """Whether it is an address at all: on the thread, one that is none would end it unheard."""
    try:
        parts = urlsplit(url)
        _, name = parts.port, (parts.hostname or "").encode("idna")
    except ValueError:
        return False
    return parts.scheme in ("ws", "wss") and bool(name)
