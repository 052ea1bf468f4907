"""Names that tell nothing: topics of streams, made from a steward's secret.

Whoever lacks the secret cannot tell which stream belongs to whom, nor that two belong together.

Source: RFC 2104 (HMAC); RFC 4868 for SHA-256.
"""

import hashlib
import hmac
from typing import Final

from medaccord.core.errors import InvalidInput
from medaccord.core.identifiers import Digest

MIN_SECRET: Final = 32
"""Shortest secret accepted, in bytes."""


def topic(secret: bytes, label: str, patient: str | None = None) -> Digest:
    """Name one of a steward's streams of anchors.

    Args:
        secret: The steward's secret, at least `MIN_SECRET` random bytes.
        label: What is anchored there, for example ``records`` or ``audit``.
        patient: Whose stream it is, by a name of its own; None for one that is not a patient's.

    Raises:
        InvalidInput: The secret is too short.
    """
    return _mac(secret, "topic", label, patient or "")


def _mac(secret: bytes, *parts: str) -> Digest:
    if len(secret) < MIN_SECRET:
        raise InvalidInput(f"the secret has {len(secret)} bytes and needs {MIN_SECRET}")
    # Each part goes in with its length, so that no two lists of parts read the same.
    encoded = [part.encode() for part in ("medaccord/1", *parts)]
    message = b"".join(len(part).to_bytes(4) + part for part in encoded)
    return Digest(hmac.new(secret, message, hashlib.sha256).digest())
