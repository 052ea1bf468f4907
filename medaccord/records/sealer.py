"""Rows of the database that only the holder of a patient's key can read.

What a record, a log entry, a request or an opening says is sealed to the key of the patient it is
about, bound to the row it stands in: a row copied to another place does not open there. Beside it
stands which generation of the key it is sealed to.
"""

import os
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, TypedDict

from sqlalchemy import RowMapping

from medaccord.core.envelope import Sealed, open_sealed, rewrap, seal
from medaccord.keys import PatientKeys, PublicKey
from medaccord.records.pseudonyms import Owner

__all__ = ["Columns", "SealedColumns", "Sealer", "WrappedColumns", "row_context"]

Columns: TypeAlias = Mapping[str, Any] | RowMapping
"""A row as it was read, or one about to be written."""


class WrappedColumns(TypedDict):
    """The columns of a sealed row that say how its data key is wrapped.

    Attributes:
        wrapped_key: the data key, wrapped to the owner's key.
        key_generation: which of the owner's keys that is.
    """

    wrapped_key: bytes
    key_generation: int


class SealedColumns(WrappedColumns):
    """The columns of a sealed row.

    Attributes:
        ciphertext: nonce, ciphertext, tag.
    """

    ciphertext: bytes


class Sealer:
    """Seals and opens rows under the keys of patients (or the steward's own)."""

    def __init__(self, keys: PatientKeys, *, random: Callable[[int], bytes] = os.urandom) -> None:
        """Use a key store.

        Args:
            keys: keys of the patients and of the steward itself.
            random: source of salts, data keys and nonces.
        """
        self.keys = keys
        self.random = random

    def seal(
        self, owner: Owner, plaintext: bytes, context: bytes, *, to: PublicKey | None = None
    ) -> SealedColumns:
        """Seal the content of a row.

        Args:
            owner: pseudonym of the patient.
            plaintext: what the row says.
            context: what makes the row unique: `row_context`, or one of `sealed_rows`.
            to: the owner's newest key, where the caller has looked it up already.

        Raises:
            KeyMissing: the patient's key was erased.
        """
        key = to or self.keys.public(owner)
        sealed = seal(plaintext, key.key, context, random=self.random)
        return SealedColumns(
            ciphertext=sealed.ciphertext,
            wrapped_key=sealed.wrapped_key,
            key_generation=key.generation,
        )

    def open(self, owner: Owner, columns: Columns, context: bytes) -> bytes:
        """Open what `seal` sealed for the same owner and row.

        Raises:
            KeyMissing: the key was retired or erased.
            DecryptionFailed: the row was changed or moved.
        """
        sealed = Sealed(ciphertext=columns["ciphertext"], wrapped_key=columns["wrapped_key"])
        private = self.keys.private(owner, columns["key_generation"])
        return open_sealed(sealed, private, context)

    def rewrap(
        self, owner: Owner, columns: Columns, context: bytes, *, to: PublicKey
    ) -> WrappedColumns:
        """Wrap a row's data key to another key of the same owner; its ciphertext is not touched.

        Raises:
            KeyMissing: the key it is wrapped to was retired or erased.
            DecryptionFailed: the row was changed or moved.
        """
        private = self.keys.private(owner, columns["key_generation"])
        return WrappedColumns(
            wrapped_key=rewrap(columns["wrapped_key"], private, to.key, context),
            key_generation=to.generation,
        )


def row_context(table: str, row: bytes) -> bytes:
    """What the seal of a row is bound to.

    Args:
        table: name of the table.
        row: what makes the row unique in it.
    """
    return f"medaccord/{table}/1:".encode() + row
