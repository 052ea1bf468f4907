"""Exporting a log, a page at a time: as FHIR AuditEvents, as NDJSON, or as CSV.

| Form   | A line of the log                     | A line that was erased | Counted refusals |
|--------|---------------------------------------|------------------------|------------------|
| fhir   | its AuditEvents, in one Bundle        | is not in it           | an AuditEvent    |
| ndjson | its document, as the log commits to it| number and commitment  | requester, count |
| csv    | a row                                 | a row: erased          | a row            |

Whoever has the NDJSON can check it as the log itself. A log with a gap is refused: what was changed
or deleted in the database would be left out of it in silence.
"""

from __future__ import annotations

import csv
import io
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from itertools import chain
from typing import Any, Final

from medaccord.core.audit import AuditEntry
from medaccord.core.canonical import document_bytes
from medaccord.core.documents import instant_text
from medaccord.core.errors import AccessRefused, LogMismatch
from medaccord.core.identifiers import AccountId, hex_digest
from medaccord.core.refusal_count import COUNTED, REPEATED
from medaccord.core.refusals import Refusal
from medaccord.fhir.audit_event import Keeper, audit_events
from medaccord.gatekeeper.audit_log import Subject
from medaccord.gatekeeper.foundation import Foundation
from medaccord.gatekeeper.log_pages import LogPage, LogPages

OPEN_REFUSALS: Final = "medaccord/open-refusals/1"
"""Profile of the NDJSON of refusals that were counted and have no line yet."""

COLUMNS: Final = (
    *("number", "at", "requester", "by", "action", "query", "outcome", "reason", "basis"),
    *("consent", "records", "block", "commitment", "head"),
)
"""Of the CSV, in their order."""

_RISKY: Final = ("=", "+", "-", "@", "\t", "\r")


class LogForm(StrEnum):
    """How a log is exported."""

    FHIR = "fhir"
    NDJSON = "ndjson"
    CSV = "csv"

    @property
    def media_type(self) -> str:
        """The type of its content."""
        return _MEDIA_TYPES[self]


_MEDIA_TYPES: Final = {
    LogForm.FHIR: "application/fhir+json",
    LogForm.NDJSON: "application/x-ndjson",
    LogForm.CSV: "text/csv; charset=utf-8",
}


class LogExport:
    """Writes whole logs, each piece when it is asked for."""

    def __init__(self, base: Foundation) -> None:
        self._steward = base.steward
        self._chain_id = base.network.chain_id
        self._clock = base.clock
        self._pages = LogPages(base.engine, base.sealer)

    def pieces(
        self, subject: Subject, patient: AccountId, form: LogForm, *, url: str | None = None
    ) -> Iterator[bytes]:
        """A log as it stands, in pieces of one page; the first is made before this returns.

        Args:
            subject: whose log.
            patient: the account it is about; the steward's for its own.
            form: how it is written.
            url: where the gatekeeper is reached, for the AuditEvents; None where that is not known.

        Raises:
            AccessRefused: RECORD_UNVERIFIABLE, a line was changed in the database, or is missing
                there. Where that is found later, while pieces are taken, it is raised there, and
                what was written until then is no export.
        """
        keeper = Keeper(
            patient=patient,
            steward=AccountId(chain_id=self._chain_id, address=self._steward),
            url=url,
        )
        pages = self._checked(self._pages.all(subject))
        first = next(pages)
        return written(chain((first,), pages), keeper, form, self._clock())

    @staticmethod
    def _checked(pages: Iterable[LogPage]) -> Iterator[LogPage]:
        for page in pages:
            try:
                page.require_whole()
            except LogMismatch as error:
                raise AccessRefused(Refusal.RECORD_UNVERIFIABLE, f"The log: {error}.") from error
            yield page


def written(
    pages: Iterable[LogPage], keeper: Keeper, form: LogForm, at: datetime
) -> Iterator[bytes]:
    """A log in pieces, one a page.

    Args:
        pages: of the whole log, in order; one at least.
        keeper: whose log it is, and who keeps it.
        form: how it is written.
        at: the time that it is written at.
    """
    writer = _WRITERS[form](keeper, at)
    yield writer.begin()
    for page in pages:
        yield writer.page(page)
    yield writer.end(page)


class _Writer(ABC):
    """One form of a log, written in pieces."""

    def __init__(self, keeper: Keeper, at: datetime) -> None:
        self._keeper = keeper
        self._at = at

    def begin(self) -> bytes:
        return b""

    @abstractmethod
    def page(self, page: LogPage) -> bytes: ...

    @abstractmethod
    def end(self, last: LogPage) -> bytes: ...


class _Fhir(_Writer):
    """A Bundle of AuditEvents."""

    def __init__(self, keeper: Keeper, at: datetime) -> None:
        super().__init__(keeper, at)
        self._is_first = True

    def begin(self) -> bytes:
        at = instant_text(self._at)
        return f'{{"resourceType":"Bundle","type":"collection","timestamp":"{at}"'.encode()

    def page(self, page: LogPage) -> bytes:
        return b"".join(self._events(entry) for entry in page.entries)

    def end(self, last: LogPage) -> bytes:
        counted = b"".join(
            self._events(tally.refusals.line(tally.requester, number=number, at=self._at))
            for number, tally in enumerate(last.counted, start=last.count + 1)
        )
        # FHIR knows no empty list: a Bundle of nothing has no entries at all
        return counted + (b"}" if self._is_first else b"]}")

    def _events(self, entry: AuditEntry) -> bytes:
        written = b""
        for event in audit_events(entry, self._keeper):
            name = uuid.uuid5(uuid.NAMESPACE_URL, f"{hex_digest(entry.relationship)}/{event['id']}")
            item = document_bytes({"fullUrl": f"urn:uuid:{name}", "resource": event})
            written += (b',"entry":[' if self._is_first else b",") + item
            self._is_first = False
        return written


class _Ndjson(_Writer):
    """The documents of the lines, one a line."""

    def page(self, page: LogPage) -> bytes:
        lines: dict[int, dict[str, Any]] = {each.number: each.document() for each in page.entries}
        for number, commitment in page.erased.items():
            lines[number] = {"number": number, "erased": hex_digest(commitment)}
        return b"".join(document_bytes(lines[number]) + b"\n" for number in sorted(lines))

    def end(self, last: LogPage) -> bytes:
        return b"".join(
            document_bytes(
                {
                    "profile": OPEN_REFUSALS,
                    "requester": each.requester,
                    "since": instant_text(each.refusals.since),
                    "last": instant_text(each.refusals.last),
                    "count": each.refusals.count,
                }
            )
            + b"\n"
            for each in last.counted
        )


class _Csv(_Writer):
    """A table: a header, and what a spreadsheet would take for a formula made harmless.

    Source: RFC 4180; OWASP, "CSV Injection".
    """

    def begin(self) -> bytes:
        return _rows([COLUMNS])

    def page(self, page: LogPage) -> bytes:
        rows = {each.number: _row(each, page) for each in page.entries}
        for number, commitment in page.erased.items():
            rows[number] = _erased(number, hex_digest(commitment), hex_digest(page.heads[number]))
        return _rows([rows[number] for number in sorted(rows)])

    def end(self, last: LogPage) -> bytes:
        return _rows(
            (
                *("", "", each.requester or "", "", COUNTED, each.refusals.query, "refused"),
                *(REPEATED, "", "", "", "", "", ""),
            )
            for each in last.counted
        )


_WRITERS: Final[Mapping[LogForm, Callable[[Keeper, datetime], _Writer]]] = {
    LogForm.FHIR: _Fhir,
    LogForm.NDJSON: _Ndjson,
    LogForm.CSV: _Csv,
}


def _row(entry: AuditEntry, page: LogPage) -> tuple[str, ...]:
    return (
        str(entry.number),
        instant_text(entry.at),
        entry.requester or "",
        entry.by or "",
        entry.action,
        entry.query,
        entry.outcome,
        entry.reason,
        entry.basis,
        "" if entry.consent is None else hex_digest(entry.consent),
        " ".join(entry.records),
        "" if entry.block is None else str(entry.block.number),
        hex_digest(entry.commitment),
        hex_digest(page.heads[entry.number]),
    )


def _erased(number: int, commitment: str, head: str) -> tuple[str, ...]:
    return (str(number), "", "", "", "", "", "erased", "", "", "", "", "", commitment, head)


def _rows(rows: Iterable[Iterable[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows([map(_harmless, row) for row in rows])
    return text.getvalue().encode()


def _harmless(cell: str) -> str:
    return "'" + cell if cell.startswith(_RISKY) else cell
