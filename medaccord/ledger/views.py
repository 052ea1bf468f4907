"""What holds at one second, asked of a projection as the contracts answer it themselves.

Each function says the same as the contracts' view of that name; tests compare them over random
histories. `at` is Unix seconds.
"""

from medaccord.chain.powers import Power, Role
from medaccord.core.identifiers import Address
from medaccord.ledger.projection import Projection
from medaccord.ledger.state import (
    Consent,
    ConsentStatus,
    Control,
    Emergency,
    RelationshipState,
)

_WHILE_RECOVERING = Power.RESTRICT | Power.ANCHOR
"""All that is left of a key's powers while a recovery is pending: it gives nobody access."""

__all__ = [
    "has_role",
    "is_active_organisation",
    "is_authorised",
    "is_consent_active",
    "is_emergency_active",
    "is_emergency_standing",
    "is_in_control",
    "is_relationship_active",
    "status_of",
]


def is_authorised(
    state: Projection, account: Address, by: Address, power: Power, *, at: int
) -> bool:
    """Whether a key may use every bit of `power` of an account."""
    if is_in_control(state, account, by, power):
        return True
    control, held = state.control(account), state.delegations.get((account, by))
    return (
        held is not None
        and _is_left(control, power)
        and held.epoch == control.epoch
        and at < held.until
        and held.powers & power == power
    )


def is_in_control(state: Projection, account: Address, by: Address, power: Power) -> bool:
    """Whether a key may use every bit of `power` of an account without any delegation.

    The controller may; and while a recovery is pending, the key that the account goes to may
    restrict, and that alone.
    """
    control = state.control(account)
    if by == control.incoming and power == Power.RESTRICT:
        return True
    return by == control.controller and _is_left(control, power)


def _is_left(control: Control, power: Power) -> bool:
    """Whether there is a power asked for, and a pending recovery leaves every bit of it."""
    return bool(power) and not (control.incoming and power & ~_WHILE_RECOVERING)


def is_active_organisation(state: Projection, account: Address) -> bool:
    """Whether an account is an admitted organisation that is not suspended."""
    organisation = state.organisations.get(account)
    return organisation is not None and not organisation.suspended


def has_role(state: Projection, account: Address, role: Role, *, at: int) -> bool:
    """Whether an active organisation holds every bit of `role`, EMERGENCY only after its delay."""
    organisation = state.organisations.get(account)
    if organisation is None or organisation.suspended or not role:
        return False
    if role & Role.EMERGENCY and at < organisation.emergency_from:
        return False
    return organisation.roles & role == role


def is_relationship_active(state: Projection, patient: Address, steward: Address) -> bool:
    """Whether the relationship is active; suspension of the steward is asked apart."""
    relationship = state.relationships.get((patient, steward))
    return relationship is not None and relationship.state is RelationshipState.ACTIVE


def status_of(consent: Consent | None) -> ConsentStatus:
    """What the id of a consent stands for."""
    if consent is None:
        return ConsentStatus.NONE
    return ConsentStatus.GRANTED if consent.revoked is None else ConsentStatus.REVOKED


def is_consent_active(state: Projection, consent: Consent | None, *, at: int) -> bool:
    """Whether a consent gives access: granted, begun, not over, of this epoch, to one active."""
    if consent is None or consent.revoked is not None or consent.grant is None:
        return False
    grant = consent.grant
    return (
        grant.valid_from <= at < grant.valid_until
        and grant.epoch == state.control(consent.patient).epoch
        and is_active_organisation(state, grant.grantee)
    )


def is_emergency_standing(state: Projection, patient: Address, emergency: Emergency) -> bool:
    """Whether an opening is neither closed, nor forbidden since, nor of an earlier epoch.

    Its end, and whether its grantee still has the role, are asked apart.
    """
    return (
        emergency.emergency_id is not None
        and not emergency.barred
        and emergency.bans == state.ban(patient).bans
        and emergency.epoch == state.control(patient).epoch
    )


def is_emergency_active(state: Projection, patient: Address, grantee: Address, *, at: int) -> bool:
    """Whether an organisation has emergency access to a patient."""
    emergency = state.emergency(patient, grantee)
    return (
        is_emergency_standing(state, patient, emergency)
        and at < emergency.valid_until
        and has_role(state, grantee, Role.EMERGENCY, at=at)
    )
