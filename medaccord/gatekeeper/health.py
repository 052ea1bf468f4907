"""Whose gatekeeper this is, and whether it can decide anything now."""

from typing import Any

from fastapi import APIRouter
from starlette.responses import JSONResponse

from medaccord.core.errors import AccessRefused
from medaccord.core.identifiers import Address
from medaccord.gatekeeper.standing import Standing
from medaccord.gatekeeper.wire import block_document
from medaccord.ledger import Ledger


def routes(standing: Standing, ledger: Ledger, steward: Address) -> APIRouter:
    """GET /health: 200 while decisions are made, 503 while every read is refused."""
    router = APIRouter()

    @router.get("/health")
    def health() -> JSONResponse:
        body: dict[str, Any] = {
            "status": "ok",
            "steward": steward,
            "block": None,
            "behind": None,
        }
        try:
            standing.refresh()
            freshness = ledger.freshness()
            body |= {"block": block_document(freshness.head), "behind": freshness.behind}
            standing.require_fresh()
        except AccessRefused as refusal:
            return JSONResponse(body | {"status": refusal.reason.value}, status_code=503)
        return JSONResponse(body)

    return router
