"""The database goes away in the middle of an import: nothing is taken in, and it can go on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, event

from medaccord.core.errors import StoreFailed
from medaccord.core.identifiers import Address
from tests import databases
from tests.unit.records.conftest import NOW, Hospital
from tests.unit.records.ndjson import count, of_two


@pytest.fixture(scope="module")
def own_server() -> Iterator[databases.PostgreSQL]:
    """One that nobody else needs: it is killed."""
    programs = databases.binaries()
    if programs is None:
        pytest.skip(databases.MISSING)
    with databases.server(programs) as running:
        yield running


@pytest.fixture
def database_url(own_server: databases.PostgreSQL) -> str:
    own_server.start()
    return own_server.create()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return of_two(tmp_path / "export.ndjson")


def test_nothing_is_taken_in_when_the_database_goes_while_records_are_prepared(
    own_server: databases.PostgreSQL,
    hospital: Hospital,
    patient: Address,
    other_patient: Address,
    file: Path,
) -> None:
    before = count(hospital)

    def cut(done: int, _total: int) -> None:
        if done == 2:
            own_server.kill()

    with pytest.raises(StoreFailed):
        hospital.importer.import_file(file, at=NOW, progress=cut)
    own_server.start()
    assert count(hospital) == before
    assert hospital.importer.import_file(file, at=NOW).new_versions == 6


def test_nothing_is_taken_in_when_the_database_goes_while_it_is_written(
    own_server: databases.PostgreSQL,
    hospital: Hospital,
    patient: Address,
    other_patient: Address,
    file: Path,
) -> None:
    before = count(hospital)
    killed: list[str] = []

    @event.listens_for(hospital.engine, "before_cursor_execute")
    def cut(
        _connection: Connection,
        _cursor: object,
        statement: str,
        _parameters: object,
        _context: object,
        _many: bool,
    ) -> None:
        if not killed and statement.startswith("INSERT INTO record_version"):
            killed.append(statement)
            own_server.kill()

    with pytest.raises(StoreFailed, match="was lost in the middle"):
        hospital.importer.import_file(file, at=NOW)
    assert killed
    own_server.start()
    assert count(hospital) == before
    assert hospital.importer.import_file(file, at=NOW).new_versions == 6
