"""Passphrases: asked for, or read from where no other process can see them, and never shown.

None is ever an argument of a command: every process of the machine can read those.
"""

from __future__ import annotations

import getpass
import hmac
import os
import sys
import warnings
from pathlib import Path
from typing import Final, NoReturn, Self

from medaccord.core.errors import InvalidInput
from medaccord.keys.files import read_private

MAX_BYTES: Final = 1024
"""Longest passphrase, in bytes of UTF-8, inclusive."""

_ENDINGS: Final = (b"\r\n", b"\n")
_DESCRIPTORS: Final = 2**31


class Passphrase:
    """A passphrase, which opens keys and shows itself to nobody.

    It can be neither printed nor pickled nor copied. Its bytes stay in the memory of this process
    for as long as it is held, and maybe longer: Python does not wipe memory.
    """

    __slots__ = ("_secret",)

    def __init__(self, secret: bytes) -> None:
        """Take the bytes; `prompt`, `from_descriptor` and `from_file` find them.

        Raises:
            InvalidInput: there are none, or more than `MAX_BYTES`.
        """
        if not secret:
            raise InvalidInput("the passphrase is empty: choose one of several words")
        if len(secret) > MAX_BYTES:
            raise InvalidInput(f"the passphrase is longer than {MAX_BYTES} bytes")
        self._secret = bytes(secret)

    @classmethod
    def prompt(cls, label: str, *, new: bool = False) -> Self:
        """Ask for a passphrase on the terminal, without showing what is typed.

        Args:
            label: what it opens, such as `0x12…` or `the key folder`.
            new: ask twice, so that nobody locks a key away with a slip of the finger.

        Raises:
            InvalidInput: there is no terminal, nothing was typed, or two different things were.
        """
        if not _has_terminal():
            raise InvalidInput(
                "there is no terminal to ask for the passphrase on:"
                " hand it over by --passphrase-file or --passphrase-fd"
            )
        first = cls(_ask(f"{'New passphrase' if new else 'Passphrase'} of {label}: "))
        if new and not first.same_as(cls(_ask("The same again: "))):
            raise InvalidInput("the two passphrases differ: nothing was changed, try again")
        return first

    @classmethod
    def from_descriptor(cls, descriptor: int) -> Self:
        """Read one line, or all there is where no line ends, from an open file descriptor.

        What follows the line stays there to be read, such as a second passphrase.

        Raises:
            InvalidInput: it is not open, a terminal, empty, or longer than `MAX_BYTES`.
        """
        if not 0 <= descriptor < _DESCRIPTORS:
            raise InvalidInput(f"{descriptor} is no file descriptor")
        if os.isatty(descriptor):
            raise InvalidInput(
                f"file descriptor {descriptor} is a terminal, which would show the passphrase:"
                " leave the option away to be asked for it"
            )
        line = bytearray()
        try:
            while not line.endswith(b"\n") and len(line) <= MAX_BYTES + len(_ENDINGS[0]):
                read = os.read(descriptor, 1)
                if not read:
                    break
                line += read
        except OSError as error:
            raise InvalidInput(
                f"no passphrase can be read from file descriptor {descriptor}: {error.strerror}"
            ) from error
        return cls(_without_ending(bytes(line)))

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """Read a file of one line, of this user's, closed to everybody else (mode 0600 or 0400).

        Raises:
            InvalidInput: it is not there, another's, open to others, no regular file, empty, too
                long, or more than one line.
        """
        limit = MAX_BYTES + len(_ENDINGS[0])
        try:
            content = read_private(path, limit=limit, what="the passphrase file")
        except OSError as error:
            raise InvalidInput(
                f"the passphrase file {path} cannot be read: {error.strerror}"
            ) from error
        line = _without_ending(content)
        if b"\n" in line:
            raise InvalidInput(f"the passphrase file {path} holds more than one line")
        if not line:
            raise InvalidInput(f"the passphrase file {path} is empty")
        return cls(line)

    def same_as(self, other: Passphrase) -> bool:
        """Whether both are the same, told in a time that tells nothing else."""
        return hmac.compare_digest(self._secret, other._secret)

    def unsafe_bytes(self) -> bytes:
        """The passphrase itself, to derive a key from. Unsafe: never log or store it."""
        return self._secret

    def __repr__(self) -> str:
        """Say what it is, never the passphrase."""
        return "Passphrase(…)"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        """Refuse to be pickled or copied."""
        raise TypeError("a passphrase is neither pickled nor copied")


def _without_ending(line: bytes) -> bytes:
    for ending in _ENDINGS:
        if line.endswith(ending):
            return line.removesuffix(ending)
    return line


def _has_terminal() -> bool:
    # The one getpass would ask on, whatever the standard streams are.
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return sys.stdin is not None and sys.stdin.isatty()
    return True


def _ask(label: str) -> bytes:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", getpass.GetPassWarning)  # what is typed would be seen
            return getpass.getpass(label).encode()
    except EOFError:
        raise InvalidInput("no passphrase was typed") from None
    except getpass.GetPassWarning as error:
        raise InvalidInput(
            "this terminal would show the passphrase:"
            " hand it over by --passphrase-file or --passphrase-fd"
        ) from error
    except UnicodeError:
        # Neither the message nor the cause may carry it into a log.
        raise InvalidInput("the passphrase is no text of this terminal's encoding") from None
