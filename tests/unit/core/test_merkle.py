"""Our trees prove what OpenZeppelin's verifier accepts, and nothing else."""

import pytest
from eth_utils.crypto import keccak
from hypothesis import assume, given
from hypothesis import strategies as st

from medaccord.core.errors import InvalidIdentifier, InvalidInput, ProofMismatch
from medaccord.core.identifiers import Digest, address, digest
from medaccord.core.merkle import MAX_PROOF, MerkleTree, leaf_hash, verify

digests = st.binary(min_size=32, max_size=32).map(Digest)
leaves = st.lists(digests, min_size=1, max_size=40, unique=True)

# Made with @openzeppelin/merkle-tree 1.0.8: StandardMerkleTree.of([[address, bytes32], …]) over
# 0x1111…/0x1111… to 0x5555…/0x5555…; leaf and proof of each.
VECTOR_ROOT = digest("0x8ccd9fc5d364b2aa37967e7e50bc2d7e5422c35cf0fedf256dd10b8a4289ceef")
VECTOR_1 = digest("0x25d060840456b14b7e417d73264bfc29d8003471a6c712de7407042f832ef447")
VECTOR_2 = digest("0xb14c09d9b39a7bd7f49142b697da82d69dd624241e3dff675ffa9b1d0b61e338")
VECTOR_3 = digest("0x077615e38496df9e3684d4dd676a3df0cd63ec4bb5ea7bf2d04f750fc53c44d8")
VECTOR_4 = digest("0x902910955e8559dfbe1458d38aecf5d3f514d917c4660348294abf1b979adb60")
VECTOR_5 = digest("0x79a71fdaf5de4bf93c35212d960a7bfc2340baccf47d184295dd5b702c581516")
VECTOR_INNER_13 = digest("0x42ec8937bb8e426c06060d19235851bccb548982f3f495136c3273893ab3e62f")
VECTOR_INNER_45 = digest("0x5bad88d5c0a1a582939fa9146065b03a1cea4e9c45cce86954f28a6ace9b175f")
VECTOR_INNER_123 = digest("0x1f6cab0ed696fdf0873bd8928b5fcc5011733ad7548b67decf7724555fea389b")
VECTOR = [
    (VECTOR_1, (VECTOR_3, VECTOR_2, VECTOR_INNER_45)),
    (VECTOR_2, (VECTOR_INNER_13, VECTOR_INNER_45)),
    (VECTOR_3, (VECTOR_1, VECTOR_2, VECTOR_INNER_45)),
    (VECTOR_4, (VECTOR_5, VECTOR_INNER_123)),
    (VECTOR_5, (VECTOR_4, VECTOR_INNER_123)),
]


@pytest.mark.parametrize(("leaf", "proof"), VECTOR)
def test_proof_of_openzeppelin_is_accepted_when_its_leaf_is_ours(
    leaf: Digest, proof: tuple[Digest, ...]
) -> None:
    place = [known for known, _ in VECTOR].index(leaf) + 1
    values = [address("0x" + str(place) * 40), bytes.fromhex(str(place) * 64)]
    assert leaf_hash(["address", "bytes32"], values) == leaf
    verify(VECTOR_ROOT, leaf, proof)


def test_root_is_that_of_openzeppelin_when_the_leaves_are_in_its_order() -> None:
    # Its tree of five pairs 4 with 5, 1 with 3, and carries 2 up to them; ours carries the last.
    assert MerkleTree([VECTOR_1, VECTOR_3, VECTOR_2]).root == VECTOR_INNER_123
    tree = MerkleTree([VECTOR_1, VECTOR_3, VECTOR_4, VECTOR_5])
    assert tree.proof(0) == (VECTOR_3, VECTOR_INNER_45)


def test_root_is_the_published_one_when_leaves_are_those_of_the_readme() -> None:
    # Source: README of @openzeppelin/merkle-tree, "Building a Tree".
    rows = [("0x" + "1" * 40, 5 * 10**18), ("0x" + "2" * 40, 25 * 10**17)]
    tree = MerkleTree([leaf_hash(["address", "uint256"], row) for row in rows])
    root = "0xd4dee0beab2d53f2cc83e567171bd2820e49898130a22622b10ead383e90bd77"
    assert tree.root == digest(root)


@given(leaves)
def test_every_leaf_is_proven_when_it_is_in_the_tree(members: list[Digest]) -> None:
    tree = MerkleTree(members)
    for index, leaf in enumerate(members):
        verify(tree.root, leaf, tree.proof(index))


@given(leaves, digests)
def test_stranger_is_not_proven_with_anybody_s_proof(members: list[Digest], other: Digest) -> None:
    assume(other not in members)
    tree = MerkleTree(members)
    for index in range(len(members)):
        with pytest.raises(ProofMismatch, match=tree.root.hex()):
            verify(tree.root, other, tree.proof(index))


@given(leaves, st.data())
def test_proof_fails_when_one_bit_of_it_is_changed(
    members: list[Digest], data: st.DataObject
) -> None:
    tree = MerkleTree([*members, Digest(keccak(members[0]))])
    index = data.draw(st.integers(0, len(members)))
    proof = list(tree.proof(index))
    place = data.draw(st.integers(0, len(proof) * 256 - 1))
    changed = int.from_bytes(proof[place // 256]) ^ 1 << place % 256
    proof[place // 256] = Digest(changed.to_bytes(32))
    with pytest.raises(ProofMismatch):
        verify(tree.root, tree.leaves[index], proof)


def test_root_is_the_leaf_when_there_is_one() -> None:
    tree = MerkleTree([VECTOR_1])
    assert (tree.root, tree.proof(0)) == (VECTOR_1, ())


def test_odd_leaf_is_carried_up_when_a_level_is_uneven() -> None:
    tree = MerkleTree([VECTOR_1, VECTOR_3, VECTOR_2])
    assert tree.proof(2) == (VECTOR_INNER_13,)


def test_inner_node_is_no_leaf_when_leaves_are_hashed_from_values() -> None:
    inner = leaf_hash(["bytes32", "bytes32"], [VECTOR_1, VECTOR_3])
    with pytest.raises(ProofMismatch):
        verify(VECTOR_ROOT, inner, (VECTOR_2, VECTOR_INNER_45))


def test_tree_is_refused_when_it_has_no_leaf() -> None:
    with pytest.raises(InvalidInput, match="at least one leaf"):
        MerkleTree([])


@pytest.mark.parametrize("index", [-1, 3])
def test_proof_is_refused_when_there_is_no_such_leaf(index: int) -> None:
    with pytest.raises(InvalidInput, match=f"leaf {index} is not one of the 3"):
        MerkleTree([VECTOR_1, VECTOR_2, VECTOR_3]).proof(index)


def test_proof_is_refused_when_it_is_longer_than_any_tree() -> None:
    with pytest.raises(ProofMismatch, match="a proof of 65 steps"):
        verify(VECTOR_ROOT, VECTOR_1, [VECTOR_2] * (MAX_PROOF + 1))


def test_proof_is_refused_when_a_sibling_is_cut() -> None:
    with pytest.raises(InvalidIdentifier, match="not 32 bytes but 31"):
        verify(VECTOR_ROOT, VECTOR_1, [Digest(VECTOR_3[:31])])


def test_leaf_is_refused_when_a_value_does_not_fit_its_type() -> None:
    with pytest.raises(InvalidInput, match="does not fit its types uint8"):
        leaf_hash(["uint8"], [256])
