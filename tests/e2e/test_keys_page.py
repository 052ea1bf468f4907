"""The examples of docs/keys.md run as they stand there, one after another in an empty folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import medaccord
from medaccord.keys.key_folder import PATIENT_PREFIX, SECRET_FILE
from medaccord.keys.masters import MASTER_FILE
from medaccord.settings import Settings

PAGE = Path(__file__).parents[2] / "docs" / "keys.md"


def examples() -> list[tuple[str, str]]:
    """Language and text of each block."""
    text = PAGE.read_text(encoding="utf-8")
    return re.findall(r"^```(\w+)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def test_examples_run_as_they_stand_there(tmp_path: Path) -> None:
    ours = ("MEDACCORD_", "XDG_CONFIG_HOME")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    found = str(Path(medaccord.__file__).parents[1])
    shell = 'set -eu\nmedaccord() { "$PYTHON" -m medaccord "$@"; }\n'
    told = []
    for language, text in examples():
        run = ["bash", "-c", shell + text] if language == "sh" else [sys.executable, "-c", text]
        done = subprocess.run(
            run,
            cwd=tmp_path,
            env=inherited | {"HOME": str(tmp_path), "PYTHON": sys.executable, "PYTHONPATH": found},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, ""), text
        told.append((language, done.stdout))
    assert [language for language, _ in told] == ["sh", "python", "python"]
    assert told[0][1].endswith("The passphrase opens it.\n")


def test_page_names_only_settings_and_files_that_there_are() -> None:
    text = PAGE.read_text(encoding="utf-8")
    variables = {each.variable for each in Settings.load(env_file=None).describe()}
    assert set(re.findall(r"MEDACCORD_\w+", text)) <= variables
    for name in (PATIENT_PREFIX, SECRET_FILE, MASTER_FILE):
        assert f"`{name}" in text
