"""The examples of docs/stolen-phone.md run as they stand there, one after another."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import medaccord

PAGE = Path(__file__).parents[2] / "docs" / "stolen-phone.md"


def test_examples_run_as_they_stand_there(tmp_path: Path) -> None:
    text = PAGE.read_text(encoding="utf-8")
    examples = re.findall(r"^```(\w+)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert {language for language, _ in examples} == {"python"}
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(block for _, block in examples)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(medaccord.__file__).parents[1])},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
