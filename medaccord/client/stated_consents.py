"""Consents between the chain and FHIR: a given one as it is stated, a stated one as terms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from medaccord.chain.deployment import Contracts
from medaccord.client.acting import Acting
from medaccord.client.given_consents import GivenConsent
from medaccord.client.salts import fresh_salt
from medaccord.core.errors import InvalidRequest
from medaccord.core.terms import Terms
from medaccord.fhir.consent import StatedConsent
from medaccord.fhir.consent_reading import read_consent


def stated(contracts: Contracts, given: GivenConsent, terms: Terms) -> StatedConsent:
    """All that a FHIR Consent says of a consent that was given.

    Args:
        contracts: Where it stands.
        given: As the chain has it.
        terms: Those that it commits to.
    """
    name = contracts.account_id
    return StatedConsent(
        terms=terms,
        patient=name(given.resource_owner),
        grantee=name(given.grantee),
        valid_from=given.valid_from,
        valid_until=given.expires,
        issued_at=given.issued,
        status=given.status,
        contract=name(contracts.address("Consents")),
        consent_id=given.consent_id,
    )


def stated_here(source: bytes | str | Mapping[str, Any], acting: Acting) -> StatedConsent:
    """What a FHIR Consent states about records of this steward; its terms have a fresh salt.

    Args:
        source: The Consent, as JSON text or as what a JSON parser made of it.
        acting: Who reads it, at which steward.

    Raises:
        InvalidResource: It is no Consent, breaks R4, or says what terms cannot express; every such
            element is named.
        InvalidDocument: It is no JSON object.
        InvalidRequest: It is about another steward's records, or of another chain.
        TransportError: The gatekeeper or the node does not answer.
    """
    read = read_consent(source, salt=fresh_salt())
    steward = acting.contracts.account_id(acting.steward)
    if not read.terms.names(steward):
        named = ", ".join(str(each) for each in read.terms.stewards)
        raise InvalidRequest(f"the Consent is about records of {named}, not of {steward}")
    return read
