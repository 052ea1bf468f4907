"""Whose gatekeeper this is, whether it runs, and whether it can decide anything now."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy import text
from starlette.responses import JSONResponse

from medaccord import __version__
from medaccord.core.errors import AccessRefused, StoreFailed
from medaccord.core.refusals import Refusal
from medaccord.gatekeeper.foundation import Foundation
from medaccord.gatekeeper.metrics import Metrics
from medaccord.gatekeeper.openapi import Tag
from medaccord.gatekeeper.wire import Block, block_document
from medaccord.store import reading

DRAINING = "draining"
"""Why a gatekeeper is not ready that is about to stop."""

NO_DATABASE = "database-unreachable"
"""Why a gatekeeper is not ready whose database does not answer."""


class Health(BaseModel):
    """Whose gatekeeper this is."""

    status: Literal["ok"]
    steward: str
    version: str


class Readiness(BaseModel):
    """Whether decisions are made.

    `status` is `ready`, `draining`, `database-unreachable` or the code of the refusal that every
    read gets meanwhile.
    """

    status: str
    steward: str
    block: Block | None
    behind: int | None


class Readying:
    """Tells whether a gatekeeper decides now."""

    def __init__(self, base: Foundation, *, draining: Callable[[], bool]) -> None:
        """Look at a foundation; `draining` says whether the gatekeeper is about to stop."""
        self._steward = base.steward
        self._engine = base.engine
        self._ledger = base.ledger
        self._standing = base.standing
        self._draining = draining

    def health(self) -> dict[str, Any]:
        """What is so as long as the process runs."""
        return {"status": "ok", "steward": self._steward, "version": __version__}

    def ready(self) -> dict[str, Any]:
        """`Readiness` as a document; its `status` is `ready` where decisions are made."""
        body: dict[str, Any] = {
            "status": "ready",
            "steward": self._steward,
            "block": None,
            "behind": None,
        }
        try:
            with reading(self._engine) as connection:
                connection.execute(text("SELECT 1"))
            self._standing.refresh()
            freshness = self._ledger.freshness()
            body |= {"block": block_document(freshness.head), "behind": freshness.behind}
            self._standing.require_fresh()
        except StoreFailed:
            return body | {"status": NO_DATABASE}
        except AccessRefused as refusal:
            return body | {"status": refusal.reason.value}
        if self._draining():
            return body | {"status": DRAINING}
        return body

    def observe(self, metrics: Metrics) -> None:
        """Set the numbers that tell how far the ledger can be relied on."""
        with suppress(AccessRefused, StoreFailed):  # then they stand as they were
            freshness = self._ledger.freshness()
            metrics.ledger_block.set(freshness.head.number)
            metrics.ledger_behind.set(freshness.behind)
            silence = self._standing.clock() - freshness.answered_at
            metrics.ledger_silence_seconds.set(max(silence, freshness.silence).total_seconds())


def routes(readying: Readying) -> APIRouter:
    """GET /health: 200 while the process runs. GET /ready: 503 while every read is refused."""
    router = APIRouter(tags=[Tag.RUNNING])
    reasons = ", ".join([DRAINING, NO_DATABASE, Refusal.LEDGER_BEHIND.value])

    @router.get("/health", summary="Whether it runs, and whose it is", response_model=Health)
    async def health() -> JSONResponse:
        return JSONResponse(readying.health())

    @router.get(
        "/ready",
        summary="Whether it decides",
        response_model=Readiness,
        responses={503: {"model": Readiness, "description": f"Not now: {reasons}, or the like."}},
    )
    def ready() -> JSONResponse:
        body = readying.ready()
        return JSONResponse(body, status_code=200 if body["status"] == "ready" else 503)

    return router
