"""Opened indexes of owners, kept in memory for whoever only reads them."""

from typing import Final

from sqlalchemy import Connection

from medaccord.records.index import Index, index_row, read_index
from medaccord.records.opened_rows import OpenedRows
from medaccord.records.pseudonyms import Owner
from medaccord.records.sealed_rows import index_context
from medaccord.records.sealer import Sealer
from medaccord.store import asked_once

__all__ = ["OpenedIndexes"]

_MOST_BYTES: Final = 64 * 2**20
"""Of indexes kept open, sealed; opened, an entry of some 500 bytes takes three times as much."""


class OpenedIndexes:
    """Opens indexes, each once as long as it stays as it is; see `OpenedRows`."""

    def __init__(self, sealer: Sealer) -> None:
        """Keep nothing yet."""
        self._opened: OpenedRows[Index] = OpenedRows(sealer, most_bytes=_MOST_BYTES)

    def of(self, connection: Connection, owner: Owner) -> Index:
        """The index of an owner, an empty one where nothing was imported yet; nobody changes it.

        Raises:
            KeyMissing: the owner's key is not there, or was erased.
            DecryptionFailed: the index was changed.
        """
        return asked_once(connection, ("index", owner), lambda: self._open(connection, owner))

    def _open(self, connection: Connection, owner: Owner) -> Index:
        row = index_row(connection, owner)
        if row is None:
            return Index()
        return self._opened.open(
            owner,
            row._mapping,
            index_context(owner, row.revision),
            lambda text: read_index(text, row.revision),
        )
