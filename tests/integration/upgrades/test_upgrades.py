"""From each earlier version, with data in it, to the newest: nothing is lost, everything opens."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic.migration import MigrationContext
from sqlalchemy import Engine, Table, event, select

from medaccord.core.anchors import Anchor
from medaccord.core.audit import chain_head
from medaccord.core.blocks import BlockRef
from medaccord.core.canonical import parse_object
from medaccord.core.identifiers import ZERO_DIGEST, Address, Digest, address, digest, hex_digest
from medaccord.fhir.bundle import read_bundle
from medaccord.fhir.search import SearchQuery
from medaccord.gatekeeper.audit_log import AuditLog
from medaccord.gatekeeper.log_pages import LogPages
from medaccord.keys import FolderPatientKeys, StewardSecrets
from medaccord.ledger.event_rows import event_of
from medaccord.ledger.pending import PendingRestrictions
from medaccord.ledger.projection import Projection
from medaccord.records import Importer, Owner, Pseudonyms, RecordRepository, Sealer
from medaccord.records.sealed_rows import SEALED_TABLES
from medaccord.store import open_engine, reading, tables
from medaccord.store.engine import engine_of
from medaccord.store.schema import upgrade, versions
from tests.databases import Databases
from tests.integration.upgrades.earlier import Earlier, newest_kept, tables_of

NEWEST = versions()[-1]


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database with nothing in it, no table either."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'records.db'}"
    else:
        on_server: Databases = request.getfixturevalue("postgresql")
        with on_server.database(empty=True) as url:
            yield url


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """A database of an earlier version, not upgraded yet.

    Attributes:
        earlier: what went in.
        url: where it is.
        keys: its key store.
        version: of its tables.
        before: its rows, by table.
    """

    earlier: Earlier
    version: str
    url: str
    keys: Path
    before: dict[str, list[dict[str, Any]]]


@pytest.fixture(params=versions())
def left(request: pytest.FixtureRequest, empty_url: str, tmp_path: Path) -> Left:
    earlier = newest_kept(request.param)
    engine = engine_of(empty_url)
    earlier.restore(engine, tmp_path / "keys")
    upgrade(engine, request.param)
    before = {table.name: rows_of(engine, table) for table in tables_of(engine).sorted_tables}
    engine.dispose()
    del before["alembic_version"]
    keys = tmp_path / "keys"
    return Left(earlier=earlier, version=request.param, url=empty_url, keys=keys, before=before)


@pytest.fixture
def engine(left: Left) -> Iterator[Engine]:
    """The same database, opened by the program as it is now."""
    engine = open_engine(left.url)
    yield engine
    engine.dispose()


def rows_of(engine: Engine, table: Table) -> list[dict[str, Any]]:
    query = select(table).order_by(*table.primary_key.columns)
    with reading(engine) as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


def version_of(engine: Engine) -> str | None:
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def ledger_of(engine: Engine) -> Projection:
    """The state that the rows of the ledger give."""
    state = Projection()
    blocks = {
        row["number"]: BlockRef(
            chain_id=1, number=row["number"], hash=digest(row["hash"]), timestamp=row["timestamp"]
        )
        for row in rows_of(engine, tables.ledger_block)
    }
    with reading(engine) as connection:
        rows = connection.execute(
            select(tables.ledger_event).order_by("block_number", "log_index")
        ).all()
    for row in rows:
        state.apply(event_of(row, blocks[row.block_number]))
    return state


class Chain:
    """The anchors that the ledger's rows hold."""

    def __init__(self, state: Projection) -> None:
        self._state = state

    def anchor_of(self, account: Address, topic: Digest, root: Digest) -> Anchor | None:
        return self._state.roots.get((account, topic, root))

    def newest_anchor(self, account: Address, topic: Digest) -> Anchor | None:
        return self._state.streams.last((account, topic))


def repository(left: Left, engine: Engine) -> RecordRepository:
    return RecordRepository(
        engine,
        Sealer(FolderPatientKeys(left.keys)),
        Pseudonyms(StewardSecrets(left.keys)),
        address(left.earlier.told["steward"]),
        Chain(ledger_of(engine)),
    )


# --- Everything is there ---


def test_every_table_holds_rows_before_it_is_upgraded() -> None:
    """Else the tests below would show nothing of it."""
    earlier = newest_kept(versions()[0])
    assert {name for name, rows in earlier.rows.items() if not rows} == set()
    assert len(earlier.rows) == 19


def test_every_row_is_there_when_upgraded(left: Left, engine: Engine) -> None:
    assert version_of(engine) == NEWEST
    now = {table.name: rows_of(engine, table) for table in tables_of(engine).sorted_tables}
    # Good for ten minutes at most: whoever is signed in signs in again.
    assert now["token"] == []
    for name in left.before.keys() - {"sign_in_nonce", "token"}:
        rows = left.before[name]
        kept = [{column: row[column] for column in rows[0]} for row in now[name] if rows]
        assert kept == rows, name


def test_every_sealed_row_opens_when_upgraded(left: Left, engine: Engine) -> None:
    sealer = Sealer(FolderPatientKeys(left.keys))
    owners = {row["account"]: row["patient_ref"] for row in rows_of(engine, tables.patient_account)}
    said = b""
    for sealed in SEALED_TABLES:
        rows = rows_of(engine, sealed.table)
        assert rows, sealed.table.name
        for row in rows:
            whose = row[sealed.whose.name]
            owner = Owner(owners[whose] if sealed.by_account else whose)
            said += sealer.open(owner, row, sealed.context(row))
    told = left.earlier.told
    for salt in (told["terms"]["salt"], told["reason"]["salt"], told["request"]["nonce"]):
        assert salt.encode() in said


def test_records_open_with_their_proofs_when_upgraded(left: Left, engine: Engine) -> None:
    archive = repository(left, engine)
    found = archive.find(address(left.earlier.told["patient"]), lambda _: True)
    opened = {each.descriptor.record: each for each in archive.open(found)}
    assert set(opened) == {"Patient/p1", "Observation/o1", "Observation/o2", "Observation/o3"}
    changed = parse_object(opened["Observation/o2"].content)
    assert (opened["Observation/o2"].version, changed["status"]) == (2, "amended")
    (directory,) = archive.open(archive.find_directory(lambda _: True))
    assert directory.descriptor.record == "Practitioner/d1"


def test_records_are_found_by_what_they_say_when_upgraded(left: Left, engine: Engine) -> None:
    archive, told = repository(left, engine), left.earlier.told
    amended = SearchQuery.parse("Observation", [("status", "amended")])

    def found() -> list[str]:
        wanted = archive.find(address(told["patient"]), amended.matches)
        return [each.descriptor.record for each in wanted]

    assert found() == ["Observation/o2"]
    sealer = Sealer(FolderPatientKeys(left.keys))
    names = Pseudonyms(StewardSecrets(left.keys))
    importer = Importer(engine, sealer, names, address(told["steward"]))
    assert importer.upgrade(most=10) == len(rows_of(engine, tables.record_index)) > 0
    assert importer.upgrade(most=10) == 0
    assert found() == ["Observation/o2"]


def test_log_checks_and_goes_on_when_upgraded(left: Left, engine: Engine) -> None:
    sealer = Sealer(FolderPatientKeys(left.keys))
    log = AuditLog(
        engine=engine,
        steward=address(left.earlier.told["steward"]),
        own=Pseudonyms(StewardSecrets(left.keys)).steward,
        sealer=sealer,
        clock=lambda: datetime.now(UTC),
    )
    (account,) = rows_of(engine, tables.patient_account)
    subject = log.subject(address(account["account"]), Owner(account["patient_ref"]))
    page = LogPages(engine, sealer).page(subject)
    assert [entry.number for entry in page.entries] == [1, 2]
    head = ZERO_DIGEST
    for entry in page.entries:
        head = chain_head(head, entry.number, entry.commitment)
    assert head == page.head


def test_ledger_and_what_is_held_are_known_when_upgraded(left: Left, engine: Engine) -> None:
    told = left.earlier.told
    (consent,) = ledger_of(engine).consents.items().values()
    assert hex_digest(consent.consent_id) == told["consent"]
    assert consent.grant is not None
    assert (consent.grant.grantee, consent.revoked) == (told["clinician"], None)
    (held,) = PendingRestrictions(engine).held().values()
    assert told["revoked"] in held.document


def test_import_goes_on_when_upgraded(left: Left, engine: Engine) -> None:
    names = Pseudonyms(StewardSecrets(left.keys))
    steward = address(left.earlier.told["steward"])
    importer = Importer(engine, Sealer(FolderPatientKeys(left.keys)), names, steward)
    observation = {"resourceType": "Observation", "id": "o1", "status": "amended"}
    entries = [
        {"resource": {"resourceType": "Patient", "id": "p1", "name": [{"family": "Muster"}]}},
        {"resource": observation | {"subject": {"reference": "Patient/p1"}}},
    ]
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    versions_before = len(rows_of(engine, tables.record_version))
    importer.import_bundle(
        read_bundle(json.dumps(bundle).encode()),
        address(left.earlier.told["patient"]),
        at=datetime.now(UTC),
    )
    assert len(rows_of(engine, tables.record_version)) == versions_before + 1


# --- Half an upgrade is none ---


@pytest.mark.parametrize("left", versions()[:-1], indirect=True)
def test_version_is_as_it_was_when_a_migration_fails_half_way(left: Left) -> None:
    def fail(*arguments: Any) -> None:
        if "UPDATE alembic_version" in arguments[2]:  # all is done but the commit
            raise RuntimeError("half way")

    event.listen(Engine, "before_cursor_execute", fail)
    try:
        with pytest.raises(RuntimeError, match="half way"):
            open_engine(left.url)
    finally:
        event.remove(Engine, "before_cursor_execute", fail)
    engine = engine_of(left.url)
    assert_untouched(engine, left)
    engine.dispose()


KILLED = """
import os, signal, sys
from sqlalchemy import Engine, event
from medaccord.store import open_engine

@event.listens_for(Engine, "before_cursor_execute")
def die(connection, cursor, statement, *_):
    if "UPDATE alembic_version" in statement:
        os.kill(os.getpid(), signal.SIGKILL)

open_engine(sys.argv[1])
"""


@pytest.mark.parametrize("left", versions()[:-1], indirect=True)
def test_version_is_as_it_was_when_the_process_is_killed_half_way(left: Left) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, left.url], check=False)
    assert killed.returncode == -signal.SIGKILL
    engine = engine_of(left.url)
    assert_untouched(engine, left)
    upgrade(engine)
    assert version_of(engine) == NEWEST
    engine.dispose()


def assert_untouched(engine: Engine, left: Left) -> None:
    found = tables_of(engine)
    for name, rows in left.before.items():
        assert rows_of(engine, found.tables[name]) == rows, name
    assert version_of(engine) == left.version


# --- A new database ---


def test_both_succeed_when_two_processes_open_a_new_database_at_once(empty_url: str) -> None:
    code = "import sys; from medaccord.store import open_engine; open_engine(sys.argv[1]).dispose()"
    processes = [subprocess.Popen([sys.executable, "-c", code, empty_url]) for _ in range(3)]
    assert [process.wait(120) for process in processes] == [0, 0, 0]
    engine = engine_of(empty_url)
    assert version_of(engine) == NEWEST
    engine.dispose()
