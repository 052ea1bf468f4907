"""A patient's inbox: requests, each checked before a person sees it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from medaccord.chain.deployment import Contracts
from medaccord.chain.powers import Power
from medaccord.client.directory import Directory
from medaccord.client.gatekeeper_api import json_object
from medaccord.client.session import Session
from medaccord.core.documents import DocumentReader
from medaccord.core.errors import SignatureMismatch, TransportError
from medaccord.core.identifiers import Digest
from medaccord.core.requests import AccessRequest
from medaccord.core.typed_data import recover


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


def read_inbox(
    session: Session, contracts: Contracts, directory: Directory
) -> list[ReceivedRequest]:
    """Requests that await an answer, in the order they came.

    Raises:
        SignatureMismatch: The gatekeeper shows a request that its requester did not sign.
        AccessRefused: The key may not read for the account.
        TransportError: The gatekeeper or the node does not answer.
    """
    answer = json_object(session.get("/requests", parameters={"state": "open"}))
    items = answer.get("requests")
    if not isinstance(items, list):
        raise TransportError("the gatekeeper answered without a list of requests")
    return [_received(item, contracts, directory) for item in items]


def _received(item: Any, contracts: Contracts, directory: Directory) -> ReceivedRequest:
    reader = DocumentReader(
        item,
        what="the request",
        required=("request", "by", "signature"),
        optional=item if isinstance(item, dict) else (),
    )
    request = AccessRequest.parse(reader.mapping("request"))
    message = request.typed(contracts.off_chain_domain)
    by, signature = reader.address("by"), reader.octets("signature")
    requester = request.requester.address
    if recover(message, signature) != by or not contracts.call(
        "Registry", "isAuthorised", requester, by, Power.REQUEST
    ):
        raise SignatureMismatch(f"a request in the inbox is not signed by {requester}")
    steward_names = directory.names(request.terms.stewards)
    return ReceivedRequest(
        request=request,
        digest=message.digest(),
        sentence=request.sentence(directory.name(requester), steward_names),
    )
