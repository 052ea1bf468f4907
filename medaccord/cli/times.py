"""Times and spans as they are typed."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from medaccord.core.errors import InvalidInput

__all__ = ["day", "end_of", "moment"]


def moment(text: str) -> datetime:
    """A time, or the first moment of a day, in UTC where no zone is said.

    Raises:
        InvalidInput: it is neither, or lies beyond the years 1 to 9999 in UTC.

    Source: ISO 8601.
    """
    try:
        found = datetime.fromisoformat(text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidInput(
            f"{text!r} is no time: write it as 2026-01-31, or as 2026-01-31T12:00:00Z"
        ) from error


def day(text: str) -> date:
    """A day.

    Raises:
        InvalidInput: it is none.
    """
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise InvalidInput(f"{text!r} is no day: write it as 2026-01-31") from error


def end_of(until: str | None, days: int | None, now: datetime) -> datetime:
    """When something ends that was typed as a time or as a number of days, whichever was given.

    Args:
        until: the time, see `moment`.
        days: from now, in whole seconds, rounded down.
        now: the time of the chain.

    Raises:
        InvalidInput: none of the two was given, or both, or it lies beyond the year 9999.
    """
    if (until is None) == (days is None):
        raise InvalidInput("until when? Give --until or --days, one of the two")
    if until is not None:
        return moment(until)
    try:
        return now.replace(microsecond=0) + timedelta(days=days or 0)
    except OverflowError as error:
        raise InvalidInput(f"{days} days are too many") from error
