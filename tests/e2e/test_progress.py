"""Progress is shown to whoever looks at a terminal, and to nobody else."""

from __future__ import annotations

import os
import pty
import re
import subprocess
from contextlib import redirect_stderr
from pathlib import Path

import pytest

from medaccord.cli.progress import spinner
from tests.e2e.commands import SECONDS, Person

BAR = re.compile(r"Testing .*[0-9]+/[0-9]+")


@pytest.fixture
def stranger(tmp_path: Path) -> Person:
    return Person(home=tmp_path, settings={"MEDACCORD_RPC_URL": "http://127.0.0.1:9"})


def test_bar_is_shown_on_a_terminal_and_leaves_standard_output_alone(stranger: Person) -> None:
    ours, theirs = pty.openpty()
    asked = stranger.command("doctor", "--json", TERM="xterm", COLUMNS="80")
    process = subprocess.Popen(**asked, stdout=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 4096):
            shown += piece
    except OSError:  # Linux says so when the last who could write has closed it
        pass
    os.close(ours)
    output, _ = process.communicate(timeout=SECONDS)
    assert BAR.search(shown.decode())
    assert len(output.splitlines()) == 1
    assert "Testing" not in output


def test_bar_is_not_shown_where_there_is_no_terminal(stranger: Person) -> None:
    ended = stranger.process("doctor")
    assert "Testing" not in ended.output + ended.errors
    assert ended.code == 1


def test_spinner_is_shown_on_a_terminal_alone(capfd: pytest.CaptureFixture[str]) -> None:
    with spinner("Checking the log"):
        pass
    assert capfd.readouterr() == ("", "")
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as terminal, redirect_stderr(terminal):
        with spinner("Checking the log"):
            pass
        assert b"Checking the log" in os.read(ours, 4096)
    os.close(ours)
