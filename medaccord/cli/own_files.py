"""Files that a command writes for its user alone, and those that it is handed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from medaccord.core.errors import InvalidInput
from medaccord.keys.files import written_whole

__all__ = ["SMALL", "handed_in", "written"]

SMALL: Final = 1024 * 1024
"""Longest document that a command reads whole, in bytes, inclusive."""


@contextmanager
def written(path: Path) -> Iterator[IO[bytes]]:
    """Write a file of this user's alone (mode 0600), which has its name once it is whole.

    Args:
        path: one that is there is replaced then; its folder is there already.

    Raises:
        InvalidInput: it cannot be written there.
    """
    try:
        with written_whole(path) as out:
            yield out
    except OSError as error:
        raise InvalidInput(f"{path} cannot be written: {error.strerror}") from error


def handed_in(path: Path, *, what: str, limit: int = SMALL) -> bytes:
    """The content of a file that a command was handed.

    Args:
        path: the file.
        what: what it should be, to begin an error with, such as `the request`.
        limit: the most bytes it may have, inclusive.

    Raises:
        InvalidInput: it cannot be read, or is longer.
    """
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise InvalidInput(f"{what} {path} cannot be read: {error.strerror}") from error
    if len(content) > limit:
        raise InvalidInput(f"{what} {path} has more than {limit} bytes: it is something else")
    return content
