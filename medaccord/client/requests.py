"""Asking patients for access: through the inbox at their steward, or by any other way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from medaccord.client.acting import Acting
from medaccord.client.gatekeeper_api import Query, json_object, reading_answer
from medaccord.client.request_states import status_of
from medaccord.client.request_tasks import request_tasks
from medaccord.client.salts import fresh_salt
from medaccord.client.stated_consents import stated_here
from medaccord.core.consent_status import ConsentStatus
from medaccord.core.documents import DocumentReader
from medaccord.core.errors import InvalidDocument, InvalidRequest, TransportError
from medaccord.core.identifiers import Address, Digest, hex_digest
from medaccord.core.purposes import Purpose
from medaccord.core.request_carriers import MEMBERS, SignedRequest
from medaccord.core.requests import AccessRequest
from medaccord.core.scopes import Scope
from medaccord.core.terms import DatePeriod, Terms
from medaccord.fhir.consent import StatedConsent
from medaccord.fhir.naming import Element


@dataclass(frozen=True, slots=True, kw_only=True)
class SentRequest:
    """A request that was left in a patient's inbox.

    Attributes:
        request: What it asks for.
        digest: Its digest; the consent that answers it names it.
        status: PROPOSED while it awaits an answer, ACTIVE once it was granted, REJECTED once it was
            denied, INACTIVE once it was cancelled or the time asked for is over.
    """

    request: AccessRequest
    digest: Digest
    status: ConsentStatus = ConsentStatus.PROPOSED

    @property
    def requestor(self) -> Address:
        """The organisation that asks."""
        return self.request.requester.address

    @property
    def resource_owner(self) -> Address:
        """The patient who is asked."""
        return self.request.patient.address

    @property
    def issued(self) -> datetime:
        """When it was made."""
        return self.request.issued_at

    @property
    def expires(self) -> datetime:
        """End of the consent that it asks for, excluded."""
        return self.request.valid_until


class ProviderRequests:
    """What an organisation asks patients of one steward for."""

    def __init__(self, acting: Acting) -> None:
        """Ask for the organisation."""
        self._acting = acting

    def terms(
        self,
        *scopes: Scope | str,
        purposes: Iterable[Purpose] = (Purpose.TREAT,),
        period: DatePeriod | None = None,
        include_undated: bool = False,
        excluded_labels: Iterable[str] = (),
        records: Iterable[str] = (),
    ) -> Terms:
        """Terms about records of this steward, with a fresh salt, to ask for.

        Args:
            *scopes: SMART scopes, such as ``patient/Observation.rs?category=laboratory``.
            purposes: What for.
            period: The days the records may be about; any unless given.
            include_undated: Whether records that tell no day are covered.
            excluded_labels: Codes of sensitivity whose records are left out.
            records: Single records, ``Type/id``; all that the scopes allow unless given.

        Raises:
            InvalidScope: A scope is malformed, or not among those granted here.
            InvalidTerms: There is no scope or no purpose, or a label or record is malformed.
        """
        return self._acting.terms(
            *scopes,
            purposes=purposes,
            period=period,
            include_undated=include_undated,
            excluded_labels=excluded_labels,
            records=records,
        )

    def from_fhir(self, source: bytes | str | Mapping[str, Any]) -> StatedConsent:
        """What a FHIR Consent for this organisation says, to ask for: patient, terms, and window.

        Nothing is guessed: what terms have no words for is refused. The terms have a fresh salt.

        Args:
            source: The Consent, as JSON text or as what a JSON parser made of it; proposed, or one
                of before that is to be renewed.

        Raises:
            InvalidResource: It is no Consent, breaks R4, or says what terms cannot express; every
                such element is named.
            InvalidDocument: It is no JSON object.
            InvalidRequest: It permits another organisation, or is about another steward's records.
            TransportError: The gatekeeper or the node does not answer.

        Source: IHE ITI Privacy Consent on FHIR (PCF) 1.1.
        """
        read = stated_here(source, self._acting)
        own = self._acting.contracts.account_id(self._acting.account)
        if read.grantee != own:
            raise InvalidRequest(f"the Consent permits {read.grantee}, not {own}")
        return read

    def as_fhir(self, *requests: SentRequest) -> tuple[Element, ...]:
        """Requests as FHIR Tasks, each with the Consent that is asked for; docs/fhir.md has them.

        Args:
            *requests: From `send` or `list`.

        Returns:
            A resource each; `medaccord.fhir.collection` puts them in one Bundle.

        Raises:
            VerificationFailed: A request is said to be granted, and no consent answers it.
            TransportError: The node does not answer.

        Source: FHIR R4 Task.
        """
        return request_tasks(self._acting.contracts, requests)

    def draft(
        self,
        patient: Address,
        terms: Terms,
        *,
        valid_until: datetime,
        valid_from: datetime | None = None,
    ) -> SignedRequest:
        """Sign a request, to be handed to the patient as a file, a link or a QR code.

        Args:
            patient: The patient's account.
            terms: What is asked for.
            valid_until: End of the consent asked for, excluded; in whole seconds, rounded down.
            valid_from: Its start, likewise; now unless given.

        Returns:
            Its `to_file`, `to_link` and `to_qr` carry it; `leave` lays it in the inbox.

        Raises:
            InvalidRequest: The request makes no sense.
        """
        acting, name = self._acting, self._acting.contracts.account_id
        now = acting.network.clock().replace(microsecond=0)
        request = AccessRequest(
            requester=name(acting.account),
            patient=name(patient),
            steward=name(acting.steward),
            terms=terms,
            valid_from=(valid_from or now).replace(microsecond=0),
            valid_until=valid_until.replace(microsecond=0),
            issued_at=now,
            nonce=fresh_salt(),
        )
        message = request.typed(acting.contracts.off_chain_domain)
        return SignedRequest(request=request, by=acting.by, signature=acting.signer.sign(message))

    def send(
        self,
        patient: Address,
        terms: Terms,
        *,
        valid_until: datetime,
        valid_from: datetime | None = None,
    ) -> SentRequest:
        """Ask a patient for access, through the inbox at the steward. Arguments as `draft`.

        Raises:
            InvalidRequest: The request makes no sense, or too many lie there already.
            AccessRefused: The gatekeeper has no such patient, or takes no requests of this account.
            TransportError: The gatekeeper does not answer, or badly.
        """
        return self.leave(
            self.draft(patient, terms, valid_until=valid_until, valid_from=valid_from)
        )

    def leave(self, drafted: SignedRequest) -> SentRequest:
        """Lay a request in the inbox of its patient, also one that was handed over before.

        Args:
            drafted: From `draft`, a day old at most.

        Raises:
            InvalidRequest: And the rest, as `send`.
        """
        document = drafted.document()
        body = {name: document[name] for name in MEMBERS}
        self._acting.api.post("/requests", body)
        domain = self._acting.contracts.off_chain_domain
        return SentRequest(request=drafted.request, digest=drafted.request.digest(domain))

    def list(self, status: ConsentStatus | None = None) -> tuple[SentRequest, ...]:
        """Requests that were left at this gatekeeper, in the order they were left.

        Which were granted, and which are over, is the gatekeeper's word; the chain has the consent.

        Args:
            status: Only those of this status; all of them unless given.

        Raises:
            AccessRefused: The key may not read for the account.
            TransportError: The gatekeeper does not answer, or badly.
        """
        return tuple(each for each in self._all() if status in (None, each.status))

    def cancel(self, request: SentRequest) -> None:
        """Take a request back that was not answered yet; one that was taken back stays so.

        Args:
            request: From `send` or `list`.

        Raises:
            InvalidRequest: It does not lie there, was answered before, or is over.
            AccessRefused: The key may not ask for the account.
            TransportError: The gatekeeper does not answer, or badly.
        """
        self._acting.session.post(f"/requests/{hex_digest(request.digest)}/cancel", {})

    def _all(self) -> Iterator[SentRequest]:
        """Page by page."""
        session, after, seen = self._acting.session, None, set[str]()
        while True:
            asked: Query = {} if after is None else {"after": after}
            answer = json_object(session.get("/requests/sent", parameters=asked))
            with reading_answer(session.api.url):
                reader = DocumentReader(
                    answer, what="the answer", required=("requests", "next"), optional=answer
                )
                found = [self._sent(each) for each in reader.mappings("requests")]
                after = None if reader.null("next") else reader.text("next")
            yield from found
            if after is None:
                return
            if after in seen:
                raise TransportError(f"the pages of {session.api.url} run in a circle")
            seen.add(after)

    def _sent(self, item: Mapping[str, Any]) -> SentRequest:
        reader = DocumentReader(
            item, what="the request", required=("request", "state"), optional=item
        )
        request = AccessRequest.parse(reader.mapping("request"))
        if request.requester.address != self._acting.account:
            raise InvalidDocument(f"a request of {request.requester} was shown as one's own")
        return SentRequest(
            request=request,
            digest=request.digest(self._acting.contracts.off_chain_domain),
            status=status_of(reader.text("state")),
        )
