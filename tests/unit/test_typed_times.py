"""Times as they are typed at the command line."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from medaccord.cli.times import moment
from medaccord.core.errors import InvalidInput


@pytest.mark.parametrize(
    "text", ["2026-01-31T12:00:00Z", "2026-01-31T12:00", "2026-01-31T14:00:00+02:00"]
)
def test_time_is_taken_in_utc_where_no_zone_is_said(text: str) -> None:
    assert moment(text) == datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    ["", "tomorrow", "2026-02-30", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"],
)
def test_what_is_no_time_in_utc_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="is no time: write it as 2026-01-31"):
        moment(text)
