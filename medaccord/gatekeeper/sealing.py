"""Rows of the database that only the holder of a patient's key can read.

What a log entry, a request or an opening says is sealed to the key of the patient it is about, with
the row's own identity as associated data: a row copied to another place does not open there.
"""

from sqlalchemy import RowMapping

from medaccord.core.envelope import Sealed, open_sealed, seal
from medaccord.keys import PatientKeys
from medaccord.records import Owner


class Sealer:
    """Seals and opens columns under the keys of patients (or the steward's own)."""

    def __init__(self, keys: PatientKeys) -> None:
        self._keys = keys

    def seal(self, owner: Owner, plaintext: bytes, *, kind: str, row: bytes) -> dict[str, bytes]:
        """Seal the content of a row.

        Args:
            owner: pseudonym of the patient.
            plaintext: what the row says.
            kind: name of the table.
            row: what makes the row unique in it.

        Returns:
            The columns `ciphertext` and `wrapped_key`.

        Raises:
            KeyMissing: the patient's key was erased.
        """
        sealed = seal(plaintext, self._keys.public(owner), _context(kind, row))
        return {"ciphertext": sealed.ciphertext, "wrapped_key": sealed.wrapped_key}

    def open(self, owner: Owner, columns: RowMapping, *, kind: str, row: bytes) -> bytes:
        """Open what `seal` sealed for the same owner and row.

        Raises:
            KeyMissing: the patient's key was erased.
            DecryptionFailed: the row was changed or moved.
        """
        sealed = Sealed(ciphertext=columns["ciphertext"], wrapped_key=columns["wrapped_key"])
        return open_sealed(sealed, self._keys.private(owner), _context(kind, row))


def _context(kind: str, row: bytes) -> bytes:
    return f"medaccord/{kind}/1:".encode() + row
