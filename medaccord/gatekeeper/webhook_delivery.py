"""Posting notices to webhooks: in order per webhook, at least once, each webhook by itself.

Who posts to a webhook has claimed it in the database for a little longer than a post takes, and
notes after each notice how far it came. Killed in between, it leaves a claim that ends by itself,
and a notice that was perhaps taken is posted again under the same name. So nothing is lost, nothing
overtakes, and it does no harm if two processes are at it.
"""

import json
import logging
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, exists, func, select, update

from medaccord.core.errors import (
    AccessRefused,
    DecryptionFailed,
    KeyMissing,
    StoreFailed,
    TransportError,
)
from medaccord.core.identifiers import Address
from medaccord.core.notices import Notice
from medaccord.core.webhook_signatures import webhook_headers
from medaccord.gatekeeper.backoff import Backoff
from medaccord.gatekeeper.foundation import Foundation
from medaccord.gatekeeper.posting import TIMEOUT, Posting
from medaccord.gatekeeper.webhooks import Webhooks
from medaccord.store import reading, writing
from medaccord.store.tables import notice, webhook

EVERY: Final = timedelta(milliseconds=500)
"""How often is looked for notices to post."""

BACKOFF: Final = Backoff(first=timedelta(seconds=5), longest=timedelta(hours=1), tries=100)
"""A hundred failures in a row take about three days."""

_CLAIM: Final = TIMEOUT + timedelta(seconds=5)
_TURN_SECONDS: Final = 10.0
"""How long one webhook is posted to while others wait."""

_AT_ONCE: Final = 8
"""Webhooks posted to at the same time."""

_NOTICES_AT_ONCE: Final = 20
_GONE: Final = 410
_SUCCESS: Final = range(200, 300)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Claim:
    """What is ours to post until a time.

    Attributes:
        id: the webhook.
        until: when the claim ends, which also tells it from others.
        upto: id of the last notice that was taken.
        failures: tries in a row that failed.
    """

    id: str
    until: datetime
    upto: int
    failures: int


class WebhookDelivery:
    """Posts what waits. `deliver` looks for it, and leaves the posting to threads of its own."""

    def __init__(
        self,
        base: Foundation,
        *,
        webhooks: Webhooks,
        posting: Posting,
        backoff: Backoff = BACKOFF,
    ) -> None:
        self._engine = base.engine
        self._clock = base.clock
        self._metrics = base.metrics
        self._notices = base.notices
        self._webhooks = webhooks
        self._posting = posting
        self._backoff = backoff
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="webhooks")
        self._lock = threading.Lock()
        self._under_way: set[str] = set()
        self._closed = False

    def deliver(self) -> None:
        """Begin to post to each webhook that something waits for, and whose time has come."""
        newer = notice.c.account == webhook.c.account, notice.c.id > webhook.c.delivered_upto
        in_use = webhook.c.stopped_at.is_(None)
        due = select(webhook.c.id).where(
            in_use, webhook.c.next_at <= self._clock(), exists().where(*newer)
        )
        waiting = select(func.count()).select_from(notice.join(webhook, newer[0] & newer[1]))
        with reading(self._engine) as connection:
            found = connection.execute(due).scalars().all()
            self._metrics.notices_waiting.set(
                connection.execute(waiting.where(in_use)).scalar_one()
            )
        with self._lock:
            for each in found:
                if each not in self._under_way and not self._closed:
                    self._under_way.add(each)
                    self._pool.submit(self._take_turn, each)

    def close(self) -> None:
        """Break off what is under way; it is posted again by whoever comes next. Twice is fine."""
        with self._lock:
            self._closed = True
        self._posting.stop()
        self._pool.shutdown(cancel_futures=True)

    def _take_turn(self, webhook_id: str) -> None:
        end = time.monotonic() + _TURN_SECONDS
        try:
            while time.monotonic() < end and not self._closed:
                if not self._post_some(webhook_id, end):
                    return
        except StoreFailed as error:
            _log.warning("notices wait for the database: %s", error)
        except Exception:  # nobody looks at what the pool's threads raise
            _log.exception("webhook %s failed and will be tried again", webhook_id)
        finally:
            with self._lock:
                self._under_way.discard(webhook_id)

    def _post_some(self, webhook_id: str, end: float) -> bool:
        """Post the next notices; whether there may be more to post now."""
        claimed = self._claim(webhook_id)
        if claimed is None:
            return False
        claim, address, notices = claimed
        for each in notices:
            answered = self._post(webhook_id, address, each)
            after = self._note(claim, each, answered)
            if after is None:
                return False
            claim = after
            if self._closed or time.monotonic() >= end:
                break
        self._release(claim)
        return len(notices) == _NOTICES_AT_ONCE

    def _claim(self, webhook_id: str) -> tuple[_Claim, tuple[str, str], Sequence[Notice]] | None:
        """Make the next notices of a webhook ours to post; None where there is nothing to do."""
        now = self._clock()
        with reading(self._engine) as connection:
            row = connection.execute(select(webhook).where(webhook.c.id == webhook_id)).first()
        if row is None or row.stopped_at is not None or row.next_at > now:
            return None
        try:
            address = self._webhooks.open(row)  # not while we write: it asks the ledger
        except AccessRefused:  # it waits for the chain, as everything does
            return None
        except (KeyMissing, DecryptionFailed):  # a backup's, or somebody changed it
            address = None
        as_read = _Claim(
            id=webhook_id, until=row.next_at, upto=row.delivered_upto, failures=row.failures
        )
        claim = replace(as_read, until=now + _CLAIM)
        if address is None:
            # Not where it was sealed anew since we read it, and the older key retired.
            if self._change(as_read, {"stopped_at": now}, webhook.c.wrapped_key == row.wrapped_key):
                _log.warning("webhook %s is given up: its key may no longer read here", webhook_id)
            return None
        if not self._change(as_read, {"next_at": claim.until}):
            return None  # another process was faster
        account = Address(row.account)
        return claim, address, self._notices.after(account, claim.upto, count=_NOTICES_AT_ONCE)

    def _post(self, webhook_id: str, address: tuple[str, str], told: Notice) -> int | None:
        """The status of the answer; None where there is none."""
        url, secret = address
        body = json.dumps(told.document(), separators=(",", ":")).encode()
        headers = webhook_headers(
            secret, message=f"notice-{told.id}", at=self._clock(), body=body
        ) | {"Content-Type": "application/json", "User-Agent": "medaccord"}
        try:
            return self._posting.post(url, headers, body)
        except TransportError as error:
            _log.info("webhook %s: %s", webhook_id, error)
            return None

    def _note(self, claim: _Claim, told: Notice, status: int | None) -> _Claim | None:
        """Note how a post went; the claim as it is then, None where it ended."""
        if self._closed and status is None:
            return None  # broken off by us: the receiver is not to blame
        now, taken = self._clock(), status in _SUCCESS
        self._metrics.notices_sent.labels("taken" if taken else "failed").inc()
        if taken:
            claim_after = _Claim(id=claim.id, until=now + _CLAIM, upto=told.id, failures=0)
            values = {"delivered_upto": told.id, "failures": 0, "next_at": claim_after.until}
            return claim_after if self._change(claim, values) else None
        failures = claim.failures + 1
        wait = None if status == _GONE else self._backoff.after(failures)
        if wait is None:
            self._change(claim, {"failures": failures, "stopped_at": now})
            _log.warning("webhook %s is given up after %d failures", claim.id, failures)
        else:
            self._change(claim, {"failures": failures, "next_at": now + wait})
        return None

    def _release(self, claim: _Claim) -> None:
        self._change(claim, {"next_at": self._clock()})

    def _change(
        self, claim: _Claim, values: dict[str, object], *besides: ColumnElement[bool]
    ) -> bool:
        """Write, if the claim is still ours, and what is asked besides holds; whether it was so."""
        still = (
            *besides,
            webhook.c.id == claim.id,
            webhook.c.next_at == claim.until,
            webhook.c.delivered_upto == claim.upto,
            webhook.c.stopped_at.is_(None),
        )
        with writing(self._engine) as connection:
            return connection.execute(update(webhook).where(*still).values(values)).rowcount == 1
