"""A request that came to a patient, checked before a person sees it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from medaccord.chain.deployment import Contracts
from medaccord.chain.powers import Power
from medaccord.client.acting import Acting
from medaccord.client.salts import fresh_salt
from medaccord.client.signatures import check_signed
from medaccord.core.consent_status import ConsentStatus
from medaccord.core.errors import InvalidRequest, SignatureMismatch, VerificationFailed
from medaccord.core.identifiers import Address, Digest
from medaccord.core.purposes import Purpose
from medaccord.core.request_carriers import SignedRequest
from medaccord.core.requests import AccessRequest
from medaccord.core.scopes import Scope
from medaccord.core.terms import DatePeriod, Terms


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedRequest:
    """A request that an organisation really signed.

    Attributes:
        request: What it asks for.
        digest: Its digest; a consent that answers it carries it.
        sentence: What it asks for, in words made from its structure by this software.
        status: PROPOSED while it awaits an answer, ACTIVE once it was granted, REJECTED once it was
            denied, INACTIVE once it was cancelled or the time asked for is over.
    """

    request: AccessRequest
    digest: Digest
    sentence: str
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
    def purposes(self) -> tuple[Purpose, ...]:
        """What for."""
        return self.request.terms.purposes

    @property
    def issued(self) -> datetime:
        """When it was made."""
        return self.request.issued_at

    @property
    def expires(self) -> datetime:
        """End of the consent that it asks for, excluded."""
        return self.request.valid_until

    def narrowed(
        self,
        *,
        scopes: Iterable[Scope | str] | None = None,
        purposes: Iterable[Purpose] | None = None,
        period: DatePeriod | None = None,
        include_undated: bool | None = None,
        excluded_labels: Iterable[str] | None = None,
        records: Iterable[str] | None = None,
    ) -> Terms:
        """Terms like those asked for but for what is given, with a salt of their own.

        Args:
            scopes: SMART scopes in place of those asked for.
            purposes: What for, in place of that.
            period: The days the records may be about, in place of those.
            include_undated: Whether records that tell no day are covered.
            excluded_labels: Labels of records to leave out, besides those that are left out anyway.
            records: Single records, ``Type/id``.

        Raises:
            InvalidRequest: They are wider than what was asked for.
            InvalidScope: A scope is malformed, or not among those granted here.
            InvalidTerms: A label or a record is malformed.
        """
        asked = self.request.terms
        narrower = replace(
            asked,
            scopes=asked.scopes
            if scopes is None
            else tuple(Scope.parse(str(scope)) for scope in scopes),
            purposes=asked.purposes if purposes is None else tuple(purposes),
            period=asked.period if period is None else period,
            include_undated=asked.include_undated if include_undated is None else include_undated,
            excluded_labels=(*asked.excluded_labels, *(excluded_labels or ())),
            records=asked.records if records is None else tuple(records),
            salt=fresh_salt(),
        )
        if not narrower.narrows(asked):
            raise InvalidRequest("this is more than was asked for: use offer to give it")
        return narrower


def check_request(signed: SignedRequest, acting: Acting) -> None:
    """Check that a request is to the account acted for, and signed by the key it names.

    Raises:
        SignatureMismatch: It is signed by somebody else.
        VerificationFailed: It was made to somebody else.
        TransportError: The node does not answer.
    """
    request, named = signed.request, acting.contracts.account_id(acting.account)
    if request.patient != named:
        raise VerificationFailed(f"this request is made to {request.patient}, not to {named}")
    message = request.typed(acting.contracts.off_chain_domain)
    try:
        check_signed(acting.network, signed.by, message, signed.signature)
    except SignatureMismatch as error:
        raise SignatureMismatch(
            f"this request of {request.requester} is not signed by {signed.by}"
        ) from error


def may_ask(signed: SignedRequest, contracts: Contracts) -> bool:
    """Whether the requester is an active organisation, and the key may still ask for it.

    Raises:
        TransportError: The node does not answer.
    """
    requester = signed.request.requester.address
    return bool(
        contracts.call("Registry", "isActiveOrganisation", requester)
        and contracts.call("Registry", "isAuthorised", requester, signed.by, Power.REQUEST)
    )


def received(signed: SignedRequest, acting: Acting, status: ConsentStatus) -> ReceivedRequest:
    """A request that was checked, put in words."""
    request, directory = signed.request, acting.directory
    return ReceivedRequest(
        request=request,
        digest=request.digest(acting.contracts.off_chain_domain),
        sentence=request.sentence(
            directory.name(request.requester.address), directory.names(request.terms.stewards)
        ),
        status=status,
    )
