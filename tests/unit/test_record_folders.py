"""A folder that records are fetched to, again and again."""

from __future__ import annotations

from pathlib import Path

from medaccord.cli.own_files import SMALL
from medaccord.cli.record_files import RECEIPTS, to_folder


def test_receipts_are_added_to_however_many_there_are(tmp_path: Path) -> None:
    before = b"x" * SMALL + b"\n"
    to_folder(tmp_path, (), lambda: before)
    to_folder(tmp_path, (), lambda: b"y\n")
    assert (tmp_path / RECEIPTS).read_bytes() == before + b"y\n"
