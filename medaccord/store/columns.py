"""Columns that mean the same on SQLite and on PostgreSQL: their types, and a sealed row's."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, Column, DateTime, Dialect, Integer, LargeBinary, String
from sqlalchemy.types import TypeDecorator

__all__ = ["ADDRESS", "DIGEST", "KEY", "OWNER", "Instant", "sealed"]

ADDRESS = String(42)
"""An EIP-55 address."""

DIGEST = LargeBinary(32)
"""32 bytes: a hash, a commitment, a topic or a pseudonym."""

OWNER = String(64)
"""The pseudonym of a patient, or of the steward itself, as 64 hex digits."""

KEY = BigInteger().with_variant(Integer(), "sqlite")
"""A key that counts up by itself; SQLite does that for INTEGER alone."""


class Instant(TypeDecorator[datetime]):
    """A moment: timezone-aware in, UTC out, on every database."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turn a moment into UTC; a naive one is refused, since nobody knows when it is."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a moment without a time zone cannot be stored: {value!r}")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give a moment in UTC; SQLite forgets the zone that was stored."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def sealed() -> tuple[Column[Any], ...]:
    """The columns of a sealed row: what it says, its data key, and which key that is wrapped to."""
    return (
        Column("ciphertext", LargeBinary, nullable=False),
        Column("wrapped_key", LargeBinary(80), nullable=False),
        # which of its owner's keys the data key is wrapped to; counts up as keys are renewed
        Column("key_generation", Integer, nullable=False, server_default="1"),
    )
