"""QR codes on a terminal, for a phone or a camera to read."""

from __future__ import annotations

import io
import sys
from typing import Final

import segno

from medaccord.core.errors import InvalidInput

_QUIET_MODULES: Final = 4
"""Light modules around a code. Source: ISO/IEC 18004 section 5.3.8."""

_WHITE_ON_BLACK: Final = "\x1b[97;40m"
_AS_BEFORE: Final = "\x1b[0m"


def drawn(text: str) -> str:
    """A QR code of level M, two modules a character; coloured where it goes to a terminal.

    Args:
        text: what it says; capitals and digits alone take less room.

    Raises:
        InvalidInput: it is longer than any QR code holds.
    """
    try:
        code = segno.make(text, error="m", boost_error=False, micro=False)
    except segno.DataOverflowError as error:
        raise InvalidInput(
            f"{len(text)} characters are too many for a QR code: hand it over in another way"
        ) from error
    lines = io.StringIO()
    code.terminal(lines, border=_QUIET_MODULES, compact=True)
    drawing = lines.getvalue().rstrip("\n")
    if not sys.stdout.isatty():
        return drawing
    # Its characters are the light modules, whatever colours the terminal has.
    return "\n".join(f"{_WHITE_ON_BLACK}{line}{_AS_BEFORE}" for line in drawing.splitlines())
