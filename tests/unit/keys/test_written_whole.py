"""Files that are written piece by piece, and have their name once they are whole."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from medaccord.keys.files import written_whole


def test_file_has_its_name_and_is_closed_to_others_once_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"before")
    with written_whole(path) as out:
        out.write(b"after")
        assert path.read_bytes() == b"before"
    assert path.read_bytes() == b"after"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def broken_off(path: Path) -> None:
    with written_whole(path) as out:
        out.write(b"half")
        raise ZeroDivisionError


def test_nothing_is_left_when_writing_fails(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        broken_off(tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_file_is_not_replaced_by_one(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with (
        pytest.raises(OSError, match="something else than a file is there"),
        written_whole(path),
    ):
        pytest.fail("it was written")
    assert path.is_fifo()
