"""The folder in which a steward keeps its patients' keys and its own secret: in clear, or locked.

A folder is a key store by the steward's secret in it. Where that is not, nothing is read and
nothing is made: it would be a fresh key in the place of one that was lost, or not mounted.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NoReturn, Self

from medaccord.core.errors import InvalidInput, KeyMissing, KeyStoreFailed
from medaccord.keys import files
from medaccord.keys.masters import MASTER_FILE, Masters, is_locked
from medaccord.keys.passphrase import Passphrase
from medaccord.keys.sealed_key import MAX_DOCUMENT_BYTES, STANDARD_COST

SECRET_FILE: Final = "steward-secret"
"""Name of the file of the steward's secret: the mark of a key store."""

PATIENT_PREFIX: Final = "patient-"
"""How the name of everything of a patient begins."""

MOST_FILE_BYTES: Final = 4096
"""Longest file of a key store, in bytes, inclusive."""

_CHANGES: Final = ".changes.lock"
_SECRET_BYTES: Final = 32


class KeyFolder:
    """A key store that was opened. Threads and processes may share the folder.

    Names are those of files within it, with `/` between folders.

    Attributes:
        path: where it is.
        secret: the steward's own, 32 bytes.
    """

    __slots__ = ("_masters", "_seen", "path", "secret")

    def __init__(self, path: Path, masters: Masters | None) -> None:
        """Read the secret; `open`, `create` and `open_or_create` say it better.

        Raises:
            KeyStoreFailed: the secret is not there, or cannot be read.
        """
        self.path = path
        self._masters = masters
        self._seen: tuple[int, ...] | None = None
        self.secret = self._read_secret()

    @classmethod
    def open(cls, path: Path, passphrase: Passphrase | None = None) -> Self:
        """Open a key store that is there; its folder is closed to others (mode 0700) if it was not.

        Args:
            path: the folder.
            passphrase: what its master is sealed under; none where it is not encrypted.

        Raises:
            KeyStoreFailed: there is none, it is damaged, or a file of it is open to others.
            InvalidInput: it is encrypted and there is no passphrase, or the other way round; or
                the file of its masters is damaged.
            WrongPassphrase: the passphrase does not open it.
        """
        with _faults(path):
            masters = _open_masters(path, passphrase)
            store = cls(path, masters)
            files.close_folder(path)
            # Nothing is swept where somebody writes, or where nobody can.
            with suppress(OSError), files.locked(path, alone=True, wait=False):
                files.sweep(path)
            return store

    @classmethod
    def create(
        cls, path: Path, passphrase: Passphrase | None = None, *, cost: int = STANDARD_COST
    ) -> Self:
        """Make a key store, in a folder that is made if need be and closed to others (mode 0700).

        Stopped at any point, it can be called again.

        Args:
            path: the folder.
            passphrase: what to encrypt it under; without one, files are in clear (mode 0600).
            cost: scrypt's n, a power of two; lower than `STANDARD_COST` is for tests.

        Raises:
            InvalidInput: there is one already.
            WrongPassphrase: it was begun under another passphrase.
        """
        with _faults(path):
            if holds_keys(path):
                raise InvalidInput(f"{path} is a key store already: open it")
            return cls._make(path, passphrase, cost)

    @classmethod
    def open_or_create(
        cls, path: Path, passphrase: Passphrase | None = None, *, cost: int = STANDARD_COST
    ) -> Self:
        """Open a key store, or make one where there is none yet.

        Whoever knows that there was one opens it: an empty folder may be a disk not mounted.

        Raises:
            KeyStoreFailed, InvalidInput, WrongPassphrase: as `open`.
        """
        with _faults(path):
            if holds_keys(path):
                return cls.open(path, passphrase)
            return cls._make(path, passphrase, cost)

    @classmethod
    def _make(cls, path: Path, passphrase: Passphrase | None, cost: int) -> Self:
        files.private_folder(path)
        with files.locked(path, alone=False):
            if passphrase is not None:
                fresh = Masters.fresh(plain=False).encode(passphrase, cost=cost)
                files.write_once(path / MASTER_FILE, fresh)
            # Whoever comes second reads what the first one wrote.
            masters = _open_masters(path, passphrase)
            secret = secrets.token_bytes(_SECRET_BYTES)
            content = masters.lock(SECRET_FILE, secret) if masters else secret
            files.write_once(path / SECRET_FILE, content)
            return cls(path, masters)

    @property
    def encrypted(self) -> bool:
        """Whether its files are encrypted."""
        return self._masters is not None

    def has(self, name: str) -> bool:
        """Whether there is such a file.

        Raises:
            KeyStoreFailed: the key store is gone.
        """
        with _faults(self.path):
            return self._found(name)

    def names(self, folder: str) -> tuple[str, ...]:
        """Names of what is in a folder of it; empty where there is no such folder.

        Raises:
            KeyStoreFailed: the key store is gone.
        """
        with _faults(self.path):
            try:
                return tuple(os.listdir(self.path / folder))
            except FileNotFoundError:
                self._check_same()
                return ()

    def read(self, name: str) -> bytes:
        """The content of a file.

        Raises:
            KeyMissing: there is no such file.
            KeyStoreFailed: the key store is gone, or the file damaged or open to others.
        """
        with _faults(self.path):
            try:
                return self._read(name)
            except KeyMissing:
                self._check_same()
                raise

    def write_once(self, name: str, content: bytes) -> bool:
        """Write a file, flushed to the disk; say whether it was not there before.

        Raises:
            KeyStoreFailed: the key store is gone, another one, or encrypted otherwise since it was
                opened.
        """
        with _faults(self.path), self._writing(name):
            locked = self._masters.lock(name, content) if self._masters else content
            return files.write_once(self.path / name, locked)

    def mark(self, name: str) -> None:
        """Write an empty file, which is never encrypted, unless it is there.

        Raises:
            KeyStoreFailed: as `write_once`.
        """
        with _faults(self.path), self._writing(name):
            files.write_once(self.path / name, b"")

    def destroy(self, name: str) -> None:
        """Overwrite and remove a file, if it is there.

        Raises:
            KeyStoreFailed: the key store is gone.
        """
        with _faults(self.path), files.locked(self.path, alone=False), suppress(FileNotFoundError):
            files.destroy(self.path / name)

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Be the only one who adds or destroys keys, across threads and processes.

        Raises:
            KeyStoreFailed: the folder is gone, or another than the one that was opened.
        """
        self._check_same()
        with _faults(self.path), files.locked(self.path, alone=True, name=_CHANGES):
            yield

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        """Refuse to be pickled or copied."""
        raise TypeError("a key store is neither pickled nor copied")

    def __repr__(self) -> str:
        """Name the folder, never what is in it."""
        return f"KeyFolder({self.path})"

    @contextmanager
    def _writing(self, name: str) -> Iterator[None]:
        """Hold the folder with other writers, and make sure that it is the one that was opened."""
        with files.locked(self.path, alone=False):
            self._check_same()
            if "/" in name:
                files.private_folder((self.path / name).parent)
            yield

    def _found(self, name: str) -> bool:
        try:
            os.stat(self.path / name)
        except FileNotFoundError:
            self._check_same()
            return False
        return True

    def _check_same(self) -> None:
        """Make sure, before a file counts as missing, that it is the folder that was opened."""
        status = self._secret_status()
        if status is not None and status == self._seen:
            return  # it was read since it was last changed
        if self._read_secret() != self.secret:
            raise KeyStoreFailed(f"{self.path} is another key store than the one opened")
        self._seen = status

    def _secret_status(self) -> tuple[int, ...] | None:
        """Which file the secret is in, and when that was changed last; None where it is gone."""
        try:
            found = os.stat(self.path / SECRET_FILE)
        except OSError:
            return None
        return found.st_dev, found.st_ino, found.st_ctime_ns, found.st_size

    def _check(self) -> None:
        if not (self.path / SECRET_FILE).exists():
            raise KeyStoreFailed(
                f"{self.path} is no key store: it holds no {SECRET_FILE}. Is its disk mounted?"
                " If it is lost, restore it from its backup"
            )

    def _read_secret(self) -> bytes:
        with _faults(self.path):
            self._check()
            secret = self._read(SECRET_FILE)
        if len(secret) != _SECRET_BYTES:
            raise KeyStoreFailed(f"{self.path / SECRET_FILE} is damaged: restore it")
        return secret

    def _read(self, name: str) -> bytes:
        path = self.path / name
        try:
            data = files.read_private(path, limit=MOST_FILE_BYTES, what="the key file")
        except FileNotFoundError:  # erased since somebody looked
            raise KeyMissing(f"there is no {name} in {self.path}") from None
        except InvalidInput as error:
            # Whoever asks a running service for a record handed in nothing that is wrong.
            raise KeyStoreFailed(error.problem) from error
        if data and not any(data):  # it is being erased at this moment, or was when power failed
            raise KeyMissing(f"{name} in {self.path} was erased")
        if self._masters is not None:
            return self._masters.unlock(name, data)
        if is_locked(data):
            raise KeyStoreFailed(
                f"{path} is encrypted, and the key store was opened as one that is not:"
                f" start again with its passphrase, or restore {MASTER_FILE}"
            )
        return data


def holds_keys(path: Path) -> bool:
    """Whether a folder is a key store, or what is left of one; an empty disk is none."""
    try:
        found = [each for each in path.iterdir() if not each.name.startswith(".")]
    except FileNotFoundError:
        return False
    return any(
        each.name.startswith(PATIENT_PREFIX) or (each.is_file() and each.name != MASTER_FILE)
        for each in found
    )


def read_masters(path: Path, passphrase: Passphrase) -> Masters:
    """The masters of a key store that is encrypted.

    Raises:
        FileNotFoundError: it is not encrypted.
        InvalidInput: the file of the masters is damaged, or open to others.
        WrongPassphrase: the passphrase does not open it.
    """
    file = path / MASTER_FILE
    data = files.read_private(file, limit=MAX_DOCUMENT_BYTES, what="the master key")
    return Masters.decode(data, passphrase, where=str(file))


def _open_masters(path: Path, passphrase: Passphrase | None) -> Masters | None:
    if passphrase is None:
        if (path / MASTER_FILE).exists():
            raise InvalidInput(f"the keys in {path} are encrypted: a passphrase is needed")
        return None
    try:
        return read_masters(path, passphrase)
    except FileNotFoundError:
        if not (path / SECRET_FILE).exists():
            return None  # there is no key store at all, which is told next
        raise InvalidInput(
            f"the keys in {path} are not encrypted: protect them first, or give no passphrase"
        ) from None


@contextmanager
def _faults(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise KeyStoreFailed(
            f"the key store {path} is out of reach: {error.strerror or error}"
        ) from error
