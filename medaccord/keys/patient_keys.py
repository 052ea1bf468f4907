"""Keys that a steward keeps for its patients, outside the database and its backups.

One X25519 key a patient wraps the data keys of that patient's records. Erasing it erases the
patient from every copy of the database ever made. Renewing it leaves the records as they are: only
the wrapping of their data keys is made anew.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn, Protocol, runtime_checkable

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from medaccord.core.errors import InvalidInput, KeyMissing
from medaccord.keys.key_folder import PATIENT_PREFIX, KeyFolder

_PUBLICS_KEPT: Final = 20_000
"""Public keys kept in memory, some 200 bytes each."""

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

    `ref` is the steward's own name for the patient, such as a pseudonym of the ``Patient.id``.
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
    Threads and processes may share the folder. Whether files are encrypted, the folder says.

    Where the folder is gone, or not the one that was opened, every method raises KeyStoreFailed:
    no patient then counts as erased, and no key is made in the place of one that is lost.

    Warning: erasing overwrites and removes the file. A disk that keeps old blocks, and a backup
    of this folder, keep the key: leave the folder out of backups, or keep those as short as the
    law allows.
    """

    __slots__ = ("_folder", "_publics")

    def __init__(self, folder: Path | KeyFolder) -> None:
        """Use a key store that was opened, or one in clear at a path, made if there is none.

        Raises:
            KeyStoreFailed, InvalidInput: as `KeyFolder.open_or_create`.
        """
        self._folder = _opened(folder)
        # By a hash of the private one, which is read each time: no private key stays in memory.
        self._publics: OrderedDict[bytes, bytes] = OrderedDict()

    def create(self, ref: str) -> PublicKey:
        """See `PatientKeys.create`; the key is on disk, flushed, when this returns."""
        with self._folder.changing():
            if self.generations(ref):
                raise InvalidInput(_HAS_ONE)
            made = self._make(ref, self._erased(ref) + 1)
            if made is None:
                raise InvalidInput(_HAS_ONE)
            return made

    def public(self, ref: str) -> PublicKey:
        """See `PatientKeys.public`."""
        newest = self._newest(ref)
        private = self.private(ref, newest)
        mark = hashlib.sha256(private).digest()
        key = self._publics.get(mark)
        if key is None:
            made = X25519PrivateKey.from_private_bytes(private)
            key = self._publics[mark] = made.public_key().public_bytes_raw()
            if len(self._publics) > _PUBLICS_KEPT:
                self._publics.popitem(last=False)
        return PublicKey(generation=newest, key=key)

    def private(self, ref: str, generation: int) -> bytes:
        """See `PatientKeys.private`."""
        try:
            return self._folder.read(_file(ref, generation))
        except KeyMissing:
            raise KeyMissing(_MISSING) from None

    def generations(self, ref: str) -> tuple[int, ...]:
        """See `PatientKeys.generations`."""
        later = (int(name) for name in self._folder.names(_later(ref)) if name.isdecimal())
        return (*([1] if self._folder.has(_file(ref, 1)) else []), *sorted(later))

    def renew(self, ref: str) -> PublicKey:
        """See `PatientKeys.renew`; the key is on disk, flushed, when this returns."""
        with self._folder.changing():
            return self._make(ref, self._newest(ref) + 1) or self.public(ref)

    def retire(self, ref: str, before: int) -> None:
        """See `PatientKeys.retire`, and the warning above."""
        with self._folder.changing():
            if before > self._newest(ref):
                raise InvalidInput(f"generation {before} was never made: no key would be left")
            for generation in self.generations(ref):
                if generation < before:
                    self._folder.destroy(_file(ref, generation))

    def erase(self, ref: str) -> int:
        """See `PatientKeys.erase`, and the warning above."""
        with self._folder.changing():  # a key renewed meanwhile would be left
            newest = self._newest(ref)
            # First of all the number: should we be stopped half-way, it is never used again.
            self._folder.mark(f"{_later(ref)}/{_ERASED}{newest}")
            for generation in self.generations(ref):
                self._folder.destroy(_file(ref, generation))
            return newest

    def _newest(self, ref: str) -> int:
        held = self.generations(ref)
        if not held:
            raise KeyMissing(_MISSING)
        return held[-1]

    def _erased(self, ref: str) -> int:
        """The newest generation that was erased; 0 where none was."""
        names = self._folder.names(_later(ref))
        marks = (name.removeprefix(_ERASED) for name in names if name.startswith(_ERASED))
        return max(map(int, marks), default=0)

    def _make(self, ref: str, generation: int) -> PublicKey | None:
        key = X25519PrivateKey.generate()
        if not self._folder.write_once(_file(ref, generation), key.private_bytes_raw()):
            return None
        return PublicKey(generation=generation, key=key.public_key().public_bytes_raw())


class StewardSecrets:
    """A steward's own secret, from which its pseudonyms and topics are derived.

    Made once, kept beside the patients' keys. Who holds it can tell which topic is whose.
    """

    __slots__ = ("_secret",)

    def __init__(self, folder: Path | KeyFolder) -> None:
        """Take the secret of a key store that was opened, or of one in clear at a path.

        Raises:
            KeyStoreFailed, InvalidInput: as `KeyFolder.open_or_create`.
        """
        self._secret = _opened(folder).secret

    @property
    def pseudonyms(self) -> bytes:
        """The HMAC key for topics and pseudonyms, 32 bytes."""
        return self._secret

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        """Refuse to be pickled or copied."""
        raise TypeError("a steward's secret is neither pickled nor copied")

    def __repr__(self) -> str:
        """Say what it is, never the secret."""
        return "StewardSecrets(…)"


def _opened(folder: Path | KeyFolder) -> KeyFolder:
    return folder if isinstance(folder, KeyFolder) else KeyFolder.open_or_create(folder)


def _file(ref: str, generation: int) -> str:
    return _stem(ref) if generation == 1 else f"{_later(ref)}/{generation}"


def _later(ref: str) -> str:
    """A folder of the patient's own, for every generation but the first."""
    return f"{_stem(ref)}.later"


def _stem(ref: str) -> str:
    return f"{PATIENT_PREFIX}{hashlib.sha256(ref.encode()).hexdigest()}"
