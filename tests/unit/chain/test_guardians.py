"""Guardians of an account, hidden in one commitment."""

from __future__ import annotations

from dataclasses import replace

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from medaccord.chain import GuardianCircle
from medaccord.core.errors import InvalidInput, ProofMismatch
from medaccord.core.identifiers import Address, Digest, digest
from medaccord.core.merkle import leaf_hash, verify
from medaccord.keys import LocalSigner

SALTS = {
    LocalSigner.unsafe_from_key(bytes([index]) * 32).address: digest(bytes([index]) * 32)
    for index in range(1, 6)
}


@pytest.fixture
def circle() -> GuardianCircle:
    return GuardianCircle(salts=SALTS, threshold=3)


@pytest.mark.parametrize("guardian", SALTS)
def test_every_guardian_is_proven(circle: GuardianCircle, guardian: Address) -> None:
    approval = circle.approval(guardian, b"signed")
    leaf = leaf_hash(["address", "bytes32"], [guardian, SALTS[guardian]])
    verify(circle.root, leaf, approval.proof)
    assert (approval.guardian, approval.signature) == (guardian, b"signed")


def test_commitment_binds_root_and_threshold(circle: GuardianCircle) -> None:
    assert circle.commitment == keccak(encode(["bytes32", "uint8"], [circle.root, 3]))
    assert GuardianCircle(salts=SALTS, threshold=2).commitment != circle.commitment


def test_commitment_does_not_depend_on_the_order(circle: GuardianCircle) -> None:
    backwards: dict[Address, Digest] = dict(reversed(SALTS.items()))
    assert GuardianCircle(salts=backwards, threshold=3).commitment == circle.commitment


def test_approval_is_refused_when_not_a_guardian(circle: GuardianCircle) -> None:
    stranger = LocalSigner.create().address
    with pytest.raises(InvalidInput, match=f"{stranger} is no guardian"):
        circle.approval(stranger)


@pytest.mark.parametrize("threshold", [-1, 0, 6])
def test_circle_is_refused_when_the_threshold_cannot_be(threshold: int) -> None:
    with pytest.raises(InvalidInput, match=f"{threshold} of 5 guardians"):
        GuardianCircle(salts=SALTS, threshold=threshold)


@pytest.mark.parametrize("guardian", SALTS)
def test_place_is_proven_without_the_others(circle: GuardianCircle, guardian: Address) -> None:
    place = circle.place(guardian)
    place.check()
    assert place.circle.commitment == circle.commitment
    assert place.approval(b"signed") == circle.approval(guardian, b"signed")


def test_place_is_refused_when_it_is_another_guardians(circle: GuardianCircle) -> None:
    one, other = (circle.place(guardian) for guardian in list(SALTS)[:2])
    with pytest.raises(ProofMismatch, match="not under the root"):
        replace(one, guardian=other.guardian).check()
