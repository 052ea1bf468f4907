"""The blocks of docs/hospital.md run as they stand there."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.pages import ROOT, Reader, blocks_of, taking_turns

PAGE = ROOT / "docs" / "hospital.md"
PORT = "8645"


def test_page_is_run_from_its_beginning_to_its_end(tmp_path: Path) -> None:
    blocks = blocks_of(PAGE)
    with taking_turns(PORT):
        said = Reader(folder=tmp_path, you="hospital-b").run(blocks)
    assert len(said) == len(blocks)
