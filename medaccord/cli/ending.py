"""How a command ends where something went wrong: one line, and an exit code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import typer

from medaccord.core.errors import InvalidInput, MedaccordError

BAD_INPUT: Final = 2
"""Exit code where something handed in is not what it must be."""

FAILED: Final = 1
"""Exit code where anything else went wrong."""

_LONGEST: Final = 500


def code_of(error: Exception) -> int:
    """The exit code that goes with an error."""
    return BAD_INPUT if isinstance(error, InvalidInput) else FAILED


def usage_told(error: typer.TyperException) -> str | None:
    """What is wrong with how a command was called, and what to do.

    Args:
        error: as typer raises it.

    Returns:
        None where nothing was asked for, so that all that can be is shown already.
    """
    if type(error).__name__ == "NoArgsIsHelpError":
        return None
    problem = " ".join(error.format_message().split()).replace("Value error, ", "").rstrip(".")
    context = getattr(error, "ctx", None)
    where = "medaccord" if context is None else context.command_path
    return f"{problem[:1].lower()}{problem[1:]}: see {where} --help"


def one_line(text: str) -> str:
    """Text for a terminal: what cannot be printed is shown as its escape, what is long is cut.

    An error may quote the file it is about, and files may hold anything.
    """
    shown = "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…"


@contextmanager
def embedded_chain_needed() -> Iterator[None]:
    """Import the embedded chain within: where it is not installed, what to do is one line.

    Raises:
        MedaccordError: it is not installed.
    """
    try:
        yield
    except ImportError as error:
        if "medaccord[embedded]" not in str(error):
            raise
        raise MedaccordError(str(error)) from error
