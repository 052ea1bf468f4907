"""Every action of Relationships, Consents and Anchors, each where it would succeed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak

from tests.contracts.action import Action
from tests.contracts.care_actions import (
    NOBODY,
    AnchorActions,
    ConsentActions,
    EmergencyActions,
    RelationshipActions,
)
from tests.contracts.keys import Key

ACCOUNT_OF: Final[Mapping[str, str]] = {
    "propose": "hospital",
    "accept": "patient",
    "decline": "patient",
    "end": "patient",
    "grant": "patient",
    "revoke": "patient",
    "openEmergency": "department",
    "closeEmergency": "patient",
    "forbidEmergency": "patient",
    "allowEmergency": "patient",
    "append": "hospital",
}
"""For each function, the account that acts in these tests."""

BEFORE: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "accept": (("propose", "hospital"),),
    "decline": (("propose", "hospital"),),
    "end": (("propose", "hospital"), ("accept", "patient")),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PossibleActions:
    """Makes actions that would succeed, after sending what has to come before them."""

    relating: RelationshipActions
    consenting: ConsentActions
    emergencies: EmergencyActions
    anchoring: AnchorActions
    patient: LocalAccount
    clinician: LocalAccount
    hospital: LocalAccount
    department: LocalAccount
    admit_department: Callable[[], object]

    def account(self, function: str) -> LocalAccount:
        account: LocalAccount = getattr(self, ACCOUNT_OF[function])
        return account

    def prepare(self, function: str) -> None:
        """Bring the contracts to where the function is possible."""
        if function == "openEmergency":
            self.admit_department()
        if function == "allowEmergency":
            self.emergencies.forbid(self.patient).relay()
        for earlier, name in BEFORE.get(function, ()):
            self.relating.make(earlier, getattr(self, name)).relay()

    def make(self, function: str, by: Key | None = None) -> Action:
        """The action, by the account's own key or another that may act for it."""
        account = self.account(function)
        if function in ("propose", "accept", "decline", "end"):
            return self.relating.make(function, account, by=by)
        makers: dict[str, Callable[[], Action]] = {
            "grant": lambda: self.consenting.grant(self._consent(), by or account),
            "revoke": lambda: self.consenting.revoke(account, keccak(text="id"), by=by),
            "openEmergency": lambda: self.emergencies.open(self._opening(), by or account),
            "closeEmergency": lambda: self.emergencies.close(account, self.department, 1, by=by),
            "forbidEmergency": lambda: self.emergencies.forbid(account, 1, by=by),
            "allowEmergency": lambda: self.emergencies.allow(account, NOBODY, 1, by=by),
            "append": lambda: self.anchoring.append(
                account, keccak(text="topic"), keccak(text="root"), by=by
            ),
        }
        return makers[function]()

    def _consent(self) -> dict[str, Any]:
        return self.consenting.consent(self.patient, self.clinician)

    def _opening(self) -> dict[str, Any]:
        return self.emergencies.opening(self.patient, self.department)
