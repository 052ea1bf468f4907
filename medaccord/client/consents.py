"""Giving consent, taking it back, and what was given so far."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from medaccord.chain import actions, events
from medaccord.client.acting import Acting
from medaccord.client.action_receipts import ActionReceipt
from medaccord.client.given_consents import GivenConsent, given_consent
from medaccord.client.history import events_about
from medaccord.client.openings import Openings
from medaccord.client.received import ReceivedRequest
from medaccord.client.salts import fresh_salt
from medaccord.client.stated_consents import stated, stated_here
from medaccord.core.consent_status import ConsentStatus
from medaccord.core.errors import InvalidRequest
from medaccord.core.identifiers import ZERO_DIGEST, Address, ConsentId, Digest, hex_digest
from medaccord.core.purposes import Purpose
from medaccord.core.scopes import Scope
from medaccord.core.terms import DatePeriod, Terms
from medaccord.fhir.consent import StatedConsent, consent_resource
from medaccord.fhir.naming import Element


class PatientConsents:
    """A patient's own. What it signs, the gatekeeper sends and pays for."""

    def __init__(self, acting: Acting) -> None:
        """Act for the patient."""
        self._acting = acting

    def grant(
        self,
        received: ReceivedRequest,
        *,
        scopes: Iterable[Scope | str] | None = None,
        purposes: Iterable[Purpose] | None = None,
        period: DatePeriod | None = None,
        include_undated: bool | None = None,
        excluded_labels: Iterable[str] | None = None,
        records: Iterable[str] | None = None,
        valid_from: datetime | None = None,
        valid_until: datetime | None = None,
        wait: bool = True,
    ) -> ActionReceipt:
        """Consent to a request: as asked, or to less, where less is named.

        The terms get a salt of their own either way, so that what stands on the chain cannot be
        told from the request.

        Args:
            received: From `PatientInbox`.
            scopes: See `ReceivedRequest.narrowed`, as for the next five.
            purposes: Fewer.
            period: Fewer days.
            include_undated: Whether records that tell no day are covered.
            excluded_labels: Labels to leave out, besides those that the request leaves out.
            records: Single records.
            valid_from: A later start.
            valid_until: An earlier end, excluded.
            wait: Whether to wait until it is mined.

        Returns:
            Its `id` is the consent's.

        Raises:
            InvalidRequest: This is more than was asked for, or the request was answered before.
            InvalidScope: A scope is malformed, or not among those granted here.
            InvalidTerms: A label or a record is malformed.
            ContractReverted: The chain refuses.
            AccessRefused: The gatekeeper relays nothing for this account.
            TransportError: The gatekeeper or the node does not answer, or it was not mined in time.
        """
        if received.status is not ConsentStatus.PROPOSED:
            raise InvalidRequest(
                f"the request waits for no answer any more: it is {received.status.value}"
            )
        request = received.request
        terms = received.narrowed(
            scopes=scopes,
            purposes=purposes,
            period=period,
            include_undated=include_undated,
            excluded_labels=excluded_labels,
            records=records,
        )
        start, end = valid_from or request.valid_from, valid_until or request.valid_until
        if start < request.valid_from or end > request.valid_until:
            raise InvalidRequest("this is longer than was asked for: use offer to give it")
        return self._give(
            request.requester.address, terms, start, end, request=received.digest, wait=wait
        )

    def offer(
        self,
        grantee: Address,
        terms: Terms,
        *,
        valid_until: datetime,
        valid_from: datetime | None = None,
        wait: bool = True,
    ) -> ActionReceipt:
        """Consent without having been asked.

        Args:
            grantee: The organisation that may read.
            terms: What, as `terms` makes them; they are given a fresh salt.
            valid_until: The end, excluded; in whole seconds, rounded down.
            valid_from: The first second, likewise; now unless given.
            wait: Whether to wait until it is mined.

        Returns:
            Its `id` is the consent's.

        Raises:
            ContractReverted: And the rest, as `grant`.
        """
        start = valid_from or self._acting.network.clock()
        return self._give(grantee, replace(terms, salt=fresh_salt()), start, valid_until, wait=wait)

    def terms(
        self,
        *scopes: Scope | str,
        purposes: Iterable[Purpose] = (Purpose.TREAT,),
        period: DatePeriod | None = None,
        include_undated: bool = False,
        excluded_labels: Iterable[str] = (),
        records: Iterable[str] = (),
    ) -> Terms:
        """Terms about records of this steward, to `offer`. As `ProviderRequests.terms`."""
        return self._acting.terms(
            *scopes,
            purposes=purposes,
            period=period,
            include_undated=include_undated,
            excluded_labels=excluded_labels,
            records=records,
        )

    def revoke(self, consent_id: ConsentId, *, wait: bool = True) -> ActionReceipt:
        """Revoke a consent for good.

        Args:
            consent_id: Which; also one that was signed and never sent.
            wait: Whether to wait until it is mined; the gatekeeper obeys at once either way.

        Raises:
            ContractReverted: It was revoked before.
            AccessRefused: The account is nobody's here.
            TransportError: The gatekeeper or the node does not answer, or it was not mined in time.
        """
        acting = self._acting
        action = actions.revoke(
            acting.contracts, patient=acting.account, consent_id=consent_id, by=acting.by
        )
        return acting.relay(action, wait=wait)

    def revoke_all(self, *, wait: bool = True) -> ActionReceipt:
        """End every consent, emergency access and delegation of the account.

        Args:
            wait: Whether to wait until it is mined; the gatekeeper obeys at once either way.

        Raises:
            AccessRefused: And the rest, as `revoke`.
        """
        acting = self._acting
        action = actions.revoke_all(acting.contracts, account=acting.account, by=acting.by)
        return acting.relay(action, wait=wait)

    def history(
        self,
        *,
        status: ConsentStatus | None = None,
        grantee: Address | None = None,
        newest_first: bool = False,
    ) -> Iterator[GivenConsent]:
        """Every consent that was given, ended ones included, read from the chain itself.

        It is read page by page while it is iterated.

        Args:
            status: ACTIVE for those that permit reading now, INACTIVE for the others; all of them
                unless given. What was asked for or denied stands in the inbox, not on the chain.
            grantee: Only those for this organisation; for all of them unless given.
            newest_first: Whether the last one comes first.

        Raises:
            TransportError: The node does not answer, or badly; also while it is iterated.
        """
        acting = self._acting
        for event in events_about(
            acting.contracts,
            acting.account,
            events.ConsentGranted,
            organisation=grantee,
            newest_first=newest_first,
        ):
            found = given_consent(acting.contracts, event)
            if status in (None, found.status):
                yield found

    def get(self, consent_id: ConsentId) -> GivenConsent:
        """One consent.

        Raises:
            InvalidRequest: The account gave none of this id.
            TransportError: The node does not answer.
        """
        for event in events_about(
            self._acting.contracts, self._acting.account, events.ConsentGranted, newest_first=True
        ):
            if event.consent_id == consent_id:
                return given_consent(self._acting.contracts, event)
        raise InvalidRequest(f"{self._acting.account} gave no consent {hex_digest(consent_id)}")

    def terms_of(self, consent: GivenConsent) -> Terms:
        """What a consent covers, as the gatekeeper was told, and as the chain proves.

        Args:
            consent: From `history` or `get`.

        Raises:
            CommitmentMismatch: What the gatekeeper shows is not what was committed to on chain.
            InvalidRequest: The terms were not told to this gatekeeper.
            AccessRefused: The key may not read for the account.
            TransportError: The gatekeeper does not answer, or badly.
        """
        return _opened(Openings.fetch(self._acting.session), consent)

    def as_fhir(self, *consents: GivenConsent) -> tuple[Element, ...]:
        """Consents as FHIR Consents, after IHE's Privacy Consent on FHIR; docs/fhir.md has them.

        Args:
            *consents: From `history` or `get`.

        Returns:
            A resource each; `medaccord.fhir.collection` puts them in one Bundle.

        Raises:
            CommitmentMismatch: And the rest, as `terms_of`.

        Source: IHE ITI Privacy Consent on FHIR (PCF) 1.1.
        """
        openings, contracts = Openings.fetch(self._acting.session), self._acting.contracts
        return tuple(
            consent_resource(stated(contracts, each, _opened(openings, each))) for each in consents
        )

    def from_fhir(self, source: bytes | str | Mapping[str, Any]) -> StatedConsent:
        """What a FHIR Consent of one's own says, to `offer`: grantee, terms, and window.

        Nothing is guessed: what terms have no words for is refused. The terms have a fresh salt.

        Args:
            source: The Consent, as JSON text or as what a JSON parser made of it.

        Raises:
            InvalidResource: It is no Consent, breaks R4, or says what terms cannot express; every
                such element is named.
            InvalidDocument: It is no JSON object.
            InvalidRequest: It is another patient's, about another steward's records, or only what
                a request asks for: that is granted, not offered.
            TransportError: The gatekeeper or the node does not answer.

        Source: IHE ITI Privacy Consent on FHIR (PCF) 1.1.
        """
        read = stated_here(source, self._acting)
        own = self._acting.contracts.account_id(self._acting.account)
        if read.patient != own:
            raise InvalidRequest(f"the Consent is of {read.patient}, not of {own}")
        if read.request is not None:
            raise InvalidRequest(
                f"the Consent is what request {hex_digest(read.request)} asks for: grant that"
            )
        return read

    def _give(
        self,
        grantee: Address,
        terms: Terms,
        valid_from: datetime,
        valid_until: datetime,
        *,
        request: Digest = ZERO_DIGEST,
        wait: bool,
    ) -> ActionReceipt:
        acting = self._acting
        action = actions.grant(
            acting.contracts,
            patient=acting.account,
            grantee=grantee,
            terms=terms.commitment,
            valid_from=valid_from,
            valid_until=valid_until,
            request=request,
            by=acting.by,
        )
        return acting.relay(action, terms=terms, wait=wait)


def _opened(openings: Openings, consent: GivenConsent) -> Terms:
    terms = openings.terms_of(consent.consent_id, consent.terms)
    if terms is None:
        raise InvalidRequest(
            f"the terms were not told to this gatekeeper: ask the other one about"
            f" {hex_digest(consent.consent_id)}"
        )
    return terms


class HeldConsents:
    """The consents that name an organisation."""

    def __init__(self, acting: Acting) -> None:
        """Look for the organisation."""
        self._acting = acting

    def history(
        self,
        *,
        status: ConsentStatus | None = None,
        patient: Address | None = None,
        newest_first: bool = False,
    ) -> Iterator[GivenConsent]:
        """Every consent that names the organisation, ended ones included, from the chain itself.

        What it covers, ``provider.access`` tells. It is read page by page while it is iterated.

        Args:
            status: ACTIVE for those that permit reading now, INACTIVE for the others; all of them
                unless given.
            patient: Only those of this account; of all of them unless given.
            newest_first: Whether the last one comes first.

        Raises:
            TransportError: The node does not answer, or badly; also while it is iterated.
        """
        acting = self._acting
        for event in events_about(
            acting.contracts,
            patient,
            events.ConsentGranted,
            organisation=acting.account,
            newest_first=newest_first,
        ):
            found = given_consent(acting.contracts, event)
            if status in (None, found.status):
                yield found
