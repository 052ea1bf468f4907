"""Answers are sorted as asked, and pages go on where the last one ended."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medaccord.core.errors import InvalidRequest
from medaccord.fhir.search import SearchQuery
from tests.unit.fhir.searched import Searched, coded, searched


def parse(*pairs: tuple[str, str], of: str = "Observation") -> SearchQuery:
    return SearchQuery.parse(of, pairs)


RECORDS = [
    searched("Observation", name="a", effectiveDateTime="2025-03-01", status="final"),
    searched("Observation", name="b", effectiveDateTime="2025-01", status="amended"),
    searched("Observation", name="c", effectivePeriod={"end": "2024"}, status="final"),
    searched("Observation", name="d", status="finally"),
    searched("Observation", name="e", effectiveDateTime="2025-03-01", code=coded((None, "z"))),
]


@pytest.mark.parametrize(
    ("sort", "names"),
    [
        ("", "abcde"),
        ("date", "cbaed"),
        ("-date", "aebcd"),
        ("status", "bacde"),
        ("-status", "dacbe"),
        ("status,date", "bcade"),
        ("-status,-date", "dacbe"),
        ("-_id", "edcba"),
        ("_lastUpdated", "abcde"),
        ("code,-_id", "edcba"),
    ],
)
def test_records_are_sorted_with_missing_ones_last(sort: str, names: str) -> None:
    query = parse(*([("_sort", sort)] if sort else []))
    found = query.sorted(RECORDS[::-1])
    assert "".join(each.descriptor.record[-1] for each in found) == names


@pytest.mark.parametrize(
    "value", ["patient", "subject", "value-quantity", "-", "date:desc", "--date"]
)
def test_parse_refuses_to_sort_by_what_has_no_order(value: str) -> None:
    with pytest.raises(InvalidRequest, match=r"^_sort takes _id, _lastUpdated, .*date.*, not "):
        parse(("_sort", value))


def test_parse_refuses_to_sort_by_too_much() -> None:
    with pytest.raises(InvalidRequest, match="_sort takes 5 parameters at most"):
        parse(("_sort", "date,status,code,category,_id,_lastUpdated"))


def test_position_is_refused_when_it_is_of_another_search() -> None:
    by_date, by_name = parse(("_sort", "date")), parse()
    place = by_name.position(RECORDS[0])
    with pytest.raises(InvalidRequest, match="is not of this search"):
        by_date.after(place, RECORDS[1])


@st.composite
def observations(draw: st.DrawFn) -> list[Searched]:
    names = draw(st.lists(st.text("abAB-.", min_size=1, max_size=3), unique=True, max_size=12))
    return [
        searched(
            "Observation",
            name=name,
            status=draw(st.sampled_from(["a", "ab", "b", "\U0001f600", "\uffff"])),
            effectiveDateTime=draw(st.sampled_from(["2024", "2025-01", "2025-01-01", "soon"])),
            code=coded(*[(None, each) for each in draw(st.lists(st.sampled_from("xyz")))]),
        )
        for name in names
    ]


@given(
    records=observations(),
    sort=st.lists(
        st.sampled_from(["date", "-date", "status", "-status", "code", "-code", "-_id"]),
        min_size=1,
        max_size=3,
    ),
    size=st.integers(1, 4),
    gone=st.integers(0, 3),
)
def test_pages_are_the_whole_even_where_the_last_record_is_gone_meanwhile(
    records: list[Searched], sort: list[str], size: int, gone: int
) -> None:
    query = parse(("_sort", ",".join(sort)))
    whole = query.sorted(records)
    left, seen = list(whole), []
    place: str | None = None
    while page := [each for each in left if place is None or query.after(place, each)][:size]:
        seen += page
        place = query.position(page[-1])
        if gone:
            left.remove(page[-1])
    assert seen == whole
