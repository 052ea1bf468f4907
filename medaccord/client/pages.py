"""What a search finds: records as they come, page by page, each checked before it is handed out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from medaccord.client.believing import ReleasedRecord
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
        self._waiting: Page | None = self._turn()
        self._records = self._one_by_one()

    def __next__(self) -> ReleasedRecord:
        """The next record.

        Raises:
            MedaccordError: The next page is refused or does not check; as `ProviderRecords.search`.
        """
        return next(self._records)

    @property
    def included(self) -> tuple[ReleasedRecord, ...]:
        """Practitioners and the like that the records so far refer to, each once, each checked."""
        return tuple(self._included.values())

    def pages(self) -> Iterator[Page]:
        """Page by page instead: those that were not begun yet."""
        while True:
            page, self._waiting = self._waiting or self._turn(), None
            if page is None:
                return
            yield page

    def _one_by_one(self) -> Iterator[ReleasedRecord]:
        for page in self.pages():
            yield from page.records

    def _turn(self) -> Page | None:
        page = next(self._pages, None)
        if page is not None:
            self.receipts += (page.receipt,)
            self.total = page.total
            self._included |= {each.name: each for each in page.included}
        return page
