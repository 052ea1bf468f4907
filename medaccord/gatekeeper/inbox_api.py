"""POST and GET /requests and what follows: leaving, seeing, denying and cancelling requests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel

from medaccord.core.identifiers import hex_digest
from medaccord.gatekeeper.inbox import Inbox, Received, State
from medaccord.gatekeeper.openapi import REFUSALS, SIGNED_IN, Tag, refusals
from medaccord.gatekeeper.sign_in import SignIn
from medaccord.gatekeeper.wire import AddressField, DigestField, Form, SignatureField, time_text

MAX_PAGE: Final = 500
"""Requests on a page of GET /requests/sent, inclusive."""

RequestDigest = Annotated[
    DigestField, Path(description="Digest of the request, as it was answered when it was left.")
]


class RequestForm(Form):
    """Body of POST /requests."""

    request: dict[str, Any]
    by: AddressField
    signature: SignatureField


class RequestTaken(BaseModel):
    """The digest of a request, which a consent answers by."""

    digest: str


class RequestShown(BaseModel):
    """A request as its patient, and whoever asked, see it."""

    digest: str
    request: dict[str, Any]
    by: str
    signature: str
    receivedAt: str
    state: State


class Requests(BaseModel):
    """An inbox."""

    requests: Sequence[RequestShown]


class SentRequests(BaseModel):
    """A page of what an organisation left here; `next` is where the next one begins."""

    requests: Sequence[RequestShown]
    next: str | None


def routes(inbox: Inbox, sign_in: SignIn) -> APIRouter:
    """The routes of the inbox."""
    router = APIRouter(tags=[Tag.PATIENTS])

    @router.post(
        "/requests",
        status_code=201,
        summary="Ask a patient for consent",
        response_model=RequestTaken,
        responses=refusals(409),
    )
    def take(form: RequestForm) -> dict[str, str]:
        return {"digest": hex_digest(inbox.take(form.request, form.by, form.signature))}

    @router.get(
        "/requests",
        summary="The patient's inbox",
        responses=REFUSALS,
        openapi_extra=SIGNED_IN,
    )
    def show(request: Request, state: State | None = None) -> Requests:
        received = inbox.of(sign_in.fresh_session(request))
        return Requests(requests=[_shown(each) for each in received if state in (None, each.state)])

    @router.get(
        "/requests/sent",
        summary="What the organisation that is signed in left in inboxes here, oldest first",
        responses=REFUSALS,
        openapi_extra=SIGNED_IN,
    )
    def sent(
        request: Request,
        after: Annotated[
            DigestField | None, Query(description="Only those left after this one of them.")
        ] = None,
        count: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 100,
    ) -> SentRequests:
        found, last = inbox.sent(sign_in.fresh_session(request), after=after, count=count)
        return SentRequests(
            requests=[_shown(each) for each in found], next=last and hex_digest(last)
        )

    @router.post(
        "/requests/{request_digest}/deny",
        summary="Deny a request for good, as its patient",
        responses=refusals(409),
        openapi_extra=SIGNED_IN,
    )
    def deny(request: Request, request_digest: RequestDigest) -> RequestShown:
        return _shown(inbox.deny(sign_in.fresh_session(request), request_digest))

    @router.post(
        "/requests/{request_digest}/cancel",
        summary="Take a request back, as the organisation that left it",
        responses=refusals(409),
        openapi_extra=SIGNED_IN,
    )
    def cancel(request: Request, request_digest: RequestDigest) -> RequestShown:
        return _shown(inbox.cancel(sign_in.fresh_session(request), request_digest))

    return router


def _shown(received: Received) -> RequestShown:
    return RequestShown(
        digest=hex_digest(received.digest),
        request=received.request.document(),
        by=str(received.by),
        signature="0x" + received.signature.hex(),
        receivedAt=time_text(received.received_at),
        state=received.state,
    )
