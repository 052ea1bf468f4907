"""Every command of the command line has what a person and a program expect of it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from medaccord.cli.app import COMMANDS as TABLE
from medaccord.cli.app import app
from medaccord.cli.ending import one_line, usage_told


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Every command that does something, by what is typed for it."""
    below = getattr(command, "commands", None)
    if below is None:
        yield " ".join(path), command
        return
    for name, each in below.items():
        yield from commands(each, (*path, name))


ROOT: Any = typer.main.get_command(app)
COMMANDS = dict(commands(ROOT))


def options(command: Any) -> set[str]:
    return {name for parameter in command.params for name in parameter.opts}


def test_commands_are_found() -> None:
    assert {"demo", "node", "deploy", "serve", "doctor", "account new", "records import"} <= (
        COMMANDS.keys()
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_command_prints_json_when_it_is_asked_to(name: str) -> None:
    (option,) = [each for each in COMMANDS[name].params if "--json" in each.opts]
    assert option.is_flag
    assert option.default is False


@pytest.mark.parametrize("name", COMMANDS)
def test_command_says_what_it_is_for(name: str) -> None:
    assert len(COMMANDS[name].help or "") > 10
    assert (COMMANDS[name].help or "").splitlines()[0].endswith(".")


@pytest.mark.parametrize("name", COMMANDS)
def test_everything_that_a_command_takes_is_explained(name: str) -> None:
    unexplained = [each.name for each in COMMANDS[name].params if not getattr(each, "help", None)]
    assert unexplained == []


@pytest.mark.parametrize("name", COMMANDS)
def test_no_command_takes_a_secret_as_an_argument(name: str) -> None:
    taken = options(COMMANDS[name])
    assert not {"--passphrase", "--password", "--private-key", "--phrase", "--seed"} & taken


@pytest.mark.parametrize("name", TABLE)
def test_command_is_listed_with_the_words_it_has_for_itself(name: str) -> None:
    assert ROOT.commands[name].get_short_help_str(1000) == TABLE[name].help


def test_nothing_is_imported_when_help_is_asked_for() -> None:
    ask = "import sys; from medaccord.cli import app; app(['--help'], standalone_mode=False);"
    heavy = "print(sorted({'web3', 'fastapi', 'sqlalchemy'} & sys.modules.keys()))"
    done = subprocess.run(
        [sys.executable, "-c", ask + heavy], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_groups_say_what_they_are_for() -> None:
    groups = {name: each for name, each in ROOT.commands.items() if hasattr(each, "commands")}
    assert groups.keys() >= {"account", "keys", "records"}
    assert [name for name, each in groups.items() if not each.help] == []


def test_shell_completion_is_offered() -> None:
    assert {"--install-completion", "--show-completion"} <= options(ROOT)


def test_usage_error_is_one_line_that_says_where_to_look() -> None:
    with pytest.raises(typer.TyperException) as wrong:
        app(["records", "lift"], prog_name="medaccord", standalone_mode=False)
    told = usage_told(wrong.value)
    assert told == "missing argument 'NUMBER': see medaccord records lift --help"
    assert one_line(told) == told
