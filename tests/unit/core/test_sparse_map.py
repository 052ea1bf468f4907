"""A key has one value under one root, or provably none."""

from itertools import pairwise

import pytest
from eth_utils.crypto import keccak
from hypothesis import assume, given
from hypothesis import strategies as st

from medaccord.core.errors import InvalidIdentifier, InvalidInput, ProofMismatch
from medaccord.core.identifiers import Digest
from medaccord.core.sparse_map import EMPTY, Absence, SparseMap, verify_absence, verify_entry

digests = st.binary(min_size=32, max_size=32).map(Digest)
# Keys that share long beginnings, as pseudo-random ones hardly ever do, reach every depth.
close = st.integers(0, 7).map(lambda n: Digest(bytes(31) + bytes([n])))
keys = digests | close | st.integers(0, 255).map(lambda n: Digest(bytes([n]) + bytes(31)))
maps = st.dictionaries(keys, digests, max_size=24)

A, B, C = (Digest(bytes([first]) + bytes(31)) for first in (0b0000_0000, 0b0100_0000, 0b1000_0000))
ONE, TWO = Digest(b"\x01" * 32), Digest(b"\x02" * 32)


def leaf(key: Digest, value: Digest) -> Digest:
    return Digest(keccak(b"\x04" + key + value))


def node(left: Digest, right: Digest) -> Digest:
    return Digest(keccak(b"\x01" + left + right))


def naive_root(items: dict[Digest, Digest], depth: int = 0) -> Digest:
    """The definition, word by word."""
    if not items:
        return EMPTY
    if len(items) == 1:
        return leaf(*next(iter(items.items())))
    sides: tuple[dict[Digest, Digest], dict[Digest, Digest]] = ({}, {})
    for key, value in items.items():
        sides[int.from_bytes(key) >> (255 - depth) & 1][key] = value
    return node(naive_root(sides[0], depth + 1), naive_root(sides[1], depth + 1))


@given(maps)
def test_root_is_that_of_the_definition_whatever_the_items(items: dict[Digest, Digest]) -> None:
    assert SparseMap(items).root == naive_root(items)


def test_root_is_built_from_leaves_and_nodes_when_there_are_three_keys() -> None:
    built = SparseMap({A: ONE, B: TWO, C: ONE})
    assert built.root == node(node(leaf(A, ONE), leaf(B, TWO)), leaf(C, ONE))
    assert built.proof(B) == (leaf(C, ONE), leaf(A, ONE))


@given(maps)
def test_root_does_not_depend_on_order_when_items_are_the_same(items: dict[Digest, Digest]) -> None:
    assert SparseMap(dict(reversed(items.items()))).root == SparseMap(items).root


@given(maps, keys, digests)
def test_key_is_proven_and_no_second_value_whatever_the_items(
    items: dict[Digest, Digest], key: Digest, other: Digest
) -> None:
    built = SparseMap({**items, key: ONE})
    verify_entry(built.root, key, ONE, built.proof(key))
    assume(other != ONE)
    for siblings in prefixes(built.proof(key)):
        with pytest.raises(ProofMismatch):
            verify_entry(built.root, key, other, siblings)


@given(maps, keys)
def test_absence_is_proven_and_no_value_when_the_key_is_not_there(
    items: dict[Digest, Digest], key: Digest
) -> None:
    assume(key not in items)
    built = SparseMap(items)
    absence = built.absence(key)
    verify_absence(built.root, key, absence)
    for siblings in prefixes(absence.siblings):
        with pytest.raises(ProofMismatch):
            verify_entry(built.root, key, ONE, siblings)


@given(maps, keys)
def test_absence_is_not_proven_when_the_key_is_there(
    items: dict[Digest, Digest], key: Digest
) -> None:
    others = {other: value for other, value in items.items() if other != key}
    forged = SparseMap(others).absence(key)
    built = SparseMap({**others, key: ONE})
    for siblings in (*prefixes(built.proof(key)), forged.siblings):
        for neighbour in (None, forged.neighbour, (key, ONE)):
            with pytest.raises(ProofMismatch):
                verify_absence(built.root, key, Absence(siblings=siblings, neighbour=neighbour))


def prefixes(siblings: tuple[Digest, ...]) -> list[tuple[Digest, ...]]:
    """The proof, and what an attacker might cut it to near its ends."""
    lengths = {len(siblings), max(len(siblings) - 1, 0), min(1, len(siblings)), 0}
    return [siblings[:length] for length in sorted(lengths)]


def test_root_is_empty_when_there_are_no_keys() -> None:
    built = SparseMap({})
    assert built.root == EMPTY == bytes(32)
    verify_absence(EMPTY, A, built.absence(A))


def test_absence_names_its_neighbour_when_one_leaf_lies_in_the_place() -> None:
    built = SparseMap({A: ONE})
    assert built.absence(B) == Absence(siblings=(), neighbour=(A, ONE))


def test_absence_is_refused_when_the_neighbour_lies_elsewhere() -> None:
    built = SparseMap({A: ONE, C: TWO})
    forged = Absence(siblings=built.proof(A), neighbour=(A, ONE))
    with pytest.raises(ProofMismatch, match="a leaf that lies elsewhere"):
        verify_absence(built.root, C, forged)


def test_absence_is_refused_when_it_shows_the_very_key() -> None:
    built = SparseMap({A: ONE})
    with pytest.raises(ProofMismatch, match="shows the very key"):
        verify_absence(built.root, A, Absence(siblings=(), neighbour=(A, ONE)))


def test_entry_is_refused_when_its_leaf_lies_deeper_than_it_should() -> None:
    root = node(leaf(A, ONE), EMPTY)
    with pytest.raises(ProofMismatch, match="the last sibling is empty"):
        verify_entry(root, A, ONE, (EMPTY,))


def test_entry_is_refused_when_the_proof_is_deeper_than_a_key() -> None:
    with pytest.raises(ProofMismatch, match="a proof of 257 steps"):
        verify_entry(EMPTY, A, ONE, (ONE,) * 257)


def test_proof_is_refused_when_the_map_lacks_the_key() -> None:
    with pytest.raises(InvalidInput, match=f"the map has no key 0x{B.hex()}"):
        SparseMap({A: ONE}).proof(B)


def test_absence_is_refused_when_the_map_has_the_key() -> None:
    with pytest.raises(InvalidInput, match=f"the map has the key 0x{A.hex()}"):
        SparseMap({A: ONE}).absence(A)


def test_map_is_refused_when_a_key_is_short() -> None:
    with pytest.raises(InvalidIdentifier, match="not 32 bytes but 31"):
        SparseMap({Digest(bytes(31)): ONE})


def test_proof_is_short_when_keys_are_pseudo_random() -> None:
    built = SparseMap({Digest(keccak(bytes([n]))): ONE for n in range(256)})
    longest = max(len(built.proof(Digest(keccak(bytes([n]))))) for n in range(256))
    assert longest < 24


def test_keys_reach_full_depth_when_they_differ_in_the_last_bit() -> None:
    near = [Digest(bytes(31) + bytes([n])) for n in (0, 1)]
    built = SparseMap({key: ONE for key in near})
    assert len(built.proof(near[0])) == 256
    assert all(sibling == EMPTY for sibling in built.proof(near[0])[:-1])
    for key, other in pairwise([*near, near[0]]):
        verify_entry(built.root, key, ONE, built.proof(key))
        assert built.proof(key)[-1] == leaf(other, ONE)
