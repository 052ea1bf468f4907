"""Addresses of databases and nodes, as they may be shown."""

import re
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

__all__ = ["masked"]

_HIDDEN: Final = "***"
_NODES: Final = ("http", "https", "ws", "wss")
_SECRET_PARAMETER: Final = re.compile(r"pass|secret|token|key|credential", re.IGNORECASE)


def masked(url: str) -> str:
    """An address of a database or a node, without what may be secret in it.

    Hidden are a password, parameters named like one, and the path of a node, where providers put
    theirs; all of it, where it cannot be told apart.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return _HIDDEN
    rest = f"{parts.path}{parts.query}{parts.fragment}"
    if not parts.scheme or "@" in rest or parts.netloc.count("@") > 1:
        return _HIDDEN  # a password with a sign that parts it, and not where it was meant to
    user = f"{parts.username}:" if parts.password is not None else parts.username or ""
    before = f"{user}{_HIDDEN if user.endswith(':') else ''}@" if parts.username is not None else ""
    where = f"[{host}]" if ":" in host else host
    path = parts.path
    if parts.scheme in _NODES:
        before = f"{_HIDDEN}@" if before else ""
        path = f"/{_HIDDEN}" if path.strip("/") else path
    query = urlencode(
        [
            (name, _HIDDEN if _SECRET_PARAMETER.search(name) else value)
            for name, value in parse_qsl(parts.query, keep_blank_values=True)
        ],
        safe="*/:",
    )
    numbered = "" if port is None else f":{port}"
    return f"{parts.scheme}://{before}{where}{numbered}{path}{f'?{query}' if query else ''}"
