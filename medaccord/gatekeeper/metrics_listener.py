"""`/metrics` on a port of its own, so that a proxy in front of the service never passes it on."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST

from medaccord.gatekeeper.server import url_of

PATH: Final = "/metrics"


class MetricsListener:
    """Answers GET /metrics until it is closed.

    Attributes:
        url: where.
    """

    def __init__(self, listener: socket.socket, source: Callable[[], bytes]) -> None:
        """Answer on a port taken before with what `source` says at that time."""
        self.url = f"{url_of(listener)}{PATH}"

        class Handler(BaseHTTPRequestHandler):
            timeout = 10

            def do_GET(self) -> None:
                if self.path.partition("?")[0] != PATH:
                    self.send_error(404)
                    return
                body = source()
                self.send_response(200)
                self.send_header("Content-Type", CONTENT_TYPE_LATEST)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing: a line every few seconds is of no use."""

        # Given the port taken already, where the class would take one itself.
        self._server = ThreadingHTTPServer(listener.getsockname()[:2], Handler, False)
        self._server.socket.close()
        self._server.socket = listener
        self._server.daemon_threads = True
        self._server.server_activate()
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="metrics", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Close the port."""
        self._server.shutdown()
        self._server.server_close()
