"""Whatever is done to a log after it was anchored is found, and the entry is named."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from eth_utils.crypto import keccak
from hypothesis import assume, given
from hypothesis import strategies as st

from medaccord.core.audit import (
    GENESIS,
    AuditEntry,
    chain_head,
    log_leaf,
    relationship_key,
    verify_log,
)
from medaccord.core.blocks import BlockRef
from medaccord.core.commitments import check
from medaccord.core.errors import InvalidDocument, LogMismatch
from medaccord.core.identifiers import Digest, address

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
CLINICIAN = address("0x" + "11" * 20)
RELATIONSHIP = Digest(b"\x07" * 32)
BLOCK = BlockRef(chain_id=1337, number=12, hash=Digest(b"\x0b" * 32), timestamp=NOON)


def entry(number: int, **changes: Any) -> AuditEntry:
    fields: dict[str, Any] = {
        "number": number,
        "relationship": RELATIONSHIP,
        "at": NOON + timedelta(seconds=number),
        "requester": CLINICIAN,
        "by": CLINICIAN,
        "action": "search",
        "query": "Observation?category=laboratory",
        "outcome": "released",
        "reason": "TREAT",
        "basis": "consent",
        "consent": Digest(b"\x0c" * 32),
        "records": (f"Observation/{number}/1",),
        "block": BLOCK,
        "salt": Digest(keccak(number.to_bytes(8))),
    }
    return AuditEntry(**{**fields, **changes})


def heads_of(entries: list[AuditEntry]) -> dict[int, Digest]:
    heads, head = {}, GENESIS
    for number, line in enumerate(entries, start=1):
        head = heads[number] = chain_head(head, number, line.commitment)
    return heads


LOG = [entry(number) for number in range(1, 7)]
HEADS = heads_of(LOG)
COUNT, HEAD = len(LOG), HEADS[len(LOG)]
places = st.integers(0, COUNT - 1)


def broken(entries: list[Any], heads: dict[int, Digest] | None = None) -> LogMismatch:
    with pytest.raises(LogMismatch) as caught:
        verify_log(entries, COUNT, HEAD, heads)
    return caught.value


# ---- one entry


def test_entry_comes_back_when_written_and_read() -> None:
    assert AuditEntry.parse(LOG[0].document_bytes) == LOG[0]
    assert AuditEntry.parse(LOG[0].document()) == LOG[0]


def test_entry_comes_back_when_nobody_was_signed_in_and_the_chain_was_gone() -> None:
    bare = entry(
        1,
        requester=None,
        by=None,
        consent=None,
        block=None,
        records=(),
        outcome="refused",
        reason="chain-unreachable",
        basis="",
    )
    assert AuditEntry.parse(bare.document_bytes) == bare


def test_entry_is_committed_to_by_its_canonical_bytes_when_made() -> None:
    check(LOG[0].commitment, LOG[0].salt, LOG[0].document_bytes)


CHANGES: list[dict[str, Any]] = [
    {"number": 2},
    {"relationship": Digest(bytes(32))},
    {"at": NOON},
    {"requester": None},
    {"by": None},
    {"action": "read"},
    {"query": ""},
    {"outcome": "refused"},
    {"reason": "BTG"},
    {"basis": "emergency"},
    {"consent": None},
    {"records": ()},
    {"block": None},
    {"salt": Digest(bytes(32))},
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: next(iter(change)))
def test_commitment_differs_when_one_field_does(change: dict[str, Any]) -> None:
    assert replace(LOG[0], **change).commitment != LOG[0].commitment


def test_entry_is_refused_when_its_outcome_is_unknown() -> None:
    with pytest.raises(
        InvalidDocument, match="the outcome 'perhaps' is none of released, refused, done"
    ):
        entry(1, outcome="perhaps")


def test_entry_is_refused_when_its_number_is_zero() -> None:
    with pytest.raises(InvalidDocument, match="numbered from 1, not 0"):
        entry(0)


def test_entry_is_refused_when_its_time_has_no_zone() -> None:
    with pytest.raises(InvalidDocument, match="needs a time zone"):
        entry(1, at=NOON.replace(tzinfo=None))


@pytest.mark.parametrize("member", sorted(LOG[0].document().keys() - {"profile"}))
def test_entry_is_refused_when_a_member_is_missing(member: str) -> None:
    document = LOG[0].document()
    del document[member]
    with pytest.raises(InvalidDocument, match=f"medaccord/audit-entry/1 lacks {member}"):
        AuditEntry.parse(document)


# ---- the chain


def test_head_is_the_documented_hash_when_an_entry_is_added() -> None:
    commitment = LOG[0].commitment
    expected = keccak(b"\x02" + bytes(32) + (1).to_bytes(8) + commitment)
    assert chain_head(GENESIS, 1, commitment) == expected


def test_leaf_is_the_documented_hash_when_a_log_is_anchored() -> None:
    assert log_leaf(6, HEAD) == keccak(b"\x03" + (6).to_bytes(8) + HEAD)


def test_log_is_accepted_when_it_is_the_one_anchored() -> None:
    verify_log(LOG, COUNT, HEAD)
    verify_log(LOG, COUNT, HEAD, HEADS)


def test_log_is_accepted_when_nothing_was_ever_logged() -> None:
    verify_log([], 0, GENESIS)


def test_log_is_refused_when_nothing_is_anchored_under_another_head() -> None:
    with pytest.raises(LogMismatch, match="entry 1: nothing is anchored"):
        verify_log([], 0, HEAD)


def test_log_is_accepted_when_entries_came_after_the_anchor() -> None:
    verify_log([*LOG, entry(7)], COUNT, HEAD)


@given(st.sets(places))
def test_log_is_accepted_when_erased_entries_left_their_commitments(erased: set[int]) -> None:
    lines = [line.commitment if place in erased else line for place, line in enumerate(LOG)]
    verify_log(lines, COUNT, HEAD, HEADS)


# ---- what is done to it


@given(places)
def test_dropped_entry_is_named_wherever_it_was(place: int) -> None:
    assert broken(LOG[:place] + LOG[place + 1 :]).number == place + 1


@given(places)
def test_truncated_entry_is_named_wherever_the_log_ends(place: int) -> None:
    error = broken(LOG[:place])
    assert error.number == place + 1
    assert str(error) == f"entry {place + 1}: it is missing: the log ends before entry {COUNT}"


@given(places, places)
def test_swapped_entry_is_named_whichever_two_they_are(one: int, other: int) -> None:
    assume(one != other)
    lines = list(LOG)
    lines[one], lines[other] = lines[other], lines[one]
    assert broken(lines).number == min(one, other) + 1


@given(places, st.sampled_from(CHANGES[2:]))
def test_changed_entry_is_named_when_the_heads_are_known(
    place: int, change: dict[str, Any]
) -> None:
    lines = list(LOG)
    lines[place] = replace(lines[place], **change)
    error = broken(lines, HEADS)
    assert error.number == place + 1
    assert str(error).endswith("it is not the entry that was logged")


@given(places)
def test_changed_entry_is_found_when_only_the_last_head_is_known(place: int) -> None:
    lines = list(LOG)
    lines[place] = replace(lines[place], records=())
    error = broken(lines)
    assert error.number == COUNT
    assert str(error).endswith("it or an entry after 0 is not the one that was logged")


@given(places, places)
def test_changed_entry_is_bounded_when_a_receipt_is_at_hand(place: int, known: int) -> None:
    lines = list(LOG)
    lines[place] = replace(lines[place], records=())
    error = broken(lines, {known + 1: HEADS[known + 1]})
    assert error.number == (known + 1 if known >= place else COUNT)


@given(places)
def test_dropped_entry_is_found_when_the_rest_was_numbered_anew(place: int) -> None:
    lines = LOG[:place] + LOG[place + 1 :]
    renumbered = [replace(line, number=number) for number, line in enumerate(lines, start=1)]
    assert broken(renumbered).number == COUNT
    assert broken(renumbered, HEADS).number == place + 1


@given(places)
def test_inserted_entry_is_named_when_the_rest_was_numbered_anew(place: int) -> None:
    lines = [*LOG[:place], entry(99), *LOG[place:]]
    renumbered = [replace(line, number=number) for number, line in enumerate(lines, start=1)]
    assert broken(renumbered, HEADS).number == place + 1


@given(places, places)
def test_swapped_commitment_is_named_when_the_entries_were_erased(one: int, other: int) -> None:
    assume(one != other)
    lines = [line.commitment for line in LOG]
    lines[one], lines[other] = lines[other], lines[one]
    assert broken(lines, HEADS).number == min(one, other) + 1


@given(st.integers(1, COUNT - 1))
def test_entry_of_another_log_is_named_when_it_stands_in_this_one(place: int) -> None:
    lines = list(LOG)
    lines[place] = replace(lines[place], relationship=Digest(bytes(32)))
    error = broken(lines)
    assert (error.number, str(error)) == (
        place + 1,
        f"entry {place + 1}: it belongs to the log of another relationship",
    )


def test_log_is_refused_when_it_was_written_anew_with_its_heads() -> None:
    forged = [replace(line, records=()) for line in LOG]
    error = broken(forged, heads_of(forged))
    assert error.number == COUNT
    assert "two different ones" in str(error)


def test_relationship_key_is_one_for_each_pair_and_known_to_everybody() -> None:
    one, two, three = (address("0x" + each * 20) for each in ("11", "22", "33"))
    keys = {
        relationship_key(one, two),
        relationship_key(two, one),
        relationship_key(one, three),
        relationship_key(one, one),
    }
    assert len(keys) == 4
    assert relationship_key(one, two) == keccak(
        b"medaccord/relationship/1" + b"\x11" * 20 + b"\x22" * 20
    )
