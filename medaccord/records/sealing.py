"""One version of a record, sealed to its owner and committed to by a salted leaf."""

import os
from collections.abc import Callable
from dataclasses import dataclass

from eth_utils.crypto import keccak

from medaccord.core.envelope import Sealed, open_sealed, seal
from medaccord.core.errors import DecryptionFailed
from medaccord.core.identifiers import Address, Digest
from medaccord.core.pointers import Pointer, record_key
from medaccord.records.pseudonyms import Owner

__all__ = ["OpenedVersion", "VersionId", "open_version", "seal_version"]

_SALT_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionId:
    """Which version of which record of whom.

    Attributes:
        owner: whose it is.
        name: ``Type/id``.
        record: pseudonym of the name.
        version: from 1.
        steward: account of the steward.
        topic: the stream that it is anchored in.
    """

    owner: Owner
    name: str
    record: Digest
    version: int
    steward: Address
    topic: Digest

    @property
    def context(self) -> bytes:
        """What the seal binds the content to: it opens in no other place."""
        owner = bytes.fromhex(self.owner)
        return b"medaccord/version/1" + owner + self.record + self.version.to_bytes(8, "big")

    def pointer(self, content: bytes, ciphertext: bytes, salt: Digest) -> Pointer:
        """The commitment to this version with this content."""
        return Pointer(
            steward=self.steward,
            topic=self.topic,
            record=record_key(self.name),
            version=self.version,
            plaintext=Digest(keccak(content)),
            ciphertext=Digest(keccak(ciphertext)),
            salt=salt,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedVersion:
    """A version that opened; whether it is what was anchored is another check.

    Attributes:
        content: canonical bytes of the record.
        pointer: the commitment made anew from what was found.
    """

    content: bytes
    pointer: Pointer


def seal_version(
    version: VersionId,
    content: bytes,
    public_key: bytes,
    *,
    random: Callable[[int], bytes] = os.urandom,
) -> tuple[Sealed, Pointer]:
    """Seal the canonical bytes of a record with a fresh salt, and commit to both.

    Args:
        version: which version it is.
        content: canonical bytes of the record.
        public_key: the owner's X25519 key, 32 bytes.
        random: source of salt, data key and nonce.
    """
    salt = Digest(random(_SALT_BYTES))
    sealed = seal(salt + content, public_key, version.context, random=random)
    return sealed, version.pointer(content, sealed.ciphertext, salt)


def open_version(version: VersionId, sealed: Sealed, private_key: bytes) -> OpenedVersion:
    """Open what `seal_version` sealed.

    Raises:
        DecryptionFailed: it was changed or moved, or the key is another.
    """
    plaintext = open_sealed(sealed, private_key, version.context)
    if len(plaintext) < _SALT_BYTES:
        raise DecryptionFailed("the sealed record holds no salt")
    salt, content = Digest(plaintext[:_SALT_BYTES]), plaintext[_SALT_BYTES:]
    pointer = version.pointer(content, sealed.ciphertext, salt)
    return OpenedVersion(content=content, pointer=pointer)
