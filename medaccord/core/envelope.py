"""Sealing a record: its own AES-256-GCM key, wrapped by HPKE to one X25519 key.

Erasing the one private key erases everything sealed to it, from backups too.

Source: NIST SP 800-38D (GCM); RFC 9180 (HPKE), base mode, with DHKEM(X25519, HKDF-SHA256),
HKDF-SHA256 and AES-256-GCM, the encapsulated key followed by the ciphertext.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from medaccord.core.errors import DecryptionFailed, InvalidInput

WRAPPED_KEY_BYTES: Final = 80
"""Length of a wrapped key: encapsulated key (32), data key (32), tag (16)."""

PROFILE: Final = b"medaccord/envelope/1\x00"
"""Begins the HPKE info; the context follows it."""

_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
_SUITE: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """A sealed record; both parts are needed, and neither tells anything without the private key.

    Attributes:
        ciphertext: Nonce (12 bytes), ciphertext as long as the record, tag (16 bytes).
        wrapped_key: `WRAPPED_KEY_BYTES` bytes.
    """

    ciphertext: bytes
    wrapped_key: bytes


def seal(
    plaintext: bytes,
    recipient: bytes,
    context: bytes,
    *,
    random: Callable[[int], bytes] = os.urandom,
) -> Sealed:
    """Seal bytes to one key, under a fresh data key.

    Args:
        plaintext: What to seal, below 64 GiB.
        recipient: X25519 public key, 32 bytes.
        context: What it belongs to (whose record, which version); opening needs the same bytes.
        random: Source of data key and nonce. HPKE draws its ephemeral key from the system anyway.

    Raises:
        InvalidInput: The recipient is no X25519 public key, or of low order.
    """
    key, nonce = random(_KEY_BYTES), random(_NONCE_BYTES)
    wrapped_key = _wrap(key, recipient, context)
    ciphertext = nonce + AESGCM(key).encrypt(nonce, plaintext, context)
    return Sealed(ciphertext=ciphertext, wrapped_key=wrapped_key)


def open_sealed(sealed: Sealed, private_key: bytes, context: bytes) -> bytes:
    """Open what `seal` sealed.

    Args:
        sealed: Both parts.
        private_key: X25519 private key, 32 bytes.
        context: The bytes it was sealed with.

    Raises:
        DecryptionFailed: A part was changed or cut, the context is another, or the key is.
        InvalidInput: The private key has not 32 bytes.
    """
    key = _unwrap(sealed.wrapped_key, private_key, context)
    if len(sealed.ciphertext) < _NONCE_BYTES + _TAG_BYTES:
        raise DecryptionFailed("the sealed record is cut off")
    nonce, body = sealed.ciphertext[:_NONCE_BYTES], sealed.ciphertext[_NONCE_BYTES:]
    try:
        return AESGCM(key).decrypt(nonce, body, context)
    except InvalidTag as error:
        raise DecryptionFailed("the sealed record does not open: it was changed") from error


def rewrap(wrapped_key: bytes, private_key: bytes, recipient: bytes, context: bytes) -> bytes:
    """Wrap the data key of something sealed to another key; its ciphertext stays as it is.

    Args:
        wrapped_key: The data key as it is wrapped now.
        private_key: X25519 private key that opens it, 32 bytes.
        recipient: X25519 public key it is wrapped to from now on, 32 bytes.
        context: The bytes it was sealed with.

    Raises:
        DecryptionFailed: The wrapped key was changed, the context is another, or the key is.
        InvalidInput: A key is none.
    """
    return _wrap(_unwrap(wrapped_key, private_key, context), recipient, context)


def check_recipient(recipient: bytes) -> None:
    """Check that a data key can be wrapped to a public key.

    Raises:
        InvalidInput: It is no X25519 public key of 32 bytes, or of low order.
    """
    _wrap(bytes(_KEY_BYTES), recipient, b"")


def _wrap(key: bytes, recipient: bytes, context: bytes) -> bytes:
    try:
        public_key = X25519PublicKey.from_public_bytes(recipient)
    except ValueError as error:
        raise InvalidInput("the recipient is no X25519 public key of 32 bytes") from error
    try:
        return _SUITE.encrypt(key, public_key, info=PROFILE + context)
    except ValueError as error:
        raise InvalidInput("the recipient is an X25519 key of low order") from error


def _unwrap(wrapped_key: bytes, private_key: bytes, context: bytes) -> bytes:
    try:
        opener = X25519PrivateKey.from_private_bytes(private_key)
    except ValueError as error:
        raise InvalidInput("an X25519 private key has 32 bytes") from error
    if len(wrapped_key) != WRAPPED_KEY_BYTES:
        raise DecryptionFailed(
            f"the wrapped key has {len(wrapped_key)} bytes, not {WRAPPED_KEY_BYTES}"
        )
    try:
        return _SUITE.decrypt(wrapped_key, opener, info=PROFILE + context)
    except (InvalidTag, ValueError) as error:
        raise DecryptionFailed(
            "the data key does not open: it was changed, or the key or the context is another"
        ) from error
