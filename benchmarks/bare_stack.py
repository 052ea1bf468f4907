"""The stack a gatekeeper stands on, with nothing of a gatekeeper in it: one bare durable insert.

The same server, the same framework, the same boundary around it and the same database; what a
gatekeeper does for each answer is one row that is on the disk before the answer leaves.
"""

from __future__ import annotations

from fastapi import FastAPI
from sqlalchemy import Column, Engine, LargeBinary, MetaData, Table, Text, insert
from starlette.responses import Response
from starlette.types import ASGIApp

from medaccord.gatekeeper import refusals
from medaccord.gatekeeper.boundary import Boundary
from medaccord.store import writing
from medaccord.store.columns import KEY

_metadata = MetaData()
_row = Table(
    "bare_row",
    _metadata,
    Column("id", KEY, primary_key=True),
    Column("path", Text, nullable=False),
    Column("content", LargeBinary, nullable=False),
)


def bare_stack(engine: Engine, content: bytes) -> ASGIApp:
    """An application that answers every read with the same content, and writes a row before.

    Args:
        engine: the database; a table is made in it.
        content: a FHIR resource, as long as those that the gatekeeper releases.
    """
    with writing(engine) as connection:
        _metadata.create_all(connection)
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    refusals.install(app)

    @app.get("/fhir/{resource_type}/{identity}")
    def read(resource_type: str, identity: str) -> Response:
        with writing(engine) as connection:
            row = {"path": f"{resource_type}/{identity}", "content": content}
            connection.execute(insert(_row), row)
        return Response(content, media_type="application/fhir+json")

    return Boundary(app)
