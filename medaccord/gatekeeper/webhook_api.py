"""POST, GET and DELETE /webhooks: where an account wants its notices posted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from medaccord.gatekeeper.openapi import REFUSALS, SIGNED_IN, Tag, refusals
from medaccord.gatekeeper.posting import MAX_URL
from medaccord.gatekeeper.sign_in import SignIn
from medaccord.gatekeeper.webhooks import Webhook, Webhooks
from medaccord.gatekeeper.wire import Form, time_text

WebhookId = Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="From GET /webhooks.")]


class WebhookForm(Form):
    """Body of POST /webhooks."""

    url: Annotated[str, Field(max_length=MAX_URL, examples=["https://example.org/notices"])]


class WebhookBody(BaseModel):
    """A webhook; `stoppedAt` says when it was given up, null while it is in use."""

    id: str
    url: str
    madeAt: str
    deliveredUpto: int
    failures: int
    nextAt: str
    stoppedAt: str | None


class MadeWebhook(WebhookBody):
    """A webhook just made, with what signs what is posted there; it is told this once."""

    secret: str


class WebhookList(BaseModel):
    """The webhooks of an account, oldest first."""

    webhooks: Sequence[WebhookBody]


def routes(webhooks: Webhooks, sign_in: SignIn) -> APIRouter:
    """POST and GET /webhooks, DELETE /webhooks/{id}, POST /webhooks/{id}/resume."""
    router = APIRouter(tags=[Tag.NOTICES])

    @router.post(
        "/webhooks",
        status_code=201,
        summary="Have the notices of the account that is signed in posted to an address.",
        responses=refusals(409),
        openapi_extra=SIGNED_IN,
    )
    def make(request: Request, form: WebhookForm) -> MadeWebhook:
        made, secret = webhooks.make(sign_in.fresh_session(request), form.url)
        return MadeWebhook(**_body(made).model_dump(), secret=secret)

    @router.get(
        "/webhooks",
        summary="The webhooks of the account that is signed in.",
        responses=REFUSALS,
        openapi_extra=SIGNED_IN,
    )
    def show(request: Request) -> WebhookList:
        found = webhooks.list(sign_in.fresh_session(request))
        return WebhookList(webhooks=[_body(each) for each in found])

    @router.delete(
        "/webhooks/{webhook}",
        status_code=204,
        summary="Post nothing there any more.",
        response_class=Response,
        responses=REFUSALS,
        openapi_extra=SIGNED_IN,
    )
    def remove(request: Request, webhook: WebhookId) -> None:
        webhooks.delete(sign_in.fresh_session(request), webhook)

    @router.post(
        "/webhooks/{webhook}/resume",
        summary="Post there again after it was given up, from the first notice not taken.",
        responses=REFUSALS,
        openapi_extra=SIGNED_IN,
    )
    def resume(request: Request, webhook: WebhookId) -> WebhookBody:
        return _body(webhooks.resume(sign_in.fresh_session(request), webhook))

    return router


def _body(webhook: Webhook) -> WebhookBody:
    return WebhookBody(
        id=webhook.id,
        url=webhook.url,
        madeAt=time_text(webhook.made_at),
        deliveredUpto=webhook.delivered_upto,
        failures=webhook.failures,
        nextAt=time_text(webhook.next_at),
        stoppedAt=None if webhook.stopped_at is None else time_text(webhook.stopped_at),
    )
