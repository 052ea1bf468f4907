"""Motions of the consortium: making, approving, withdrawing and executing them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak

from tests.contracts.action import Action
from tests.contracts.deployed import Deployed
from tests.contracts.evm import Receipt
from tests.contracts.keys import Key
from tests.contracts.periods import FOREVER
from tests.contracts.registry_actions import RegistryActions

NOBODY = "0x" + "00" * 20
NONE = bytes(32)


class Kind(IntEnum):
    ADMIT = 0
    SUSPEND = 1
    REINSTATE = 2
    SET_ROLES = 3


class Vote(IntEnum):
    NONE = 0
    APPROVED = 1
    WITHDRAWN = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Motion:
    """A motion, with its fields in the order of the contract's struct."""

    kind: Kind
    account: str
    roles: int = 0
    key: bytes = NONE
    profile: bytes = NONE
    nonce: int = 0
    deadline: int = FOREVER

    def fields(self) -> dict[str, int | str | bytes]:
        return {
            "kind": int(self.kind),
            "account": self.account,
            "roles": self.roles,
            "key": self.key,
            "profile": self.profile,
            "nonce": self.nonce,
            "deadline": self.deadline,
        }

    def encoded(self) -> tuple[int | str | bytes, ...]:
        return tuple(self.fields().values())


def encryption_key(account: Key) -> bytes:
    """Stands for an organisation's X25519 key."""
    return keccak(text=f"key of {account.address}")


def profile_hash(account: Key) -> bytes:
    """Stands for the hash of an organisation's profile."""
    return keccak(text=f"profile of {account.address}")


@dataclass(frozen=True, slots=True)
class ConsortiumActions:
    """Makes the members' actions; executes motions."""

    consortium: Deployed
    registry_actions: RegistryActions
    relayer: LocalAccount

    def motion_id(self, motion: Motion) -> bytes:
        answer: bytes = self.consortium.call("motionId", motion.encoded())
        return answer

    def admission(self, account: Key, roles: int, *, nonce: int = 0) -> Motion:
        return Motion(
            kind=Kind.ADMIT,
            account=account.address,
            roles=roles,
            key=encryption_key(account),
            profile=profile_hash(account),
            nonce=nonce,
        )

    def approval(self, motion: Motion, member: Key, *, by: Key | None = None) -> Action:
        by = by or member
        return Action(
            contract=self.consortium,
            function="approve",
            arguments=(motion.encoded(), member.address, by.address),
            struct="Approval",
            message={"member": member.address, **motion.fields()},
            by=by,
            relayer=self.relayer,
        )

    def withdrawal(self, motion_id: bytes, member: Key, *, by: Key | None = None) -> Action:
        by = by or member
        return Action(
            contract=self.consortium,
            function="withdraw",
            arguments=(motion_id, member.address, by.address),
            struct="Withdrawal",
            message={"member": member.address, "motionId": motion_id},
            by=by,
            relayer=self.relayer,
        )

    def publication_of(self, motion: Motion, account: Key, *, by: Key | None = None) -> bytes:
        """The organisation's word that it wants to be admitted by this motion."""
        return self.registry_actions.publication(
            account, motion.key, motion.profile, by=by, nonce=0, deadline=motion.deadline
        ).signature()

    def execute(
        self,
        motion: Motion,
        approvers: Sequence[Key],
        *,
        by: str = NOBODY,
        signature: bytes = b"",
        at: int | None = None,
    ) -> Receipt:
        """Have the relayer execute it, with the approvers in the order given."""
        addresses = [approver.address for approver in approvers]
        return self.consortium.send(
            self.relayer, "execute", motion.encoded(), addresses, by, signature, at=at
        )

    def carry(
        self, motion: Motion, members: Sequence[Key], *, newcomer: Key | None = None
    ) -> Receipt:
        """Have all these members approve by signature, and execute."""
        members = sorted(members, key=lambda member: int(member.address, 16))
        for member in members:
            self.approval(motion, member).relay()
        if newcomer is None:
            return self.execute(motion, members)
        signature = self.publication_of(motion, newcomer)
        return self.execute(motion, members, by=newcomer.address, signature=signature)

    def admit(self, account: Key, roles: int, *, members: Sequence[Key]) -> Receipt:
        """Have all these members admit an organisation."""
        return self.carry(self.admission(account, roles), members, newcomer=account)

    def suspend(self, account: Key, *, members: Sequence[Key]) -> Receipt:
        """Have all these members suspend an organisation."""
        return self._decide(Kind.SUSPEND, account, members)

    def reinstate(self, account: Key, *, members: Sequence[Key]) -> Receipt:
        """Have all these members reinstate an organisation."""
        return self._decide(Kind.REINSTATE, account, members)

    def set_roles(self, account: Key, roles: int, *, members: Sequence[Key]) -> Receipt:
        """Have all these members set an organisation's roles."""
        return self._decide(Kind.SET_ROLES, account, members, roles)

    def _decide(self, kind: Kind, account: Key, members: Sequence[Key], roles: int = 0) -> Receipt:
        block = self.consortium.evm.now  # makes the motion new each time
        motion = Motion(kind=kind, account=account.address, roles=roles, nonce=block)
        return self.carry(motion, members)
