"""The network outside: a proxy in front of a real node, which spoils answers as it is told.

Also a plain line of TCP, for sockets.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeAlias

import httpx

Spoil: TypeAlias = Callable[[list[dict[str, Any]], list[dict[str, Any]]], object]
"""Changes answers in place, given the requests; what it returns replaces them, unless None."""


class FaultyNode:
    """Passes calls on to a node, and spoils the answers.

    Attributes:
        upstream: the node asked; may be changed at any time.
        head: number of the block that it tells of as its newest; None for the node's own.
        spoil: what is done to answers; None to pass them on as they are.
        raw: what is done to the text of an answer after that; None for nothing.
        delay: seconds that each answer waits.
        drip: seconds between two bytes of an answer; 0 to send it whole.
        cut: whether the connection ends in the middle of each answer.
    """

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        self.mend()
        node = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                answer = node.answer(body)
                if node.delay:
                    node.hold.wait(node.delay)
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                with suppress(OSError):  # whoever asked may have given up
                    self._send(answer)

            def _send(self, answer: bytes) -> None:
                if node.cut:
                    self.wfile.write(answer[: len(answer) // 2])
                    self.wfile.flush()
                    self.close_connection = True
                elif node.drip:
                    for byte in answer:
                        self.wfile.write(bytes([byte]))
                        self.wfile.flush()
                        if node.hold.wait(node.drip):
                            return
                else:
                    self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._client = httpx.Client()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def mend(self) -> None:
        """Pass everything on as it is, from now on."""
        self.head: int | None = None
        self.spoil: Spoil | None = None
        self.raw: Callable[[bytes], bytes] | None = None
        self.delay = self.drip = 0.0
        self.cut = False
        self.hold = threading.Event()

    def answer(self, body: bytes) -> bytes:
        if self.head is not None:
            body = body.replace(b'"latest"', f'"{self.head:#x}"'.encode())
        text = self._client.post(
            self.upstream, content=body, headers={"content-type": "application/json"}
        ).content
        if self.spoil is not None:
            asked, answered = json.loads(body), json.loads(text)
            many = isinstance(asked, list)
            answers = answered if many else [answered]
            replaced = self.spoil(asked if many else [asked], answers)
            spoilt = answers if replaced is None else replaced
            text = json.dumps(spoilt if many or replaced is not None else answers[0]).encode()
        return text if self.raw is None else self.raw(text)

    @contextmanager
    def running(self) -> Iterator[FaultyNode]:
        thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.hold.set()
            self._server.shutdown()
            self._server.server_close()
            thread.join()
            self._client.close()


def logs(change: Callable[[list[dict[str, Any]]], object]) -> Spoil:
    """Change the logs in answers to `eth_getLogs`; what it returns replaces them, unless None."""

    def spoil(asked: list[dict[str, Any]], answers: list[dict[str, Any]]) -> None:
        for request, answer in zip(asked, answers, strict=True):
            if request["method"] == "eth_getLogs" and "result" in answer:
                changed = change(answer["result"])
                answer["result"] = answer["result"] if changed is None else changed

    return spoil


def blocks(change: Callable[[dict[str, Any]], object]) -> Spoil:
    """Change blocks in answers, but the newest that is asked for by name and the first."""

    def spoil(asked: list[dict[str, Any]], answers: list[dict[str, Any]]) -> None:
        for request, answer in zip(asked, answers, strict=True):
            named = request["params"] and request["params"][0] in ("latest", "0x0")
            if request["method"] == "eth_getBlockByNumber" and not named and answer["result"]:
                change(answer["result"])

    return spoil


class Line:
    """A TCP line to a port of this machine that can be cut; new connections are taken again."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._ends: list[socket.socket] = []
        self.taken = 0

    def cut(self) -> None:
        """End every connection there is."""
        ends, self._ends = self._ends, []
        for end in ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    @contextmanager
    def running(self) -> Iterator[Line]:
        thread = threading.Thread(target=self._accept, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            with suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            thread.join()
            self.cut()
            time.sleep(0.05)  # lets the pumps close their ends

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._port))
            self._ends += [near, far]
            self.taken += 1
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=_pump, args=(source, sink), daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(65_536):
            sink.sendall(piece)
    for end in (source, sink):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
    source.close()
