"""POST /access/check and /access/check/batch; GET /access/who-can, /access/what-can and /watch."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from starlette.responses import StreamingResponse

from medaccord.core.facts import Pair
from medaccord.core.facts import Query as Asked
from medaccord.core.purposes import Purpose
from medaccord.gatekeeper.access import Access
from medaccord.gatekeeper.access_forms import (
    BatchAnswer,
    BatchForm,
    CheckAnswer,
    CheckForm,
    Interaction,
    WhatCanAnswer,
    WhoCanAnswer,
    batch_answer,
    check_answer,
    what_can_answer,
    who_can_answer,
)
from medaccord.gatekeeper.event_stream import EVENT_STREAM, LAST_EVENT_HEADER
from medaccord.gatekeeper.freshness import BLOCK_HEADER, Wanted, wanted
from medaccord.gatekeeper.openapi import REFUSALS, SIGNED_IN, Tag
from medaccord.gatekeeper.sign_in import SignIn
from medaccord.gatekeeper.watching import MAX_WATCHED, Watching
from medaccord.gatekeeper.wire import AddressField

_STREAMED: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "Events: `allowed`, each with all that is; `refused` where it must end.",
        "content": {EVENT_STREAM: {"schema": {"type": "string"}}},
    }
}


def routes(access: Access, watching: Watching, sign_in: SignIn) -> APIRouter:
    """Everything under /access."""
    router = APIRouter(prefix="/access", tags=[Tag.ACCESS])
    Fresh = Annotated[Wanted, Depends(wanted)]

    @router.post(
        "/check",
        summary="Whether something may be read now, and why",
        responses=REFUSALS,
        openapi_extra=SIGNED_IN,
    )
    def check(form: CheckForm, request: Request, response: Response, fresh: Fresh) -> CheckAnswer:
        session = sign_in.fresh_session(request)
        (verdict,), block = access.check(session, [form.check(session.account)], fresh)
        answer = check_answer(verdict, block)
        response.headers[BLOCK_HEADER] = answer.consistencyToken
        return answer

    @router.post(
        "/check/batch",
        summary="The same of up to 50 things, all decided at one state",
        responses=REFUSALS,
        openapi_extra=SIGNED_IN,
    )
    def batch(form: BatchForm, request: Request, response: Response, fresh: Fresh) -> BatchAnswer:
        session = sign_in.fresh_session(request)
        checks = [each.check(session.account) for each in form.checks]
        answer = batch_answer(*access.check(session, checks, fresh))
        response.headers[BLOCK_HEADER] = answer.consistencyToken
        return answer

    @router.get(
        "/who-can",
        summary="Which organisations may read a type of a patient's records now, and by what",
        responses=REFUSALS,
        openapi_extra=SIGNED_IN,
    )
    def who_can(
        request: Request,
        response: Response,
        fresh: Fresh,
        patient: Annotated[AddressField, Query()],
        resource_type: Annotated[str, Query(alias="resourceType")],
        interaction: Annotated[Interaction, Query()] = "r",
        purpose: Annotated[Purpose, Query()] = Purpose.TREAT,
    ) -> WhoCanAnswer:
        session = sign_in.fresh_session(request)
        asked = Asked(
            requester=patient,
            patient=patient,
            purpose=purpose,
            interaction=interaction,
            resource_type=resource_type,
        )
        answer = who_can_answer(*access.who_can(session, asked, fresh))
        response.headers[BLOCK_HEADER] = answer.consistencyToken
        return answer

    @router.get(
        "/what-can",
        summary="What an organisation may read of a patient now, by consent",
        responses=REFUSALS,
        openapi_extra=SIGNED_IN,
    )
    def what_can(
        request: Request,
        response: Response,
        fresh: Fresh,
        patient: Annotated[AddressField, Query()],
        requester: Annotated[AddressField | None, Query()] = None,
    ) -> WhatCanAnswer:
        session = sign_in.fresh_session(request)
        pair = Pair(requester=requester or session.account, patient=patient)
        answer = what_can_answer(*access.what_can(session, pair, fresh))
        response.headers[BLOCK_HEADER] = answer.consistencyToken
        return answer

    @router.get(
        "/watch",
        summary="All that is allowed, told at once and whenever it changes",
        response_class=StreamingResponse,
        responses=REFUSALS | _STREAMED,
        openapi_extra=SIGNED_IN,
    )
    def watch(
        request: Request,
        patient: Annotated[
            list[AddressField] | None,
            Query(max_length=MAX_WATCHED, description="The account that asks, unless given."),
        ] = None,
        last_event: Annotated[str | None, Header(alias=LAST_EVENT_HEADER)] = None,
    ) -> StreamingResponse:
        session = sign_in.fresh_session(request)
        return watching.watch(
            session,
            list(dict.fromkeys(patient or [session.account])),
            last_event=last_event,
            check=lambda: sign_in.session(request),
        )

    return router
