"""Openings that a gatekeeper kept for an account, held to what the chain has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from medaccord.client.gatekeeper_api import json_object, reading_answer
from medaccord.client.restored import RestoredAccount, RestoredConsent, RestoredEmergency
from medaccord.client.session import Session
from medaccord.core.emergency import EmergencyReason
from medaccord.core.errors import CommitmentMismatch, InvalidDocument
from medaccord.core.identifiers import Digest, digest
from medaccord.core.terms import Terms


@dataclass(frozen=True, slots=True, kw_only=True)
class Openings:
    """What one gatekeeper says of the consents and emergencies about an account.

    Attributes:
        terms: By the id of the consent.
        reasons: By the id of the emergency.
    """

    terms: Mapping[Digest, Terms]
    reasons: Mapping[Digest, EmergencyReason]

    def of(self, account: RestoredAccount) -> RestoredAccount:
        """The account with these openings; what it has already, it keeps.

        Raises:
            CommitmentMismatch: One is not what was committed to on chain.
        """
        return replace(
            account,
            consents=tuple(map(self._of_consent, account.consents)),
            emergencies=tuple(map(self._of_emergency, account.emergencies)),
        )

    def _of_consent(self, consent: RestoredConsent) -> RestoredConsent:
        terms = self.terms.get(consent.given.consent_id)
        if terms is None or consent.terms is not None:
            return consent
        if terms.commitment != consent.given.terms:
            raise CommitmentMismatch("these are not the terms that were committed to on chain")
        return replace(consent, terms=terms)

    def _of_emergency(self, emergency: RestoredEmergency) -> RestoredEmergency:
        reason = self.reasons.get(emergency.emergency_id)
        if reason is None or emergency.reason is not None:
            return emergency
        if reason.commitment != emergency.commitment:
            raise CommitmentMismatch("this is not the reason that was committed to on chain")
        return replace(emergency, reason=reason)


def fetch_openings(session: Session) -> Openings:
    """Every opening that a gatekeeper keeps for the account that is signed in.

    Raises:
        AccessRefused: The key may not read for the account, or the account is nobody's there.
        TransportError: The gatekeeper does not answer, or badly.
    """
    answer = json_object(session.get("/openings"))
    with reading_answer(session.api.url):
        return Openings(
            terms={
                digest(each): Terms.parse(document)
                for each, document in _told(answer, "consents").items()
            },
            reasons={
                digest(each): EmergencyReason.parse(document)
                for each, document in _told(answer, "emergencies").items()
            },
        )


def _told(answer: Mapping[str, Any], name: str) -> dict[str, Any]:
    told = answer.get(name)
    if not isinstance(told, dict):
        raise InvalidDocument(f"there are no {name}")
    return told
