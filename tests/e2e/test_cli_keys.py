"""The commands for keys as a person runs them: no passphrase is an argument, errors are a line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import medaccord
from medaccord.core.identifiers import address
from medaccord.keys import FolderPatientKeys, KeyFolder, Keystore, Passphrase
from tests.e2e.commands import SECONDS, WORDS, Ended, Person


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.fixture
def passphrase_file(tmp_path: Path) -> str:
    return written(tmp_path / "passphrase", WORDS)


def written(path: Path, text: str) -> str:
    path.write_text(f"{text}\n", encoding="utf-8")
    path.chmod(0o600)
    return str(path)


def run(home: Path, *arguments: str) -> Ended:
    """Run a command in this process, by the entry that a process has."""
    return Person(home=home).run(*arguments)


def done(home: Path, *arguments: str) -> str:
    return said(run(home, *arguments))


def said(ended: Ended) -> str:
    assert (ended.code, ended.errors) == (0, "")
    return ended.output


def process(home: Path, *arguments: str, handed_over: str = "") -> Ended:
    """Run a command as a process without a terminal; what is handed over is on descriptor 0."""
    asked = {**Person(home=home).command(*arguments), "stdin": None, "input": handed_over}
    ended = subprocess.run(**asked, capture_output=True, timeout=SECONDS, check=False)
    return Ended(code=ended.returncode, output=ended.stdout, errors=ended.stderr)


def assert_one_line(ended: Ended, code: int, says: str) -> None:
    assert (ended.code, ended.output) == (code, "")
    (line,) = ended.errors.splitlines()
    assert line.startswith("medaccord: ")
    assert says in line


def test_account_is_made_listed_and_shown(home: Path, passphrase_file: str) -> None:
    hand_over = ("--passphrase-file", passphrase_file)
    made = json.loads(done(home, "account", "new", "--json", *hand_over))
    account = address(made["account"])
    assert Path(made["file"]).is_relative_to(home)
    assert json.loads(done(home, "account", "list", "--json")) == {"accounts": [made]}
    assert done(home, "account", "list") == f"{account}\n"
    assert done(home, "account", "show", account) == f"{account}\n{made['file']}\n"
    shown = json.loads(done(home, "account", "show", account, "--check", "--json", *hand_over))
    assert shown == {**made, "opens": True}


def test_passphrase_is_handed_over_by_a_descriptor(home: Path, tmp_path: Path) -> None:
    place = ("--keystore", str(tmp_path / "keystore"), "--passphrase-fd", "0")
    told = said(process(home, "account", "new", *place, handed_over=WORDS))
    account, copy = told.splitlines()
    store = Keystore(tmp_path / "keystore")
    assert copy == f"Keep a copy of {store.file(address(account))}, its passphrase elsewhere."
    assert store.unlock(address(account), Passphrase(WORDS.encode())).address == account


def test_settings_name_the_keystore_and_the_file(home: Path, passphrase_file: str) -> None:
    (home / ".env").write_text(
        f"MEDACCORD_KEYSTORE={home}/mine\nMEDACCORD_PASSPHRASE_FILE={passphrase_file}\n",
        encoding="utf-8",
    )
    account = said(process(home, "account", "new")).splitlines()[0]
    assert Keystore(home / "mine").addresses() == (account,)


def test_commands_leave_no_dump_of_their_memory(home: Path) -> None:
    script = """
import resource, sys
resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)
from medaccord.cli import main
sys.argv = ["medaccord", "--version"]
try:
    main()
finally:
    print(*resource.getrlimit(resource.RLIMIT_CORE))
"""
    found = {"PYTHONPATH": str(Path(medaccord.__file__).parents[1])}
    told = subprocess.run(
        [sys.executable, "-c", script],
        cwd=home,
        env=os.environ | found,
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.splitlines()[-1] == "0 0"


def test_nothing_is_listed_and_nothing_made_where_there_is_no_account(home: Path) -> None:
    assert done(home, "account", "list") == ""
    assert list(home.iterdir()) == []


def test_account_is_not_made_when_nobody_can_be_asked(home: Path) -> None:
    answer = process(home, "account", "new")
    assert_one_line(answer, 2, "there is no terminal to ask for the passphrase on: hand it over")
    assert list(home.iterdir()) == []


def test_passphrase_is_no_argument(home: Path) -> None:
    answer = run(home, "account", "new", "--passphrase", WORDS)
    assert answer.code == 2
    assert "no such option: --passphrase" in answer.errors


@pytest.mark.parametrize("command", ["new", "show"])
def test_two_ways_to_hand_over_are_refused(home: Path, passphrase_file: str, command: str) -> None:
    of = ("0x" + 40 * "1",) if command == "show" else ()
    both = ("--passphrase-file", passphrase_file, "--passphrase-fd", "0")
    assert_one_line(
        run(home, "account", command, *of, *both), 2, "give either --passphrase-file or"
    )


def test_wrong_passphrase_gets_one_line(home: Path, tmp_path: Path, passphrase_file: str) -> None:
    account = done(home, "account", "new", "--passphrase-file", passphrase_file).splitlines()[0]
    wrong = written(tmp_path / "wrong", "something else")
    answer = run(home, "account", "show", account, "--check", "--passphrase-file", wrong)
    assert_one_line(answer, 2, "the passphrase does not open ")


def test_file_that_others_can_read_gets_one_line(home: Path, passphrase_file: str) -> None:
    Path(passphrase_file).chmod(0o644)
    answer = run(home, "account", "new", "--passphrase-file", passphrase_file)
    assert_one_line(answer, 2, f"is open to others (mode 0644): chmod 600 {passphrase_file}")


def test_unknown_account_gets_one_line(home: Path) -> None:
    answer = run(home, "account", "show", "0x" + 40 * "1")
    assert_one_line(answer, 1, f"holds no key of 0x{40 * '1'}")


def test_mistyped_account_gets_one_line(home: Path) -> None:
    assert_one_line(run(home, "account", "show", "0x12"), 2, "not an address")


def test_key_store_is_protected_renewed_and_its_passphrase_changed(
    home: Path, tmp_path: Path, passphrase_file: str
) -> None:
    folder = tmp_path / "keys"
    made = FolderPatientKeys(KeyFolder.create(folder)).create("patient")
    place = ("--keys-folder", str(folder))
    hand_over = (*place, "--passphrase-file", passphrase_file)
    assert "are encrypted" in done(home, "keys", "protect", *hand_over)
    assert "under a fresh master key" in done(home, "keys", "renew-master", *hand_over)
    given = (*place, "--passphrase-fd", "0")
    both = f"{WORDS}\nanother one\n"
    told = said(process(home, "keys", "change-passphrase", *given, handed_over=both))
    assert "open with the new passphrase" in told
    store = KeyFolder.open(folder, Passphrase(b"another one"))
    assert FolderPatientKeys(store).public("patient") == made


def test_missing_key_store_gets_one_line(home: Path, passphrase_file: str) -> None:
    answer = run(home, "keys", "protect", "--passphrase-file", passphrase_file)
    assert_one_line(answer, 1, "is no key store: it holds no steward-secret")
    assert list(home.iterdir()) == []


def test_bad_setting_gets_one_line(home: Path) -> None:
    (home / ".env").write_text("MEDACCORD_CHAIN_ID=many\n", encoding="utf-8")
    answer = run(home, "account", "list")
    assert_one_line(answer, 2, "MEDACCORD_CHAIN_ID in .env is 'many': input should be a valid int")
