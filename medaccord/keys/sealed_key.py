"""A key under a passphrase, as a JSON document: the sibling of eth-account's format for our keys.

The key derivation is the one of Ethereum's keystore files; the cipher authenticates, and with it
what kind of key it is and the public half that stands in clear beside it.

Source: RFC 7914 (scrypt); NIST SP 800-38D (GCM); Web3 secret storage definition, version 3, for the
derivation's parameters.
"""

from __future__ import annotations

import os
import uuid
from typing import Annotated, Final, Literal, Self, TypeAlias

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError, model_validator

from medaccord.core.errors import InvalidInput, WrongPassphrase
from medaccord.keys.passphrase import Passphrase

X25519: Final = "medaccord/x25519/1"
"""The private half of an X25519 key, 32 bytes; its public half in clear."""

MASTER: Final = "medaccord/master/1"
"""The master keys of a folder of keys; which they are in clear."""

WALLET: Final = "medaccord/wallet/1"
"""The key that a wallet's file is encrypted under; nothing in clear."""

STANDARD_COST: Final = 2**18
"""scrypt's n: about a second and 256 MiB for each guess, as Ethereum's keystores have it."""

MAX_MEMORY: Final = 2**30
"""Most memory that a file may ask for, in bytes, inclusive: 128 n r."""

MAX_DOCUMENT_BYTES: Final = 64 * 1024
"""Longest document, in bytes, inclusive."""

Kind: TypeAlias = Literal["medaccord/x25519/1", "medaccord/master/1", "medaccord/wallet/1"]
"""What a sealed key is the key of."""

_MAX_LANES: Final = 16
_MAX_BLOCK: Final = 64
_R: Final = 8
_P: Final = 1
_KEY_BYTES: Final = 32
_SALT_BYTES: Final = 32
_NONCE_BYTES: Final = 12

_Hex = Annotated[str, StringConstraints(pattern=r"^(?:[0-9a-f]{2})*$")]


def check_scrypt(n: int, r: int, p: int) -> None:
    """Refuse parameters that no honest file has, before they cost a machine its memory.

    Raises:
        InvalidInput: n is no power of two from 2 on, r is not from 1 to 64, p is not from 1 to 16,
            or all of it takes more than `MAX_MEMORY`.
    """
    # A large r costs little memory where n is small, but minutes.
    honest = n >= 2 and n & (n - 1) == 0 and 1 <= r <= _MAX_BLOCK and 1 <= p <= _MAX_LANES
    if not honest or 128 * n * r > MAX_MEMORY:
        raise InvalidInput(f"its scrypt parameters n={n}, r={r}, p={p} are not ones to run")


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _Derivation(_Document):
    name: Literal["scrypt"] = "scrypt"
    n: int
    r: int
    p: int
    salt: _Hex

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        check_scrypt(self.n, self.r, self.p)
        return self

    def key(self, passphrase: Passphrase) -> bytes:
        """The 32 bytes that the passphrase stands for."""
        salt = bytes.fromhex(self.salt)
        kdf = Scrypt(salt=salt, length=_KEY_BYTES, n=self.n, r=self.r, p=self.p)
        return kdf.derive(passphrase.unsafe_bytes())


class _Cipher(_Document):
    name: Literal["aes-256-gcm"] = "aes-256-gcm"
    nonce: Annotated[_Hex, StringConstraints(min_length=24, max_length=24)]
    ciphertext: Annotated[_Hex, StringConstraints(min_length=32)]


class SealedKey(_Document):
    """One key under one passphrase. Who changes anything in it makes it unreadable.

    Attributes:
        kind: what it holds: `X25519`, `MASTER` or `WALLET`.
        id: a name of its own, a UUID; sealing again makes another.
        public: what stands in clear, hex without 0x; its meaning goes with the kind.
        kdf: how the passphrase becomes a key.
        cipher: the sealed key.
    """

    kind: Kind
    id: str
    public: _Hex
    kdf: _Derivation
    cipher: _Cipher

    @classmethod
    def seal(
        cls,
        secret: bytes,
        passphrase: Passphrase,
        *,
        kind: Kind,
        public: bytes,
        cost: int = STANDARD_COST,
    ) -> Self:
        """Seal a key under a passphrase, with a fresh salt and nonce.

        Args:
            secret: the key.
            passphrase: what will open it.
            kind: what it is.
            public: what to leave in clear; opening proves that it was not changed.
            cost: scrypt's n, a power of two; lower than `STANDARD_COST` is for tests.
        """
        kdf = _Derivation(n=cost, r=_R, p=_P, salt=os.urandom(_SALT_BYTES).hex())
        nonce, name = os.urandom(_NONCE_BYTES), str(uuid.uuid4())
        bound = _bound(kind, name, public.hex())
        ciphertext = AESGCM(kdf.key(passphrase)).encrypt(nonce, secret, bound)
        cipher = _Cipher(nonce=nonce.hex(), ciphertext=ciphertext.hex())
        return cls(kind=kind, id=name, public=public.hex(), kdf=kdf, cipher=cipher)

    @classmethod
    def decode(cls, data: bytes, *, kind: str, where: str) -> Self:
        """Read a document.

        Args:
            data: JSON text.
            kind: the kind that it must be.
            where: the file it is from, for the error.

        Raises:
            InvalidInput: it is no such document, or asks for more than an honest one does.
        """
        try:
            sealed = cls.model_validate_json(data)
        except InvalidInput as error:
            raise InvalidInput(f"{where} is damaged: {error.problem}") from error
        except ValidationError as error:
            raise damaged(where, error) from None  # the cause may quote the file
        if sealed.kind != kind:
            raise InvalidInput(f"{where} holds a key of kind {sealed.kind}, not {kind}")
        return sealed

    def encode(self) -> bytes:
        """The document as JSON text."""
        return self.model_dump_json(indent=2).encode() + b"\n"

    def open(self, passphrase: Passphrase, *, where: str) -> bytes:
        """The key.

        Args:
            passphrase: what it was sealed under.
            where: the file it is from, for the error.

        Raises:
            WrongPassphrase: that does not open it; or the document was changed, which looks alike.
        """
        nonce = bytes.fromhex(self.cipher.nonce)
        ciphertext = bytes.fromhex(self.cipher.ciphertext)
        bound = _bound(self.kind, self.id, self.public)
        try:
            return AESGCM(self.kdf.key(passphrase)).decrypt(nonce, ciphertext, bound)
        except InvalidTag:
            raise wrong_passphrase(where) from None


def wrong_passphrase(where: str) -> WrongPassphrase:
    """The error of a file that a passphrase does not open."""
    return WrongPassphrase(f"the passphrase does not open {where}, or the file was changed")


def damaged(where: str, error: ValidationError) -> InvalidInput:
    """The error of a file that has not the form it should have; it quotes nothing of the file."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(str(part) for part in first["loc"]) or "the whole"
    return InvalidInput(f"{where} is damaged: {place}: {first['msg']}; restore it from its backup")


def _bound(kind: str, name: str, public: str) -> bytes:
    """What the ciphertext is bound to; no part can hold the zero byte that parts them."""
    return "\0".join((kind, name, public)).encode()
