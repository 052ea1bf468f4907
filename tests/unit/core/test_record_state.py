"""The chain tells which version of a record is the newest, and an older one is found out."""

from dataclasses import replace
from typing import Any

import pytest
from eth_utils.crypto import keccak

from medaccord.core.anchors import Anchor
from medaccord.core.errors import ProofMismatch, RecordSuperseded
from medaccord.core.proofs import RecordProof, verify_newest, verify_record
from medaccord.core.record_state import NO_LEAVES, state_value, tree_root
from tests.unit.core.proof_samples import (
    BATCH,
    BYTES,
    CHAIN,
    FIRST_ANCHOR,
    KEY,
    NEWER,
    NEXT_ANCHOR,
    NEXT_STATE,
    OTHER,
    POINTERS,
    SECOND,
    STATE,
    STRANGER,
    newest_of,
)


def refused(record: bytes, proof: RecordProof) -> str:
    with pytest.raises(ProofMismatch) as caught:
        verify_record(record, proof, CHAIN)
    return str(caught.value)


STREAM_CHANGES: list[dict[str, Any]] = [{"account": STRANGER}, {"topic": OTHER}]


def superseded(anchor: Anchor) -> bool:
    """The chain after the second append."""
    return anchor == NEXT_ANCHOR


def unsettled(proof: RecordProof, is_newest: Any = superseded) -> str:
    with pytest.raises(ProofMismatch) as caught:
        verify_newest(proof, is_newest)
    assert not isinstance(caught.value, RecordSuperseded)
    return str(caught.value)


def test_anchored_root_is_the_documented_hash() -> None:
    assert FIRST_ANCHOR.root == keccak(b"\x05" + BATCH.root + STATE.root)
    value = keccak(b"\x06" + (2).to_bytes(8, "big") + SECOND.leaf)
    assert state_value(2, SECOND.leaf) == value
    assert tree_root([]) == NO_LEAVES == bytes(32)


@pytest.mark.parametrize("number", range(3))
def test_record_is_accepted_when_its_batch_tells_a_state(number: int) -> None:
    verify_record(BYTES[number], NEWER[number], CHAIN)
    verify_newest(NEWER[number], lambda each: each == FIRST_ANCHOR)


def test_record_is_refused_when_the_state_beside_its_batch_was_changed() -> None:
    proof = replace(NEWER[0], state=NEXT_STATE.root)
    assert refused(BYTES[0], proof) == f"the leaf is not under the root 0x{FIRST_ANCHOR.root.hex()}"


def test_record_is_refused_when_the_state_beside_its_batch_is_left_out() -> None:
    proof = replace(NEWER[0], state=None)
    assert refused(BYTES[0], proof) == f"the leaf is not under the root 0x{FIRST_ANCHOR.root.hex()}"


def test_record_stays_the_newest_when_another_was_changed_since() -> None:
    verify_newest(replace(NEWER[1], newest=newest_of(1, after=True)), superseded)


def test_record_is_refused_when_the_chain_names_a_newer_version() -> None:
    proof = replace(NEWER[0], newest=newest_of(0, after=True))
    verify_record(BYTES[0], proof, CHAIN)
    with pytest.raises(RecordSuperseded) as caught:
        verify_newest(proof, superseded)
    assert (caught.value.version, caught.value.latest) == (1, 2)


def test_record_is_refused_when_the_state_shown_is_not_the_last() -> None:
    assert "not the last that was anchored" in unsettled(NEWER[0])


def test_record_is_refused_when_nothing_shows_the_newest_version() -> None:
    assert "nothing shows" in unsettled(replace(NEWER[0], newest=None))


NEWEST_CHANGES: list[dict[str, Any]] = [
    {"version": 1},
    {"leaf": POINTERS[0].leaf},
    {"version": 1, "leaf": POINTERS[0].leaf},
    {"siblings": ()},
    {"siblings": NEXT_STATE.proof(POINTERS[1].record)},
    {"siblings": tuple(reversed(NEXT_STATE.proof(POINTERS[0].record)))},
]


@pytest.mark.parametrize("change", NEWEST_CHANGES, ids=lambda change: "-".join(change))
def test_record_is_refused_when_what_shows_the_newest_was_changed(change: dict[str, Any]) -> None:
    newest = replace(newest_of(0, after=True), **change)
    assert "is not so under the root" in unsettled(replace(NEWER[0], newest=newest))


@pytest.mark.parametrize("change", [{"state": STATE.root}, {"tree": BATCH.root}], ids=str)
def test_record_is_refused_when_the_state_is_not_the_anchored_one(change: dict[str, Any]) -> None:
    newest = replace(newest_of(0, after=True), **change)
    assert "the state is not the one" in unsettled(replace(NEWER[0], newest=newest))


def test_record_is_refused_when_the_whole_state_was_made_up() -> None:
    """An honest first version under a state that never was: the chain has no such append."""
    newest = newest_of(0)
    forged = replace(newest, anchor=replace(NEXT_ANCHOR, root=FIRST_ANCHOR.root))
    assert "not the last that was anchored" in unsettled(replace(NEWER[0], newest=forged))


@pytest.mark.parametrize("change", STREAM_CHANGES, ids=lambda change: next(iter(change)))
def test_record_is_refused_when_the_state_is_of_another_stream(change: dict[str, Any]) -> None:
    newest = newest_of(0, after=True)
    other = replace(newest, anchor=replace(newest.anchor, **change))
    assert "another stream" in unsettled(replace(NEWER[0], newest=other), lambda _: True)


def test_record_is_refused_when_it_was_never_the_version_the_state_names() -> None:
    """Two versions with one number: the steward anchored both, the state names one."""
    twin = replace(POINTERS[0], salt=KEY)
    proof = replace(NEWER[0], pointer=twin)
    assert "another than the one shown" in unsettled(proof, lambda each: each == FIRST_ANCHOR)
