"""Who can hand an account to a new key: its controller now, its guardians when that is lost."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from medaccord.chain import actions
from medaccord.chain.guardians import GuardianApproval, GuardianCircle
from medaccord.chain.values import moment
from medaccord.client.acting import Acting
from medaccord.client.action_receipts import ActionReceipt
from medaccord.core.identifiers import Address, Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingRecovery:
    """A recovery that guardians started.

    Attributes:
        new_controller: The key they signed for.
        ready_at: From when on anybody may complete it, included.
        nonce: Tells it from others of the account.
    """

    new_controller: Address
    ready_at: datetime
    nonce: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryState:
    """Who controls an account, and who could take it over.

    Attributes:
        controller: The key that acts for it now.
        guardians: Commitment to the guardians in force; None where there are none.
        next_guardians: Commitment to those named last; None unless they are still to come.
        next_from: From when on those are in force, included; None where there are none.
        pending: A recovery that runs; None where none does.
    """

    controller: Address
    guardians: Digest | None
    next_guardians: Digest | None
    next_from: datetime | None
    pending: PendingRecovery | None


class Recovery:
    """A patient's own. Only the controller may; the gatekeeper sends what it signs, and pays."""

    def __init__(self, acting: Acting) -> None:
        """Act for the patient."""
        self._acting = acting

    def protect(self, circle: GuardianCircle, *, wait: bool = True) -> ActionReceipt:
        """Name guardians; they are in force after the delay of the deployment.

        Args:
            circle: Who, and how many of them it takes. Keep it: the chain knows its commitment
                alone.
            wait: Whether to wait until it is mined.

        Raises:
            ContractReverted: This is not the controller, or a recovery runs.
            AccessRefused: The gatekeeper relays nothing for this account.
            TransportError: The gatekeeper or the node does not answer, or it was not mined in time.
        """
        acting = self._acting
        action = actions.set_guardians(
            acting.contracts, account=acting.account, commitment=circle.commitment, by=acting.by
        )
        return acting.relay(action, wait=wait)

    def rotate(self, new_controller: Address, *, wait: bool = True) -> ActionReceipt:
        """Hand the account to another key. This one may do nothing for it from then on.

        Args:
            new_controller: A key one has, or a contract wallet.
            wait: Whether to wait until it is mined.

        Raises:
            ContractReverted: This is not the controller, or a recovery runs.
            AccessRefused: And the rest, as `protect`.
        """
        acting = self._acting
        action = actions.rotate(
            acting.contracts,
            account=acting.account,
            new_controller=new_controller,
            by=acting.by,
        )
        return acting.relay(action, wait=wait)

    def cancel(
        self, circle: GuardianCircle, approval: GuardianApproval, *, wait: bool = True
    ) -> ActionReceipt:
        """Stop a recovery, together with one guardian.

        No gatekeeper relays it: it takes a ``sender=`` that pays.

        Args:
            circle: The guardians under whom it was started.
            approval: Of one of them, who signed `actions.cancellation`.
            wait: Whether to wait until it is mined.

        Raises:
            InvalidRequest: Nobody pays for it.
            ContractReverted: No recovery runs, or this is no guardian of it.
            TransportError: The node does not answer, or it was not mined in time.
        """
        acting = self._acting
        action = actions.cancel_recovery(
            acting.contracts,
            account=acting.account,
            circle=circle,
            approval=approval,
            by=acting.by,
        )
        return acting.send(action, wait=wait)

    def state(self) -> RecoveryState:
        """How things stand, read from the chain itself.

        Raises:
            TransportError: The node does not answer.
        """
        contracts, account = self._acting.contracts, self._acting.account
        current, named, named_from = contracts.call("Registry", "guardiansOf", account)
        new, nonce, ready_at, _ = contracts.call("Registry", "recoveryOf", account)
        pending = None
        if ready_at:
            pending = PendingRecovery(
                new_controller=Address(new), ready_at=moment(ready_at), nonce=int(nonce)
            )
        return RecoveryState(
            controller=Address(contracts.call("Registry", "controllerOf", account)),
            guardians=_named(current),
            next_guardians=_named(named),
            next_from=moment(named_from) if named_from else None,
            pending=pending,
        )


def _named(commitment: bytes) -> Digest | None:
    return Digest(bytes(commitment)) if any(commitment) else None
