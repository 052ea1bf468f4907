"""Guardians of an account, hidden in a commitment, and what they sign."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eth_abi.abi import encode
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak

from tests.contracts.deployed import Deployed
from tests.contracts.evm import Receipt
from tests.contracts.keys import Key
from tests.contracts.periods import FOREVER


def salt_of(guardian: str) -> bytes:
    return keccak(text=f"salt of {guardian}")


def leaf_of(guardian: str, salt: bytes) -> bytes:
    return keccak(keccak(encode(["address", "bytes32"], [guardian, salt])))


def pair(left: bytes, right: bytes) -> bytes:
    return keccak(min(left, right) + max(left, right))


@dataclass(frozen=True, slots=True)
class GuardianCircle:
    """The guardians of an account and how many of them it takes.

    Attributes:
        registry: where the account is.
        guardians: at least one.
        threshold: how many must approve.
    """

    registry: Deployed
    guardians: tuple[str, ...]
    threshold: int

    @property
    def root(self) -> bytes:
        return self._levels()[-1][0]

    @property
    def commitment(self) -> bytes:
        return keccak(encode(["bytes32", "uint8"], [self.root, self.threshold]))

    def proof(self, guardian: str) -> list[bytes]:
        """The siblings from the guardian's leaf to the root; none for one who is no guardian."""
        if guardian not in self.guardians:
            return []
        position = self.guardians.index(guardian)
        siblings = []
        for level in self._levels()[:-1]:
            if (position ^ 1) < len(level):
                siblings.append(level[position ^ 1])
            position //= 2
        return siblings

    def _levels(self) -> list[list[bytes]]:
        levels = [[leaf_of(guardian, salt_of(guardian)) for guardian in self.guardians]]
        while len(levels[-1]) > 1:
            below = levels[-1]
            levels.append(
                [
                    pair(*below[i : i + 2]) if i + 1 < len(below) else below[i]
                    for i in range(0, len(below), 2)
                ]
            )
        return levels

    def word(self, guardian: str, signature: bytes) -> tuple[Any, ...]:
        """A `GuardianApproval`, with the salt and the proof of that guardian."""
        return (guardian, salt_of(guardian), self.proof(guardian), signature)

    def approval(
        self,
        guardian: Key,
        account: str,
        new_controller: str,
        *,
        nonce: int = 0,
        deadline: int = FOREVER,
    ) -> tuple[Any, ...]:
        """The guardian's signed word for a recovery."""
        message = {
            "account": account,
            "guardian": guardian.address,
            "newController": new_controller,
            "nonce": nonce,
            "deadline": deadline,
        }
        signature = self.registry.sign(guardian, "RecoveryApproval", message)
        return self.word(guardian.address, signature)

    def start(
        self,
        sender: LocalAccount,
        account: str,
        new_controller: str,
        by: Sequence[Key],
        *,
        nonce: int = 0,
        deadline: int = FOREVER,
        at: int | None = None,
    ) -> Receipt:
        """Start a recovery that these guardians sign, in the order given."""
        approvals = [
            self.approval(guardian, account, new_controller, nonce=nonce, deadline=deadline)
            for guardian in by
        ]
        recovery = (account, new_controller, nonce, deadline)
        return self.send_start(sender, recovery, approvals, at=at)

    def send_start(
        self,
        sender: LocalAccount,
        recovery: tuple[str, str, int, int],
        approvals: Sequence[tuple[Any, ...]],
        *,
        at: int | None = None,
    ) -> Receipt:
        """Start a recovery with these very approvals."""
        return self.registry.send(
            sender, "startRecovery", recovery, self.root, self.threshold, list(approvals), at=at
        )

    def cancellation(self, signer: Key, account: str, *, nonce: int = 0) -> bytes:
        """The signature of the controller or of a guardian against a recovery."""
        message = {"account": account, "signer": signer.address, "nonce": nonce}
        return self.registry.sign(signer, "Cancellation", message)

    def cancel(
        self,
        sender: LocalAccount,
        account: str,
        by: Key,
        guardian: Key,
        *,
        nonce: int = 0,
        at: int | None = None,
    ) -> Receipt:
        """Cancel a recovery that both sign against."""
        word = self.word(guardian.address, self.cancellation(guardian, account, nonce=nonce))
        signature = self.cancellation(by, account, nonce=nonce)
        return self.send_cancel(sender, account, by.address, word, signature, nonce=nonce, at=at)

    def send_cancel(
        self,
        sender: LocalAccount,
        account: str,
        by: str,
        word: tuple[Any, ...],
        signature: bytes,
        *,
        nonce: int = 0,
        at: int | None = None,
    ) -> Receipt:
        """Cancel a recovery with this very word and signature."""
        return self.registry.send(
            sender,
            "cancelRecovery",
            account,
            by,
            nonce,
            self.root,
            self.threshold,
            word,
            signature,
            at=at,
        )
