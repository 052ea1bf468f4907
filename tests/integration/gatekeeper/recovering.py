"""Guardians who recover an account, in tests."""

from __future__ import annotations

from datetime import timedelta

from medaccord.chain import Contracts, GuardianCircle, Sender, actions
from medaccord.keys import LocalSigner
from tests.integration.conftest import KEY


def circle_of(guardian: LocalSigner) -> GuardianCircle:
    """One guardian, who is enough."""
    return GuardianCircle(salts={guardian.address: KEY}, threshold=1)


def start_recovery(
    contracts: Contracts,
    sender: Sender,
    account: LocalSigner,
    *,
    guardian: LocalSigner,
    new_controller: LocalSigner,
) -> None:
    """Name the guardian, and have it start to hand the account to another key."""
    circle = circle_of(guardian)
    change = actions.set_guardians(contracts, account=account.address, commitment=circle.commitment)
    actions.submit(sender, actions.signed(change, account))
    deadline = contracts.network.clock() + timedelta(hours=1)
    approval = actions.recovery_approval(
        contracts,
        account=account.address,
        guardian=guardian.address,
        new_controller=new_controller.address,
        deadline=deadline,
    )
    started = actions.start_recovery(
        contracts,
        account=account.address,
        new_controller=new_controller.address,
        deadline=deadline,
        circle=circle,
        approvals=[circle.approval(guardian.address, guardian.sign(approval))],
    )
    actions.submit(sender, started)
