"""Addresses, digests and account names: the identifiers everything else is spelled with."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import NewType, Self, TypeAlias

from eth_typing import ChecksumAddress
from eth_utils.address import to_checksum_address

from medaccord.core.errors import InvalidIdentifier

Address = NewType("Address", ChecksumAddress)
"""An EVM address: 0x and 40 hex digits in the mixed case of EIP-55."""

Digest = NewType("Digest", bytes)
"""32 bytes: a hash, a commitment, a topic or a salt."""

ConsentId: TypeAlias = Digest
"""The EIP-712 digest of a consent."""

ZERO_DIGEST = Digest(bytes(32))

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}", re.ASCII)
_DIGEST = re.compile(r"0x[0-9a-fA-F]{64}", re.ASCII)
_ACCOUNT = re.compile(r"eip155:([1-9][0-9]{0,31}):(0x[0-9a-fA-F]{40})", re.ASCII)


def address(text: str) -> Address:
    """Read an address.

    Args:
        text: 0x and 40 hex digits, all lower case or in the exact mixed case of EIP-55.

    Raises:
        InvalidIdentifier: The text is no address, or its mixed case is not its checksum.

    Source: EIP-55.
    """
    if not isinstance(text, str):
        raise InvalidIdentifier(f"not an address (0x and 40 hex digits): {text!r}")
    return _address(text)


@lru_cache(maxsize=2**14)
def _address(text: str) -> Address:
    """The checksum is a hash: the same few accounts are read again and again."""
    if not _ADDRESS.fullmatch(text):
        raise InvalidIdentifier(f"not an address (0x and 40 hex digits): {text!r}")
    checksummed = to_checksum_address(text)
    if text not in (checksummed, text.lower()):
        raise InvalidIdentifier(f"address {text} is mistyped: its capitals do not fit (EIP-55)")
    return Address(checksummed)


def digest(value: str | bytes) -> Digest:
    """Read 32 bytes, raw or as 0x and 64 hex digits.

    Raises:
        InvalidIdentifier: It is neither.
    """
    if isinstance(value, bytes | bytearray):
        if len(value) != 32:
            raise InvalidIdentifier(f"not 32 bytes but {len(value)}")
        return Digest(bytes(value))
    if not isinstance(value, str) or not _DIGEST.fullmatch(value):
        raise InvalidIdentifier(f"not 32 bytes in hexadecimal (0x and 64 digits): {value!r}")
    return Digest(bytes.fromhex(value[2:]))


def hex_digest(value: Digest) -> str:
    """Write 32 bytes as 0x and 64 lower-case hex digits."""
    return "0x" + value.hex()


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountId:
    """An account on a named chain.

    Attributes:
        chain_id: EIP-155 chain id, at least 1.
        address: The account's address.

    Source: CAIP-10, with the eip155 namespace.
    """

    chain_id: int
    address: Address

    def __post_init__(self) -> None:
        """Refuse a chain id or an address that has no CAIP-10 text."""
        if not _ACCOUNT.fullmatch(str(self)) or address(self.address) != self.address:
            raise InvalidIdentifier(f"not an account: chain {self.chain_id}, {self.address!r}")

    def __str__(self) -> str:
        """Write it as ``eip155:<chain id>:<checksummed address>``."""
        return f"eip155:{self.chain_id}:{self.address}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the text that ``str`` writes; an account has exactly one such text.

        Raises:
            InvalidIdentifier: Any other text, also one whose address is not checksummed.
        """
        match = _ACCOUNT.fullmatch(text) if isinstance(text, str) else None
        if match is None:
            raise InvalidIdentifier(
                f"not an account (eip155:<chain id>:<checksummed address>): {text!r}"
            )
        account = cls(chain_id=int(match[1]), address=address(match[2]))
        if str(account) != text:
            raise InvalidIdentifier(f"write the account {text} with its checksum: {account}")
        return account
