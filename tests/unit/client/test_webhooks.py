"""What a receiver makes of what is posted to it."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from medaccord.client import verify_webhook
from medaccord.core.errors import InvalidDocument, SignatureMismatch
from medaccord.core.identifiers import address
from medaccord.core.notices import Notice, NoticeKind
from medaccord.core.webhook_signatures import secret_text, webhook_headers

SECRET = secret_text(b"s" * 32)
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOTICE = Notice(
    id=7,
    account=address("0x" + "11" * 20),
    kind=NoticeKind.READ,
    subject="41",
    actor=None,
    at=NOW,
)


def posted(body: bytes, message: str = "notice-7") -> dict[str, str]:
    return webhook_headers(SECRET, message=message, at=NOW, body=body)


def test_notice_is_read_when_the_webhook_is_signed() -> None:
    body = json.dumps(NOTICE.document()).encode()
    assert verify_webhook(SECRET, posted(body), body, now=NOW) == NOTICE


def test_webhook_is_refused_when_it_was_changed() -> None:
    body = json.dumps(NOTICE.document()).encode()
    changed = body.replace(b'"41"', b'"42"')
    with pytest.raises(SignatureMismatch, match="not signed with this secret"):
        verify_webhook(SECRET, posted(body), changed, now=NOW)


def test_webhook_is_refused_when_it_names_another_notice() -> None:
    body = json.dumps(NOTICE.document()).encode()
    with pytest.raises(SignatureMismatch, match="names another notice"):
        verify_webhook(SECRET, posted(body, "notice-8"), body, now=NOW)


def test_webhook_is_refused_when_it_holds_no_notice() -> None:
    with pytest.raises(InvalidDocument, match="the notice lacks"):
        verify_webhook(SECRET, posted(b"{}"), b"{}", now=NOW)
