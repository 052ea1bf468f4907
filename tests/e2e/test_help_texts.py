"""README.md and docs/commands.md say of every command what `--help` says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts.write_help_texts import COMMANDS, README, texts
from tests.e2e.commands import Person


@pytest.mark.compiler
@pytest.mark.parametrize("path", [README, COMMANDS], ids=lambda path: path.name)
def test_file_says_what_help_says(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COLUMNS", "TERMINAL_WIDTH"):
        monkeypatch.setenv(name, "40")
    assert path.read_text(encoding="utf-8") == texts()[path], "`make commands` brings it up to date"


def test_words_of_the_files_are_those_that_a_terminal_shows(tmp_path: Path) -> None:
    told = Person(home=tmp_path).run("records", "export", "--help", COLUMNS="200")
    written = COMMANDS.read_text(encoding="utf-8").split("medaccord records export\n")[1]
    shown = " ".join(told.output.replace("│", " ").split())
    for line in ("Write everything about a patient to a file", "What to write; only you can read"):
        assert line in written
        assert line in shown


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("medaccord rec", ["records", "recover"]),
        ("medaccord records fe", ["fetch"]),
        ("medaccord emergency ", ["allow", "close", "disclose", "forbid", "list", "match", "open"]),
        ("medaccord grant --y", ["--yes"]),
        ("medaccord node --engine ", ["anvil", "embedded"]),
    ],
)
@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_shell_completes(shell: str, typed: str, expected: list[str], tmp_path: Path) -> None:
    told = asked(
        tmp_path,
        _MEDACCORD_COMPLETE=f"complete_{shell}",
        _TYPER_COMPLETE_ARGS=typed,  # by zsh
        COMP_WORDS=typed,  # by bash, and so is the number of the word
        COMP_CWORD=str(typed.count(" ")),
    )
    found = told.split() if shell == "bash" else re.findall(r'(?:^|\(\()"([^"]+)"', told, re.M)
    assert sorted(found) == expected


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_shell_is_told_whom_to_ask(shell: str, tmp_path: Path) -> None:
    told = asked(tmp_path, _MEDACCORD_COMPLETE=f"source_{shell}")
    assert f"_MEDACCORD_COMPLETE=complete_{shell}" in told
    assert told.split()[-1] == "medaccord"


def asked(home: Path, **settings: str) -> str:
    """What the program answers a shell when a person presses the tabulator key."""
    ended = Person(home=home).run(**settings)
    assert (ended.code, ended.errors) == (0, "")
    return ended.output
