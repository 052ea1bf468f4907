"""A map under one root in which no key can have two values.

A key's bits, highest first, say where its leaf must lie: 0 left, 1 right, down to where it is
alone. A proof walks that way, so whoever shows two values for one key shows a hash collision. A
subtree without leaves is 32 zero bytes, a subtree with one leaf is that leaf; proofs are as long as
the logarithm of the number of keys, and the root depends on nothing but keys and values.

Source: Dahlberg, Pulls, Peeters 2016, "Efficient Sparse Merkle Trees"; RFC 6962 section 2.1 for
the prefixes that keep leaves and nodes apart.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from eth_utils.crypto import keccak

from medaccord.core.errors import InvalidInput, ProofMismatch
from medaccord.core.identifiers import ZERO_DIGEST, Digest, digest

EMPTY: Final = ZERO_DIGEST
"""Root of a map without keys."""

_BITS: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """Proof that a key has no value.

    Attributes:
        siblings: From the root down to the place where the key would be.
        neighbour: Key and value of the only leaf there; None where there is none.
    """

    siblings: tuple[Digest, ...]
    neighbour: tuple[Digest, Digest] | None


class SparseMap:
    """The map itself, with all its keys, as whoever publishes the root holds it."""

    __slots__ = ("_items", "_keys", "_nodes", "root")

    root: Digest
    """The root; `EMPTY` without keys."""

    def __init__(self, items: Mapping[Digest, Digest]) -> None:
        """Hash the map, once.

        Args:
            items: Values by key, 32 bytes each. Keys are meant to be pseudo-random.

        Raises:
            InvalidIdentifier: A key or a value has not 32 bytes.
        """
        self._items = {digest(key): digest(value) for key, value in items.items()}
        self._keys = sorted(self._items)
        self._nodes: dict[tuple[int, int, int], Digest] = {}
        self.root = self._hash(0, len(self._keys), 0)

    def proof(self, key: Digest) -> tuple[Digest, ...]:
        """The siblings of a key's leaf, from the root down.

        Raises:
            InvalidInput: The map has no such key; prove that with `absence`.
        """
        if key not in self._items:
            raise InvalidInput(f"the map has no key 0x{key.hex()}")
        return self._walk(key)[0]

    def absence(self, key: Digest) -> Absence:
        """The proof that a key has no value here.

        Raises:
            InvalidInput: It has one.
            InvalidIdentifier: The key has not 32 bytes.
        """
        if digest(key) in self._items:
            raise InvalidInput(f"the map has the key 0x{key.hex()}")
        siblings, other = self._walk(key)
        neighbour = None if other is None else (other, self._items[other])
        return Absence(siblings=siblings, neighbour=neighbour)

    def _walk(self, key: Digest) -> tuple[tuple[Digest, ...], Digest | None]:
        low, high, depth = 0, len(self._keys), 0
        siblings = []
        while high - low > 1:
            middle = self._split(low, high, depth)
            if _bit(key, depth):
                siblings.append(self._hash(low, middle, depth + 1))
                low = middle
            else:
                siblings.append(self._hash(middle, high, depth + 1))
                high = middle
            depth += 1
        return tuple(siblings), self._keys[low] if high > low else None

    def _hash(self, low: int, high: int, depth: int) -> Digest:
        if low == high:
            return EMPTY
        if high - low == 1:
            return _leaf(self._keys[low], self._items[self._keys[low]])
        place = (low, high, depth)
        if place not in self._nodes:
            middle = self._split(low, high, depth)
            left = self._hash(low, middle, depth + 1)
            self._nodes[place] = _node(left, self._hash(middle, high, depth + 1))
        return self._nodes[place]

    def _split(self, low: int, high: int, depth: int) -> int:
        """Place of the first key from ``low`` on whose bit at this depth is 1, by bisection."""
        while low < high:
            middle = (low + high) // 2
            if _bit(self._keys[middle], depth):
                high = middle
            else:
                low = middle + 1
        return low


def verify_entry(root: Digest, key: Digest, value: Digest, siblings: Sequence[Digest]) -> None:
    """Check that a key has this value, and therefore no other, under a root.

    Args:
        root: The root of the map.
        key: The key.
        value: Its value.
        siblings: As `SparseMap.proof` gives them.

    Raises:
        ProofMismatch: It has not, or the proof is not in the one form it may have.
        InvalidIdentifier: A part has not 32 bytes.
    """
    _climb(root, digest(key), _leaf(digest(key), digest(value)), siblings)


def verify_absence(root: Digest, key: Digest, absence: Absence) -> None:
    """Check that a key has no value under a root.

    Raises:
        ProofMismatch: That is not proven, or not in the one form a proof may have.
        InvalidIdentifier: A part has not 32 bytes.
    """
    end, key = EMPTY, digest(key)
    if absence.neighbour is not None:
        other, value = digest(absence.neighbour[0]), digest(absence.neighbour[1])
        depth = len(absence.siblings)
        if other == key:
            raise ProofMismatch("the proof of absence shows the very key")
        if depth > _BITS or any(_bit(other, i) != _bit(key, i) for i in range(depth)):
            raise ProofMismatch("the proof of absence shows a leaf that lies elsewhere")
        end = _leaf(other, value)
    _climb(root, key, end, absence.siblings)


def _climb(root: Digest, key: Digest, end: Digest, siblings: Sequence[Digest]) -> None:
    if len(siblings) > _BITS:
        raise ProofMismatch(f"a proof of {len(siblings)} steps is deeper than a key has bits")
    if siblings and siblings[-1] == EMPTY:
        raise ProofMismatch("the last sibling is empty: the place asked for would lie higher up")
    node = end
    for depth in range(len(siblings) - 1, -1, -1):
        sibling = digest(siblings[depth])
        node = _node(sibling, node) if _bit(key, depth) else _node(node, sibling)
    if node != root:
        raise ProofMismatch(f"the key 0x{key.hex()} is not so under the root 0x{root.hex()}")


def _bit(key: Digest, depth: int) -> int:
    return key[depth >> 3] >> (7 - (depth & 7)) & 1


def _leaf(key: Digest, value: Digest) -> Digest:
    return Digest(keccak(b"\x04" + key + value))


def _node(left: Digest, right: Digest) -> Digest:
    return Digest(keccak(b"\x01" + left + right))
