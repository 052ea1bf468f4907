"""The erasure list: what was erased, kept outside the database and outside its backups.

A backup of the database brings back whatever was in it. The list says what must go again, and is
read at every start before anything is served (`medaccord.records.restoring`). It is also where an
erasure begins: once its line is on the disk the erasure is decided, and whoever starts next
finishes it.

One line of JSON each, appended and flushed, never changed: pseudonyms, generations and times. A
line that a power cut tore off was never decided on: it is left out, and overwritten by the next.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from medaccord.core.errors import InvalidDocument, InvalidInput, KeyStoreFailed, StoreFailed
from medaccord.core.identifiers import Digest, digest, hex_digest
from medaccord.keys.files import flush_folder
from medaccord.records.pseudonyms import Owner

__all__ = ["ErasureLine", "ErasureList"]

_NAME: Final = "erasures.jsonl"
_LARGEST_LINE: Final = 4096  # in bytes; ours have about 250


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureLine:
    """One erasure.

    Attributes:
        owner: the patient's pseudonym.
        record: pseudonym of the one record that was erased; None where it was all of the patient's.
        upto_generation: newest key of the patient at that time, 0 where there was none. What is
            sealed to a later key came after it, and is not meant where all was erased.
        erased_at: when it was decided; timezone-aware.
    """

    owner: Owner
    record: Digest | None
    upto_generation: int
    erased_at: datetime

    @property
    def key(self) -> tuple[str, bytes | int]:
        """What makes it the same erasure as another: when it was decided does not matter."""
        return self.owner, self.upto_generation if self.record is None else self.record


class ErasureList:
    """The list in a folder. Threads and processes may share it."""

    def __init__(self, folder: Path) -> None:
        """Use the folder of the key store; the file is made with the first line.

        Args:
            folder: where the patients' keys are, outside the database and its backups.
        """
        self._path = folder / _NAME

    def append(self, line: ErasureLine) -> None:
        """Add a line; it is on the disk when this returns, or the list is as it was.

        Raises:
            KeyStoreFailed: the folder of the key store is not there.
            StoreFailed: the list cannot be written; nothing is decided.
        """
        text = json.dumps(_document(line), separators=(",", ":")).encode() + b"\n"
        with self._told(), self._locked() as file:
            end = _end_of_whole_lines(file)
            os.ftruncate(file, end)
            try:
                written = os.pwrite(file, text, end)
                if written != len(text):
                    raise OSError("the disk is full")
                os.fsync(file)
            except OSError:
                os.ftruncate(file, end)
                raise
            flush_folder(self._path.parent)

    def lines(self) -> tuple[ErasureLine, ...]:
        """Every erasure, oldest first.

        Raises:
            InvalidDocument: a line that is not the torn end of the file is none of ours.
            KeyStoreFailed: the folder of the key store is not there.
            StoreFailed: the list cannot be read.
        """
        with self._told():
            if not self._path.parent.is_dir():
                raise FileNotFoundError
            if not self._path.exists():
                return ()
            content = self._path.read_bytes()
        whole = content.split(b"\n")[:-1]
        return tuple(_line(text, number) for number, text in enumerate(whole, start=1))

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise KeyStoreFailed(
                f"the key store is not at {self._path.parent}: put it back, then try again"
            ) from error
        except OSError as error:
            raise StoreFailed(
                f"the erasure list {self._path} cannot be used ({error.strerror or error}):"
                " nothing was decided"
            ) from error

    @contextmanager
    def _locked(self) -> Iterator[int]:
        file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file
        finally:
            os.close(file)


def _end_of_whole_lines(file: int) -> int:
    size = os.fstat(file).st_size
    start = max(0, size - _LARGEST_LINE)
    tail = os.pread(file, size - start, start)
    return start + tail.rfind(b"\n") + 1


def _document(line: ErasureLine) -> dict[str, Any]:
    return {
        "owner": line.owner,
        "record": None if line.record is None else hex_digest(line.record),
        "uptoGeneration": line.upto_generation,
        "erasedAt": line.erased_at.astimezone(UTC).isoformat(),
    }


def _line(text: bytes, number: int) -> ErasureLine:
    try:
        read = json.loads(text)
        owner, record = read["owner"], read["record"]
        erased_at = datetime.fromisoformat(read["erasedAt"])
        upto = read["uptoGeneration"]
        if len(bytes.fromhex(owner)) != 32 or erased_at.tzinfo is None or type(upto) is not int:
            raise ValueError("a member does not fit")
        return ErasureLine(
            owner=Owner(owner),
            record=None if record is None else digest(record),
            upto_generation=upto,
            erased_at=erased_at,
        )
    except (ValueError, KeyError, TypeError, InvalidInput) as error:
        raise InvalidDocument(
            "the erasure list was changed: restore it, nothing is served without it",
            line=number,
            column=1,
        ) from error
