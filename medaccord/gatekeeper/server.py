"""A gatekeeper's HTTP server: uvicorn in a thread of this process."""

import socket
import threading
import time
from datetime import timedelta
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from medaccord.core.errors import TransportError
from medaccord.gatekeeper.http_protocol import BoundedHttp

_START_SECONDS: Final = 10.0
_POLL_SECONDS: Final = 0.01

_KEEP_ALIVE_SECONDS: Final = 75
"""How long a connection may be idle: longer than proxies keep theirs, so that they close first."""

_BACKLOG: Final = 2048

GRACE: Final = timedelta(seconds=5)
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

    @property
    def is_running(self) -> bool:
        """Whether it answers still."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Close the port, and give the answers under way the grace to finish.

        Stopping twice does no harm.
        """
        self._server.should_exit = True
        self._thread.join()


def bind(host: str = "127.0.0.1", port: int = 0) -> socket.socket:
    """Take a port before there is a server, so that its address can be told in advance.

    Args:
        host: the interface, an IPv4 or IPv6 address or a name; loopback unless told otherwise.
        port: 0 takes any free one.

    Raises:
        TransportError: the port is taken, or not ours to take.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    except OSError as error:
        raise TransportError(f"cannot listen on {host}: {error.strerror}") from error
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)  # who comes before the server is there waits for it
    except OSError as error:
        listener.close()
        raise TransportError(f"cannot listen on {host}:{port}: {error.strerror}") from error
    return listener


def url_of(listener: socket.socket) -> str:
    """The address at which a bound port answers."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(app: ASGIApp, listener: socket.socket, *, grace: timedelta = GRACE) -> RunningServer:
    """Serve an application on a port taken with `bind`; return once it answers.

    Args:
        app: what answers.
        listener: the port.
        grace: how long what is under way may take once the server is stopped.

    Raises:
        TransportError: the server did not start within ten seconds.
    """
    config = uvicorn.Config(
        app,
        http=BoundedHttp,
        ws="none",
        lifespan="off",
        timeout_graceful_shutdown=max(1, round(grace.total_seconds())),
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        backlog=_BACKLOG,
        log_config=None,
        log_level="error",  # what somebody sends must not fill the log
        access_log=False,
        server_header=False,
        proxy_headers=False,  # nothing here depends on where a request says that it is from
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
