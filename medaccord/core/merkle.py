"""Merkle trees that the contracts' MerkleProof verifies.

Pairs are hashed in ascending order, so that a proof needs no directions. Leaves are hashed twice,
so that an inner node, which is hashed once, can never pass for a leaf.

Source: OpenZeppelin Contracts 5, utils/cryptography/MerkleProof.sol and Hashes.sol.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from eth_abi.abi import encode
from eth_abi.exceptions import EncodingError
from eth_utils.crypto import keccak

from medaccord.core.errors import InvalidInput, ProofMismatch
from medaccord.core.identifiers import Digest, digest

MAX_PROOF: Final = 64
"""Longest proof looked at: 2**64 leaves."""


def leaf_hash(types: Sequence[str], values: Sequence[Any]) -> Digest:
    """Hash a leaf: keccak256(keccak256(abi.encode(values))).

    Args:
        types: Solidity types, for example ``["address", "bytes32"]``.
        values: One value a type, as eth_abi takes them.

    Raises:
        InvalidInput: A value does not fit its type.
    """
    try:
        encoded = encode(list(types), list(values))
    except (EncodingError, ValueError) as error:
        raise InvalidInput(
            f"the leaf does not fit its types {', '.join(types)}: {error}"
        ) from error
    return Digest(keccak(keccak(encoded)))


@dataclass(frozen=True, slots=True)
class MerkleTree:
    """A tree over leaves in the order given; the odd one out of a level is carried up as it is.

    Attributes:
        leaves: At least one hash made by `leaf_hash`.
        root: The root; with one leaf, that leaf.

    Raises:
        InvalidInput: There is no leaf.
        InvalidIdentifier: A leaf has not 32 bytes.
    """

    leaves: tuple[Digest, ...]
    root: Digest = field(init=False)
    _levels: tuple[tuple[Digest, ...], ...] = field(init=False, repr=False, compare=False)

    def __init__(self, leaves: Sequence[Digest]) -> None:
        """Hash the tree, once."""
        if not leaves:
            raise InvalidInput("a Merkle tree needs at least one leaf")
        level = tuple(digest(leaf) for leaf in leaves)
        levels = [level]
        while len(level) > 1:
            pairs = [_pair(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
            level = (*pairs, level[-1]) if len(level) % 2 else tuple(pairs)
            levels.append(level)
        object.__setattr__(self, "leaves", levels[0])
        object.__setattr__(self, "root", level[0])
        object.__setattr__(self, "_levels", tuple(levels))

    def proof(self, index: int) -> tuple[Digest, ...]:
        """The siblings of a leaf from the bottom up, as MerkleProof takes them.

        Args:
            index: The leaf's place, from 0.

        Raises:
            InvalidInput: There is no such leaf.
        """
        if not 0 <= index < len(self.leaves):
            raise InvalidInput(f"leaf {index} is not one of the {len(self.leaves)}, from 0")
        siblings = []
        for level in self._levels[:-1]:
            if (beside := index ^ 1) < len(level):
                siblings.append(level[beside])
            index //= 2
        return tuple(siblings)


def verify(root: Digest, leaf: Digest, proof: Sequence[Digest]) -> None:
    """Check that a leaf is under a root.

    Warning: ``leaf`` must have been made by `leaf_hash` from values the caller knows. A bare hash
    that somebody else hands in may be an inner node, which is under the root as well.

    Raises:
        ProofMismatch: It is not, or the proof is longer than `MAX_PROOF`.
        InvalidIdentifier: A hash has not 32 bytes.
    """
    if root_over(leaf, proof) != root:
        raise ProofMismatch(f"the leaf is not under the root 0x{root.hex()}")


def root_over(leaf: Digest, proof: Sequence[Digest]) -> Digest:
    """The only root that a leaf is under by this proof; the warning of `verify` holds here too.

    Raises:
        ProofMismatch: The proof is longer than `MAX_PROOF`.
        InvalidIdentifier: A hash has not 32 bytes.
    """
    if len(proof) > MAX_PROOF:
        raise ProofMismatch(f"a proof of {len(proof)} steps is longer than any tree")
    node = digest(leaf)
    for sibling in proof:
        node = _pair(node, digest(sibling))
    return node


def _pair(a: Digest, b: Digest) -> Digest:
    return Digest(keccak(a + b if a < b else b + a))
