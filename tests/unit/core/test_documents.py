"""A document of ours is read as its profile says, or not at all."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medaccord.core.documents import MAX_INTEGER, DocumentReader, instant_text
from medaccord.core.errors import InvalidDocument
from medaccord.core.identifiers import address

PROFILE = "medaccord/example/1"
HOSPITAL = address("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed")


def reader(value: Any) -> DocumentReader:
    return DocumentReader.open(
        {"profile": PROFILE, "value": value}, profile=PROFILE, required=["value"]
    )


def test_document_is_read_when_it_is_text_of_the_profile() -> None:
    text = b'{"profile":"medaccord/example/1","value":{"n":7},"list":["a"]}'
    found = DocumentReader.open(text, profile=PROFILE, required=["value", "list"])
    assert found.object("value", required=["n"]).integer("n") == 7
    assert found.texts("list") == ("a",)


def test_document_is_refused_when_its_profile_is_another() -> None:
    with pytest.raises(InvalidDocument, match=f"the profile is 'other/1', not '{PROFILE}'"):
        DocumentReader.open({"profile": "other/1"}, profile=PROFILE, required=[])


def test_document_is_refused_when_a_member_is_missing() -> None:
    with pytest.raises(InvalidDocument, match=f"{PROFILE} lacks value"):
        DocumentReader.open({"profile": PROFILE}, profile=PROFILE, required=["value"])


def test_document_is_refused_when_a_member_is_unknown() -> None:
    with pytest.raises(InvalidDocument, match=f"{PROFILE} has unknown members: note"):
        DocumentReader.open({"profile": PROFILE, "note": ""}, profile=PROFILE, required=[])


@pytest.mark.parametrize("number", ["1.0", "1e2", "-0.5"])
def test_document_is_refused_when_a_number_is_no_integer(number: str) -> None:
    text = f'{{"profile":"{PROFILE}","value":[{number}]}}'
    with pytest.raises(InvalidDocument, match=f"{number} is no integer"):
        DocumentReader.open(text, profile=PROFILE, required=["value"])


@pytest.mark.parametrize("number", [str(MAX_INTEGER + 1), "9" * 5000])
def test_document_is_refused_when_an_integer_has_no_exact_form(number: str) -> None:
    text = f'{{"profile":"{PROFILE}","value":{number}}}'
    with pytest.raises(InvalidDocument, match=f"an integer beyond {MAX_INTEGER}"):
        DocumentReader.open(text, profile=PROFILE, required=["value"])


@pytest.mark.parametrize("value", [-1, MAX_INTEGER + 1, "1", 1.0, True, None])
def test_integer_is_refused_when_it_is_something_else(value: Any) -> None:
    with pytest.raises(InvalidDocument, match=f"value of {PROFILE} is not an integer from 0 to"):
        reader(value).integer("value")


@pytest.mark.parametrize("value", [1, None, ["a"]])
def test_text_is_refused_when_it_is_something_else(value: Any) -> None:
    with pytest.raises(InvalidDocument, match=f"value of {PROFILE} is not a string"):
        reader(value).text("value")


@pytest.mark.parametrize("value", [HOSPITAL.lower(), HOSPITAL[:-1], "0x"])
def test_address_is_refused_when_it_is_not_checksummed(value: str) -> None:
    with pytest.raises(InvalidDocument, match=f"value of {PROFILE} is not an address"):
        reader(value).address("value")


@pytest.mark.parametrize("value", ["0x" + "AB" * 32, "ab" * 32, "0x" + "ab" * 31, 1])
def test_digest_is_refused_when_it_is_not_lower_case_hexadecimal(value: Any) -> None:
    with pytest.raises(InvalidDocument, match=f"value of {PROFILE} is not 32 bytes"):
        reader(value).digest("value")


@pytest.mark.parametrize("value", ["0x" + "AB" * 65, "0x123", "12", "0x12 "])
def test_octets_are_refused_when_they_are_not_lower_case_hexadecimal(value: str) -> None:
    with pytest.raises(InvalidDocument, match=f"value of {PROFILE} is not bytes"):
        reader(value).octets("value")


@pytest.mark.parametrize("value", ["0x", {"0x": 1}, None])
def test_digests_are_refused_when_they_are_no_list(value: Any) -> None:
    with pytest.raises(InvalidDocument, match=f"value of {PROFILE} is not a list"):
        reader(value).digests("value")


@given(st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-5))])))
def test_instant_comes_back_when_written_and_read(at: datetime) -> None:
    try:
        text = instant_text(at)
    except InvalidDocument:  # the first and the last hours of the calendar have no time in UTC
        return
    assert reader(text).instant("value") == at
    assert len(text) == len("2026-01-31T12:00:00.000000Z")


@pytest.mark.parametrize(
    "value", ["2026-01-31T12:00:00Z", "2026-01-31T12:00:00.5Z", "2026-02-30T12:00:00.000000Z", ""]
)
def test_instant_is_refused_when_it_is_not_in_the_one_form(value: str) -> None:
    with pytest.raises(InvalidDocument, match=f"value of {PROFILE} is not a time like"):
        reader(value).instant("value")


def test_instant_is_refused_when_it_has_no_time_zone() -> None:
    with pytest.raises(InvalidDocument, match="2026-01-31T00:00:00 has no time zone"):
        instant_text(datetime(2026, 1, 31))
