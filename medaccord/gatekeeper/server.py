"""A gatekeeper's HTTP server: uvicorn in a thread of this process."""

import socket
import threading
import time
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from medaccord.core.errors import TransportError

_START_SECONDS: Final = 10.0
_POLL_SECONDS: Final = 0.01

_MAX_HEAD_BYTES: Final = 64 * 1024
"""Length of request line and headers together, inclusive."""

_STOP_SECONDS: Final = 5
"""How long an answer under way, or a request that is still coming in, can hold a stop up."""


class RunningServer:
    """A server that answers until it is stopped.

    Attributes:
        url: where it answers, without a slash at the end.
    """

    def __init__(self, *, url: str, server: uvicorn.Server, thread: threading.Thread) -> None:
        self.url = url
        self._server = server
        self._thread = thread

    def stop(self) -> None:
        """Give the answers under way five seconds to finish, and close the port.

        Stopping twice does no harm.
        """
        self._server.should_exit = True
        self._thread.join()


def bind(host: str = "127.0.0.1", port: int = 0) -> socket.socket:
    """Take a port before there is a server, so that its address can be told in advance.

    Args:
        host: the interface; loopback unless told otherwise.
        port: 0 takes any free one.

    Raises:
        TransportError: the port is taken, or not ours to take.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise TransportError(f"cannot listen on {host}:{port}: {error.strerror}") from error
    return listener


def url_of(listener: socket.socket) -> str:
    """The address at which a bound port answers."""
    host, port = listener.getsockname()[:2]
    return f"http://{host}:{port}"


def serve(app: ASGIApp, listener: socket.socket) -> RunningServer:
    """Serve an application on a port taken with `bind`; return once it answers.

    Raises:
        TransportError: the server did not start within ten seconds.
    """
    config = uvicorn.Config(
        app,
        http="h11",  # httptools, the default, takes headers without end
        h11_max_incomplete_event_size=_MAX_HEAD_BYTES,
        timeout_graceful_shutdown=_STOP_SECONDS,
        log_level="warning",
        access_log=False,
        server_header=False,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(
        target=server.run, kwargs={"sockets": [listener]}, name="gatekeeper-http", daemon=True
    )
    thread.start()
    deadline = time.monotonic() + _START_SECONDS
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            server.should_exit = True
            raise TransportError(f"the server at {url_of(listener)} did not start")
        time.sleep(_POLL_SECONDS)
    return RunningServer(url=url_of(listener), server=server, thread=thread)
