"""What the chain shows once an action was done: how a client sees it for itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any, Final, Self

from medaccord.chain import events
from medaccord.chain.actions import Action
from medaccord.chain.values import snake_case
from medaccord.core.identifiers import Address

EVENT_OF: Final[Mapping[str, type[events.Event]]] = MappingProxyType(
    {
        "rotate": events.ControllerRotated,
        "revokeAll": events.AllRevoked,
        "delegate": events.DelegateSet,
        "undelegate": events.DelegateRemoved,
        "setGuardians": events.GuardiansSet,
        "cancelRecovery": events.RecoveryCancelled,
        "publish": events.OrganisationPublished,
        "propose": events.RelationshipProposed,
        "accept": events.RelationshipAccepted,
        "decline": events.RelationshipDeclined,
        "end": events.RelationshipEnded,
        "grant": events.ConsentGranted,
        "revoke": events.ConsentRevoked,
        "openEmergency": events.EmergencyOpened,
        "closeEmergency": events.EmergencyClosed,
        "forbidEmergency": events.EmergencyForbidden,
        "allowEmergency": events.EmergencyAllowed,
        "append": events.Anchored,
        "approve": events.MotionApproved,
        "withdraw": events.ApprovalWithdrawn,
    }
)
"""What each action of `actions.FORMS` reports."""

_ID_OF: Final = {"grant": "consent_id", "openEmergency": "emergency_id"}
"""Where the digest of the action itself stands in its event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One event that shows that something was done, whoever sent the transaction.

    Attributes:
        kind: Its class.
        values: What it says, by its attributes; everything else may be anything.
    """

    kind: type[events.Event]
    values: Mapping[str, Any]

    @classmethod
    def of(cls, action: Action) -> Self:
        """What an action reports."""
        kind, message = EVENT_OF[action.function], action.typed.message
        told = {each.name for each in fields(kind)}
        values: dict[str, Any] = {
            name: value
            for name, value in ((snake_case(field), value) for field, value in message.items())
            if name in told
        }
        if action.function in _ID_OF:
            values[_ID_OF[action.function]] = action.digest
        if action.function == "revokeAll":  # it signs the epoch that it ends
            values["epoch"] += 1
        return cls(kind=kind, values=values)

    @classmethod
    def of_proposal(cls, patient: Address, steward: Address, round: int) -> Self:
        """What a proposal reports that the steward made after an enrolment."""
        values = {"patient": patient, "steward": steward, "account": steward, "round": round}
        return cls(kind=events.RelationshipProposed, values=values)

    def is_shown_by(self, event: events.Event) -> bool:
        """Whether an event is the one."""
        return isinstance(event, self.kind) and all(
            getattr(event, name) == value for name, value in self.values.items()
        )
