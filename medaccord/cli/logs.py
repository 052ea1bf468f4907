"""The service's log: one line each on standard error, JSON unless it is for a person's eyes.

What is told of a failure is its kind and place in our code. Its words are told only where they are
about a node, a database or a file: others may quote whom they concern.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from pythonjsonlogger.json import JsonFormatter

from medaccord.core.errors import (
    DeploymentMismatch,
    InvalidSetting,
    KeyStoreFailed,
    StoreFailed,
    TransportError,
)
from medaccord.gatekeeper.observing import request_id

_TELLABLE: Final = (
    TransportError,
    StoreFailed,
    KeyStoreFailed,
    DeploymentMismatch,
    InvalidSetting,
)
_MAX_FRAMES: Final = 12
_OF_REQUESTS: Final = ("method", "route", "status", "milliseconds")


def configure(level: str, form: str) -> None:
    """Send everything that is logged in this process to standard error.

    Args:
        level: the least that is told: `debug`, `info`, `warning` or `error`.
        form: `json` or `text`.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if form == "json" else _Text())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)  # of others only what is wrong
    logging.getLogger("medaccord").setLevel(level.upper())


class _Json(JsonFormatter):
    """One JSON object a line."""

    def __init__(self) -> None:
        super().__init__("%(message)s", json_ensure_ascii=False)

    def add_fields(
        self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]
    ) -> None:
        """Put time, level and origin first, and the request's id where one is answered."""
        log_data["at"] = datetime.fromtimestamp(record.created, UTC).isoformat()
        log_data["level"] = record.levelname.lower()
        log_data["logger"] = record.name
        log_data["process"] = record.process
        if (identity := request_id()) is not None:
            log_data["requestId"] = identity
        super().add_fields(log_data, record, message_dict)
        if record.exc_info and record.exc_info[1] is not None:
            log_data["error"] = _told(record.exc_info[1])
            log_data["where"] = list(_places(record.exc_info[1]))
        for name in ("exc_info", "stack_info"):
            log_data.pop(name, None)


class _Text(logging.Formatter):
    """The same for a person."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """The line, with the numbers of a request where it is about one."""
        line = super().format(record)
        numbers = [str(record.__dict__[name]) for name in _OF_REQUESTS if name in record.__dict__]
        line = " ".join([line, *numbers])
        identity = request_id()
        return line if identity is None else f"{line} [{identity}]"

    def formatException(self, ei: Any) -> str:
        """Kind and place of an error."""
        return "\n".join([_told(ei[1]), *(f"  {place}" for place in _places(ei[1]))])


def _told(error: BaseException) -> str:
    """An error and its causes, with the words of those alone that can be about nobody."""
    parts: list[str] = []
    each: BaseException | None = error
    while each is not None and len(parts) < _MAX_FRAMES:
        name = type(each).__name__
        parts.append(f"{name}: {each}" if isinstance(each, _TELLABLE) else name)
        each = each.__cause__ or each.__context__
    return " < ".join(parts)


def _places(error: BaseException) -> Iterator[str]:
    for frame in traceback.extract_tb(error.__traceback__)[-_MAX_FRAMES:]:
        yield f"{Path(frame.filename).name}:{frame.lineno} {frame.name}"
