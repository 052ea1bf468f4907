"""Every action that a member of the consortium can sign and anybody relay, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from tests.contracts.action import Action
from tests.contracts.consortium_actions import ConsortiumActions, Kind, Motion
from tests.contracts.keys import Key
from tests.contracts.masks import GRANT
from tests.contracts.registry_actions import RegistryActions

MEMBER_ACTIONS: Final[Mapping[str, str]] = {
    "rotation": "Rotation",
    "revoke_all": "RevokeAll",
    "delegation": "Delegation",
    "undelegation": "Undelegation",
    "guardians_change": "GuardiansChange",
    "publication": "Publication",
    "approval": "Approval",
    "withdrawal": "Withdrawal",
}
"""The struct that each signs."""


class Make(Protocol):
    """Makes one of the `MEMBER_ACTIONS` of an account."""

    def __call__(self, action: str, account: Key, by: Key | None = None) -> Action: ...


def maker(accounts: RegistryActions, motions: ConsortiumActions, other: str) -> Make:
    """Makes the actions so that they name this other account where they name one."""
    motion = Motion(kind=Kind.SUSPEND, account=other)

    def make(action: str, account: Key, by: Key | None = None) -> Action:
        match action:
            case "rotation":
                return accounts.rotation(account, other, by=by)
            case "revoke_all":
                return accounts.revoke_all(account, by=by)
            case "delegation":
                return accounts.delegation(account, other, GRANT, by=by)
            case "undelegation":
                return accounts.undelegation(account, other, by=by)
            case "guardians_change":
                return accounts.guardians_change(account, b"\x0a" * 32, by=by)
            case "publication":
                return accounts.publication(account, b"\x0a" * 32, b"\x0b" * 32, by=by)
            case "approval":
                return motions.approval(motion, account, by=by)
            case "withdrawal":
                return motions.withdrawal(motions.motion_id(motion), account, by=by)
        raise KeyError(action)

    return make
