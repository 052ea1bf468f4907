"""Notices as documents."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from medaccord.core.errors import InvalidDocument
from medaccord.core.identifiers import address
from medaccord.core.notices import MAX_SUBJECT, Notice, NoticeKind

NOTICE = Notice(
    id=7,
    account=address("0x" + "11" * 20),
    kind=NoticeKind.READ,
    subject="41",
    actor=address("0x" + "22" * 20),
    at=datetime(2026, 3, 1, 12, 0, 0, 500, tzinfo=UTC),
)


@pytest.mark.parametrize("notice", [NOTICE, replace(NOTICE, actor=None)])
def test_notice_comes_back_when_written_and_read(notice: Notice) -> None:
    assert Notice.parse(notice.document()) == notice


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"kind": "gossip"}, "'gossip' is no kind of notice"),
        ({"subject": ""}, "1 to 66 characters"),
        ({"subject": "x" * (MAX_SUBJECT + 1)}, "1 to 66 characters"),
        ({"id": 0}, "id of the notice is not an integer from 1"),
        ({"account": "0x" + "aB" * 20}, "account of the notice is not an address"),
        ({"at": "2026-03-01"}, "at of the notice is not a time"),
        ({"more": 1}, "unknown members: more"),
    ],
)
def test_notice_is_refused_when_malformed(changed: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidDocument, match=problem):
        Notice.parse(NOTICE.document() | changed)
