"""Periods of days: what a record is about, and what a consent reaches back to."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Self

from medaccord.core.errors import InvalidInput

__all__ = ["DatePeriod"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DatePeriod:
    """Days from `start` to `end`, both included; None leaves that side open.

    Days are taken as they were written in the record, whatever the timezone they were written in:
    a person reads them so, and nobody's midnight moves a record into a period or out of it.

    Attributes:
        start: the first day, or None.
        end: the last day, or None.
    """

    start: date | None = None
    end: date | None = None

    def __post_init__(self) -> None:
        """Refuse a period that ends before it starts, and times in place of days.

        Raises:
            InvalidInput: one of these.
        """
        for day in (self.start, self.end):
            if isinstance(day, datetime):
                raise InvalidInput(f"a period is of days, not of times: {day.isoformat()}")
        if self.start is not None and self.end is not None and self.end < self.start:
            raise InvalidInput(f"the period ends on {self.end} before it starts on {self.start}")

    def contains(self, other: Self) -> bool:
        """Whether every day of `other` is one of this; only an open side holds an open side."""
        starts = self.start is None or (other.start is not None and self.start <= other.start)
        ends = self.end is None or (other.end is not None and other.end <= self.end)
        return starts and ends
