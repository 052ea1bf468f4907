"""A FHIR Consent read back as what it says, or refused with all that has no words in our terms.

What is written here is not guessed at. The Consent must be under our policy, since what another one
demands besides is not in it; and every member of it must be one that is read, or one of these,
which say nothing of what is consented to: ``id``, ``language``, ``meta`` but its tags, a narrative
that was generated from the rest, and the ``display`` of a Coding or a Reference.

Source: as `consent`; FHIR R4 Narrative.status, for ``generated``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from medaccord.core.consent_status import ConsentStatus
from medaccord.core.documents import members_of
from medaccord.core.errors import CommitmentMismatch, InvalidInput, InvalidResource
from medaccord.core.identifiers import AccountId, ConsentId, Digest, digest, hex_digest
from medaccord.core.terms import Terms
from medaccord.fhir.codes import faults_of
from medaccord.fhir.consent import (
    ADVANCED,
    CATEGORY,
    INTERMEDIATE,
    POLICY,
    SCOPE,
    StatedConsent,
)
from medaccord.fhir.consent_rules import rules_in
from medaccord.fhir.naming import CONSENT_SYSTEM, REQUEST_SYSTEM, TERMS_SYSTEM, URI_SYSTEM
from medaccord.fhir.taken_values import (
    account_in,
    demand_code,
    demand_type,
    identifier_in,
    instant_in,
    parsed,
)
from medaccord.fhir.taking import UNKNOWN, Taken

__all__ = ["read_consent", "reopen_consent", "terms_of"]

_NAME: Final = re.compile(r"(eip155:[0-9]+:0x[0-9a-fA-F]{40})/consent/(0x[0-9a-f]{64})", re.ASCII)


def terms_of(source: bytes | str | Mapping[str, Any], *, salt: Digest) -> Terms:
    """The terms that a Consent states.

    Args:
        source: the Consent, as JSON text or as what a JSON parser made of it.
        salt: 32 fresh random bytes; the original's, to have the original's terms.

    Raises:
        InvalidResource: as `read_consent`.
        InvalidDocument: it is no JSON object.
        InvalidIdentifier: the salt has not 32 bytes.
    """
    return read_consent(source, salt=salt).terms


def read_consent(source: bytes | str | Mapping[str, Any], *, salt: Digest) -> StatedConsent:
    """What a Consent states: the terms, and who permits whom, when.

    Args:
        source: the Consent, as JSON text or as what a JSON parser made of it.
        salt: 32 fresh random bytes for the terms, whose commitment so is another than the one that
            the Consent may name.

    Raises:
        InvalidResource: it is no Consent, breaks R4, or says what cannot be expressed; every such
            element is named.
        InvalidDocument: it is no JSON object.
        InvalidIdentifier: the salt has not 32 bytes.
    """
    return _read(members_of(source), digest(salt))[0]


def reopen_consent(source: bytes | str | Mapping[str, Any], *, salt: Digest) -> StatedConsent:
    """What a Consent states whose terms were opened to the reader.

    Args:
        source: the Consent, as JSON text or as what a JSON parser made of it.
        salt: the salt of the original terms.

    Raises:
        CommitmentMismatch: the Consent does not name the commitment to the terms it states.
        InvalidResource: as `read_consent`.
        InvalidDocument: it is no JSON object.
        InvalidIdentifier: the salt has not 32 bytes.
    """
    stated, named = _read(members_of(source), digest(salt))
    if named != stated.terms.commitment:
        raise CommitmentMismatch(
            "the Consent states terms whose commitment, with this salt, is "
            f"{hex_digest(stated.terms.commitment)}; its source names "
            f"{'none' if named is None else hex_digest(named)}"
        )
    return stated


def _read(resource: Mapping[str, Any], salt: Digest) -> tuple[StatedConsent, Digest | None]:
    """What a Consent states, and the commitment that its source names."""
    if resource.get("resourceType") != "Consent":
        raise InvalidResource({"resourceType": f"is {resource.get('resourceType')!r}, not Consent"})
    consent = Taken(resource, "Consent", faults_of(resource))
    consent.skip("resourceType", "id", "language")
    _pass_over_narrative(consent)
    demand_code(consent.element("scope", required=True), *SCOPE)
    demand_code(consent.only("category"), *CATEGORY)
    _demand_policy(consent)
    status = _status(consent)
    named = _identifiers(consent)
    patient = _patient(consent)
    nobody = "is missing: terms name whose records they are about"
    stewards = [
        account_in(each, "Organization")
        for each in consent.elements("organization", missing=nobody)
    ]
    issued_at = instant_in(consent, "dateTime")
    commitment = _source(consent)
    rules = rules_in(consent)
    _demand_profile(consent, labelled=bool(rules.labels))
    consent.finish()
    permit = rules.permit
    # what is missing was a fault, and faults have ended the reading
    assert permit is not None
    assert patient is not None
    assert issued_at is not None
    assert status is not None
    try:
        terms = Terms(
            stewards=tuple(each for each in stewards if each is not None),
            scopes=permit.scopes,
            purposes=permit.purposes,
            salt=salt,
            period=permit.period,
            include_undated=permit.include_undated,
            excluded_labels=rules.labels,
            records=rules.records,
        )
        stated = StatedConsent(
            terms=terms,
            patient=patient,
            grantee=permit.grantee,
            valid_from=permit.valid_from,
            valid_until=permit.valid_until,
            issued_at=issued_at,
            status=status,
            contract=named.contract,
            consent_id=named.consent_id,
            request=named.request,
        )
    except InvalidInput as error:
        raise InvalidResource({"Consent": error.problem}) from error
    return stated, commitment


def _pass_over_narrative(consent: Taken) -> None:
    """A narrative that was generated says what the elements say; any other one may say more."""
    narrative = consent.element("text")
    if narrative is None:
        return
    narrative.skip("div")
    if narrative.text("status", required=True) not in (None, "generated"):
        narrative.fault(f"{UNKNOWN}: only what was generated from the elements says no more")


def _demand_policy(consent: Taken) -> None:
    policy = consent.only("policy")
    if policy is not None and policy.text("uri") != POLICY:
        policy.fault(f"is not {POLICY}: what another one demands {UNKNOWN}", "uri")


def _demand_profile(consent: Taken, *, labelled: bool) -> None:
    meta = consent.element("meta")
    if meta is None:
        return
    meta.skip("versionId", "lastUpdated", "source")
    profiles = set(meta.texts("profile"))
    if profiles - {INTERMEDIATE, ADVANCED}:
        meta.fault(f"is none of {INTERMEDIATE}, {ADVANCED}", "profile")
    elif labelled and INTERMEDIATE in profiles:
        meta.fault(f"is {INTERMEDIATE}, which bars labels", "profile")


def _status(consent: Taken) -> ConsentStatus | None:
    text = consent.text("status", required=True)
    if text in set(ConsentStatus):
        return ConsentStatus(text)
    if text is not None:
        consent.fault(f"is {text!r}, which {UNKNOWN}", "status")
    return None


class _Named(NamedTuple):
    """By what a Consent is named."""

    contract: AccountId | None = None
    consent_id: ConsentId | None = None
    request: Digest | None = None


def _identifiers(consent: Taken) -> _Named:
    named = _Named()
    bare: list[tuple[Taken, str]] = []
    for identifier in consent.elements("identifier"):
        system, value = identifier.text("system"), identifier.text("value") or ""
        match = _NAME.fullmatch(value)
        if system == URI_SYSTEM and match is not None and named.contract is None:
            contract = parsed(identifier, "value", match[1], AccountId.parse)
            named = named._replace(contract=contract, consent_id=digest(match[2]))
        elif system == REQUEST_SYSTEM and named.request is None:
            named = named._replace(request=parsed(identifier, "value", value, digest))
        elif system == CONSENT_SYSTEM:
            bare.append((identifier, value))
        else:
            identifier.abandon()
    for identifier, value in bare:
        if named.consent_id is None or value != hex_digest(named.consent_id):
            identifier.fault("is not the id of a URI beside it, which names the contract", "value")
    return named


def _patient(consent: Taken) -> AccountId | None:
    """The patient, who alone consents."""
    patient = account_in(consent.element("patient", required=True), "Patient")
    for performer in consent.elements("performer"):
        consenting = account_in(performer, "Patient")
        if None not in (consenting, patient) and consenting != patient:
            performer.fault("is another than the patient")
    return patient


def _source(consent: Taken) -> Digest | None:
    """The commitment to the terms; None where no source is told."""
    source = consent.element("sourceReference")
    if source is None:
        return None
    demand_type(source, "DocumentReference")
    system, value = identifier_in(source)
    if system != TERMS_SYSTEM or value is None:
        source.fault(f"{UNKNOWN}: only terms, by an identifier of {TERMS_SYSTEM}", "identifier")
        return None
    return parsed(source, "identifier", value, digest)
