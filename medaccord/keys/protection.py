"""Encrypting a key store that is there, and changing what it is encrypted under.

Whoever does it holds the folder alone. Each can be stopped at any point: the key store opens as
before, with the passphrase that `protect` was given, and doing it again finishes it. A service that
has the key store open must be started again after `protect` and `renew_master`; until then it
refuses to make keys that would be lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from medaccord.core.errors import InvalidInput, KeyStoreFailed
from medaccord.keys import files
from medaccord.keys.key_folder import MOST_FILE_BYTES, PATIENT_PREFIX, SECRET_FILE, read_masters
from medaccord.keys.masters import MASTER_FILE, Masters
from medaccord.keys.passphrase import Passphrase
from medaccord.keys.sealed_key import STANDARD_COST

Progress: TypeAlias = Callable[[int, int], None]
"""Told after each file: how many are done, and how many there are."""


def protect(
    path: Path,
    passphrase: Passphrase,
    *,
    cost: int = STANDARD_COST,
    progress: Progress | None = None,
) -> None:
    """Encrypt a key store that is in clear; what was in clear is overwritten.

    Args:
        path: the folder.
        passphrase: what will open it from now on, at once.
        cost: scrypt's n, a power of two; lower than `STANDARD_COST` is for tests.
        progress: told how far it is.

    Raises:
        KeyStoreFailed: there is no key store, or a file of it is damaged.
        InvalidInput: it is encrypted already.
        WrongPassphrase: it was begun with another passphrase.
    """
    with _alone(path):
        try:
            masters = read_masters(path, passphrase)
        except FileNotFoundError:
            masters = Masters.fresh(plain=True)
            files.write_once(path / MASTER_FILE, masters.encode(passphrase, cost=cost))
        if not masters.plain:
            raise InvalidInput(f"the keys in {path} are encrypted already")
        _finish(path, masters, passphrase, cost, progress)


def change_passphrase(
    path: Path, old: Passphrase, new: Passphrase, *, cost: int = STANDARD_COST
) -> None:
    """Seal the master under another passphrase; every other file stays as it is.

    Warning: who has a copy of the master's file and the old passphrase has the master. Where the
    passphrase leaked, `renew_master` too, and destroy the backups.

    Raises:
        KeyStoreFailed: there is no key store.
        InvalidInput: it is not encrypted, or the master's file is damaged.
        WrongPassphrase: the old passphrase does not open it.
    """
    with _alone(path):
        masters = _encrypted(path, old)
        files.replace(path / MASTER_FILE, masters.encode(new, cost=cost))
        files.sweep(path)


def renew_master(
    path: Path,
    passphrase: Passphrase,
    *,
    cost: int = STANDARD_COST,
    progress: Progress | None = None,
) -> None:
    """Make a new master, encrypt every file under it, and forget the old one.

    Raises:
        KeyStoreFailed: there is no key store, or a file of it is damaged.
        InvalidInput: it is not encrypted, or only in part; or the master's file is damaged.
        WrongPassphrase: the passphrase does not open it.
    """
    with _alone(path):
        masters = _encrypted(path, passphrase)
        if masters.plain:
            raise InvalidInput(f"the keys in {path} are encrypted in part: protect them first")
        if len(masters.keys) == 1:  # else one was begun, and is finished now
            masters = masters.with_fresh()
            files.replace(path / MASTER_FILE, masters.encode(passphrase, cost=cost))
        _finish(path, masters, passphrase, cost, progress)


def _finish(
    path: Path, masters: Masters, passphrase: Passphrase, cost: int, progress: Progress | None
) -> None:
    names = _names(path)
    for done, name in enumerate(names, start=1):
        _encrypt(path / name, name, masters)
        if progress is not None:
            progress(done, len(names))
    files.sweep(path)  # what was in clear and could not be overwritten before a kill
    files.replace(path / MASTER_FILE, masters.newest_alone().encode(passphrase, cost=cost))


def _encrypt(path: Path, name: str, masters: Masters) -> None:
    try:
        data = files.read_private(path, limit=MOST_FILE_BYTES, what="the key file")
    except InvalidInput as error:
        raise KeyStoreFailed(error.problem) from error
    if not data:
        return  # a mark, which holds no secret
    if not any(data):
        files.destroy(path)  # an erasure that was stopped after its overwriting
    elif not masters.is_newest(data):
        files.replace(path, masters.lock(name, masters.unlock(name, data)))


def _names(path: Path) -> list[str]:
    """Every file that holds a secret, the steward's own last: it shows who is too late to write."""
    found = [
        file.relative_to(path).as_posix()
        for file in sorted(path.rglob("*"))
        if file.is_file() and not file.name.startswith(".")
    ]
    return [*(name for name in found if name.startswith(PATIENT_PREFIX)), SECRET_FILE]


def _encrypted(path: Path, passphrase: Passphrase) -> Masters:
    try:
        return read_masters(path, passphrase)
    except FileNotFoundError:
        raise InvalidInput(f"the keys in {path} are not encrypted: protect them first") from None


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    try:
        if not (path / SECRET_FILE).exists():
            raise KeyStoreFailed(f"{path} is no key store: it holds no {SECRET_FILE}")
        with files.locked(path, alone=True):
            yield
    except OSError as error:
        raise KeyStoreFailed(
            f"the key store {path} is out of reach: {error.strerror or error}"
        ) from error
