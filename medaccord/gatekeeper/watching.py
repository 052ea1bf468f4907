"""Watching what is allowed: told when it changes, by grant, revocation, suspension or the clock."""

import hashlib
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final

from starlette.responses import StreamingResponse

from medaccord.core.canonical import document_bytes
from medaccord.core.consistency import ConsistencyToken
from medaccord.core.errors import InvalidRequest
from medaccord.core.identifiers import Address
from medaccord.gatekeeper.access import Access
from medaccord.gatekeeper.access_forms import holding_document
from medaccord.gatekeeper.event_stream import EventStreams, StreamEvent, polled
from medaccord.gatekeeper.foundation import Foundation
from medaccord.gatekeeper.freshness import Wanted
from medaccord.gatekeeper.recipients import Recipients
from medaccord.gatekeeper.tokens import Session

EVERY: Final = timedelta(seconds=1)
"""How often it is looked whether anything changed."""

ALLOWED: Final = "allowed"
"""Kind of the events: each tells all that is allowed now."""

MAX_WATCHED: Final = 50
"""Patients that one stream may be about, inclusive."""

_DIGITS: Final = 32


class Watching:
    """Tells an account all that is allowed of some patients, at once and whenever it changes.

    The id of an event is the consistency token of its block, a dot, and a digest of what it tells.
    Whoever reads on after an id is told again only if something else is allowed by now, as of that
    block or later: it does not matter which process it comes to, or how long it was away.
    """

    def __init__(self, base: Foundation, *, access: Access, streams: EventStreams) -> None:
        self._standing = base.standing
        self._recipients = Recipients(base)
        self._access = access
        self._streams = streams

    def watch(
        self,
        session: Session,
        patients: Sequence[Address],
        *,
        last_event: str | None,
        check: Callable[[], Session],
    ) -> StreamingResponse:
        """Answer with a stream.

        Args:
            session: who watches.
            patients: whose records; of itself a patient is told of everybody, of any other an
                organisation of itself.
            last_event: id of the last event seen; None for none.
            check: the session, checked anew; called in a thread each time before anything is told.

        Raises:
            AccessRefused: MAY_NOT_ASK; UNKNOWN_PATIENT, whoever watches is nobody here; or the
                chain or the ledger is in doubt.
            InvalidRequest: that is no id of an event, or of another chain.
            TooManyRequests: there are as many streams as there may be.
        """
        self._recipients.require(session.account)
        token, seen = _read_id(last_event)
        # Asked once before the stream begins, so that a refusal is an answer like any other.
        self._access.holdings(session, patients, Wanted(at_least=token))

        def poll() -> list[StreamEvent]:
            nonlocal seen
            self._standing.refresh(older_than=EVERY)
            holdings, block = self._access.holdings(check(), patients, Wanted())
            allowed = [holding_document(each) for each in holdings]
            told = hashlib.sha256(document_bytes({"allowed": allowed})).hexdigest()[:_DIGITS]
            if told == seen:
                return []
            seen = told
            now = str(ConsistencyToken.of(block))
            data = {"allowed": allowed, "consistencyToken": now}
            return [StreamEvent(kind=ALLOWED, data=data, id=f"{now}.{told}")]

        return self._streams.respond(session.account, polled(poll, every=EVERY))


def _read_id(text: str | None) -> tuple[ConsistencyToken | None, str]:
    """The block and the digest that an id is made of; a token alone is of no digest."""
    if not text:
        return None, ""
    token, _, told = text.partition(".")
    if told and (len(told) != _DIGITS or not told.isalnum()):
        raise InvalidRequest("Last-Event-ID is the id of the last event that was seen")
    return ConsistencyToken.parse(token), told
