"""The stack that a gatekeeper answers reads with, without what makes it a gatekeeper.

The same server, framework, boundary, database and sealed records. Nobody is asked who they are,
nothing is decided, logged, signed or told: in the place of enforcement and audit stands one bare
row that is on the disk before the answer leaves. Beside it, for whoever wants to know how little
that costs by itself, the row alone, with no record read at all.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Column, Engine, LargeBinary, MetaData, Table, Text, insert
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from medaccord.core.identifiers import AccountId, Address
from medaccord.gatekeeper import refusals
from medaccord.gatekeeper.boundary import Boundary
from medaccord.gatekeeper.metrics import Metrics
from medaccord.gatekeeper.observing import Observed
from medaccord.gatekeeper.openapi import Documented
from medaccord.keys import FolderPatientKeys, KeyFolder, StewardSecrets
from medaccord.ledger import Ledger
from medaccord.records import Pseudonyms, RecordRepository, Sealer
from medaccord.store import reading, writing
from medaccord.store.columns import KEY

_metadata = MetaData()
_row = Table(
    "bare_row",
    _metadata,
    Column("id", KEY, primary_key=True),
    Column("path", Text, nullable=False),
    Column("content", LargeBinary, nullable=False),
)
_ADD = insert(_row)


def bare_stack(
    engine: Engine, ledger: Ledger, steward: Address, keys: Path, content: bytes
) -> ASGIApp:
    """An application that answers every read to anybody, and writes one row before.

    Args:
        engine: the database; a table is made in it.
        ledger: what the records are checked against.
        steward: whose records they are.
        keys: the folder of their keys.
        content: a resource as long as the records, for the row alone.
    """
    with writing(engine) as connection:
        _metadata.create_all(connection)
    store = KeyFolder.open(keys)
    sealer, names = Sealer(FolderPatientKeys(store)), Pseudonyms(StewardSecrets(store))
    repository = RecordRepository(engine, sealer, names, steward, ledger)
    app = Documented(docs_url=None, redoc_url=None, redirect_slashes=False)
    refusals.install(app)

    def write(path: str, row: bytes) -> None:
        with writing(engine) as connection:
            connection.execute(_ADD, {"path": path, "content": row})

    @app.get("/fhir/{resource_type}/{identity}")
    def read(request: Request, resource_type: str, identity: str) -> Response:
        patient = AccountId.parse(request.query_params["patient"]).address
        name = f"{resource_type}/{identity}"
        with reading(engine):
            found = repository.find(patient, lambda each: each.descriptor.record == name)
            (record,) = repository.open(found)
        write(name, record.content)
        return Response(record.content, media_type=refusals.FHIR_JSON)

    @app.get("/row/{identity}")
    def row(identity: str) -> Response:
        write(identity, content)
        return Response(content, media_type=refusals.FHIR_JSON)

    return Observed(Boundary(app), Metrics())
