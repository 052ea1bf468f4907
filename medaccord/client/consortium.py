"""What members do together: admit, suspend and reinstate organisations, and change their roles."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from medaccord.chain import actions, events
from medaccord.chain.actions import Action, Kind, Motion, SignedAction
from medaccord.chain.deployment import Contracts
from medaccord.chain.powers import Role
from medaccord.chain.sender import Sender
from medaccord.chain.values import moment
from medaccord.client.action_receipts import ActionReceipt
from medaccord.client.history import events_about
from medaccord.client.organisations import Organisation, organisations
from medaccord.client.relay import send
from medaccord.core.errors import InvalidInput
from medaccord.core.identifiers import ZERO_DIGEST, Address, Digest, digest
from medaccord.keys.signer import Signer

_LIFE: Final = timedelta(days=7)
_NO_ROLES: Final = Role(0)
_APPROVED: Final = 1
"""Vote of the contract."""


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
    """One member's seat in the consortium; whoever has none can look, and propose."""

    def __init__(
        self,
        signer: Signer,
        contracts: Contracts,
        sender: Sender | None = None,
        *,
        account: Address | None = None,
    ) -> None:
        """Take the seat.

        Args:
            signer: The member's controller, or a delegate with the power GOVERN.
            contracts: From `medaccord.connect`.
            sender: Pays for the transactions; the signer's own key unless given.
            account: The member; the signer's own account unless given.
        """
        self.account = account or signer.address
        self._signer = signer
        self._contracts = contracts
        self._sender = sender or Sender(contracts.network, signer)

    def propose(
        self,
        kind: Kind,
        account: Address | None = None,
        *,
        roles: Role = _NO_ROLES,
        admission: Admission | None = None,
        deadline: datetime | None = None,
    ) -> Motion:
        """Make a motion. Nothing is sent: it is there once the first member approves it.

        Args:
            kind: ADMIT, SUSPEND, REINSTATE or SET_ROLES.
            account: Which organisation; to admit one, that of the admission.
            roles: To admit, its roles; to set them, these and no others.
            admission: To admit, the organisation's own wish, and the deadline with it.
            deadline: Last second to approve or execute it; a week unless given.

        Raises:
            InvalidInput: An admission, an account or roles are missing, or do not belong to it.
        """
        if (kind is Kind.ADMIT) != (admission is not None):
            raise InvalidInput("to admit takes an admission that the organisation signed")
        if bool(roles) and kind not in (Kind.ADMIT, Kind.SET_ROLES):
            raise InvalidInput(f"a motion to {kind.name} names no roles")
        key, profile, until = ZERO_DIGEST, ZERO_DIGEST, deadline
        if admission is not None:
            wished = admission.publication.action
            if account not in (None, wished.account):
                raise InvalidInput(f"this is the admission of {wished.account}, not of {account}")
            account, until = wished.account, admission.deadline
            key, profile = _digest_in(wished, "key"), _digest_in(wished, "profile")
        if account is None:
            raise InvalidInput(f"a motion to {kind.name} names an organisation")
        return Motion(
            kind=kind,
            account=account,
            roles=roles,
            key=key,
            profile=profile,
            nonce=secrets.randbits(64),
            deadline=until or self._contracts.network.clock() + _LIFE,
        )

    def approve(self, motion: Motion, *, wait: bool = True) -> ActionReceipt:
        """Approve a motion for this member.

        Args:
            motion: Made by `propose`, or found by `motions`.
            wait: Whether to wait until it is mined.

        Raises:
            ContractReverted: No active member, voted already, executed, or too late.
            TransportError: The node does not answer, or it was not mined in time.
        """
        action = actions.approve(
            self._contracts, motion=motion, member=self.account, by=self._signer.address
        )
        return self._send(action, wait)

    def withdraw(self, motion: Motion, *, wait: bool = True) -> ActionReceipt:
        """Withdraw this member's approval for good, given or not. As `approve`."""
        action = actions.withdraw(
            self._contracts, motion_id=motion.id, member=self.account, by=self._signer.address
        )
        return self._send(action, wait)

    def execute(
        self,
        motion: Motion,
        approvers: Iterable[Address] | None = None,
        *,
        admission: Admission | None = None,
        wait: bool = True,
    ) -> ActionReceipt:
        """Carry out a motion that a strict majority of the active members approved.

        Args:
            motion: What to do.
            approvers: Who approved it; read from the chain unless given.
            admission: To admit, the wish of the organisation.
            wait: Whether to wait until it is mined.

        Raises:
            InvalidInput: The admission is missing, superfluous, or does not fit the motion.
            ContractReverted: No majority, somebody did not approve, executed, or too late.
            TransportError: The node does not answer, or it was not mined in time.
        """
        invocation = actions.execute(
            self._contracts,
            motion=motion,
            approvers=self.approvers(motion) if approvers is None else approvers,
            publication=admission.publication if admission else None,
        )
        return send(self._sender, invocation, id=motion.id, wait=wait)

    def motions(self) -> tuple[Motion, ...]:
        """Motions that somebody approved and that can still be carried out, in that order.

        Raises:
            TransportError: The node does not answer.
        """
        network = self._contracts.network
        voted = events_about(self._contracts, None, events.MotionApproved)
        found = {event.motion_id: _motion(event) for event in voted}
        return tuple(
            motion
            for motion_id, motion in found.items()
            if motion.deadline >= network.clock()
            and not self._contracts.call("Consortium", "isExecuted", motion_id)
        )

    def approvers(self, motion: Motion) -> tuple[Address, ...]:
        """The members whose approval of a motion stands on the chain.

        Raises:
            TransportError: The node does not answer.
        """
        voted = events_about(self._contracts, None, events.MotionApproved)
        members = dict.fromkeys(event.member for event in voted if event.motion_id == motion.id)
        return tuple(
            member
            for member in members
            if self._contracts.call("Consortium", "voteOf", motion.id, member) == _APPROVED
        )

    def has_majority(self, motion: Motion) -> bool:
        """Whether those who approved are enough by the members that are active now.

        Raises:
            TransportError: The node does not answer.
        """
        active = [
            member
            for member in self.approvers(motion)
            if self._contracts.call("Registry", "hasRole", member, Role.MEMBER)
        ]
        return 2 * len(active) > int(self._contracts.call("Registry", "activeMembers"))

    def organisations(self) -> tuple[Organisation, ...]:
        """Every organisation that was ever admitted, in that order, as it stands now.

        Raises:
            TransportError: The node does not answer.
        """
        return organisations(self._contracts)

    def _send(self, action: Action, wait: bool) -> ActionReceipt:
        signed = actions.signed(action, self._signer)
        return send(self._sender, signed, id=action.digest, wait=wait)


def _motion(event: events.MotionApproved) -> Motion:
    return Motion(
        kind=Kind(event.kind),
        account=event.account,
        roles=Role(event.roles),
        key=event.key,
        profile=event.profile,
        nonce=event.nonce,
        deadline=moment(event.deadline),
    )


def _digest_in(action: Action, name: str) -> Digest:
    """A bytes32 of what was signed."""
    return digest(action.typed.message[name])  # type: ignore[arg-type]  # a bytes32 of the ABI
