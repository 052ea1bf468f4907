"""One version of a record, sealed to its owner and committed to by a salted leaf."""

from dataclasses import dataclass

from eth_utils.crypto import keccak

from medaccord.core.envelopes import SALT_BYTES, salt_and_content
from medaccord.core.identifiers import Address, Digest
from medaccord.core.pointers import Pointer, record_key
from medaccord.keys import PublicKey
from medaccord.records.pseudonyms import Owner
from medaccord.records.sealed_rows import version_context
from medaccord.records.sealer import Columns, SealedColumns, Sealer

__all__ = ["OpenedVersion", "VersionId", "open_version", "seal_version"]


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
        return version_context(self.owner, self.record, self.version)

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
    version: VersionId, content: bytes, sealer: Sealer, *, to: PublicKey | None = None
) -> tuple[SealedColumns, Pointer]:
    """Seal the canonical bytes of a record with a fresh salt, and commit to both.

    Args:
        version: which version it is.
        content: canonical bytes of the record.
        sealer: seals to the owner's newest key.
        to: that key, where the caller has looked it up already.
    """
    salt = Digest(sealer.random(SALT_BYTES))
    sealed = sealer.seal(version.owner, salt + content, version.context, to=to)
    return sealed, version.pointer(content, sealed["ciphertext"], salt)


def open_version(version: VersionId, columns: Columns, sealer: Sealer) -> OpenedVersion:
    """Open what `seal_version` sealed.

    Raises:
        KeyMissing: the key was retired or erased.
        DecryptionFailed: it was changed or moved, or the key is another.
    """
    salt, content = salt_and_content(sealer.open(version.owner, columns, version.context))
    pointer = version.pointer(content, columns["ciphertext"], salt)
    return OpenedVersion(content=content, pointer=pointer)
