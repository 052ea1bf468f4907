"""Refusals that were counted because there were too many of them to log one by one."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self

from medaccord.core.audit import AuditEntry
from medaccord.core.documents import DocumentReader, instant_text
from medaccord.core.errors import InvalidDocument
from medaccord.core.identifiers import ZERO_DIGEST, Address

__all__ = ["COUNTED", "REPEATED", "RefusalCount", "refusals_in"]

COUNTED: Final = "refusals"
"""Action of a line of a log that stands for refusals that were counted."""

REPEATED: Final = "repeated"
"""Its reason."""

_QUERY = re.compile(r"([1-9][0-9]{0,15}) refusals from (\S+) to (\S+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusalCount:
    """How often somebody was refused beyond what has lines of its own.

    Attributes:
        count: how often, at least 1.
        since: begin of the span that it was counted in.
        last: time of the last of them.
    """

    count: int
    since: datetime
    last: datetime

    @property
    def query(self) -> str:
        """What the line says that stands for them."""
        return f"{self.count} refusals from {instant_text(self.since)} to {instant_text(self.last)}"

    def line(self, requester: Address | None, *, number: int, at: datetime) -> AuditEntry:
        """The line that they would have now; no log holds it, so it has neither salt nor place.

        Args:
            requester: who was refused; None for all who are no organisation.
            number: of the line.
            at: the time.
        """
        return AuditEntry(
            number=number,
            relationship=ZERO_DIGEST,
            at=at,
            requester=requester,
            by=None,
            action=COUNTED,
            query=self.query,
            outcome="refused",
            reason=REPEATED,
            basis="",
            consent=None,
            records=(),
            block=None,
            salt=ZERO_DIGEST,
        )

    @classmethod
    def parse(cls, query: str) -> Self:
        """Read `query` again.

        Raises:
            InvalidDocument: it says something else.
        """
        found = _QUERY.fullmatch(query)
        if found is None:
            raise InvalidDocument(f"{query!r} counts no refusals")
        times = {"since": found[2], "last": found[3]}
        reader = DocumentReader(times, what="a count of refusals", required=times)
        return cls(count=int(found[1]), since=reader.instant("since"), last=reader.instant("last"))


def refusals_in(entry: AuditEntry) -> int:
    """For how many refusals a line of a log stands: one, a count, or none.

    Raises:
        InvalidDocument: the line is said to count refusals, and does not.
    """
    if entry.outcome != "refused":
        return 0
    return RefusalCount.parse(entry.query).count if entry.action == COUNTED else 1
