"""What an account is told by a gatekeeper: by the page, as it happens, and to webhooks."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from medaccord.client.event_stream import ServerEvent, read_events
from medaccord.client.gatekeeper_api import json_object, reading_answer
from medaccord.client.session import Session
from medaccord.core.documents import DocumentReader, members_of
from medaccord.core.errors import (
    AccessRefused,
    InvalidDocument,
    SignatureMismatch,
    TransportError,
)
from medaccord.core.notices import Notice
from medaccord.core.refusals import IN_DOUBT, Refusal
from medaccord.core.webhook_signatures import check_webhook

_PAGE: Final = 100
_FIRST_PAUSE: Final = 0.5  # seconds
_LONGEST_PAUSE: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeWebhook:
    """A webhook just made.

    Attributes:
        id: Names it.
        url: Where notices are posted.
        secret: What `verify_webhook` needs there. It is told this once: keep it.
    """

    id: str
    url: str
    secret: str = field(repr=False)


class AccountNotices:
    """What one account is told by one gatekeeper. Iterating gives everything that is kept."""

    def __init__(self, session: Session) -> None:
        """Use a session of the account's."""
        self._session = session

    def __iter__(self) -> Iterator[Notice]:
        """As `after` nothing."""
        return self.after(0)

    def after(self, last: int) -> Iterator[Notice]:
        """Everything that was told after an id and is still kept, oldest first.

        Args:
            last: Id of the last notice not wanted; 0 for all.

        Raises:
            AccessRefused: The key may not read for the account.
            TransportError: The gatekeeper does not answer, or badly.
        """
        while True:
            parameters = {"after": str(last), "count": str(_PAGE)}
            answer = json_object(self._session.get("/notices", parameters=parameters))
            with reading_answer(self._session.api.url):
                listed = answer.get("notices")
                if not isinstance(listed, list):
                    raise InvalidDocument("there is no list of notices")
                found = []
                for each in listed:
                    found.append(self._checked(Notice.parse(each), last))
                    last = found[-1].id
            yield from found
            if not found:
                return

    def stream(
        self, last: int | None = None, *, patience: timedelta = timedelta(minutes=1)
    ) -> Generator[Notice, None, None]:
        """Each notice as it comes, for as long as it is iterated.

        Where the stream breaks or the token ends, it is resumed after the last notice seen, so
        that none is missed and none is given twice.

        Args:
            last: Id of the last notice not wanted; None for those from now on.
            patience: How long the gatekeeper may be out of reach.

        Raises:
            AccessRefused: The key may not read for the account any more, or the gatekeeper cannot
                tell for all that time.
            TransportError: The gatekeeper does not answer, or badly, for all that time.
        """
        pause, heard = _FIRST_PAUSE, time.monotonic()
        while True:
            try:
                with closing(self._events(last)) as events:
                    for event in events:
                        pause, heard = _FIRST_PAUSE, time.monotonic()
                        with reading_answer(self._session.api.url):
                            notice = self._read(event, last)
                        if notice is None:
                            last = _id_of(event) if last is None else last
                            continue
                        last = notice.id
                        yield notice
                        heard = time.monotonic()
            except AccessRefused as refusal:
                if refusal.reason is Refusal.NOT_SIGNED_IN:
                    self._session.sign_in()
                elif refusal.reason not in IN_DOUBT or _is_over(heard, patience):
                    raise
            except TransportError:
                if _is_over(heard, patience):
                    raise
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def post_to(self, url: str) -> MadeWebhook:
        """Have what is told from now on posted to an address.

        Args:
            url: Https, and reachable from the public internet unless the steward allows others.

        Raises:
            InvalidRequest: Nothing can be posted there, or there are as many as there may be.
            AccessRefused: The key may not read for the account, or it is told nothing here.
            TransportError: The gatekeeper does not answer, or badly.
        """
        answer = self._session.post("/webhooks", {"url": url})
        with reading_answer(self._session.api.url):
            needed = ("id", "url", "secret")
            reader = DocumentReader(answer, what="the webhook", required=needed, optional=answer)
            return MadeWebhook(
                id=reader.text("id"), url=reader.text("url"), secret=reader.text("secret")
            )

    def stop_posting(self, webhook_id: str) -> None:
        """Delete a webhook. Errors as `post_to`."""
        self._session.delete(f"/webhooks/{webhook_id}")

    def _events(self, last: int | None) -> Generator[ServerEvent, None, None]:
        parameters = {} if last is None else {"after": str(last)}
        with (
            self._session.stream("/notices/stream", parameters=parameters) as chunks,
            reading_answer(self._session.api.url),
        ):
            yield from read_events(chunks)

    def _read(self, event: ServerEvent, last: int | None) -> Notice | None:
        """The notice in an event; None where it is another of ours.

        Raises:
            AccessRefused: the stream ends with a refusal.
            InvalidDocument: it is malformed, or not to this account, or not newer.
        """
        if event.kind == "notice":
            return self._checked(Notice.parse(event.data), last or 0)
        if event.kind == "refused":
            raise _refusal(event)
        return None

    def _checked(self, notice: Notice, last: int) -> Notice:
        if notice.account != self._session.account.address:
            raise InvalidDocument("a notice to somebody else was told")
        if notice.id <= last:
            raise InvalidDocument("a notice was told that is older than asked for")
        return notice


def verify_webhook(
    secret: str, headers: Mapping[str, str], body: bytes, *, now: datetime
) -> Notice:
    """Read what was posted to a webhook; for receivers.

    A notice may be posted more than once: remember the id of the last one taken, and pass over what
    is not above it. Answer with a status of 200 to 299 once the notice is safe; whatever else is
    answered, it comes again.

    Args:
        secret: From `AccountNotices.post_to`.
        headers: Of the request, by name.
        body: Of the request, byte by byte.
        now: The receiver's clock, within five minutes of the gatekeeper's.

    Raises:
        SignatureMismatch: It is not from the gatekeeper, was changed, or is too old.
        InvalidDocument: It is no notice.
    """
    message = check_webhook(secret, headers, body, now=now)
    notice = Notice.parse(body)
    if message != f"notice-{notice.id}":
        raise SignatureMismatch("the webhook names another notice than it holds")
    return notice


def _refusal(event: ServerEvent) -> Exception:
    needed = ("code", "diagnostics")
    reader = DocumentReader(members_of(event.data), what="the refusal", required=needed)
    code, words = reader.text("code"), reader.text("diagnostics")
    if code in {each.value for each in Refusal}:
        return AccessRefused(Refusal(code), words)
    return TransportError(words)


def _id_of(event: ServerEvent) -> int | None:
    """Where a stream begins that was asked for from now on."""
    return int(event.id) if event.id.isascii() and event.id.isdigit() else None


def _is_over(heard: float, patience: timedelta) -> bool:
    return time.monotonic() - heard > patience.total_seconds()
