"""What members do together: admit, suspend and reinstate organisations, and change their roles."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from medaccord.chain import actions
from medaccord.chain.actions import Kind, Motion, SignedAction
from medaccord.chain.deployment import Contracts
from medaccord.chain.powers import Role
from medaccord.chain.sender import Receipt, Sender
from medaccord.core.identifiers import ZERO_DIGEST, Address, Digest
from medaccord.keys.signer import Signer

_LIFE: Final = timedelta(days=7)
_NO_ROLES: Final = Role(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """An organisation's own wish to be admitted, which it signs.

    Attributes:
        publication: Its key and profile, signed by its controller until the deadline.
        deadline: Last second of the motion that admits it.
    """

    publication: SignedAction
    deadline: datetime

    @classmethod
    def sign(
        cls,
        contracts: Contracts,
        signer: Signer,
        *,
        key: Digest,
        profile: Digest,
        account: Address | None = None,
        deadline: datetime | None = None,
    ) -> Admission:
        """Sign the wish.

        Args:
            contracts: Where.
            signer: The organisation's controller.
            key: Its X25519 public key, not zero.
            profile: Hash of its public profile.
            account: The organisation; the signer's own account unless given.
            deadline: Until when the members may admit it; a week unless given.
        """
        until = deadline or contracts.network.clock() + _LIFE
        action = actions.publish(
            contracts,
            account=account or signer.address,
            key=key,
            profile=profile,
            by=signer.address,
            deadline=until,
        )
        return cls(publication=actions.signed(action, signer), deadline=until)


class Consortium:
    """One member's seat in the consortium."""

    def __init__(
        self,
        signer: Signer,
        contracts: Contracts,
        sender: Sender,
        *,
        account: Address | None = None,
    ) -> None:
        """Take the seat.

        Args:
            signer: The member's controller, or a delegate with the power GOVERN.
            contracts: From `medaccord.chain.connect`.
            sender: Pays for the transactions; any key.
            account: The member; the signer's own account unless given.
        """
        self.account = account or signer.address
        self._signer = signer
        self._contracts = contracts
        self._sender = sender

    def admission(self, admission: Admission, roles: Role) -> Motion:
        """The motion to admit an organisation as it wished, with these roles."""
        message = admission.publication.action.typed.message
        return self._motion(
            Kind.ADMIT,
            admission.publication.action.account,
            roles=roles,
            key=Digest(bytes(message["key"])),  # type: ignore[arg-type]  # a bytes32
            profile=Digest(bytes(message["profile"])),  # type: ignore[arg-type]  # a bytes32
            deadline=admission.deadline,
        )

    def suspension(self, account: Address) -> Motion:
        """The motion to suspend an organisation: it reads nothing more, and goes on logging."""
        return self._motion(Kind.SUSPEND, account)

    def reinstatement(self, account: Address) -> Motion:
        """The motion to reinstate a suspended organisation."""
        return self._motion(Kind.REINSTATE, account)

    def change_of_roles(self, account: Address, roles: Role) -> Motion:
        """The motion to give an organisation these roles and no others."""
        return self._motion(Kind.SET_ROLES, account, roles=roles)

    def approve(self, motion: Motion) -> Receipt:
        """Approve a motion for this member.

        Raises:
            ContractReverted: No active member, voted already, executed, or too late.
            TransportError: The node does not answer.
        """
        action = actions.approve(
            self._contracts, motion=motion, member=self.account, by=self._signer.address
        )
        return actions.submit(self._sender, actions.signed(action, self._signer))

    def withdraw(self, motion: Motion) -> Receipt:
        """Withdraw this member's approval for good, given or not. Errors as `approve`."""
        action = actions.withdraw(
            self._contracts, motion_id=motion.id, member=self.account, by=self._signer.address
        )
        return actions.submit(self._sender, actions.signed(action, self._signer))

    def execute(
        self, motion: Motion, approvers: Iterable[Address], admission: Admission | None = None
    ) -> Receipt:
        """Carry out a motion that a strict majority of the active members approved.

        Args:
            motion: What to do.
            approvers: Who approved it.
            admission: To admit, the wish of the organisation.

        Raises:
            InvalidInput: The admission is missing, superfluous, or does not fit the motion.
            ContractReverted: No majority, somebody did not approve, executed, or too late.
            TransportError: The node does not answer.
        """
        invocation = actions.execute(
            self._contracts,
            motion=motion,
            approvers=approvers,
            publication=admission.publication if admission else None,
        )
        return actions.submit(self._sender, invocation)

    def _motion(
        self,
        kind: Kind,
        account: Address,
        *,
        roles: Role = _NO_ROLES,
        key: Digest = ZERO_DIGEST,
        profile: Digest = ZERO_DIGEST,
        deadline: datetime | None = None,
    ) -> Motion:
        return Motion(
            kind=kind,
            account=account,
            roles=roles,
            key=key,
            profile=profile,
            nonce=secrets.randbits(64),
            deadline=deadline or self._contracts.network.clock() + _LIFE,
        )
