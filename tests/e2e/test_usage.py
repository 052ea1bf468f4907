"""How commands end: done 0, refused or failed 1, bad usage or input 2; errors are one line."""

from __future__ import annotations

import signal
import socket
import subprocess
from pathlib import Path

import pytest

from medaccord.cli.app import COMMANDS
from tests.e2e.commands import Person

NOBODY = "http://127.0.0.1:9"


@pytest.fixture
def stranger(tmp_path: Path) -> Person:
    return Person(home=tmp_path, settings={"MEDACCORD_RPC_URL": NOBODY})


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("qqq",), "no such command 'qqq': see medaccord --help"),
        (("acount", "list"), "no such command 'acount'. Did you mean 'account'"),
        (("--nonsense",), "no such option: --nonsense: see medaccord --help"),
        (("account", "show"), "missing argument 'ADDRESS': see medaccord account show --help"),
        (("node", "--port"), "option '--port' requires an argument"),
        (("node", "--port", "many", "--json"), "invalid value for '--port'"),
        (("records", "lift", "--json"), "missing argument 'NUMBER'"),
    ],
)
def test_bad_usage_ends_with_2_and_one_line(
    stranger: Person, arguments: tuple[str, ...], says: str
) -> None:
    assert says in stranger.refused(*arguments, code=2)


def test_bad_input_ends_with_2_and_one_line_under_json(stranger: Person) -> None:
    said = stranger.refused("account", "show", "0x12", "--json", code=2)
    assert said.startswith("not an address")


def test_failure_ends_with_1_and_one_line_under_json(stranger: Person) -> None:
    said = stranger.refused("deploy", "--account", "0x" + 40 * "1", "--name", "A", "--json")
    assert said.startswith(f"no Ethereum node answers at {NOBODY}")


def test_nothing_asked_for_shows_the_help_and_ends_with_2(stranger: Person) -> None:
    ended = stranger.run()
    assert (ended.code, ended.errors) == (2, "")
    assert "node" in ended.output
    assert "doctor" in ended.output


def test_help_ends_with_0(stranger: Person) -> None:
    ended = stranger.run("node", "--help", COLUMNS="200")
    assert (ended.code, ended.errors) == (0, "")
    assert "its chain in memory: gone when this ends" in ended.output


def test_question_without_a_terminal_ends_with_2_and_one_line(stranger: Person) -> None:
    asked = ("records", "erase", "Observation/1", "--patient", "0x" + 40 * "1", "--json")
    told = "there is no terminal to ask on: say --yes where you mean it: Observation/1 is erased"
    assert stranger.refused(*asked, code=2).startswith(told)


@pytest.mark.parametrize(
    ("sent", "named"), [(signal.SIGINT, "Ctrl-C"), (signal.SIGTERM, "SIGTERM")]
)
def test_signal_ends_with_1_and_one_line(
    stranger: Person, sent: signal.Signals, named: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(120)
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        asked = stranger.command("deploy", "--rpc-url", url)
        process = subprocess.Popen(**asked, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        connection, _ = silent.accept()  # it waits for an answer now
        with connection:
            process.send_signal(sent)
            output, errors = process.communicate(timeout=120)
    assert (process.returncode, output, errors) == (1, "", f"medaccord: stopped by {named}\n")


def test_reader_that_has_enough_causes_no_trace(stranger: Person) -> None:
    asked = stranger.command("doctor")
    process = subprocess.Popen(**asked, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait(120) == 1


def test_nothing_is_done_when_standard_output_is_closed(stranger: Person) -> None:
    asked = stranger.command("account", "new", "--passphrase-file", stranger.passphrase_file)
    asked["args"] = ["sh", "-c", 'exec "$@" >&-', "sh", *asked["args"]]
    ended = subprocess.run(**asked, stderr=subprocess.PIPE, timeout=120, check=False)
    said = "medaccord: standard output is closed: send it to a file, or to /dev/null\n"
    assert (ended.returncode, ended.stderr) == (1, said)
    assert not stranger.program_folder.exists()


def test_standard_input_that_is_closed_holds_no_answer(stranger: Person) -> None:
    asked = stranger.command("account", "restore", "--in-wallet")
    asked["args"] = ["sh", "-c", 'exec "$@" <&-', "sh", *asked["args"]]
    ended = subprocess.run(**asked, capture_output=True, timeout=120, check=False)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert len(ended.stderr.splitlines()) == 1


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_characters_that_a_stream_lacks_cause_no_trace(
    stranger: Person, form: tuple[str, ...]
) -> None:
    asked = ("doctor", "--keystore", "Schl€ssel\udcff", *form)
    ended = stranger.process(*asked, PYTHONIOENCODING="latin-1")
    assert (ended.code, ended.errors) == (1, "")
    assert "Schl\\u20acssel\\udcff" in ended.output


def test_shell_completes_commands(stranger: Person) -> None:
    words = {"COMP_WORDS": "medaccord re", "COMP_CWORD": "1"}
    ended = stranger.process(_MEDACCORD_COMPLETE="complete_bash", **words)
    assert set(ended.output.split()) == {each for each in COMMANDS if each.startswith("re")}


def test_demo_prints_one_document(stranger: Person) -> None:
    told = stranger.done("demo")
    assert told["blocks"] > 10
    assert any("The patient's balance is 0." in line for line in told["story"])
