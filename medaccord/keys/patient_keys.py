"""Keys that a steward keeps for its patients, outside the database and its backups.

One X25519 key a patient wraps the data keys of that patient's records. Erasing it erases the
patient from every copy of the database ever made. Renewing it leaves the records as they are: only
the wrapping of their data keys is made anew.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, runtime_checkable

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from medaccord.core.errors import InvalidInput, KeyMissing

_FOLDER_MODE: Final = 0o700
_KEY_BYTES: Final = 32
_HAS_ONE: Final = "this patient has a key already: erase it before making another"
_ERASED: Final = "erased-"
_MISSING: Final = "this patient's key was never made here, or was erased"


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """What is sealed to.

    Attributes:
        generation: which of its owner's keys it is, from 1; kept beside what is sealed to it.
        key: X25519 public key, 32 bytes.
    """

    generation: int
    key: bytes


@runtime_checkable
class PatientKeys(Protocol):
    """Where a steward keeps the X25519 keys of its patients, and its own.

    A patient has one key at a time that is sealed to. A renewed key counts one generation up; those
    before stay, and open what was sealed to them, until they are retired. No number is used twice,
    not even after an erasure: what was sealed to an erased key is never taken for something else.

    `ref` is the steward's own name for the patient, such as a pseudonym of the `Patient.id`.
    """

    def create(self, ref: str) -> PublicKey:
        """Make the first key of a patient, or the first one after an erasure.

        Raises:
            InvalidInput: the patient has a key already.
        """
        ...

    def public(self, ref: str) -> PublicKey:
        """The newest key: what is sealed now is sealed to it.

        Raises:
            KeyMissing: the patient has none, or it was erased.
        """
        ...

    def private(self, ref: str, generation: int) -> bytes:
        """The private half of one generation, 32 bytes.

        Raises:
            KeyMissing: it was never made, retired or erased.
        """
        ...

    def generations(self, ref: str) -> tuple[int, ...]:
        """The generations held, oldest first; empty where there are none."""
        ...

    def renew(self, ref: str) -> PublicKey:
        """Make a newer key; the older ones stay.

        Raises:
            KeyMissing: the patient has none, or it was erased.
        """
        ...

    def retire(self, ref: str, before: int) -> None:
        """Destroy the generations before one. What is sealed to them can never be opened again.

        Args:
            ref: whose.
            before: the oldest generation that stays; at most the newest.

        Raises:
            InvalidInput: no key would be left.
            KeyMissing: the patient has none, or it was erased.
        """
        ...

    def erase(self, ref: str) -> int:
        """Destroy every key, so that nothing sealed to them can ever be opened.

        Returns:
            The newest generation there was.

        Raises:
            KeyMissing: the patient has none, or it was erased.
        """
        ...


class FolderPatientKeys:
    """Patients' keys in a folder of this machine, a file each, for its owner's eyes alone.

    Files are named by a hash of `ref`, later generations by their number in a folder beside.
    Threads and processes may share the folder.

    Warning: erasing overwrites and removes the file. A disk that keeps old blocks, and a backup
    of this folder, keep the key: leave the folder out of backups, or keep those as short as the
    law allows.
    """

    __slots__ = ("_folder",)

    def __init__(self, folder: Path) -> None:
        """Use a folder, made if need be, closed to everybody else (mode 0700)."""
        self._folder = _private_folder(folder)

    def create(self, ref: str) -> PublicKey:
        """See `PatientKeys.create`; the key is on disk, flushed, when this returns."""
        if self.generations(ref):
            raise InvalidInput(_HAS_ONE)
        made = self._make(ref, self._erased(ref) + 1)
        if made is None:
            raise InvalidInput(_HAS_ONE)
        return made

    def public(self, ref: str) -> PublicKey:
        """See `PatientKeys.public`."""
        newest = self._newest(ref)
        key = X25519PrivateKey.from_private_bytes(self.private(ref, newest))
        return PublicKey(generation=newest, key=key.public_key().public_bytes_raw())

    def private(self, ref: str, generation: int) -> bytes:
        """See `PatientKeys.private`."""
        try:
            return self._path(ref, generation).read_bytes()
        except FileNotFoundError:
            raise KeyMissing(_MISSING) from None

    def generations(self, ref: str) -> tuple[int, ...]:
        """See `PatientKeys.generations`."""
        later = (int(name) for name in self._names_of_later(ref) if name.isdecimal())
        return (*([1] if self._path(ref, 1).exists() else []), *sorted(later))

    def renew(self, ref: str) -> PublicKey:
        """See `PatientKeys.renew`; the key is on disk, flushed, when this returns."""
        # Whoever comes second gets the key that the first one made.
        return self._make(ref, self._newest(ref) + 1) or self.public(ref)

    def retire(self, ref: str, before: int) -> None:
        """See `PatientKeys.retire`, and the warning above."""
        if before > self._newest(ref):
            raise InvalidInput(f"generation {before} was never made: no key would be left")
        for generation in self.generations(ref):
            if generation < before:
                self._destroy(self._path(ref, generation))

    def erase(self, ref: str) -> int:
        """See `PatientKeys.erase`, and the warning above."""
        newest = self._newest(ref)
        # First of all the number: should we be stopped half-way, it is never used again.
        _write_once(_private_folder(self._later(ref)) / f"{_ERASED}{newest}", b"")
        for generation in self.generations(ref):
            self._destroy(self._path(ref, generation))
        return newest

    def _newest(self, ref: str) -> int:
        held = self.generations(ref)
        if not held:
            raise KeyMissing(_MISSING)
        return held[-1]

    def _erased(self, ref: str) -> int:
        """The newest generation that was erased; 0 where none was."""
        marks = (name for name in self._names_of_later(ref) if name.startswith(_ERASED))
        return max((int(name.removeprefix(_ERASED)) for name in marks), default=0)

    def _make(self, ref: str, generation: int) -> PublicKey | None:
        key = X25519PrivateKey.generate()
        path = self._path(ref, generation)
        if path.parent != self._folder:
            _private_folder(path.parent)
        if not _write_once(path, key.private_bytes_raw()):
            return None
        return PublicKey(generation=generation, key=key.public_key().public_bytes_raw())

    def _destroy(self, path: Path) -> None:
        with path.open("r+b") as file:
            file.write(bytes(path.stat().st_size))
            file.flush()
            os.fsync(file.fileno())
        path.unlink()
        _flush_folder(path.parent)

    def _path(self, ref: str, generation: int) -> Path:
        return self._stem(ref) if generation == 1 else self._later(ref) / str(generation)

    def _later(self, ref: str) -> Path:
        """A folder of the patient's own, for every generation but the first."""
        return self._stem(ref).with_suffix(".later")

    def _names_of_later(self, ref: str) -> list[str]:
        try:
            return os.listdir(self._later(ref))
        except FileNotFoundError:
            return []

    def _stem(self, ref: str) -> Path:
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
