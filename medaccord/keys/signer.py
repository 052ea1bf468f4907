"""Whoever can sign: an address, and what may be asked of its key."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any, Final, Protocol, Self, runtime_checkable

from eth_account import Account
from eth_account.messages import encode_defunct
from eth_account.signers.local import LocalAccount
from eth_keys.datatypes import PrivateKey

from medaccord.core.errors import InvalidSetting
from medaccord.core.identifiers import Address, address
from medaccord.core.typed_data import TypedData

_PRIVATE_KEY: Final = re.compile(r"0x[0-9a-fA-F]{64}")


@runtime_checkable
class Signer(Protocol):
    """A key that signs, wherever it is kept. It never shows the key itself."""

    @property
    def address(self) -> Address:
        """The address of the key."""
        ...

    def sign(self, message: TypedData) -> bytes:
        """Sign typed data: 65 bytes, r ‖ s ‖ v, s in the lower half. Source: EIP-712, EIP-2."""
        ...

    def sign_text(self, text: str) -> bytes:
        """Sign text that a person has read: 65 bytes. Source: EIP-191, version 0x45."""
        ...

    def sign_transaction(self, transaction: Mapping[str, Any]) -> bytes:
        """Sign a transaction, all of whose fields are filled in, ready for the wire."""
        ...


class LocalSigner:
    """A key in the memory of this process."""

    __slots__ = ("_account", "_key")

    def __init__(self, account: LocalAccount) -> None:
        """Sign with an account of eth-account."""
        self._account = account
        self._key = PrivateKey(bytes(account.key))

    @classmethod
    def create(cls) -> Self:
        """Make a fresh key from the system's randomness."""
        return cls(Account.create())

    @classmethod
    def unsafe_from_key(cls, key: bytes) -> Self:
        """Sign with a raw key. Unsafe: whoever sees the 32 bytes is the account.

        Args:
            key: 32 bytes, big-endian, from 1 to the order of secp256k1 less 1.
        """
        return cls(Account.from_key(key))

    @property
    def address(self) -> Address:
        """The address of the key."""
        return address(self._account.address)

    def sign(self, message: TypedData) -> bytes:
        """Sign typed data: 65 bytes, r ‖ s ‖ v, s in the lower half. Source: EIP-712, EIP-2."""
        signature = self._key.sign_msg_hash(message.digest())
        return signature.to_bytes()[:64] + bytes([27 + signature.v])

    def sign_text(self, text: str) -> bytes:
        """Sign text that a person has read: 65 bytes. Source: EIP-191, version 0x45."""
        return bytes(self._account.sign_message(encode_defunct(text=text)).signature)

    def sign_transaction(self, transaction: Mapping[str, Any]) -> bytes:
        """Sign a transaction, all of whose fields are filled in, ready for the wire."""
        return bytes(self._account.sign_transaction(dict(transaction)).raw_transaction)

    def unsafe_key(self) -> bytes:
        """The key itself, 32 bytes, to be encrypted. Unsafe: never log or store it."""
        return bytes(self._account.key)

    def __repr__(self) -> str:
        """Name the address, never the key."""
        return f"LocalSigner({self.address})"


def unsafe_signer_from_environment(name: str = "MEDACCORD_PRIVATE_KEY") -> LocalSigner:
    """Sign with a raw key of the environment. Unsafe: for tests and chains without value.

    Other processes of this user can read it, and so can whoever sees how this one was started.

    Args:
        name: the variable: 0x and 64 hex digits.

    Raises:
        InvalidSetting: it is not set, or is no key; its value is never told.
    """
    text = os.environ.get(name)
    if text is None:
        raise InvalidSetting(f"{name} is not set: it should hold a private key, for tests only")
    if not _PRIVATE_KEY.fullmatch(text):
        raise InvalidSetting(f"{name} is no private key: 0x and 64 hex digits")
    try:
        return LocalSigner.unsafe_from_key(bytes.fromhex(text[2:]))
    except ValueError:
        raise InvalidSetting(f"{name} is no private key of secp256k1") from None
