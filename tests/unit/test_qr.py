"""A drawn QR code says what it was given: its modules are those of the code."""

from __future__ import annotations

import pytest
import segno

from medaccord.cli.qr import drawn
from medaccord.core.errors import InvalidInput

TEXT = "eip155:1337:0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"


def light(drawing: str) -> list[list[bool]]:
    """Which modules a drawing shows as light, two rows a line."""
    rows: list[list[bool]] = []
    for line in drawing.splitlines():
        rows.append([character in "█▀" for character in line])
        rows.append([character in "█▄" for character in line])
    return rows


def test_drawing_shows_every_module_and_the_quiet_zone() -> None:
    expected = segno.make(TEXT, error="m", boost_error=False, micro=False).matrix_iter(border=4)
    wanted = [[not dark for dark in row] for row in expected]
    shown = light(drawn(TEXT))
    assert shown[: len(wanted)] == wanted
    assert not any(map(any, shown[len(wanted) :]))


def test_drawing_names_its_colours_when_it_goes_to_a_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain = drawn(TEXT)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    coloured = drawn(TEXT).splitlines()
    assert all(line.startswith("\x1b[97;40m") and line.endswith("\x1b[0m") for line in coloured)
    assert [line[8:-4] for line in coloured] == plain.splitlines()


def test_text_longer_than_any_code_is_refused() -> None:
    with pytest.raises(InvalidInput, match="3000 characters are too many for a QR code"):
        drawn("a" * 3000)
