"""Consents as the chain has them: whose, for whom, from when to when, and what became of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from medaccord.chain import events
from medaccord.chain.deployment import Contracts
from medaccord.chain.values import moment
from medaccord.core.consent_status import ConsentStatus
from medaccord.core.identifiers import Address, ConsentId, Digest

_REVOKED: Final = 2
"""Status of the contract."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenConsent:
    """A consent that was given, and what became of it.

    Attributes:
        consent_id: Its id.
        resource_owner: The patient's account.
        grantee: The organisation that may read.
        issued: When it was granted: the time of the block.
        valid_from: The first second, included.
        expires: The end, excluded.
        status: ACTIVE while it permits reading, else INACTIVE.
        revoked: Whether it was revoked by itself; not where all ended at once.
        request: Digest of the request it answers; None where it answers none.
        terms: Commitment to its terms; `PatientConsents.terms_of` opens it.
        by: The key that gave it.
        transaction: Hash of the transaction that granted it.
    """

    consent_id: ConsentId
    resource_owner: Address
    grantee: Address
    issued: datetime
    valid_from: datetime
    expires: datetime
    status: ConsentStatus
    revoked: bool
    request: Digest | None
    terms: Digest
    by: Address
    transaction: Digest

    @property
    def active(self) -> bool:
        """Whether it permits reading now."""
        return self.status is ConsentStatus.ACTIVE


def given_consent(contracts: Contracts, event: events.ConsentGranted) -> GivenConsent:
    """A consent that was granted, as it stands now.

    Raises:
        TransportError: The node does not answer.
    """
    which = event.patient, event.consent_id
    status, *_ = contracts.call("Consents", "consentOf", *which)
    active = bool(contracts.call("Consents", "isActive", *which))
    return GivenConsent(
        consent_id=event.consent_id,
        resource_owner=event.patient,
        grantee=event.grantee,
        issued=event.block.timestamp,
        valid_from=moment(event.valid_from),
        expires=moment(event.valid_until),
        status=ConsentStatus.ACTIVE if active else ConsentStatus.INACTIVE,
        revoked=status == _REVOKED,
        request=event.request if any(event.request) else None,
        terms=event.terms,
        by=event.by,
        transaction=event.transaction,
    )
