"""How a command ends where something went wrong: one line, and an exit code."""

from __future__ import annotations

from typing import Final

from medaccord.core.errors import InvalidInput

BAD_INPUT: Final = 2
"""Exit code where something handed in is not what it must be."""

FAILED: Final = 1
"""Exit code where anything else went wrong."""

_LONGEST: Final = 500


def code_of(error: Exception) -> int:
    """The exit code that goes with an error."""
    return BAD_INPUT if isinstance(error, InvalidInput) else FAILED


def one_line(text: str) -> str:
    """Text for a terminal: what cannot be printed is shown as its escape, what is long is cut.

    An error may quote the file it is about, and files may hold anything.
    """
    shown = "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…"
