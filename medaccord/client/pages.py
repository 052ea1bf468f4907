"""What a search finds: records as they come, page by page, each checked before it is handed out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from medaccord.client.believing import ReleasedRecord
from medaccord.core.errors import MedaccordError
from medaccord.core.receipts import SignedReceipt


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of what a gatekeeper answered.

    Attributes:
        records: The records released, each checked.
        receipt: The steward's signature for it. Keep it: it shows what was logged.
        included: Practitioners and the like that the records refer to, each checked.
        total: How many records there are on all pages together, as the gatekeeper says.
    """

    records: tuple[ReleasedRecord, ...]
    receipt: SignedReceipt
    included: tuple[ReleasedRecord, ...] = ()
    total: int = 0


class RecordPages(Iterator[ReleasedRecord]):
    """Iterates over the records that were found, once; a page is asked for when it is wanted.

    The first one is there already, so that a refusal is raised where it is asked for. Each later
    one is decided anew, and may be refused while it is iterated.

    Attributes:
        total: How many records there are on all pages together, as the gatekeeper says.
        receipts: The steward's signatures, one for each page that came so far. Keep them: they
            show what was logged.
    """

    def __init__(self, pages: Iterator[Page]) -> None:
        """Take the first of some pages."""
        self._pages = pages
        self._included: dict[str, ReleasedRecord] = {}
        self.receipts: tuple[SignedReceipt, ...] = ()
        self.total = 0
        self._failed: MedaccordError | None = None
        self._waiting: Page | None = self._turn()
        self._records: Iterator[ReleasedRecord] = iter(())

    def __next__(self) -> ReleasedRecord:
        """The next record.

        Raises:
            MedaccordError: The next page is refused or does not check; as `ProviderRecords.search`.
                It is raised again if one goes on: nobody takes what came so far for everything.
        """
        while (record := next(self._records, None)) is None:
            page = self._next_page()
            if page is None:
                raise StopIteration
            self._records = iter(page.records)
        return record

    @property
    def included(self) -> tuple[ReleasedRecord, ...]:
        """Practitioners and the like that the records so far refer to, each once, each checked."""
        return tuple(self._included.values())

    def pages(self) -> Iterator[Page]:
        """Page by page instead: those that were not begun yet."""
        while (page := self._next_page()) is not None:
            yield page

    def _next_page(self) -> Page | None:
        page, self._waiting = self._waiting or self._turn(), None
        return page

    def _turn(self) -> Page | None:
        if self._failed is not None:
            raise self._failed
        try:
            page = next(self._pages, None)
        except MedaccordError as error:
            self._failed = error
            raise
        if page is not None:
            self.receipts += (page.receipt,)
            self.total = page.total
            self._included |= {each.name: each for each in page.included}
        return page
