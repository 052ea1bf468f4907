"""A receiver of webhooks as organisations have one: a real HTTP server that can fail."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PATIENCE = 30  # seconds until something that never comes fails a test


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """One POST that came in."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def name(self) -> str:
        """What names the message."""
        return self.headers["webhook-id"]

    @property
    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.body)
        return document


class Receiver:
    """Takes what is posted to it; `answer` says how.

    Attributes:
        posted: whatever came, taken or not.
        answer: the status for one post; it may take its time.
        location: where it sends on to, where the status says so.
    """

    def __init__(self, port: int = 0) -> None:
        self.posted: list[Posted] = []
        self.answer: Callable[[Posted], int] = lambda _: 204
        self.location = ""
        self._server = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/notices"

    def speak_tls(self, context: ssl.SSLContext) -> None:
        """Before anybody comes."""
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def wait_for(self, count: int) -> list[Posted]:
        """The first posts, once there are as many; fails where they never come."""
        until(lambda: len(self.posted) >= count)
        return self.posted[:count]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                posted = Posted(path=self.path, headers=headers, body=body)
                receiver.posted.append(posted)
                self.send_response(receiver.answer(posted))
                if receiver.location:
                    self.send_header("Location", receiver.location)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing in the output of the tests."""

        return Handler


@contextmanager
def receiving(port: int = 0) -> Iterator[Receiver]:
    receiver = Receiver(port)
    try:
        yield receiver
    finally:
        receiver.stop()


def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds; fails where it never does."""
    patience = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < patience, "it never came about"
        time.sleep(0.02)
