"""Keys that a steward keeps for its patients, outside the database and its backups.

One X25519 key a patient wraps the data keys of that patient's records. Erasing it erases the
patient from every copy of the database ever made.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path
from typing import Final, Protocol, runtime_checkable

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from medaccord.core.errors import InvalidInput, KeyMissing

_FOLDER_MODE: Final = 0o700
_KEY_BYTES: Final = 32


@runtime_checkable
class PatientKeys(Protocol):
    """Where a steward keeps one X25519 key for each of its patients.

    `ref` is the steward's own name for the patient, such as the `Patient.id`.
    """

    def create(self, ref: str) -> bytes:
        """Make the key of a patient and return its public half, 32 bytes.

        Raises:
            InvalidInput: the patient has a key already.
        """
        ...

    def public(self, ref: str) -> bytes:
        """The public half, 32 bytes.

        Raises:
            KeyMissing: the patient has none, or it was erased.
        """
        ...

    def private(self, ref: str) -> bytes:
        """The private half, 32 bytes.

        Raises:
            KeyMissing: the patient has none, or it was erased.
        """
        ...

    def erase(self, ref: str) -> None:
        """Destroy the key, so that nothing sealed to it can ever be opened.

        Raises:
            KeyMissing: the patient has none, or it was erased.
        """
        ...


class FolderPatientKeys:
    """Patients' keys in a folder of this machine, a file each, for its owner's eyes alone.

    Files are named by a hash of `ref`. Threads and processes may share the folder.

    Warning: erasing overwrites and removes the file. A disk that keeps old blocks, and a backup
    of this folder, keep the key: leave the folder out of backups, or keep those as short as the
    law allows.
    """

    __slots__ = ("_folder",)

    def __init__(self, folder: Path) -> None:
        """Use a folder, made if need be, closed to everybody else (mode 0700)."""
        self._folder = _private_folder(folder)

    def create(self, ref: str) -> bytes:
        """See `PatientKeys.create`; the key is on disk, flushed, when this returns."""
        key = X25519PrivateKey.generate()
        if not _write_once(self._path(ref), key.private_bytes_raw()):
            raise InvalidInput("this patient has a key already: erase it before making another")
        return key.public_key().public_bytes_raw()

    def public(self, ref: str) -> bytes:
        """See `PatientKeys.public`."""
        key = X25519PrivateKey.from_private_bytes(self.private(ref))
        return key.public_key().public_bytes_raw()

    def private(self, ref: str) -> bytes:
        """See `PatientKeys.private`."""
        try:
            return self._path(ref).read_bytes()
        except FileNotFoundError:
            raise KeyMissing("this patient's key was never made here, or was erased") from None

    def erase(self, ref: str) -> None:
        """See `PatientKeys.erase`, and the warning above."""
        path = self._path(ref)
        try:
            with path.open("r+b") as file:
                file.write(bytes(_KEY_BYTES))
                file.flush()
                os.fsync(file.fileno())
            path.unlink()
        except FileNotFoundError:
            raise KeyMissing("this patient's key was never made here, or was erased") from None
        _flush_folder(self._folder)

    def _path(self, ref: str) -> Path:
        return self._folder / f"patient-{hashlib.sha256(ref.encode()).hexdigest()}"


class StewardSecrets:
    """A steward's own secret, from which its pseudonyms and topics are derived.

    Made once, kept beside the patients' keys. Who holds it can tell which topic is whose.
    """

    __slots__ = ("_secret",)

    def __init__(self, folder: Path) -> None:
        """Read the secret of a folder, making it the first time."""
        path = _private_folder(folder) / "steward-secret"
        # Whoever comes second reads what the first one wrote.
        _write_once(path, secrets.token_bytes(_KEY_BYTES))
        self._secret = path.read_bytes()

    @property
    def pseudonyms(self) -> bytes:
        """The HMAC key for topics and pseudonyms, 32 bytes."""
        return self._secret

    def __repr__(self) -> str:
        """Say what it is, never the secret."""
        return "StewardSecrets(…)"


def _private_folder(folder: Path) -> Path:
    folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
    folder.chmod(_FOLDER_MODE)  # it may have been there, or the umask may have opened it
    return folder


def _write_once(path: Path, content: bytes) -> bool:
    """Write a file whole and flushed, or not at all; say whether it was not there before."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)  # unlike a rename, this never replaces a key
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    _flush_folder(path.parent)
    return True


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
