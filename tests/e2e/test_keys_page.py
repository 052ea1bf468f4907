"""The examples of docs/keys.md run as they stand there, one after another in an empty folder."""

from __future__ import annotations

import re
from pathlib import Path

from medaccord.keys.key_folder import PATIENT_PREFIX, SECRET_FILE
from medaccord.keys.masters import MASTER_FILE
from medaccord.settings import Settings
from tests.e2e.pages import ROOT, Reader, blocks_of

PAGE = ROOT / "docs" / "keys.md"


def test_examples_run_as_they_stand_there(tmp_path: Path) -> None:
    blocks = blocks_of(PAGE)
    assert [each.language for each in blocks] == ["sh", "python", "python"]
    said = Reader(folder=tmp_path).run(blocks)
    assert said[0].endswith("The passphrase opens it.\n")


def test_page_names_only_settings_and_files_that_there_are() -> None:
    text = PAGE.read_text(encoding="utf-8")
    variables = {each.variable for each in Settings.load(env_file=None).describe()}
    assert set(re.findall(r"MEDACCORD_\w+", text)) <= variables
    for name in (PATIENT_PREFIX, SECRET_FILE, MASTER_FILE):
        assert f"`{name}" in text
