"""What is recorded of a transaction before a node hears of it, so that it is never sent twice."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from medaccord.core.errors import InvalidInput
from medaccord.core.identifiers import Address, Digest

__all__ = ["MAX_PURPOSE", "Attempt", "Outgoing", "SendingKey", "checked_purpose"]

MAX_PURPOSE: Final = 128
"""Longest purpose, in characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SendingKey:
    """A key on one chain: what nonces are counted by.

    Attributes:
        genesis_hash: hash of the chain's block 0.
        address: of the key.
    """

    genesis_hash: Digest
    address: Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One signature over a transaction: the same nonce as the others, its own fees.

    Attributes:
        hash: of the signed transaction; what its receipt is asked for by.
        raw: the signed transaction, as a node takes it.
        max_fee: the most it pays for a unit of gas, in wei.
        max_priority_fee: what of that goes to whoever mines it, in wei.
        sent_at: when it was signed to be sent.
    """

    hash: Digest
    raw: bytes
    max_fee: int
    max_priority_fee: int
    sent_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A transaction that is recorded; at most one of its attempts is ever mined.

    Attributes:
        id: of the record; it stays when the transaction takes another nonce.
        key: who sends it.
        nonce: which of the key's transactions it is, 0 for the first.
        purpose: what it is for, if that must not be sent twice.
        document: everything of it but nonce and fees, as JSON.
        attempts: one or more, the dearest last.
        settled_at: when nothing was left to do for it: it was mined for good, or given up; None
            while it is under way.
    """

    id: int
    key: SendingKey
    nonce: int
    purpose: str | None
    document: str
    attempts: tuple[Attempt, ...]
    settled_at: datetime | None = None


def checked_purpose(purpose: str | None) -> str | None:
    """A purpose that can be recorded: 1 to `MAX_PURPOSE` characters, or None.

    Raises:
        InvalidInput: it is empty or too long.
    """
    if purpose is not None and not 1 <= len(purpose) <= MAX_PURPOSE:
        raise InvalidInput(f"a purpose has 1 to {MAX_PURPOSE} characters, not {len(purpose)}")
    return purpose
