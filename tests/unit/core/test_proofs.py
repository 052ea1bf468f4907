"""A proof holds for one record, in one stream, under a root that the chain holds."""

from dataclasses import replace
from typing import Any

import pytest
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from medaccord.core.anchors import Anchor
from medaccord.core.canonical import document_bytes
from medaccord.core.errors import InvalidDocument, InvalidInput, ProofMismatch
from medaccord.core.identifiers import Digest
from medaccord.core.merkle import MerkleTree
from medaccord.core.pointers import record_key
from medaccord.core.proofs import (
    LogProof,
    RecordProof,
    verify_log_proof,
    verify_record,
)
from tests.unit.core.proof_samples import (
    ANCHOR,
    BATCH,
    BYTES,
    CHAIN,
    HOSPITAL,
    KEY,
    LOG_PROOF,
    LOGS,
    MAP,
    NEWER,
    OTHER,
    POINTERS,
    PROOFS,
    RECORDS,
    STRANGER,
)


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
