"""``medaccord serve``: the gatekeeper, answering over HTTP until it is told to stop."""

from __future__ import annotations

import ipaddress
import os
import resource
import socket
import threading
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

import typer

from medaccord.cli import logs
from medaccord.cli.ending import FAILED
from medaccord.cli.options import (
    AccountOption,
    DatabaseOption,
    KeysOption,
    RecordOption,
    RpcOption,
    StewardOption,
)
from medaccord.cli.output import JsonOption, say
from medaccord.cli.supervisor import Supervisor
from medaccord.cli.worker import Ready, answer, closed, stop_on_signals
from medaccord.core.errors import InvalidSetting
from medaccord.gatekeeper import Gatekeeper
from medaccord.gatekeeper.metrics_listener import MetricsListener
from medaccord.gatekeeper.server import bind, url_of
from medaccord.settings import Settings
from medaccord.store.urls import database_url as parsed_url

HostOption = Annotated[
    str | None, typer.Option("--host", metavar="ADDRESS", help="The interface; MEDACCORD_HOST.")
]
PortOption = Annotated[
    int | None, typer.Option("--port", help="The port, 0 for any free one; MEDACCORD_PORT.")
]
UrlOption = Annotated[
    str | None,
    typer.Option(
        "--public-url", metavar="URL", help="What people sign in to; MEDACCORD_PUBLIC_URL."
    ),
]
HttpOption = Annotated[
    bool | None,
    typer.Option("--unsafe-http", help="Sign in without TLS, for trials; MEDACCORD_UNSAFE_HTTP."),
]
WorkersOption = Annotated[
    int | None, typer.Option("--workers", help="Processes that answer; MEDACCORD_WORKERS.")
]
HeadsOption = Annotated[
    str | None,
    typer.Option(
        "--heads-url",
        metavar="URL",
        help="The node's WebSocket, for new blocks; MEDACCORD_HEADS_URL.",
    ),
]
MetricsHostOption = Annotated[
    str | None,
    typer.Option(
        "--metrics-host", metavar="ADDRESS", help="Interface of /metrics; MEDACCORD_METRICS_HOST."
    ),
]
MetricsPortOption = Annotated[
    int | None,
    typer.Option(
        "--metrics-port",
        help="Port of /metrics, the one after --port unless given; MEDACCORD_METRICS_PORT.",
    ),
]
LevelOption = Annotated[
    str | None,
    typer.Option("--log-level", help="debug, info, warning or error; MEDACCORD_LOG_LEVEL."),
]
FormatOption = Annotated[
    str | None, typer.Option("--log-format", help="json or text; MEDACCORD_LOG_FORMAT.")
]

_LAST_PORT: Final = 65535
_FILES: Final = 65536


def serve(
    host: HostOption = None,
    port: PortOption = None,
    public_url: UrlOption = None,
    unsafe_http: HttpOption = None,
    workers: WorkersOption = None,
    rpc_url: RpcOption = None,
    heads_url: HeadsOption = None,
    record: RecordOption = None,
    database_url: DatabaseOption = None,
    keys_folder: KeysOption = None,
    account: AccountOption = None,
    steward: StewardOption = None,
    metrics_host: MetricsHostOption = None,
    metrics_port: MetricsPortOption = None,
    log_level: LevelOption = None,
    log_format: FormatOption = None,
    as_json: JsonOption = False,
) -> None:
    """Answer over HTTP until SIGTERM or Ctrl-C, which finishes what is under way."""
    flags = {
        name: value for name, value in locals().items() if name != "as_json" and value is not None
    }
    settings = Settings.load(**flags)
    logs.configure(settings.log_level, settings.log_format)
    _check_workers(settings)
    _allow_files()
    listener = bind(settings.host, settings.port)
    try:
        url = _url(settings, listener)
        counted = bind(settings.metrics_host, _metrics_port(settings))
        try:
            _run(settings, flags, listener, url, counted, as_json)
        finally:
            closed(counted)
    finally:
        closed(listener)


def _run(
    settings: Settings,
    flags: dict[str, Any],
    listener: socket.socket,
    url: str,
    counted: socket.socket,
    as_json: bool,
) -> None:
    open_listeners: list[MetricsListener] = []

    def tell(ready: Ready, metrics: MetricsListener) -> None:
        open_listeners.append(metrics)
        told = {
            "url": url,
            "listening": url_of(listener),
            "metrics": metrics.url,
            "steward": ready.steward,
            "chainId": ready.chain_id,
            "workers": settings.workers,
            "pid": os.getpid(),
        }
        say(told, f"The gatekeeper of {ready.steward} answers at {url}", as_json=as_json)

    try:
        if settings.workers > 1:
            supervisor = Supervisor(settings, flags, listener, url)
            code = supervisor.run(
                lambda ready: tell(ready, MetricsListener(counted, supervisor.metrics))
            )
            if code:
                raise typer.Exit(code)
            return
        stop = threading.Event()
        stop_on_signals(stop, at_once=lambda: os._exit(FAILED))

        def ready(gatekeeper: Gatekeeper, told: Ready) -> None:
            tell(told, MetricsListener(counted, gatekeeper.metrics_text))

        answer(flags, listener, url, stop=stop, ready=ready)
    finally:
        for each in open_listeners:
            each.close()


def _check_workers(settings: Settings) -> None:
    if settings.workers == 1:
        return
    if parsed_url(settings.database_url).get_backend_name() == "sqlite":
        raise InvalidSetting(
            f"--workers {settings.workers} needs PostgreSQL: on SQLite one process answers"
        )
    if settings.passphrase_file is None:
        raise InvalidSetting(
            "several workers cannot ask for the passphrase: name its file with"
            " MEDACCORD_PASSPHRASE_FILE"
        )


def _url(settings: Settings, listener: socket.socket) -> str:
    """What people sign in to.

    Raises:
        InvalidSetting: it is not TLS, and not on this machine alone.
    """
    url = settings.public_url or url_of(listener)
    parts = urlsplit(url)
    if parts.scheme == "https" or _is_loopback(parts.hostname or "") or settings.unsafe_http:
        return url
    raise InvalidSetting(
        f"people would sign in at {url} without TLS: name the https:// address of the proxy in"
        " front with --public-url or MEDACCORD_PUBLIC_URL"
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _metrics_port(settings: Settings) -> int:
    if settings.metrics_port is not None:
        return settings.metrics_port
    return settings.port + 1 if 0 < settings.port < _LAST_PORT else 0


def _allow_files() -> None:
    """Let as many connections be open as the system allows this user."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(hard, _FILES)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
