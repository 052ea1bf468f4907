"""One concept a file, named for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import medaccord

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = (
    Path(medaccord.__file__).parent,
    *(ROOT / name for name in ("benchmarks", "contracts", "scripts", "tests")),
)
LINES = 400
NAMELESS = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "managers"}


def sources() -> Iterator[Path]:
    for folder in FOLDERS:
        for suffix in ("py", "sol", "js"):
            yield from sorted(folder.rglob(f"*.{suffix}"))


def test_every_file_is_short_enough_for_one_concept() -> None:
    lengths = {str(path): len(path.read_text(encoding="utf-8").splitlines()) for path in sources()}
    assert {path: length for path, length in lengths.items() if length >= LINES} == {}


def test_every_file_and_folder_is_named_for_its_concept() -> None:
    named = {path: {path.stem.lower(), path.parent.name.lower()} for path in sources()}
    assert [str(path) for path, names in named.items() if names & NAMELESS] == []
