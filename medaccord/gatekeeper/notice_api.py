"""GET /notices and GET /notices/stream: what an account was told, and what it is being told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Query, Request
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from medaccord.core.errors import InvalidRequest
from medaccord.core.identifiers import Address
from medaccord.core.notices import Notice, NoticeKind
from medaccord.gatekeeper.event_stream import (
    EVENT_STREAM,
    LAST_EVENT_HEADER,
    EventStreams,
    Source,
    StreamEvent,
)
from medaccord.gatekeeper.foundation import Foundation
from medaccord.gatekeeper.notice_feed import NoticeFeed
from medaccord.gatekeeper.notices import MAX_PAGE
from medaccord.gatekeeper.openapi import REFUSALS, SIGNED_IN, Tag
from medaccord.gatekeeper.recipients import Recipients
from medaccord.gatekeeper.sign_in import SignIn
from medaccord.gatekeeper.tokens import Session

CHECKED_EVERY: Final = timedelta(seconds=3)
"""How often at least it is checked that whoever reads a stream is still signed in."""

OPENED: Final = "opened"
"""Kind of the event that every stream begins with: its id is where this one begins."""

NOTICE: Final = "notice"
"""Kind of the events that are notices."""

_MAX_ID: Final = 2**53 - 1
"""Larger integers have no exact form in JSON."""

_STREAMED: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "Events: one `opened`, a `notice` each, and `refused` where it must end.",
        "content": {EVENT_STREAM: {"schema": {"type": "string"}}},
    }
}


class NoticeBody(BaseModel):
    """A notice, as `medaccord.core.notices.Notice.document` writes it."""

    id: int
    account: str
    kind: NoticeKind
    subject: str
    actor: str | None
    at: str


class NoticePage(BaseModel):
    """Some notices; `next` is what to ask with as `after` the next time."""

    notices: Sequence[NoticeBody]
    next: int


class Telling:
    """Tells accounts their notices: by the page, and as they come."""

    def __init__(self, base: Foundation, streams: EventStreams) -> None:
        self._notices = base.notices
        self._recipients = Recipients(base)
        self._streams = streams
        self._feed = NoticeFeed(base.notices)

    def page(self, session: Session, after: int, count: int) -> tuple[Notice, ...]:
        """The notices to whoever is signed in after an id, oldest first."""
        return self._notices.after(session.account, after, count=count)

    def stream(
        self, session: Session, after: int | None, check: Callable[[], object]
    ) -> StreamingResponse:
        """Tell whoever is signed in each notice as it comes.

        Args:
            session: who reads.
            after: id of the last notice that it knows; None, as an id yet to come, for those from
                now on.
            check: raises where it must not read on; called in a thread, before anything is told
                and at least every `CHECKED_EVERY`.

        Raises:
            AccessRefused: UNKNOWN_PATIENT, nobody whom anything is told here.
            TooManyRequests: there are as many streams as there may be.
        """
        self._recipients.require(session.account)
        newest = self._notices.newest()
        last = newest if after is None else min(after, newest)  # a restored backup counts anew
        return self._streams.respond(session.account, self._source(session.account, last, check))

    async def _source(self, account: Address, last: int, check: Callable[[], object]) -> Source:
        yield StreamEvent(kind=OPENED, data={}, id=str(last))
        with self._feed.listen(account) as told:
            while True:
                told.clear()
                await run_in_threadpool(check)
                found = await run_in_threadpool(self._notices.after, account, last)
                for each in found:
                    last = each.id
                    yield StreamEvent(kind=NOTICE, data=each.document(), id=str(last))
                if len(found) < MAX_PAGE:
                    with suppress(TimeoutError):
                        await asyncio.wait_for(told.wait(), CHECKED_EVERY.total_seconds())


def routes(telling: Telling, sign_in: SignIn) -> APIRouter:
    """GET /notices and GET /notices/stream."""
    router = APIRouter(tags=[Tag.NOTICES])

    @router.get(
        "/notices",
        summary="What the account that is signed in was told, oldest first.",
        responses=REFUSALS,
        openapi_extra=SIGNED_IN,
    )
    def page(
        request: Request,
        after: Annotated[int, Query(ge=0, le=_MAX_ID)] = 0,
        count: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 100,
    ) -> NoticePage:
        found = telling.page(sign_in.fresh_session(request), after, count)
        return NoticePage(
            notices=[NoticeBody(**each.document()) for each in found],
            next=found[-1].id if found else after,
        )

    @router.get(
        "/notices/stream",
        summary="What the account that is signed in is told, from now on or after an id.",
        response_class=StreamingResponse,
        responses=REFUSALS | _STREAMED,
        openapi_extra=SIGNED_IN,
    )
    def stream(
        request: Request,
        after: Annotated[int | None, Query(ge=0, le=_MAX_ID)] = None,
        last_event: Annotated[str | None, Header(alias=LAST_EVENT_HEADER)] = None,
    ) -> StreamingResponse:
        session = sign_in.fresh_session(request)
        last = _read_id(last_event) if last_event else after
        return telling.stream(session, last, lambda: sign_in.fresh_session(request))

    return router


def _read_id(text: str) -> int:
    """The id of an event, as a reader hands it in.

    Raises:
        InvalidRequest: it is none of ours.
    """
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(_MAX_ID))):
        raise InvalidRequest(f"{LAST_EVENT_HEADER} is the id of the last event that was seen")
    return min(int(text), _MAX_ID)
