"""The examples of docs/stolen-phone.md run as they stand there, one after another."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.pages import ROOT, Reader, blocks_of

PAGE = ROOT / "docs" / "stolen-phone.md"


def test_examples_run_as_they_stand_there(tmp_path: Path) -> None:
    blocks = blocks_of(PAGE)
    assert {each.language for each in blocks} == {"python"}
    assert set(Reader(folder=tmp_path).run(blocks)) == {""}
