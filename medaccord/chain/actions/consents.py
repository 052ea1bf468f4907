"""Consenting, revoking, and emergency access; see IConsents and IEmergencyAccess."""

from datetime import datetime

from medaccord.chain.actions.action import Action, act
from medaccord.chain.actions.defaults import deadline_or, epoch_or, nonce_or
from medaccord.chain.deployment import Contracts
from medaccord.core.identifiers import ZERO_DIGEST, Address, ConsentId, Digest, address

NOBODY = address("0x" + 40 * "0")
"""The zero address: the grantee that stands for all of them."""


def grant(
    contracts: Contracts,
    *,
    patient: Address,
    grantee: Address,
    terms: Digest,
    valid_from: datetime,
    valid_until: datetime,
    request: Digest = ZERO_DIGEST,
    by: Address | None = None,
    epoch: int | None = None,
) -> Action:
    """Consent; the digest of the action is the id of the consent.

    Args:
        contracts: where.
        patient: the patient's account.
        grantee: the organisation that may read.
        terms: commitment to what it may read, and what for.
        valid_from: the first second, inclusive.
        valid_until: the end, exclusive.
        request: digest of the request it answers; zero unless it answers one.
        by: the key that acts; the patient itself unless given.
        epoch: the patient's; read from the chain unless given.
    """
    return act(
        contracts,
        "grant",
        by,
        patient=patient,
        grantee=grantee,
        terms=terms,
        validFrom=valid_from,
        validUntil=valid_until,
        request=request,
        epoch=epoch_or(contracts, patient, epoch),
    )


def revoke(
    contracts: Contracts, *, patient: Address, consent_id: ConsentId, by: Address | None = None
) -> Action:
    """Revoke a consent for good, also one that was signed and never sent.

    Args:
        contracts: where.
        patient: the patient's account.
        consent_id: which consent.
        by: the key that acts; the patient itself unless given.
    """
    return act(contracts, "revoke", by, patient=patient, consentId=consent_id)


def open_emergency(
    contracts: Contracts,
    *,
    patient: Address,
    grantee: Address,
    reason: Digest,
    valid_until: datetime,
    by: Address | None = None,
    nonce: int | None = None,
    deadline: datetime | None = None,
) -> Action:
    """Open emergency access; the digest of the action is the id of the emergency.

    Args:
        contracts: where.
        patient: the patient's account.
        grantee: the organisation that opens it for itself.
        reason: commitment to the reason, not zero.
        valid_until: the end, exclusive.
        by: the key that acts; the grantee itself unless given.
        nonce: next of the grantee for this patient; read from the chain unless given.
        deadline: last second to hand it in; in an hour unless given.
    """
    return act(
        contracts,
        "openEmergency",
        by,
        patient=patient,
        grantee=grantee,
        reason=reason,
        validUntil=valid_until,
        nonce=nonce_or(contracts, "Consents", grantee, int(patient, 16), nonce),
        deadline=deadline_or(contracts, deadline),
    )


def close_emergency(
    contracts: Contracts,
    *,
    patient: Address,
    grantee: Address,
    by: Address | None = None,
    serial: int | None = None,
) -> Action:
    """End an organisation's emergency access, if it has any, and bar it.

    Args:
        contracts: where.
        patient: the patient's account.
        grantee: the organisation.
        by: the key that acts; the patient itself unless given.
        serial: allowances up to it are dead; the next one of the chain unless given.
    """
    if serial is None:
        serial = _pair_serial(contracts, patient, grantee) + 1
    return act(contracts, "closeEmergency", by, patient=patient, grantee=grantee, serial=serial)


def forbid_emergency(
    contracts: Contracts,
    *,
    patient: Address,
    by: Address | None = None,
    serial: int | None = None,
) -> Action:
    """End all emergency access, and forbid more.

    Args:
        contracts: where.
        patient: the patient's account.
        by: the key that acts; the patient itself unless given.
        serial: patient-wide allowances up to it are dead; the next one of the chain unless given.
    """
    if serial is None:
        serial = _ban_serial(contracts, patient) + 1
    return act(contracts, "forbidEmergency", by, patient=patient, serial=serial)


def allow_emergency(
    contracts: Contracts,
    *,
    patient: Address,
    grantee: Address = NOBODY,
    by: Address | None = None,
    serial: int | None = None,
    deadline: datetime | None = None,
) -> Action:
    """Lift the bar of one organisation, or the ban of all. What was ended stays ended.

    Args:
        contracts: where.
        patient: the patient's account.
        grantee: the organisation whose bar is lifted; the ban of all unless given.
        by: the key that acts; the patient itself unless given.
        serial: above the last one; the next one of the chain unless given.
        deadline: last second to hand it in; in an hour unless given.
    """
    if serial is None:
        everybody = grantee == NOBODY
        last = (
            _ban_serial(contracts, patient)
            if everybody
            else _pair_serial(contracts, patient, grantee)
        )
        serial = last + 1
    return act(
        contracts,
        "allowEmergency",
        by,
        patient=patient,
        grantee=grantee,
        serial=serial,
        deadline=deadline_or(contracts, deadline),
    )


def _pair_serial(contracts: Contracts, patient: Address, grantee: Address) -> int:
    _, _, _, serial, _ = contracts.call("Consents", "emergencyOf", patient, grantee)
    return int(serial)


def _ban_serial(contracts: Contracts, patient: Address) -> int:
    serial, _ = contracts.call("Consents", "emergencyBanOf", patient)
    return int(serial)
