"""Sealed rows on their way into the database: kept in a file, so that memory holds a few at a time.

The file has no name: nobody else can open it, and it is gone when the process is, however it ends.
Nothing is in it but what would be in the database: pseudonyms, sizes and ciphertext.
"""

import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from sqlalchemy.engine import URL

from medaccord.core.errors import StoreFailed
from medaccord.core.identifiers import Digest
from medaccord.records.sealer import SealedColumns

__all__ = ["Section", "StagedRow", "Staging", "staging_folder"]

_HEAD: Final = struct.Struct(">32sQIHQ")
"""Record, version, generation of the key, lengths of the wrapped key and of the ciphertext."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedRow:
    """One sealed version.

    Attributes:
        record: pseudonym of the record's name.
        version: from 1.
        sealed: its content, sealed to its owner.
    """

    record: Digest
    version: int
    sealed: SealedColumns


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Where rows of one owner stand in the file.

    Attributes:
        start: offset of the first, in bytes.
        rows: how many there are.
    """

    start: int
    rows: int


class Staging:
    """The file. Use it in a ``with`` statement; it is gone after."""

    def __init__(self, folder: Path) -> None:
        """Keep rows in a folder.

        Args:
            folder: as `staging_folder` says.

        Raises:
            StoreFailed: nothing can be written there.
        """
        self._folder = folder
        with self._failing():
            self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  # closed by __exit__
        self._end = 0

    def __enter__(self) -> Self:
        """Close the file at the end of the block, and with it remove it."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove the file."""
        with suppress(OSError):  # what could not be flushed to a full disk is not wanted any more
            self._file.close()

    @property
    def end(self) -> int:
        """Offset of what is added next."""
        return self._end

    def add(self, row: StagedRow) -> None:
        """Add a row at the end.

        Raises:
            StoreFailed: the disk is full, or fails.
        """
        sealed = row.sealed
        head = _HEAD.pack(
            row.record,
            row.version,
            sealed["key_generation"],
            len(sealed["wrapped_key"]),
            len(sealed["ciphertext"]),
        )
        with self._failing():
            self._file.seek(self._end)
            for part in (head, sealed["wrapped_key"], sealed["ciphertext"]):
                self._end += self._file.write(part)

    def rows(self, section: Section) -> Iterator[StagedRow]:
        """The rows of a section, in their order, one at a time.

        Raises:
            StoreFailed: the disk is full, or fails.
        """
        place = section.start
        for _ in range(section.rows):
            with self._failing():
                self._file.seek(place)
                record, version, generation, wrapped, sealed = _HEAD.unpack(
                    self._file.read(_HEAD.size)
                )
                columns = SealedColumns(
                    wrapped_key=self._file.read(wrapped),
                    ciphertext=self._file.read(sealed),
                    key_generation=generation,
                )
            place += _HEAD.size + wrapped + sealed
            yield StagedRow(record=Digest(record), version=version, sealed=columns)

    @contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreFailed(
                f"the import cannot be prepared in {self._folder}: {error.strerror or error};"
                " make room there, then import again: nothing was taken in"
            ) from error


def staging_folder(database: URL) -> Path:
    """Where an import is prepared: beside a database that is a file, else where the system says."""
    if database.get_backend_name() == "sqlite":
        return Path(str(database.database)).absolute().parent
    return Path(tempfile.gettempdir())
