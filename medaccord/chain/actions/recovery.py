"""Handing an account to a new key by its guardians; see IGuardians."""

from collections.abc import Iterable
from datetime import datetime
from types import MappingProxyType

from medaccord.chain.actions.action import Action, act
from medaccord.chain.actions.defaults import deadline_or, nonce_or
from medaccord.chain.actions.invocation import Invocation
from medaccord.chain.actions.registry import NonceKey
from medaccord.chain.deployment import Contracts
from medaccord.chain.guardians import GuardianApproval, GuardianCircle, RevealedCircle
from medaccord.chain.values import seconds
from medaccord.core.identifiers import Address, Digest
from medaccord.core.typed_data import TypedData, typed


def set_guardians(
    contracts: Contracts,
    *,
    account: Address,
    commitment: Digest,
    by: Address | None = None,
    nonce: int | None = None,
    deadline: datetime | None = None,
) -> Action:
    """Name the guardians of an account.

    Args:
        contracts: where.
        account: which account.
        commitment: of a `GuardianCircle`.
        by: its controller; the account itself unless given.
        nonce: the next one; read from the chain unless given.
        deadline: last second to hand it in; in an hour unless given.
    """
    return act(
        contracts,
        "setGuardians",
        by,
        account=account,
        commitment=commitment,
        nonce=nonce_or(contracts, "Registry", account, NonceKey.GUARDIANS, nonce),
        deadline=deadline_or(contracts, deadline),
    )


def recovery_approval(
    contracts: Contracts,
    *,
    account: Address,
    guardian: Address,
    new_controller: Address,
    deadline: datetime,
    nonce: int | None = None,
) -> TypedData:
    """What a guardian signs to hand an account to a new key.

    Args:
        contracts: where.
        account: the account whose key is lost.
        guardian: who signs.
        new_controller: the new key.
        deadline: last second to start the recovery; the same for every guardian.
        nonce: next of the account's recoveries; read from the chain unless given.
    """
    return typed(
        contracts.domain("Registry"),
        "RecoveryApproval",
        account=account,
        guardian=guardian,
        newController=new_controller,
        nonce=nonce_or(contracts, "Registry", account, NonceKey.RECOVERY, nonce),
        deadline=seconds(deadline),
    )


def start_recovery(
    contracts: Contracts,
    *,
    account: Address,
    new_controller: Address,
    deadline: datetime,
    circle: GuardianCircle | RevealedCircle,
    approvals: Iterable[GuardianApproval],
    nonce: int | None = None,
) -> Invocation:
    """Start to hand an account to a new key. Anybody may.

    Args:
        contracts: where.
        account: the account whose key is lost.
        new_controller: the new key.
        deadline: as the guardians signed it.
        circle: the guardians in force.
        approvals: of enough of them, in any order.
        nonce: as the guardians signed it; read from the chain unless given.
    """
    nonce = nonce_or(contracts, "Registry", account, NonceKey.RECOVERY, nonce)
    in_order = sorted(approvals, key=lambda approval: int(approval.guardian, 16))
    return _open(
        contracts,
        "startRecovery",
        recovery={
            "account": account,
            "newController": new_controller,
            "nonce": nonce,
            "deadline": seconds(deadline),
        },
        root=circle.root,
        threshold=circle.threshold,
        approvals=tuple(approval.fields() for approval in in_order),
    )


def cancellation(
    contracts: Contracts, *, account: Address, guardian: Address, nonce: int | None = None
) -> TypedData:
    """What a guardian signs to stop a recovery together with the account's controller.

    Args:
        contracts: where.
        account: the account that is being recovered.
        guardian: who signs.
        nonce: of the recovery; read from the chain unless given.
    """
    return typed(
        contracts.domain("Registry"),
        "Cancellation",
        account=account,
        signer=guardian,
        nonce=_pending(contracts, account, nonce),
    )


def cancel_recovery(
    contracts: Contracts,
    *,
    account: Address,
    circle: GuardianCircle | RevealedCircle,
    approval: GuardianApproval,
    by: Address | None = None,
    nonce: int | None = None,
) -> Action:
    """Stop a recovery; takes the controller and one guardian.

    Args:
        contracts: where.
        account: the account that is being recovered.
        circle: the guardians under whom it was started.
        approval: of one of them, who signed the `cancellation`.
        by: the controller; the account itself unless given.
        nonce: of the recovery; read from the chain unless given.
    """
    return act(
        contracts,
        "cancelRecovery",
        by,
        account=account,
        signer=by or account,
        nonce=_pending(contracts, account, nonce),
        unsigned={
            "root": circle.root,
            "threshold": circle.threshold,
            "approval": approval.fields(),
        },
    )


def complete_recovery(contracts: Contracts, *, account: Address) -> Invocation:
    """Hand the account to the new key once the delay has run. Anybody may.

    Args:
        contracts: where.
        account: the account that is being recovered.
    """
    return _open(contracts, "completeRecovery", account=account)


def _open(contracts: Contracts, function: str, **arguments: object) -> Invocation:
    return Invocation(
        contract="Registry",
        at=contracts.account_id(contracts.address("Registry")),
        function=function,
        arguments=MappingProxyType(arguments),
    )


def _pending(contracts: Contracts, account: Address, given: int | None) -> int:
    if given is not None:
        return given
    _, nonce, _, _ = contracts.call("Registry", "recoveryOf", account)
    return int(nonce)
