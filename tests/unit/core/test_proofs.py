"""A proof holds for one record, in one stream, under a root that the chain holds."""

from dataclasses import replace
from typing import Any

import pytest
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from medaccord.core.anchors import Anchor
from medaccord.core.audit import log_leaf
from medaccord.core.canonical import document_bytes, parse_object, record_bytes
from medaccord.core.errors import InvalidDocument, InvalidInput, ProofMismatch, RecordSuperseded
from medaccord.core.identifiers import ZERO_DIGEST, Digest, address
from medaccord.core.merkle import MerkleTree
from medaccord.core.pointers import Pointer, record_key
from medaccord.core.proofs import (
    LogProof,
    RecordProof,
    verify_log_proof,
    verify_newest,
    verify_record,
)
from medaccord.core.record_state import (
    NO_LEAVES,
    NewestProof,
    anchored_root,
    state_value,
    tree_root,
)
from medaccord.core.sparse_map import SparseMap

HOSPITAL = address("0x" + "11" * 20)
STRANGER = address("0x" + "22" * 20)
RECORDS, LOGS, OTHER = (Digest(bytes([n]) * 32) for n in (1, 2, 3))

RECORD_TEXTS = [
    '{"resourceType":"Observation","id":"a","valueQuantity":{"value":1.00}}',
    '{"resourceType":"Observation","id":"b","valueQuantity":{"value":37.5}}',
    '{"resourceType":"Condition","id":"c"}',
]
BYTES = [record_bytes(parse_object(text)) for text in RECORD_TEXTS]


def pointer(number: int) -> Pointer:
    resource = parse_object(BYTES[number])
    return Pointer(
        steward=HOSPITAL,
        topic=RECORDS,
        record=record_key(f"{resource['resourceType']}/{resource['id']}"),
        version=1,
        plaintext=Digest(keccak(BYTES[number])),
        ciphertext=OTHER,
        salt=Digest(bytes([number]) * 32),
    )


def anchor(topic: Digest, root: Digest) -> Anchor:
    return Anchor(
        account=HOSPITAL,
        topic=topic,
        previous=ZERO_DIGEST,
        root=root,
        head=Digest(keccak(root)),
        block_number=12,
        transaction=OTHER,
    )


POINTERS = [pointer(number) for number in range(3)]
BATCH = MerkleTree([each.leaf for each in POINTERS])
ANCHOR = anchor(RECORDS, BATCH.root)
PROOFS = [
    RecordProof(pointer=each, siblings=BATCH.proof(number), anchor=ANCHOR)
    for number, each in enumerate(POINTERS)
]

# A first batch with three records; then a second version of the first of them.
STATE = SparseMap({each.record: state_value(1, each.leaf) for each in POINTERS})
SECOND = replace(POINTERS[0], version=2, plaintext=Digest(keccak(b"{}")))
NEXT_STATE = SparseMap(
    {each.record: state_value(each.version, each.leaf) for each in (SECOND, *POINTERS[1:])}
)
FIRST_ANCHOR = anchor(RECORDS, anchored_root(BATCH.root, STATE.root))
NEXT_TREE = tree_root([SECOND.leaf])
NEXT_ANCHOR = replace(
    anchor(RECORDS, anchored_root(NEXT_TREE, NEXT_STATE.root)),
    previous=FIRST_ANCHOR.head,
    block_number=14,
)


def newest_of(number: int, *, after: bool = False) -> NewestProof:
    """What the first append, or the second, says of a record."""
    newest = SECOND if after and number == 0 else POINTERS[number]
    state = NEXT_STATE if after else STATE
    return NewestProof(
        version=newest.version,
        leaf=newest.leaf,
        siblings=state.proof(newest.record),
        tree=NEXT_TREE if after else BATCH.root,
        state=state.root,
        anchor=NEXT_ANCHOR if after else FIRST_ANCHOR,
    )


NEWER = [
    RecordProof(
        pointer=each,
        siblings=BATCH.proof(number),
        anchor=FIRST_ANCHOR,
        state=STATE.root,
        newest=newest_of(number),
    )
    for number, each in enumerate(POINTERS)
]

KEY, HEAD = Digest(b"\x07" * 32), Digest(b"\x08" * 32)
MAP = SparseMap({KEY: log_leaf(3, HEAD), OTHER: log_leaf(1, OTHER)})
LOG_ANCHOR = anchor(LOGS, MAP.root)
LOG_PROOF = LogProof(
    relationship=KEY, count=3, head=HEAD, siblings=MAP.proof(KEY), anchor=LOG_ANCHOR
)
CHAIN = {ANCHOR, LOG_ANCHOR, FIRST_ANCHOR, NEXT_ANCHOR}.__contains__


def refused(record: bytes, proof: RecordProof) -> str:
    with pytest.raises(ProofMismatch) as caught:
        verify_record(record, proof, CHAIN)
    return str(caught.value)


# ---- records


@pytest.mark.parametrize("number", range(3))
def test_record_is_accepted_when_it_is_what_was_anchored(number: int) -> None:
    verify_record(BYTES[number], PROOFS[number], CHAIN)


@given(st.integers(0, 2), st.data())
def test_record_is_refused_when_one_byte_of_it_differs(number: int, data: st.DataObject) -> None:
    changed = bytearray(BYTES[number])
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= data.draw(st.integers(1, 255))
    assert "it was changed" in refused(bytes(changed), PROOFS[number])


def test_record_is_refused_when_a_decimal_lost_its_zeros() -> None:
    assert "it was changed" in refused(BYTES[0].replace(b"1.00", b"1.0"), PROOFS[0])


def test_record_is_refused_when_the_proof_is_another_record_s() -> None:
    assert "it was changed" in refused(BYTES[0], PROOFS[1])


def test_record_is_refused_when_the_pointer_names_another_record() -> None:
    forged = replace(POINTERS[0], record=record_key("Observation/b"))
    batch = MerkleTree([forged.leaf])
    proof = RecordProof(pointer=forged, siblings=(), anchor=replace(ANCHOR, root=batch.root))
    assert refused(BYTES[0], proof) == "the proof is for another record than Observation/a"


POINTER_CHANGES: list[dict[str, Any]] = [{"version": 2}, {"ciphertext": KEY}, {"salt": KEY}]


@pytest.mark.parametrize("change", POINTER_CHANGES, ids=lambda change: next(iter(change)))
def test_record_is_refused_when_its_pointer_was_changed(change: dict[str, Any]) -> None:
    proof = replace(PROOFS[0], pointer=replace(POINTERS[0], **change))
    assert refused(BYTES[0], proof) == f"the leaf is not under the root 0x{BATCH.root.hex()}"


STREAM_CHANGES: list[dict[str, Any]] = [{"account": STRANGER}, {"topic": OTHER}]


@pytest.mark.parametrize("change", STREAM_CHANGES, ids=lambda change: next(iter(change)))
def test_record_is_refused_when_the_anchor_is_of_another_stream(change: dict[str, Any]) -> None:
    proof = replace(PROOFS[0], anchor=replace(ANCHOR, **change))
    assert "another stream" in refused(BYTES[0], proof)


ANCHOR_CHANGES: list[dict[str, Any]] = [
    {"previous": OTHER},
    {"head": OTHER},
    {"block_number": 13},
    {"transaction": KEY},
]


@pytest.mark.parametrize("change", ANCHOR_CHANGES, ids=lambda change: next(iter(change)))
def test_record_is_refused_when_the_chain_has_no_such_anchor(change: dict[str, Any]) -> None:
    proof = replace(PROOFS[0], anchor=replace(ANCHOR, **change))
    assert "the chain holds no anchor" in refused(BYTES[0], proof)


def test_record_is_refused_when_its_root_was_made_up() -> None:
    forged = replace(POINTERS[0], plaintext=Digest(keccak(BYTES[0] + b" ")))
    proof = RecordProof(
        pointer=forged, siblings=(), anchor=replace(ANCHOR, root=MerkleTree([forged.leaf]).root)
    )
    assert "the chain holds no anchor" in refused(BYTES[0] + b" ", proof)


def test_record_proof_comes_back_when_written_and_read() -> None:
    assert RecordProof.parse(PROOFS[0].document()) == PROOFS[0]
    assert RecordProof.parse(document_bytes(PROOFS[0].document())) == PROOFS[0]


def test_record_proof_holds_exactly_what_is_documented_when_written() -> None:
    document = NEWER[0].document()
    assert list(document) == ["profile", "pointer", "siblings", "anchor", "state", "newest"]
    assert document["profile"] == "medaccord/proof/2"
    assert list(document["newest"]) == ["version", "leaf", "siblings", "tree", "state", "anchor"]
    assert sorted(document["pointer"]) == sorted(
        ["kind", "steward", "topic", "record", "version", "plaintext", "ciphertext", "salt"]
    )
    assert sorted(document["anchor"]) == sorted(
        ["account", "topic", "previous", "root", "head", "blockNumber", "transaction"]
    )


def test_record_proof_is_refused_when_it_is_a_log_proof() -> None:
    with pytest.raises(InvalidDocument, match="the profile is 'medaccord/log-proof/1', not"):
        RecordProof.parse(LOG_PROOF.document())


def test_record_proof_is_refused_when_its_kind_of_pointer_is_unknown() -> None:
    document = NEWER[0].document()
    document["pointer"]["kind"] = "medaccord/lot/1"
    with pytest.raises(InvalidInput, match="unknown kind of pointer"):
        RecordProof.parse(document)


@pytest.mark.parametrize("member", ["previous", "blockNumber"])
def test_record_proof_is_refused_when_its_anchor_lacks_a_member(member: str) -> None:
    document = PROOFS[0].document()
    del document["anchor"][member]
    with pytest.raises(InvalidDocument, match=f"the anchor lacks {member}"):
        RecordProof.parse(document)


def test_record_proof_comes_back_when_it_tells_the_newest_version() -> None:
    assert RecordProof.parse(NEWER[0].document()) == NEWER[0]
    assert RecordProof.parse(document_bytes(NEWER[0].document())) == NEWER[0]


def test_record_proof_of_the_first_profile_is_read_and_accepted() -> None:
    document = PROOFS[0].document() | {"profile": "medaccord/proof/1"}
    read = RecordProof.parse(document)
    assert read == PROOFS[0]
    verify_record(BYTES[0], read, CHAIN)


@pytest.mark.parametrize("member", ["state", "newest"])
def test_record_proof_of_the_first_profile_is_refused_when_it_tells_a_state(member: str) -> None:
    document = NEWER[0].document()
    document = {
        name: value
        for name, value in (document | {"profile": "medaccord/proof/1"}).items()
        if name == member or name not in ("state", "newest")
    }
    with pytest.raises(InvalidDocument, match=f"has unknown members: {member}"):
        RecordProof.parse(document)


# ---- which version is the newest


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


# ---- logs


def test_log_is_accepted_when_count_and_head_are_those_anchored() -> None:
    verify_log_proof(LOG_PROOF, CHAIN, steward=HOSPITAL, topic=LOGS)


LOG_CHANGES: list[dict[str, Any]] = [
    {"count": 2},
    {"head": OTHER},
    {"relationship": OTHER},
    {"siblings": ()},
]


@pytest.mark.parametrize("change", LOG_CHANGES, ids=lambda change: next(iter(change)))
def test_log_is_refused_when_the_proof_was_changed(change: dict[str, Any]) -> None:
    with pytest.raises(ProofMismatch, match=f"under the root 0x{MAP.root.hex()}"):
        verify_log_proof(replace(LOG_PROOF, **change), CHAIN, steward=HOSPITAL, topic=LOGS)


def test_log_is_refused_when_it_is_another_steward_s() -> None:
    with pytest.raises(ProofMismatch, match="another stream"):
        verify_log_proof(LOG_PROOF, CHAIN, steward=STRANGER, topic=LOGS)


def test_log_is_refused_when_it_is_anchored_in_another_stream() -> None:
    with pytest.raises(ProofMismatch, match="another stream"):
        verify_log_proof(LOG_PROOF, CHAIN, steward=HOSPITAL, topic=RECORDS)


def test_log_is_refused_when_the_chain_has_no_such_anchor() -> None:
    with pytest.raises(ProofMismatch, match="the chain holds no anchor"):
        verify_log_proof(LOG_PROOF, set[Anchor]().__contains__, steward=HOSPITAL, topic=LOGS)


def test_log_proof_comes_back_when_written_and_read() -> None:
    assert LogProof.parse(LOG_PROOF.document()) == LOG_PROOF
    assert LogProof.parse(document_bytes(LOG_PROOF.document())) == LOG_PROOF
