"""The guardians of an account, hidden in one commitment until they are needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from medaccord.core.errors import InvalidInput
from medaccord.core.identifiers import Address, Digest, digest
from medaccord.core.merkle import MerkleTree, leaf_hash, verify


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardianApproval:
    """What one guardian adds to a recovery, or to stopping it.

    Attributes:
        guardian: who.
        salt: of the guardian in the circle, 32 bytes.
        proof: that the guardian is in the circle.
        signature: of the guardian; empty where the guardian sends the transaction.
    """

    guardian: Address
    salt: Digest
    proof: tuple[Digest, ...]
    signature: bytes

    def fields(self) -> dict[str, Any]:
        """The approval as the contract has it."""
        return {
            "guardian": self.guardian,
            "salt": self.salt,
            "proof": self.proof,
            "signature": self.signature,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class RevealedCircle:
    """What a recovery reveals of a circle, and its guardians are told: not who they are.

    Attributes:
        root: of the tree of guardians.
        threshold: how many of them it takes, from 1 to 255.
    """

    root: Digest
    threshold: int

    @property
    def commitment(self) -> Digest:
        """What the account names on the chain."""
        return digest(keccak(encode(["bytes32", "uint8"], [self.root, self.threshold])))


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardianPlace:
    """The place of one guardian in a circle, which that guardian can prove without the others.

    Attributes:
        guardian: who.
        salt: of the guardian, 32 bytes.
        proof: the siblings from its leaf to the root.
        circle: the circle it is in.
    """

    guardian: Address
    salt: Digest
    proof: tuple[Digest, ...]
    circle: RevealedCircle

    def check(self) -> None:
        """Check that the guardian is in the circle.

        Raises:
            ProofMismatch: it is not.
        """
        verify(self.circle.root, _leaf(self.guardian, self.salt), self.proof)

    def approval(self, signature: bytes = b"") -> GuardianApproval:
        """Prove that the guardian is one, beside what it signed.

        Args:
            signature: of the guardian; empty where the guardian sends the transaction.
        """
        return GuardianApproval(
            guardian=self.guardian, salt=self.salt, proof=self.proof, signature=signature
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardianCircle:
    """Guardians and how many of them it takes. Keep it: the chain knows its commitment alone.

    Warning: the account's own key must not be among them, or its thief is a guardian too.

    Attributes:
        salts: a fresh random salt, 32 bytes, for every guardian.
        threshold: how many it takes, from 1 to all of them, at most 255.

    Source: OpenZeppelin MerkleProof, for the form of the tree.
    """

    salts: Mapping[Address, Digest] = field(repr=False)
    threshold: int

    def __post_init__(self) -> None:
        """Refuse a circle that could never act, or would act on its own.

        Raises:
            InvalidInput: the threshold is outside its range.
        """
        if not 1 <= self.threshold <= min(len(self.salts), 255):
            raise InvalidInput(
                f"{self.threshold} of {len(self.salts)} guardians: it takes at least one, at most "
                "all of them, and never more than 255"
            )

    @property
    def root(self) -> Digest:
        """Root of the tree of guardians."""
        return self._tree().root

    @property
    def revealed(self) -> RevealedCircle:
        """What a recovery reveals of it."""
        return RevealedCircle(root=self.root, threshold=self.threshold)

    @property
    def commitment(self) -> Digest:
        """What the account names on the chain."""
        return self.revealed.commitment

    def place(self, guardian: Address) -> GuardianPlace:
        """The place of somebody.

        Raises:
            InvalidInput: nobody of the circle.
        """
        if guardian not in self.salts:
            raise InvalidInput(f"{guardian} is no guardian")
        return GuardianPlace(
            guardian=guardian,
            salt=self.salts[guardian],
            proof=self._tree().proof(sorted(self.salts).index(guardian)),
            circle=self.revealed,
        )

    def approval(self, guardian: Address, signature: bytes = b"") -> GuardianApproval:
        """Prove that somebody is a guardian, beside what they signed.

        Args:
            guardian: who.
            signature: of the guardian; empty where the guardian sends the transaction.

        Raises:
            InvalidInput: nobody of the circle.
        """
        return self.place(guardian).approval(signature)

    def _tree(self) -> MerkleTree:
        return MerkleTree([_leaf(*member) for member in sorted(self.salts.items())])


def _leaf(guardian: Address, salt: Digest) -> Digest:
    return leaf_hash(["address", "bytes32"], [guardian, salt])
