"""What there is to be asked of records: to read one, a version of one, to search, or everything."""

from collections.abc import Sequence
from typing import Protocol
from urllib.parse import urlencode

from medaccord.core.identifiers import Address
from medaccord.fhir.everything import EverythingQuery
from medaccord.fhir.search import SearchQuery
from medaccord.fhir.search_values import Searchable
from medaccord.gatekeeper.by_name import decided_for, nothing_named, releasable
from medaccord.gatekeeper.cursor import Cursors
from medaccord.gatekeeper.leave import Leave
from medaccord.gatekeeper.reading import Asked, Page, Question, Reading
from medaccord.gatekeeper.whose import Whose
from medaccord.records import Found, RecordRepository


class _Order(Protocol):
    """An order of records, in which a page begins behind the place where the last one ended."""

    def position(self, entry: Searchable) -> str:
        """The place of a record."""
        ...

    def after(self, position: str, entry: Searchable) -> bool:
        """Whether a record comes later than a place."""
        ...


class Questions:
    """Asks `Reading`, and cuts what it may release into pages."""

    def __init__(
        self, reading: Reading, *, repository: RecordRepository, cursors: Cursors, whose: Whose
    ) -> None:
        self._reading = reading
        self._repository = repository
        self._cursors = cursors
        self._whose = whose

    def search(self, question: Question, query: SearchQuery) -> Page:
        """One page of the records that match and may be released.

        Raises:
            InvalidRequest: the cursor is of another search or somebody else's.
        """
        asked = Asked(
            action="search",
            text=f"{query.resource_type}?{urlencode(query.pairs())}",
            types=(query.resource_type,),
            interactions="s",
        )
        start = self._start(question, asked, query.cursor)

        def find(patient: Address, leave: Leave) -> Page:
            found = self._repository.find(
                patient, lambda each: leave.covers(each.descriptor) and query.matches(each)
            )
            if query.summary_count:
                return Page(total=len(found))
            page, cursor = self._page(
                question, asked, query.sorted(found), query.count, start, query
            )
            records = self._reading.release(question, page)
            return Page(records=records, total=len(found), cursor=cursor)

        return self._reading.answer(question, asked, find)

    def everything(self, question: Question, patient_id: str, query: EverythingQuery) -> Page:
        """One page of all of a patient's records that may be released, and what they refer to.

        Args:
            question: who asks, and for what.
            patient_id: the ``Patient.id`` that was named.
            query: which of the records.

        Raises:
            InvalidRequest: as `search`.
        """
        asked = Asked(
            action="everything",
            text=f"Patient/{patient_id}/$everything?{urlencode(query.pairs())}",
            types=query.decided,
            interactions="s",
        )
        start = self._start(question, asked, query.cursor)

        def find(patient: Address, leave: Leave) -> Page:
            if not self._whose.is_of(patient, patient_id):
                raise nothing_named(f"Patient/{patient_id}")
            found = self._repository.find(
                patient, lambda each: leave.covers(each.descriptor) and query.matches(each)
            )
            page, cursor = self._page(question, asked, found, query.count, start, query)
            wanted = {
                name
                for each in page
                for name in each.references
                if query.includes(name.partition("/")[0])
            }
            beside = self._repository.find_directory(lambda each: each.descriptor.record in wanted)
            return Page(
                records=self._reading.release(question, page)
                + self._reading.release(question, beside, included=True),
                total=len(found),
                cursor=cursor,
            )

        return self._reading.answer(question, asked, find)

    def read(self, question: Question, name: str, *, action: str = "read") -> Page:
        """One record, or its proof.

        A record that is not covered is refused as one that does not exist is: SCOPE_NOT_COVERED.
        Of practitioners, organisations and locations those are released that `by_name` says.

        Args:
            question: who asks, and for what.
            name: ``Type/id``.
            action: "read" or "proof", as the log will say.

        Raises:
            InvalidRequest: there is no such type of resource; or see `Reading.answer`.
        """
        types, interactions = decided_for(name, "r")
        asked = Asked(
            action=action,
            text=name if action == "read" else f"{name}/${action}",
            types=types,
            interactions=interactions,
        )

        def find(patient: Address, leave: Leave) -> Page:
            found = releasable(self._repository, patient, leave, name).found
            return Page(records=self._reading.release(question, [found]), total=1)

        return self._reading.answer(question, asked, find)

    def vread(self, question: Question, name: str, version: int, *, action: str = "vread") -> Page:
        """One version of a record, or its proof, which tells whether it was superseded.

        A version that was superseded is covered only where the newest one is, too.

        Args:
            question: who asks, and for what.
            name: ``Type/id``.
            version: from 1.
            action: "vread" or "proof", as the log will say.

        Raises:
            InvalidRequest: there is no such type of resource; or see `Reading.answer`.
        """
        which = f"{name}/_history/{version}"
        asked = Asked(
            action=action,
            text=which if action == "vread" else f"{which}/${action}",
            types=(name.partition("/")[0],),
            interactions="r",
        )

        def find(patient: Address, leave: Leave) -> Page:
            versions = self._repository.versions(patient, name)
            # What the newest says of itself, such as a label, holds for those before it as well.
            is_open = bool(versions) and leave.covers(versions[-1].descriptor)
            found = [
                each
                for each in versions
                if is_open and each.entry.version == version and leave.covers(each.descriptor)
            ]
            if not found:
                raise nothing_named(which)
            return Page(records=self._reading.release(question, found), total=1)

        return self._reading.answer(question, asked, find)

    def _page(
        self,
        question: Question,
        asked: Asked,
        ordered: Sequence[Found],
        count: int,
        start: str | None,
        order: _Order,
    ) -> tuple[Sequence[Found], str | None]:
        """What stands on a page, and the cursor of the next one."""
        rest = ordered
        if start is not None:
            rest = [each for each in ordered if order.after(start, each)]
        page = rest[:count]
        if not page or len(rest) == len(page):
            return page, None
        return page, self._cursors.write(_bound(question, asked), order.position(page[-1]))

    def _start(self, question: Question, asked: Asked, cursor: str | None) -> str | None:
        """The place that a page begins behind; None for the first page."""
        return None if cursor is None else self._cursors.read(_bound(question, asked), cursor)


def _bound(question: Question, asked: Asked) -> str:
    """Everything that a cursor is for: who asks what, and for what."""
    session = question.session
    return f"{session.account} {session.by} {question.purpose} {asked.text}"
