"""Master keys: what a folder of keys is encrypted under, themselves sealed under a passphrase.

Deriving a key from a passphrase takes a second; a folder holds thousands of keys. So the passphrase
opens the master, and the master every other file.

Source: NIST SP 800-38D (GCM); NIST SP 800-57 part 1, 5.3.6 (key-encrypting keys).
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from medaccord.core.errors import KeyStoreFailed
from medaccord.keys.passphrase import Passphrase
from medaccord.keys.sealed_key import MASTER, STANDARD_COST, SealedKey

MASTER_FILE: Final = "master.json"
"""Name of the file of the masters, in the folder they open."""

_PROFILE: Final = b"medaccord/locked/1\x00"
_KEY_BYTES: Final = 32
_ID_BYTES: Final = 16
_NONCE_BYTES: Final = 12
_HEADER_BYTES: Final = len(_PROFILE) + _ID_BYTES
_PLAIN: Final = {b"\x00": False, b"\x01": True}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Masters:
    """The masters of one folder. There is one, and two while the first gives way to the second.

    Attributes:
        keys: 32 bytes each, the oldest first; the last encrypts, all decrypt.
        plain: whether files that are not encrypted are still to be believed, as while a folder
            is being encrypted for the first time.
    """

    keys: tuple[bytes, ...]
    plain: bool

    @classmethod
    def fresh(cls, *, plain: bool) -> Self:
        """One new master from the system's randomness."""
        return cls(keys=(os.urandom(_KEY_BYTES),), plain=plain)

    def with_fresh(self) -> Self:
        """These, and a new one that encrypts from now on."""
        return type(self)(keys=(*self.keys, os.urandom(_KEY_BYTES)), plain=self.plain)

    def newest_alone(self) -> Self:
        """The newest, and nothing that is not encrypted under it."""
        return type(self)(keys=self.keys[-1:], plain=False)

    @classmethod
    def decode(cls, data: bytes, passphrase: Passphrase, *, where: str) -> Self:
        """Read what `encode` wrote.

        Args:
            data: the file.
            passphrase: what it was sealed under.
            where: name of the file, for the error.

        Raises:
            InvalidInput: the file is damaged.
            WrongPassphrase: the passphrase does not open it.
        """
        sealed = SealedKey.decode(data, kind=MASTER, where=where)
        secret = sealed.open(passphrase, where=where)
        # What opened is as it was sealed: by `encode`.
        keys = tuple(secret[at : at + _KEY_BYTES] for at in range(0, len(secret), _KEY_BYTES))
        return cls(keys=keys, plain=_PLAIN[bytes.fromhex(sealed.public)[:1]])

    def encode(self, passphrase: Passphrase, *, cost: int = STANDARD_COST) -> bytes:
        """The masters under a passphrase; in clear only which they are, and `plain`.

        Args:
            passphrase: what will open it.
            cost: scrypt's n, a power of two; lower than `STANDARD_COST` is for tests.
        """
        public = bytes([self.plain]) + b"".join(map(_id, self.keys))
        secret = b"".join(self.keys)
        return SealedKey.seal(secret, passphrase, kind=MASTER, public=public, cost=cost).encode()

    def lock(self, name: str, content: bytes) -> bytes:
        """Encrypt the content of a file under the newest master.

        Args:
            name: the file, within the folder; decrypting needs the same.
            content: below 64 GiB.
        """
        newest, nonce = self.keys[-1], os.urandom(_NONCE_BYTES)
        ciphertext = AESGCM(newest).encrypt(nonce, content, _PROFILE + name.encode())
        return _PROFILE + _id(newest) + nonce + ciphertext

    def unlock(self, name: str, data: bytes) -> bytes:
        """Decrypt a file.

        Raises:
            KeyStoreFailed: it is not encrypted and should be, is under another master, or was
                changed, moved or cut.
        """
        if not is_locked(data):
            if self.plain:
                return data
            raise KeyStoreFailed(
                f"{name} is not encrypted, as everything in this key store is:"
                " restore it from a backup made since"
            )
        master = {_id(key): key for key in self.keys}.get(data[len(_PROFILE) : _HEADER_BYTES])
        if master is None:
            raise KeyStoreFailed(
                f"{name} is under another master key than {MASTER_FILE} held when it was opened:"
                " start again, or restore both from one backup"
            )
        nonce, ciphertext = (
            data[_HEADER_BYTES:][:_NONCE_BYTES],
            data[_HEADER_BYTES + _NONCE_BYTES :],
        )
        try:
            return AESGCM(master).decrypt(nonce, ciphertext, _PROFILE + name.encode())
        except (InvalidTag, ValueError):  # the latter where nothing of the nonce is left
            raise KeyStoreFailed(
                f"{name} is damaged, or another file under its name: restore it from its backup"
            ) from None

    def is_newest(self, data: bytes) -> bool:
        """Whether a file is under the newest master."""
        return is_locked(data) and data[len(_PROFILE) : _HEADER_BYTES] == _id(self.keys[-1])

    def __repr__(self) -> str:
        """Say what it is, never the keys."""
        return "Masters(…)"


def is_locked(data: bytes) -> bool:
    """Whether a file is encrypted under any master."""
    return data.startswith(_PROFILE)


def _id(key: bytes) -> bytes:
    """Which master it is; the key does not follow from it."""
    return hashlib.sha256(b"medaccord/master-id/1\x00" + key).digest()[:_ID_BYTES]
