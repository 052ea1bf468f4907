"""Other forms that a signature can take."""

from __future__ import annotations

from typing import Final

ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
"""The order of the group of secp256k1."""


def malleable(signature: bytes) -> bytes:
    """The other signature of the same key over the same digest: s in the upper half."""
    r, s, v = signature[:32], int.from_bytes(signature[32:64]), signature[64]
    return r + (ORDER - s).to_bytes(32) + bytes([55 - v])


def compact(signature: bytes) -> bytes:
    """The same signature in 64 bytes, the parity in the highest bit of s (EIP-2098)."""
    parity = (signature[64] - 27) << 255
    return signature[:32] + (int.from_bytes(signature[32:64]) | parity).to_bytes(32)
