"""Passphrases: read from where nobody else sees them, refused where somebody could, never shown."""

from __future__ import annotations

import copy
import logging
import os
import pickle
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from medaccord.core.errors import InvalidInput
from medaccord.keys.passphrase import MAX_BYTES, Passphrase

WORDS = b"four words are enough"

ON_A_TERMINAL = """
import fcntl, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
from medaccord.core.errors import InvalidInput
from medaccord.keys.passphrase import Passphrase
try:
    found = Passphrase.prompt("the key folder", new=sys.argv[1] == "new")
    print("found", found.unsafe_bytes().hex())
except InvalidInput as error:
    print("refused", error)
"""


def typed(mode: str, *lines: bytes) -> str:
    """What comes out on a terminal of its own when lines are typed."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", ON_A_TERMINAL, mode]
    # Nothing is typed before it is asked for: until then the terminal would show it.
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    ) as process:
        os.close(theirs)
        shown = b""
        for line in lines:
            while not shown.endswith(b": "):
                shown += os.read(ours, 1024)
            os.write(ours, line)
            shown += os.read(ours, 1024)
        while True:
            try:
                more = os.read(ours, 1024)
            except OSError:  # Linux says so when nobody has the other end any more
                break
            if not more:
                break
            shown += more
        assert process.wait(60) == 0
    os.close(ours)
    return shown.decode()


def written(folder: Path, content: bytes, mode: int = 0o600) -> Path:
    path = folder / "passphrase"
    path.write_bytes(content)
    path.chmod(mode)
    return path


@pytest.fixture
def pipe() -> Callable[[bytes], int]:
    def filled(content: bytes) -> int:
        ours, theirs = os.pipe()
        os.write(theirs, content)
        os.close(theirs)
        return ours

    return filled


def test_passphrase_is_asked_for_and_not_shown_when_there_is_a_terminal() -> None:
    shown = typed("known", WORDS + b"\n")
    assert "Passphrase of the key folder: " in shown
    assert f"found {WORDS.hex()}" in shown
    assert WORDS.decode() not in shown


def test_passphrase_is_asked_for_twice_when_it_is_new() -> None:
    shown = typed("new", WORDS + b"\n", WORDS + b"\n")
    assert "New passphrase of the key folder: " in shown
    assert "The same again: " in shown
    assert f"found {WORDS.hex()}" in shown


def test_new_passphrase_is_refused_when_the_second_one_differs() -> None:
    shown = typed("new", WORDS + b"\n", b"something else\n")
    assert "refused the two passphrases differ: nothing was changed, try again" in shown


def test_prompt_is_refused_when_nothing_is_typed() -> None:
    assert "refused the passphrase is empty" in typed("known", b"\n")


def test_prompt_is_refused_when_the_terminal_is_left() -> None:
    assert "refused no passphrase was typed" in typed("known", b"\x04")


def test_prompt_is_refused_when_there_is_no_terminal() -> None:
    script = ON_A_TERMINAL.replace("fcntl.ioctl(0, termios.TIOCSCTTY, 0)", "")
    done = subprocess.run(
        [sys.executable, "-c", script, "known"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        start_new_session=True,
        check=True,
    )
    assert done.stdout == (
        "refused there is no terminal to ask for the passphrase on:"
        " hand it over by --passphrase-file or --passphrase-fd\n"
    )


@pytest.mark.parametrize("ending", [b"", b"\n", b"\r\n"])
def test_descriptor_gives_its_line_whatever_ends_it(
    pipe: Callable[[bytes], int], ending: bytes
) -> None:
    descriptor = pipe(WORDS + ending)
    assert Passphrase.from_descriptor(descriptor).unsafe_bytes() == WORDS
    os.close(descriptor)


def test_descriptor_gives_one_line_after_another(pipe: Callable[[bytes], int]) -> None:
    descriptor = pipe(b"old\nnew\n")
    found = [Passphrase.from_descriptor(descriptor).unsafe_bytes() for _ in range(2)]
    os.close(descriptor)
    assert found == [b"old", b"new"]


@pytest.mark.parametrize("content", [b"", b"\n", b"\r\n"])
def test_descriptor_is_refused_when_it_is_empty(
    pipe: Callable[[bytes], int], content: bytes
) -> None:
    descriptor = pipe(content)
    with pytest.raises(InvalidInput, match="the passphrase is empty"):
        Passphrase.from_descriptor(descriptor)
    os.close(descriptor)


def test_descriptor_is_read_to_the_bound_and_no_further(pipe: Callable[[bytes], int]) -> None:
    descriptor = pipe(bytes(MAX_BYTES * 4))
    with pytest.raises(InvalidInput, match=f"longer than {MAX_BYTES} bytes"):
        Passphrase.from_descriptor(descriptor)
    assert len(os.read(descriptor, MAX_BYTES * 4)) > MAX_BYTES * 2
    os.close(descriptor)


def test_longest_passphrase_is_taken(pipe: Callable[[bytes], int]) -> None:
    descriptor = pipe(MAX_BYTES * b"a" + b"\r\n")
    assert Passphrase.from_descriptor(descriptor).unsafe_bytes() == MAX_BYTES * b"a"
    os.close(descriptor)


def test_descriptor_is_refused_when_it_is_not_open(pipe: Callable[[bytes], int]) -> None:
    descriptor = pipe(b"")
    os.close(descriptor)
    with pytest.raises(InvalidInput, match=f"file descriptor {descriptor}: Bad file descriptor"):
        Passphrase.from_descriptor(descriptor)


@pytest.mark.parametrize("descriptor", [-1, 2**31, 10**30])
def test_descriptor_is_refused_when_none_has_such_a_number(descriptor: int) -> None:
    with pytest.raises(InvalidInput) as caught:
        Passphrase.from_descriptor(descriptor)
    assert caught.value.problem == f"{descriptor} is no file descriptor"


def test_descriptor_is_refused_when_it_is_a_terminal() -> None:
    ours, theirs = pty.openpty()
    with pytest.raises(InvalidInput, match="is a terminal, which would show the passphrase"):
        Passphrase.from_descriptor(theirs)
    os.close(ours)
    os.close(theirs)


@pytest.mark.parametrize("mode", [0o600, 0o400])
@pytest.mark.parametrize("ending", [b"", b"\n", b"\r\n"])
def test_file_gives_its_line_when_it_is_closed_to_others(
    tmp_path: Path, mode: int, ending: bytes
) -> None:
    path = written(tmp_path, WORDS + ending, mode)
    assert Passphrase.from_file(path).unsafe_bytes() == WORDS


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601, 0o660, 0o644])
def test_file_is_refused_when_it_is_open_to_others(tmp_path: Path, mode: int) -> None:
    path = written(tmp_path, WORDS, mode)
    with pytest.raises(InvalidInput) as caught:
        Passphrase.from_file(path)
    assert caught.value.problem == (
        f"the passphrase file {path} is open to others (mode {mode:04o}): chmod 600 {path}"
    )


def test_file_is_refused_when_a_link_leads_to_one_that_is_open(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(written(tmp_path, WORDS, 0o644))
    with pytest.raises(InvalidInput, match=r"link is open to others \(mode 0644\)"):
        Passphrase.from_file(link)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_file_is_refused_when_it_is_another_users(tmp_path: Path) -> None:
    path = written(tmp_path, WORDS)
    os.chown(path, 12345, -1)
    with pytest.raises(InvalidInput, match=r"belongs to another user \(uid 12345\): chown it"):
        Passphrase.from_file(path)


def test_file_is_refused_when_it_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="nowhere cannot be read: No such file or directory"):
        Passphrase.from_file(tmp_path / "nowhere")


def test_file_is_refused_when_it_is_a_folder(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="is no regular file"):
        Passphrase.from_file(tmp_path)


def test_file_is_refused_without_waiting_when_it_is_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(InvalidInput, match="is no regular file"):
        Passphrase.from_file(tmp_path / "pipe")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"one\ntwo\n", "holds more than one line"),
        (b"one\n\n", "holds more than one line"),
        ((MAX_BYTES + 3) * b"a", f"is longer than {MAX_BYTES + 2} bytes"),
        ((MAX_BYTES + 1) * b"a", f"is longer than {MAX_BYTES} bytes"),
    ],
)
def test_file_is_refused_when_it_is_not_one_line(
    tmp_path: Path, content: bytes, problem: str
) -> None:
    with pytest.raises(InvalidInput, match=problem):
        Passphrase.from_file(written(tmp_path, content))


def test_refusal_does_not_repeat_what_was_read(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as caught:
        Passphrase.from_file(written(tmp_path, WORDS + b"\nand more"))
    assert WORDS.decode() not in str(caught.value)


def test_same_passphrases_are_the_same_and_others_are_not() -> None:
    assert Passphrase(WORDS).same_as(Passphrase(WORDS))
    assert not Passphrase(WORDS).same_as(Passphrase(WORDS[:-1]))


@pytest.mark.parametrize("show", [repr, str, "{}".format])
def test_passphrase_is_not_shown(show: Callable[[object], str]) -> None:
    assert show(Passphrase(WORDS)) == "Passphrase(…)"


def test_passphrase_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("medaccord").warning("opening with %s, %r", *2 * [Passphrase(WORDS)])
    assert caplog.messages == ["opening with Passphrase(…), Passphrase(…)"]


@pytest.mark.parametrize("duplicate", [pickle.dumps, copy.copy, copy.deepcopy])
def test_passphrase_is_not_copied_out(duplicate: Callable[[object], object]) -> None:
    with pytest.raises(TypeError, match="neither pickled nor copied"):
        duplicate(Passphrase(WORDS))
