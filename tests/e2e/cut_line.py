"""A proxy between commands and the services they ask, where the line to some paths is cut."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import httpx

_SECONDS = 60
_OF_THE_LINE = ("host", "proxy-connection", "connection", "content-length", "accept-encoding")


@contextmanager
def cut_line(*paths: str) -> Iterator[str]:
    """Run the proxy; requests for these paths get no answer, all others do.

    Yields:
        Its address, for HTTP_PROXY.
    """
    with (
        httpx.Client(trust_env=False, timeout=_SECONDS) as onward,
        ThreadingHTTPServer(("127.0.0.1", 0), _handler(onward, paths)) as server,
    ):
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join(_SECONDS)


def _handler(onward: httpx.Client, paths: tuple[str, ...]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._pass_on()

        def do_POST(self) -> None:
            self._pass_on()

        def log_message(self, format: str, *args: object) -> None:
            """Keep what tests print free of it."""

        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if urlsplit(self.path).path in paths:
                return  # HTTP/1.0: the connection is closed without an answer
            kept = {
                name: value
                for name, value in self.headers.items()
                if name.lower() not in _OF_THE_LINE
            }
            answer = onward.request(self.command, self.path, headers=kept, content=body)
            self.send_response(answer.status_code)
            for name, value in answer.headers.items():
                if name not in ("content-length", "content-encoding", "transfer-encoding"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

    return Handler
