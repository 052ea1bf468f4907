"""Votes of the members on organisations; see IConsortium."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from types import MappingProxyType
from typing import Any, Final

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from medaccord.chain.actions.action import Action, SignedAction, act
from medaccord.chain.actions.consents import NOBODY
from medaccord.chain.actions.invocation import Invocation
from medaccord.chain.deployment import Contracts
from medaccord.chain.powers import Role
from medaccord.chain.values import seconds
from medaccord.core.errors import InvalidInput
from medaccord.core.identifiers import ZERO_DIGEST, Address, Digest, digest

_NO_ROLES: Final = Role(0)


class Kind(IntEnum):
    """What a motion would do."""

    ADMIT = 0
    SUSPEND = 1
    REINSTATE = 2
    SET_ROLES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Motion:
    """Something that the members vote on.

    Attributes:
        kind: what it would do.
        account: to which organisation.
        roles: the roles it is admitted with, or is to have.
        key: to admit, its X25519 public key, as it signs it.
        profile: to admit, hash of its public profile, as it signs it.
        nonce: tells two motions of one content apart, such as a second suspension.
        deadline: last second to approve or execute it.
    """

    kind: Kind
    account: Address
    roles: Role = _NO_ROLES
    key: Digest = ZERO_DIGEST
    profile: Digest = ZERO_DIGEST
    nonce: int = 0
    deadline: datetime

    def fields(self) -> dict[str, Any]:
        """The motion as the contract has it."""
        return {
            "kind": int(self.kind),
            "account": self.account,
            "roles": int(self.roles),
            "key": self.key,
            "profile": self.profile,
            "nonce": self.nonce,
            "deadline": seconds(self.deadline),
        }

    @property
    def id(self) -> Digest:
        """Its id: the hash of all it says."""
        kinds = ["uint8", "address", "uint32", "bytes32", "bytes32", "uint256", "uint40"]
        return digest(keccak(encode(kinds, list(self.fields().values()))))


def approve(
    contracts: Contracts, *, motion: Motion, member: Address, by: Address | None = None
) -> Action:
    """Approve a motion for a member.

    Args:
        contracts: where.
        motion: what is approved.
        member: the organisation that votes.
        by: the key that acts; the member itself unless given.
    """
    return act(contracts, "approve", by, member=member, **motion.fields())


def withdraw(
    contracts: Contracts, *, motion_id: Digest, member: Address, by: Address | None = None
) -> Action:
    """Withdraw a member's approval of a motion for good, also before it arrives.

    Args:
        contracts: where.
        motion_id: which motion.
        member: the organisation that votes.
        by: the key that acts; the member itself unless given.
    """
    return act(contracts, "withdraw", by, motionId=motion_id, member=member)


def execute(
    contracts: Contracts,
    *,
    motion: Motion,
    approvers: Iterable[Address],
    publication: SignedAction | None = None,
) -> Invocation:
    """Carry out a motion that a strict majority of the active members approved. Anybody may.

    Args:
        contracts: where.
        motion: what to do.
        approvers: who approved it.
        publication: to admit, what the organisation signed by `publish`, with the deadline of the
            motion; else nothing.

    Raises:
        InvalidInput: the publication is missing, superfluous, or does not fit the motion.
    """
    _check_publication(motion, publication)
    return Invocation(
        contract="Consortium",
        at=contracts.account_id(contracts.address("Consortium")),
        function="execute",
        arguments=MappingProxyType(
            {
                "motion": motion.fields(),
                "approvers": tuple(sorted(approvers, key=lambda each: int(each, 16))),
                "by": publication.action.by if publication else NOBODY,
                "signature": publication.signature if publication else b"",
            }
        ),
    )


def _check_publication(motion: Motion, publication: SignedAction | None) -> None:
    if motion.kind is not Kind.ADMIT:
        if publication is not None:
            raise InvalidInput("only a motion to admit carries a publication")
        return
    if publication is None or publication.action.function != "publish":
        raise InvalidInput("to be admitted, the organisation signs its publication")
    told, published = motion.fields(), publication.action.typed.message
    for name in ("account", "key", "profile", "deadline"):
        if told[name] != published[name]:
            raise InvalidInput(f"the {name} of the publication is not that of the motion")
