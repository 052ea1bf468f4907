"""Files that hold keys: written whole or not at all, for their owner alone, wiped when replaced.

Anybody may be killed at any point: a name always stands for the whole old content or the whole new
one. What is left over (names that begin with a dot) is wiped by `sweep`.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

from medaccord.core.errors import InvalidInput

_FOLDER_MODE: Final = 0o700
_FILE_MODE: Final = 0o600
_OTHERS: Final = 0o077
_LOCK: Final = ".lock"
_LEFTOVER: Final = re.compile(r"\..+\.[0-9a-f]{16}")


def private_folder(folder: Path) -> Path:
    """A folder closed to everybody else (mode 0700), made if need be."""
    folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
    folder.chmod(_FOLDER_MODE)  # it may have been there, or the umask may have opened it
    return folder


def close_folder(folder: Path) -> None:
    """Close a folder to everybody else (mode 0700), if it is not."""
    if folder.stat().st_mode & _OTHERS:
        folder.chmod(_FOLDER_MODE)


def read_private(path: Path, *, limit: int, what: str) -> bytes:
    """Read a file that nobody but its owner may have read or changed.

    What is opened is what is checked, so that nobody can put another file under the name between.

    Args:
        path: a regular file of this user's, without any permission for group or others.
        limit: the most bytes it may have, inclusive.
        what: what the file is, to begin the error with, such as `the passphrase file`.

    Raises:
        InvalidInput: it is anything else, or longer.
        OSError: it is not there, or cannot be read.
    """
    # Opening a pipe would wait for somebody to write into it.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise InvalidInput(f"{what} {path} is no regular file")
        if found.st_uid != os.geteuid():
            raise InvalidInput(
                f"{what} {path} belongs to another user (uid {found.st_uid}): chown it to yours"
            )
        if found.st_mode & _OTHERS:
            raise InvalidInput(
                f"{what} {path} is open to others (mode {stat.S_IMODE(found.st_mode):04o}):"
                f" chmod 600 {path}"
            )
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            content = file.read(limit + 1)
    finally:
        os.close(descriptor)
    if len(content) > limit:
        raise InvalidInput(f"{what} {path} is longer than {limit} bytes")
    return content


def write_once(path: Path, content: bytes) -> bool:
    """Write a file whole and flushed, or not at all; say whether it was not there before."""
    draft = _draft(path, content)
    try:
        os.link(draft, path)  # unlike a rename, this never replaces a key
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    flush_folder(path.parent)
    return True


def replace(path: Path, content: bytes) -> None:
    """Put other content in the place of a file's, and overwrite the old one.

    Raises:
        FileNotFoundError: there is no such file.
    """
    draft = _draft(path, content)
    old = _beside(path)
    try:
        os.link(path, old)  # keeps hold of what must be overwritten, also for whoever sweeps
        draft.replace(path)
    except BaseException:
        draft.unlink()
        old.unlink(missing_ok=True)
        raise
    flush_folder(path.parent)
    destroy(old)


@contextmanager
def written_whole(path: Path) -> Iterator[IO[bytes]]:
    """Write a file of this user's alone piece by piece; it has its name once it is whole.

    Args:
        path: one that is there is replaced then, and not overwritten; its folder is there already.

    Raises:
        OSError: it cannot be written there, or something else than a file is there.
    """
    if path.exists() and not path.is_file():  # replaced, /dev/null would be gone for everybody
        raise OSError(errno.EINVAL, "something else than a file is there")
    draft = _beside(path)
    try:
        with _made(draft) as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        draft.replace(path)
    except BaseException:
        with suppress(OSError):
            draft.unlink()
        raise


def destroy(path: Path) -> None:
    """Overwrite a file, under all of its names, and remove it.

    Raises:
        FileNotFoundError: there is no such file.
    """
    with path.open("r+b") as file:
        file.write(bytes(os.fstat(file.fileno()).st_size))
        file.flush()
        os.fsync(file.fileno())
    path.unlink()
    flush_folder(path.parent)


def sweep(folder: Path, *, of: str | None = None) -> None:
    """Remove what writers that were killed have left, here and in folders of the folder.

    No writer may be at work: hold the folder `alone`. Hidden files of others are left alone.

    Args:
        folder: where.
        of: only what writers of this one file have left, in the folder itself.
    """
    within = () if of else (each for each in folder.iterdir() if _is_open_folder(each))
    for place in (folder, *within):
        for left in place.iterdir():
            if not _LEFTOVER.fullmatch(left.name):
                continue
            if of and left.name[1:].rpartition(".")[0] != of:
                continue
            # With a second name it is the file itself, which was in place before the kill.
            if left.stat().st_nlink > 1:
                left.unlink()
            else:
                destroy(left)


def _is_open_folder(path: Path) -> bool:
    return path.is_dir() and path.name[0] != "."


@contextmanager
def locked(folder: Path, *, alone: bool, wait: bool = True, name: str = _LOCK) -> Iterator[None]:
    """Hold a folder, across threads and processes: together with others, or alone.

    Args:
        folder: what to hold.
        alone: as who changes many files, or takes away what others may be about to use.
        wait: until whoever holds it lets go, however long that is.
        name: of the file that is locked; who holds one may hold another within.

    Raises:
        BlockingIOError: somebody holds it, and `wait` is false.
        OSError: the folder is gone, or nothing can be written there.
    """
    descriptor = os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _FILE_MODE)
    try:
        kind = fcntl.LOCK_EX if alone else fcntl.LOCK_SH
        fcntl.flock(descriptor, kind if wait else kind | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)  # which lets go of it


def flush_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _draft(path: Path, content: bytes) -> Path:
    draft = _beside(path)
    made = _made(draft)
    try:
        with made as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:  # such as a full disk
        draft.unlink()
        raise
    return draft


def _made(draft: Path) -> IO[bytes]:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    return os.fdopen(os.open(draft, flags, _FILE_MODE), "wb")


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(8)}")
