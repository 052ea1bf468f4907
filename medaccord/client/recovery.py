"""Who can hand an account to a new key: its controller now, its guardians when that is lost."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from medaccord.chain import actions
from medaccord.chain.deployment import Contracts
from medaccord.chain.values import moment
from medaccord.client.acting import Acting
from medaccord.client.action_receipts import ActionReceipt
from medaccord.client.guardian_documents import CancellationApproval
from medaccord.client.guardians import ChosenGuardians, cancellation_with
from medaccord.core.errors import InvalidRequest
from medaccord.core.identifiers import Address, Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningRecovery:
    """A recovery that was started and neither stopped nor completed.

    Attributes:
        account: The account.
        new_controller: The key it will be handed to.
        nonce: Which recovery of the account it is, counted from 0.
        ready_at: From when on anybody may complete it, included.
    """

    account: Address
    new_controller: Address
    nonce: int
    ready_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryState:
    """Who controls an account, and who could take it over.

    Attributes:
        controller: The key that acts for it now.
        guardians: Commitment to the guardians in force; None where there are none.
        next_guardians: Commitment to those named last; None unless they are still to come.
        next_from: From when on those are in force, included; None where there are none.
        running: A recovery that runs, whoever started it; None where none does.
    """

    controller: Address
    guardians: Digest | None
    next_guardians: Digest | None
    next_from: datetime | None
    running: RunningRecovery | None


class Recovery:
    """A patient's own. Only the controller may; the gatekeeper sends what it signs, and pays."""

    def __init__(self, acting: Acting) -> None:
        """Act for the patient."""
        self._acting = acting

    def protect(self, chosen: ChosenGuardians, *, wait: bool = True) -> ActionReceipt:
        """Name guardians. They are in force at once where there were none, else after the delay.

        Args:
            chosen: From `Guardians.choose`, which kept them in the wallet: the chain knows their
                commitment alone.
            wait: Whether to wait until it is mined.

        Raises:
            InvalidRequest: They were chosen for another account.
            InvalidInput: They were chosen with another key of it than acts here.
            ContractReverted: This is not the controller, they were named before, or a recovery
                runs.
            AccessRefused: The gatekeeper relays nothing for this account.
            TransportError: The gatekeeper or the node does not answer, or it was not mined in time.
        """
        action, account = chosen.action, self._acting.account
        if action.account != account:
            raise InvalidRequest(
                f"these guardians were chosen for {action.account}: choose some for {account}"
            )
        return self._acting.relay(action, wait=wait)

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

    def cancel(self, objection: CancellationApproval, *, wait: bool = True) -> ActionReceipt:
        """Stop a recovery, together with one guardian.

        No gatekeeper relays it: it takes a ``sender=`` that pays.

        Args:
            objection: What the guardian gave, from `Guardian.object_to`.
            wait: Whether to wait until it is mined.

        Raises:
            InvalidRequest: It is about another account or chain, or nobody pays for it.
            SignatureMismatch: The guardian did not sign it.
            ContractReverted: No recovery runs, or this is no guardian of it.
            TransportError: The node does not answer, or it was not mined in time.
        """
        acting = self._acting
        action = cancellation_with(acting.contracts, objection, by=acting.by)
        if action.account != acting.account:
            raise InvalidRequest(
                f"the guardian objects to a recovery of {action.account}, not of {acting.account}"
            )
        return acting.send(action, wait=wait)

    def state(self) -> RecoveryState:
        """How things stand, read from the chain itself.

        Raises:
            TransportError: The node does not answer.
        """
        return recovery_state(self._acting.contracts, self._acting.account)


def recovery_state(contracts: Contracts, account: Address) -> RecoveryState:
    """Who controls any account, and who could take it over, read from the chain itself.

    Raises:
        TransportError: The node does not answer.
    """
    current, named, named_from = contracts.call("Registry", "guardiansOf", account)
    return RecoveryState(
        controller=Address(contracts.call("Registry", "controllerOf", account)),
        guardians=_named(current),
        next_guardians=_named(named),
        next_from=moment(named_from) if named_from else None,
        running=running_recovery(contracts, account),
    )


def running_recovery(contracts: Contracts, account: Address) -> RunningRecovery | None:
    """The recovery of an account that is under way, whoever started it; None where none is.

    Raises:
        TransportError: The node does not answer.
    """
    new_controller, nonce, ready_at, _ = contracts.call("Registry", "recoveryOf", account)
    if not ready_at:
        return None
    return RunningRecovery(
        account=account,
        new_controller=Address(new_controller),
        nonce=int(nonce),
        ready_at=moment(ready_at),
    )


def _named(commitment: bytes) -> Digest | None:
    return Digest(bytes(commitment)) if any(commitment) else None
