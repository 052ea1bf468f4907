"""What a gatekeeper was told of terms and reasons, held against what was committed to on chain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from medaccord.client.gatekeeper_api import json_object, reading_answer
from medaccord.client.session import Session
from medaccord.core.documents import DocumentReader
from medaccord.core.emergency import EmergencyReason
from medaccord.core.errors import CommitmentMismatch, InvalidDocument
from medaccord.core.identifiers import ConsentId, Digest, hex_digest
from medaccord.core.terms import Terms

_MEMBERS = ("consents", "emergencies")


@dataclass(frozen=True, slots=True, kw_only=True)
class Openings:
    """Every opening that is kept for a patient at one gatekeeper; checked as it is taken out.

    Attributes:
        terms: Documents of terms, by the id of the consent in hex.
        reasons: Documents of reasons, by the id of the emergency in hex.
        url: The gatekeeper's address.
    """

    terms: Mapping[str, Any]
    reasons: Mapping[str, Any]
    url: str

    @classmethod
    def fetch(cls, session: Session) -> Openings:
        """Ask for those of the account that is signed in.

        Raises:
            AccessRefused: The key may not read for the account.
            TransportError: The gatekeeper does not answer, or badly.
        """
        answer = json_object(session.get("/openings"))
        with reading_answer(session.api.url):
            reader = DocumentReader(answer, what="the openings", required=_MEMBERS, optional=answer)
            terms, reasons = (reader.mapping(member) for member in _MEMBERS)
        return cls(terms=terms, reasons=reasons, url=session.api.url)

    def terms_of(self, consent_id: ConsentId, commitment: Digest) -> Terms | None:
        """The terms of a consent; None where they were not told to this gatekeeper.

        Raises:
            CommitmentMismatch: They are not what was committed to.
            TransportError: They are none.
        """
        document = self.terms.get(hex_digest(consent_id))
        if document is None:
            return None
        with reading_answer(self.url):
            terms = Terms.parse(_members(document))
        if terms.commitment != commitment:
            raise CommitmentMismatch("these are not the terms that were committed to on chain")
        return terms

    def reason_of(self, emergency_id: Digest, commitment: Digest) -> EmergencyReason | None:
        """The reason of an emergency access; None where it was not told to this gatekeeper.

        Raises:
            CommitmentMismatch: It is not what was committed to.
            TransportError: It is none.
        """
        document = self.reasons.get(hex_digest(emergency_id))
        if document is None:
            return None
        with reading_answer(self.url):
            reason = EmergencyReason.parse(_members(document))
        if reason.commitment != commitment:
            raise CommitmentMismatch("this is not the reason that was committed to on chain")
        return reason


def _members(document: object) -> Mapping[str, Any]:
    if not isinstance(document, Mapping):
        raise InvalidDocument("an opening is no object of JSON")
    return document
