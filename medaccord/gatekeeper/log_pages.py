"""Reading the audit logs, a page at a time: whoever reads one checks it.

A page covers a run of numbers without a gap. Of each line that is there it shows either what it
says, or, where it was erased or a filter leaves it out, its commitment: so every page can be
checked against the chain, filtered or not, and the whole log is never in memory at once.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Engine, Row, select

from medaccord.core.audit import GENESIS, AuditEntry
from medaccord.core.errors import DecryptionFailed, KeyMissing, LogMismatch
from medaccord.core.identifiers import Digest, digest
from medaccord.core.log_filter import LogFilter
from medaccord.gatekeeper.audit_log import Subject, last_of
from medaccord.gatekeeper.refusal_tallies import OpenTally, open_tallies
from medaccord.records import Owner, Sealer
from medaccord.records.sealed_rows import entry_context
from medaccord.store import reading
from medaccord.store.tables import audit_entry

MOST_COVERED: Final = 1000
"""Lines that one page covers, inclusive, whether it shows what they say or not."""

_EVERYTHING: Final = LogFilter()


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPage:
    """A run of lines of a log.

    Attributes:
        count: number of the last line of the whole log; 0 when there is none.
        head: head of the whole log; 32 zero bytes when there is none.
        after: number of the last line before this page.
        previous: head with that line; None where it is not there.
        upto: number of the last line that this page covers; `after` where there is no further one.
        entries: those that are wanted and can be read, by number. One that was changed is left out,
            as one that is not there is: whoever checks the log finds the gap.
        left_out: of those that the filter leaves out, the commitment, by number.
        erased: of those that were erased, or whose key was, the commitment, by number: with it the
            log still verifies.
        heads: the head with each line that is there, by its number.
        counted: refusals that are counted and have no line in the log as it is here.
    """

    count: int
    head: Digest
    after: int
    previous: Digest | None
    upto: int
    entries: tuple[AuditEntry, ...]
    left_out: Mapping[int, Digest]
    erased: Mapping[int, Digest]
    heads: Mapping[int, Digest]
    counted: tuple[OpenTally, ...]

    @property
    def is_last(self) -> bool:
        """Whether the log ends with it."""
        return self.upto >= self.count

    def require_whole(self) -> None:
        """Refuse a gap: where a line is neither shown nor erased, this is not the log.

        Raises:
            LogMismatch: a line was changed in the database, or is missing there.
        """
        there = {each.number for each in self.entries} | self.erased.keys() | self.left_out.keys()
        for number in range(self.after + 1, self.upto + 1):
            if number not in there:
                raise LogMismatch(number, "it was changed in the database, or is missing there")


class LogPages:
    """Reads logs as they stand in the database."""

    def __init__(self, engine: Engine, sealer: Sealer) -> None:
        """Read a database; `sealer` opens what is sealed in it."""
        self._engine = engine
        self._sealer = sealer

    def page(
        self,
        subject: Subject,
        *,
        after: int = 0,
        count: int = MOST_COVERED,
        wanted: LogFilter = _EVERYTHING,
    ) -> LogPage:
        """Read a page.

        Args:
            subject: whose log.
            after: number of the last line before it; 0 for the first page.
            count: how many lines to show at most, from 1. It covers at most `MOST_COVERED` lines:
                with a filter it may show fewer, or none, and not be the last.
            wanted: which lines to show.
        """
        of_log = audit_entry.c.relationship == subject.relationship
        with reading(self._engine) as connection:
            last, head = last_of(connection, subject.relationship)
            counted = open_tallies(connection, subject.relationship)
            rows = connection.execute(
                select(audit_entry)
                .where(of_log, audit_entry.c.number > after)
                .order_by(audit_entry.c.number)
                .limit(MOST_COVERED)
            ).all()
            before = select(audit_entry.c.head).where(of_log, audit_entry.c.number == after)
            previous = connection.execute(before).scalar() if after else GENESIS
        entries: list[AuditEntry] = []
        left_out: dict[int, Digest] = {}
        erased: dict[int, Digest] = {}
        heads: dict[int, Digest] = {}
        for row in rows:
            heads[row.number] = digest(row.head)
            if not wanted.includes(row.at):
                left_out[row.number] = digest(row.commitment)
                continue
            with suppress(DecryptionFailed):
                try:
                    entry = self._open(row)
                except KeyMissing:
                    erased[row.number] = digest(row.commitment)
                else:
                    if wanted.matches(entry):
                        entries.append(entry)
                    else:
                        left_out[row.number] = digest(row.commitment)
            if len(entries) >= count:
                break
        upto = max((*heads, after))
        if len(rows) < MOST_COVERED and len(heads) == len(rows):
            upto = max(upto, last)
        return LogPage(
            count=last,
            head=head,
            after=after,
            previous=None if previous is None else digest(previous),
            upto=upto,
            entries=tuple(entries),
            left_out=left_out,
            erased=erased,
            heads=heads,
            counted=counted,
        )

    def all(self, subject: Subject) -> Iterator[LogPage]:
        """Every page, until one reaches the end of the log; each is read when it is asked for."""
        page = self.page(subject)
        yield page
        while not page.is_last:
            page = self.page(subject, after=page.upto)
            yield page

    def _open(self, row: Row[Any]) -> AuditEntry:
        place = entry_context(digest(row.relationship), row.number)
        if not row.ciphertext:
            raise KeyMissing("this entry was erased")
        try:
            opened = self._sealer.open(Owner(row.patient_ref), row._mapping, place)
        except KeyMissing:
            # Its key was retired since we read it, and the row wrapped to a newer one before that.
            with reading(self._engine) as connection:
                same = select(audit_entry).where(
                    audit_entry.c.relationship == row.relationship,
                    audit_entry.c.number == row.number,
                )
                again = connection.execute(same).one()
            if again.key_generation == row.key_generation:
                raise
            return self._open(again)
        return AuditEntry.parse(opened)
