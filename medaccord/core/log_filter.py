"""Which lines of an audit log somebody wants to see."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import datetime

from medaccord.core.audit import OUTCOMES, AuditEntry
from medaccord.core.documents import instant_text
from medaccord.core.errors import InvalidRequest
from medaccord.core.identifiers import Address

__all__ = ["LogFilter"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFilter:
    """Lines that fit everything that is named; without anything, all of them.

    Attributes:
        since: logged at this time or later; timezone-aware.
        until: logged before this time.
        requester: asked for by this account.
        action: what was asked for, such as ``read``.
        outcome: one of `OUTCOMES`.
        reason: a purpose of use, or why it was refused.
        record: a record, ``Type/id``, or one version of it, ``Type/id/version``, that was released.

    Raises:
        InvalidRequest: a time has no time zone, or there is no such outcome.
    """

    since: datetime | None = None
    until: datetime | None = None
    requester: Address | None = None
    action: str | None = None
    outcome: str | None = None
    reason: str | None = None
    record: str | None = None

    def __post_init__(self) -> None:
        """Refuse what no line could ever fit."""
        if any(time is not None and time.tzinfo is None for time in (self.since, self.until)):
            raise InvalidRequest("a time that a log is filtered by needs a time zone")
        if self.outcome is not None and self.outcome not in OUTCOMES:
            raise InvalidRequest(f"an outcome is one of {', '.join(OUTCOMES)}")

    @property
    def is_empty(self) -> bool:
        """Whether every line fits."""
        return self == LogFilter()

    def matches(self, entry: AuditEntry) -> bool:
        """Whether a line is wanted."""
        named = {
            "requester": entry.requester,
            "action": entry.action,
            "outcome": entry.outcome,
            "reason": entry.reason,
        }
        return (
            self.includes(entry.at)
            and all(getattr(self, name) in (None, value) for name, value in named.items())
            and (self.record is None or any(map(self._is_of, entry.records)))
        )

    def includes(self, time: datetime) -> bool:
        """Whether a line of this time can be wanted."""
        return (self.since is None or time >= self.since) and (
            self.until is None or time < self.until
        )

    def pairs(self) -> Iterator[tuple[str, str]]:
        """What is named, as parameters of a query."""
        for each in fields(self):
            value = getattr(self, each.name)
            if value is not None:
                yield each.name, instant_text(value) if isinstance(value, datetime) else str(value)

    def _is_of(self, version: str) -> bool:
        return self.record in (version, version.rpartition("/")[0])
