"""A patient's inbox: requests, each checked before a person sees it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from medaccord.chain.deployment import Contracts
from medaccord.chain.powers import Power
from medaccord.client.directory import Directory
from medaccord.client.gatekeeper_api import json_object, reading_answer
from medaccord.client.session import Session
from medaccord.client.signatures import check_signed
from medaccord.core.documents import DocumentReader
from medaccord.core.errors import InvalidDocument, SignatureMismatch, VerificationFailed
from medaccord.core.identifiers import Address, Digest, digest
from medaccord.core.requests import AccessRequest
from medaccord.core.scopes import Scope
from medaccord.core.terms import Terms


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedRequest:
    """A request that an organisation really signed.

    Attributes:
        request: What it asks for.
        digest: Its digest; a consent that answers it carries it.
        sentence: What it asks for, in words made from its structure by this software.
    """

    request: AccessRequest
    digest: Digest
    sentence: str

    def narrowed(
        self,
        *,
        scopes: Iterable[Scope | str] | None = None,
        excluded_labels: Iterable[str] | None = None,
        records: Iterable[str] | None = None,
    ) -> Terms:
        """Terms like those asked for but for what is given, with a salt of their own.

        Whether they are narrower is checked when they are granted.

        Args:
            scopes: SMART scopes in place of those asked for.
            excluded_labels: Labels of records to leave out.
            records: Single records, ``Type/id``.

        Raises:
            InvalidScope: A scope is malformed, or not among those granted here.
            InvalidTerms: A label or a record is malformed.
        """
        asked = self.request.terms
        return replace(
            asked,
            scopes=asked.scopes
            if scopes is None
            else tuple(Scope.parse(str(scope)) for scope in scopes),
            excluded_labels=asked.excluded_labels
            if excluded_labels is None
            else tuple(excluded_labels),
            records=asked.records if records is None else tuple(records),
            salt=digest(os.urandom(32)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Signed:
    request: AccessRequest
    by: Address
    signature: bytes


def read_inbox(
    session: Session, contracts: Contracts, directory: Directory
) -> list[ReceivedRequest]:
    """Requests that await an answer, in the order they came.

    Left out are those of organisations that are not, or no longer, admitted, or are suspended, and
    those whose key may no longer ask: that can come about after a request was left honestly.

    Raises:
        SignatureMismatch: The gatekeeper shows a request that nobody signed.
        VerificationFailed: It shows a request made to somebody else.
        AccessRefused: The key may not read for the account.
        TransportError: The gatekeeper or the node does not answer, or badly.
    """
    answer = json_object(session.get("/requests", parameters={"state": "open"}))
    with reading_answer(session.api.url):
        shown = _read(answer)
    return [
        _received(signed, contracts, directory)
        for signed in shown
        if _may_ask(_checked(signed, session, contracts), contracts)
    ]


def _read(answer: dict[str, Any]) -> list[_Signed]:
    items = answer.get("requests")
    if not isinstance(items, list):
        raise InvalidDocument("there is no list of requests")
    return [_signed(item) for item in items]


def _signed(item: Any) -> _Signed:
    reader = DocumentReader(
        item,
        what="the request",
        required=("request", "by", "signature"),
        optional=item if isinstance(item, dict) else (),
    )
    return _Signed(
        request=AccessRequest.parse(reader.mapping("request")),
        by=reader.address("by"),
        signature=reader.octets("signature"),
    )


def _checked(signed: _Signed, session: Session, contracts: Contracts) -> _Signed:
    request = signed.request
    if request.patient != session.account:
        raise VerificationFailed(
            f"the inbox of {session.account} holds a request to {request.patient}"
        )
    message = request.typed(contracts.off_chain_domain)
    try:
        check_signed(contracts.network, signed.by, message, signed.signature)
    except SignatureMismatch as error:
        raise SignatureMismatch(
            f"a request of {request.requester} in the inbox is not signed by {signed.by}"
        ) from error
    return signed


def _may_ask(signed: _Signed, contracts: Contracts) -> bool:
    requester = signed.request.requester.address
    return bool(
        contracts.call("Registry", "isActiveOrganisation", requester)
        and contracts.call("Registry", "isAuthorised", requester, signed.by, Power.REQUEST)
    )


def _received(signed: _Signed, contracts: Contracts, directory: Directory) -> ReceivedRequest:
    request = signed.request
    return ReceivedRequest(
        request=request,
        digest=request.digest(contracts.off_chain_domain),
        sentence=request.sentence(
            directory.name(request.requester.address), directory.names(request.terms.stewards)
        ),
    )
