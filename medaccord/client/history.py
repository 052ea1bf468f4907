"""What an account's patient can see on the chain itself: consents, and emergency access."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from medaccord.chain import events
from medaccord.chain.deployment import Contracts
from medaccord.chain.values import moment
from medaccord.core.identifiers import Address, ConsentId, Digest

_Kind = TypeVar("_Kind", bound=events.Event)


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenConsent:
    """A consent that this account gave, and what became of it.

    Attributes:
        consent_id: Its id.
        grantee: The organisation that may read.
        valid_from: The first second, included.
        valid_until: The end, excluded.
        active: Whether it permits reading now.
        revoked: Whether it was revoked by itself.
    """

    consent_id: ConsentId
    grantee: Address
    valid_from: datetime
    valid_until: datetime
    active: bool
    revoked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenEmergency:
    """Emergency access that an organisation opened.

    Attributes:
        emergency_id: Its id.
        grantee: The organisation.
        opened_at: When.
        valid_until: When it ends at the latest, excluded.
        open: Whether it still permits reading.
        reason: Commitment to the reason; `Patient.reason_of` opens it.
    """

    emergency_id: Digest
    grantee: Address
    opened_at: datetime
    valid_until: datetime
    open: bool
    reason: Digest


def consents_of(contracts: Contracts, patient: Address) -> list[GivenConsent]:
    """Every consent an account gave, in the order of the chain, ended ones included.

    Raises:
        TransportError: The node does not answer.
    """
    revoked = {event.consent_id for event in _events(contracts, patient, events.ConsentRevoked)}
    return [
        GivenConsent(
            consent_id=event.consent_id,
            grantee=event.grantee,
            valid_from=moment(event.valid_from),
            valid_until=moment(event.valid_until),
            active=bool(contracts.call("Consents", "isActive", patient, event.consent_id)),
            revoked=event.consent_id in revoked,
        )
        for event in _events(contracts, patient, events.ConsentGranted)
    ]


def emergencies_of(contracts: Contracts, patient: Address) -> list[SeenEmergency]:
    """All emergency access to an account's records, in the order of the chain, ended included.

    Raises:
        TransportError: The node does not answer.
    """
    opened = _events(contracts, patient, events.EmergencyOpened)
    latest = {event.grantee: event.emergency_id for event in opened}
    return [
        SeenEmergency(
            emergency_id=event.emergency_id,
            grantee=event.grantee,
            opened_at=event.block.timestamp,
            valid_until=moment(event.valid_until),
            open=latest[event.grantee] == event.emergency_id
            and bool(contracts.call("Consents", "isEmergencyActive", patient, event.grantee)),
            reason=event.reason,
        )
        for event in opened
    ]


def _events(contracts: Contracts, account: Address, kind: type[_Kind]) -> list[_Kind]:
    """Events of one kind about an account, in the order of the chain."""
    network = contracts.network
    first, last = contracts.deployment.first_block, network.head().number
    found = events.fetch(network, contracts, first, last, about=account)
    return [event for event in found if isinstance(event, kind)]
