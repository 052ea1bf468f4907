"""The log cannot be written: nothing is released, and what was released before is all there."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event

from medaccord.core.audit import AuditEntry, verify_log
from medaccord.core.identifiers import digest
from medaccord.gatekeeper import Gatekeeper
from tests import databases
from tests.integration.gatekeeper.cable import Cable
from tests.integration.gatekeeper.conftest import World, make_world, open_gatekeeper
from tests.integration.gatekeeper.desk import Desk, assert_refused, receipt_of
from tests.unit.store.test_faults import mount, unmount


def visited(stack: ExitStack, world: World, gatekeeper: Gatekeeper) -> Desk:
    desk = Desk(
        url=gatekeeper.serve().url, contracts=world.contracts, steward=world.hospital.address
    )
    stack.callback(desk.http.close)
    return desk


def opened(stack: ExitStack, world: World, url: str) -> Gatekeeper:
    gatekeeper = open_gatekeeper(world, world.folder, url, Cable(world.chain))
    stack.callback(gatekeeper.close)
    return gatekeeper


def assert_holds(desk: Desk, world: World, answered: list[Any], *, more: int = 0) -> None:
    """Check that the log is sound, and has a line for each answer and at most some more."""
    log = desk.audit(world.patient)
    entries = [AuditEntry.parse(each) for each in log["entries"]]
    verify_log(entries, log["count"], digest(log["head"]))
    here = {entry.number: entry.commitment for entry in entries}
    for answer in answered:
        receipt = receipt_of(answer).receipt
        assert here[receipt.number] == receipt.entry
    assert len(answered) <= len(entries) <= len(answered) + more


def fill(filler: Path) -> None:
    """Write until there is no room left."""
    with filler.open("wb", buffering=0) as full:
        while True:
            full.write(bytes(4096))


def test_nothing_is_released_while_the_disk_is_full(
    world: World, folder: Path, tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    with ExitStack() as stack:
        if not mount(disk, 24):
            pytest.skip("a small disk can be mounted by root alone")
        stack.callback(unmount, disk)
        shutil.copy(folder / "records.db", disk / "records.db")
        desk = visited(stack, world, opened(stack, world, f"sqlite:///{disk / 'records.db'}"))
        headers = desk.sign_in(world.patient)

        def ask() -> Any:
            return desk.get("Observation", headers, world.patient, _count="1")

        answered = [ask()]
        filler = disk / "filler"
        with pytest.raises(OSError, match="No space left"):
            fill(filler)
        refused = [ask() for _ in range(30)]
        released = [answer for answer in refused if answer.status_code == 200]
        for answer in refused[-1:]:  # what room the database had of its own is used up by now
            assert_refused(answer, 503, "StoreFailed")
            assert b"Observation" not in answer.content
        filler.unlink()
        answered += [*released, ask()]
        assert {answer.status_code for answer in answered} == {200}
        assert_holds(desk, world, answered)


@pytest.fixture(scope="module")
def server() -> Iterator[databases.PostgreSQL]:
    """A server of these tests alone, which they stop."""
    programs = databases.binaries()
    if programs is None:
        pytest.skip(databases.MISSING)
    with databases.server(programs) as running:
        yield running


@pytest.fixture(scope="module")
def hospital(server: databases.PostgreSQL, tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path_factory.mktemp("hospital"), server.create())


Fault = Callable[[], object]


def before_insert(engine: Engine, fault: Fault) -> None:
    """Have something fail once, as a line of the log is about to be written."""
    faults = [fault]

    @event.listens_for(engine, "before_cursor_execute")
    def watch(_c: Connection, _u: object, statement: str, *_: object) -> None:
        if faults and statement.startswith("INSERT INTO audit_entry"):
            faults.pop()()


def before_commit(engine: Engine, fault: Fault) -> None:
    """Have something fail once, as a line was written and is about to be made durable."""
    written: list[Fault] = []
    before_insert(engine, lambda: written.append(fault))

    @event.listens_for(engine, "commit")
    def watch(_connection: Connection) -> None:
        if written:
            written.pop()()


@pytest.mark.parametrize("moment", [before_insert, before_commit])
def test_nothing_is_released_when_the_database_is_killed_in_the_middle(
    server: databases.PostgreSQL,
    hospital: World,
    moment: Callable[[Engine, Fault], None],
) -> None:
    server.start()
    with ExitStack() as stack:
        gatekeeper = opened(stack, hospital, hospital.database_url)
        desk = visited(stack, hospital, gatekeeper)
        headers = desk.sign_in(hospital.patient)
        before = desk.audit(hospital.patient)["count"]

        def ask() -> Any:
            return desk.get("Observation", headers, hospital.patient, _count="1")

        answered = [ask()]
        moment(gatekeeper._base.engine, server.kill)
        for _ in range(3):
            refused = ask()
            assert_refused(refused, 503, "StoreFailed")
            assert b"Observation" not in refused.content
        server.start()
        answered.append(ask())
        assert {answer.status_code for answer in answered} == {200}
        assert_holds(desk, hospital, answered, more=before)
        assert desk.audit(hospital.patient)["count"] == before + len(answered)
