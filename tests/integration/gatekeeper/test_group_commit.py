"""Entries that are appended at the same time share a transaction, and nothing else."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Event as Signal

import pytest
from sqlalchemy import Connection, Engine, event, insert, select

from medaccord.core.audit import verify_log
from medaccord.core.errors import KeyMissing, StoreFailed
from medaccord.gatekeeper.audit_log import Along, AuditLog, Logged, Subject
from medaccord.gatekeeper.log_pages import LogPages
from medaccord.keys import FolderPatientKeys, LocalSigner, StewardSecrets
from medaccord.records import Owner, Pseudonyms, Sealer
from medaccord.store import open_engine, reading, tables, writing
from tests.integration.gatekeeper.conftest import World
from tests.integration.gatekeeper.log_writer import SOMEBODY

LINES = 8


class Refused(Exception):
    """What somebody's own rows may fail with."""


@pytest.fixture
def keys(folder: Path) -> FolderPatientKeys:
    return FolderPatientKeys(folder / "keys")


@pytest.fixture
def log(world: World, folder: Path, database: Engine, keys: FolderPatientKeys) -> AuditLog:
    return make_log(database, world, folder, keys)


@pytest.fixture
def pages(database: Engine, keys: FolderPatientKeys) -> LogPages:
    return LogPages(database, Sealer(keys))


def make_log(engine: Engine, world: World, folder: Path, keys: FolderPatientKeys) -> AuditLog:
    return AuditLog(
        engine=engine,
        steward=world.hospital.address,
        own=Pseudonyms(StewardSecrets(folder / "keys")).steward,
        sealer=Sealer(keys),
        clock=world.chain.network().clock,
    )


@pytest.fixture
def commits(database: Engine) -> list[object]:
    """One for each transaction that wrote."""
    seen: list[object] = []

    @event.listens_for(database, "commit")
    def _committed(connection: Connection) -> None:
        seen.append(connection)

    return seen


@contextmanager
def held(log: AuditLog) -> Iterator[Callable[[], None]]:
    """Keep the log's first transaction open, until as many wait behind it as shall be together."""
    reached, go = Signal(), Signal()

    def wait(_connection: Connection, _logged: Logged) -> None:
        reached.set()
        assert go.wait(10)

    with ThreadPoolExecutor(1) as one:
        first = one.submit(log.append, log.own(), SOMEBODY, along=wait)
        assert reached.wait(10)

        def release() -> None:
            go.set()
            first.result(10)

        try:
            yield release
        finally:
            go.set()


def together(
    log: AuditLog, asked: Sequence[tuple[Subject, str, Along | None]]
) -> list[Future[Logged]]:
    """Append entries in an order, from a thread each, so that they share a transaction."""
    with ThreadPoolExecutor(len(asked)) as threads, held(log) as release:
        made = []
        for place, (subject, query, along) in enumerate(asked, start=1):
            entry = replace(SOMEBODY, query=query)
            made.append(threads.submit(log.append, subject, entry, along=along))
            wait_for(log, place)
        release()
    return made


def wait_for(log: AuditLog, waiting: int) -> None:
    until = time.monotonic() + 10
    while log._together.waiting < waiting:
        assert time.monotonic() < until
        time.sleep(0.001)


def note(connection: Connection, logged: Logged) -> None:
    row = {"topic": logged.head, "root": logged.head, "prepared_at": logged.entry.at}
    connection.execute(insert(tables.audit_anchor).values(row))


def noted(database: Engine) -> list[bytes]:
    with reading(database) as connection:
        return list(connection.scalars(select(tables.audit_anchor.c.root)))


def refuse(connection: Connection, logged: Logged) -> None:
    note(connection, logged)
    raise Refused(logged.entry.query)


def test_entries_share_one_transaction_in_their_order_when_appended_together(
    log: AuditLog, pages: LogPages, commits: list[object]
) -> None:
    commits.clear()
    made = together(log, [(log.own(), str(each), None) for each in range(LINES)])
    assert len(commits) == 2  # the one that was waited for, and all others
    assert [each.result().entry.query for each in made] == list(map(str, range(LINES)))
    page = pages.page(log.own())
    assert [entry.query for entry in page.entries[1:]] == list(map(str, range(LINES)))
    verify_log(page.entries, page.count, page.head, page.heads)


def test_each_log_has_its_own_numbers_when_appended_together(
    log: AuditLog, pages: LogPages, world: World, database: Engine
) -> None:
    patient = world.patient.address
    with reading(database) as connection:
        owner = connection.execute(select(tables.patient_account.c.patient_ref)).scalar_one()
    theirs = log.subject(patient, Owner(owner))
    made = together(log, [(theirs, "a", None), (log.own(), "b", None), (theirs, "c", None)])
    assert [each.result().entry.number for each in made] == [1, 2, 2]
    for subject in (theirs, log.own()):
        page = pages.page(subject)
        assert page.count == 2
        verify_log(page.entries, page.count, page.head, page.heads)


def test_one_fails_alone_when_its_own_rows_are_refused(
    log: AuditLog, pages: LogPages, database: Engine
) -> None:
    own = log.own()
    made = together(log, [(own, "a", note), (own, "b", refuse), (own, "c", note)])
    with pytest.raises(Refused, match=r"\Ab\Z"):
        made[1].result()
    page = pages.page(own)
    assert [entry.query for entry in page.entries[1:]] == ["a", "c"]
    verify_log(page.entries, page.count, page.head, page.heads)
    assert noted(database) == [page.heads[2], page.heads[3]]


def test_one_fails_alone_when_its_key_was_erased_meanwhile(
    log: AuditLog, keys: FolderPatientKeys, stranger: LocalSigner
) -> None:
    owner = Owner("ab" * 32)
    keys.create(owner)
    gone = log.subject(stranger.address, owner)
    keys.erase(owner)
    made = together(log, [(log.own(), "a", None), (gone, "b", None), (log.own(), "c", None)])
    with pytest.raises(KeyMissing):
        made[1].result()
    assert [made[place].result().entry.number for place in (0, 2)] == [2, 3]


def test_all_fail_when_the_transaction_cannot_be_committed(
    log: AuditLog, pages: LogPages, database: Engine
) -> None:
    def full(_connection: Connection, _logged: Logged) -> None:
        raise StoreFailed("the disk is full")

    own = log.own()
    made = together(log, [(own, "a", note), (own, "b", None), (own, "c", full)])
    for each in made:
        with pytest.raises(StoreFailed, match="the disk is full"):
            each.result()
    assert pages.page(own).count == 1
    assert noted(database) == []
    assert log.append(own, SOMEBODY).entry.number == 2


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Whoever started the tests may have told them to ignore an interrupt, as shells do behind."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_others_are_written_when_one_who_waits_is_interrupted(
    log: AuditLog, pages: LogPages
) -> None:
    own = log.own()
    with ThreadPoolExecutor(2) as threads, held(log) as release:

        def interrupt() -> Future[Logged]:
            wait_for(log, 1)
            behind = threads.submit(log.append, own, replace(SOMEBODY, query="behind"))
            wait_for(log, 2)
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            return behind

        interrupting = threads.submit(interrupt)
        with pytest.raises(KeyboardInterrupt):
            log.append(own, replace(SOMEBODY, query="interrupted"))
        release()
        assert interrupting.result(10).result(10).entry.query == "behind"
    assert "interrupted" not in [entry.query for entry in pages.page(own).entries]


def test_all_fail_in_time_when_another_program_keeps_the_database(
    database_url: str, database: Engine, world: World, folder: Path, keys: FolderPatientKeys
) -> None:
    hurried = open_engine(database_url, patience=timedelta(milliseconds=200))
    log = make_log(hurried, world, folder, keys)
    with ThreadPoolExecutor(LINES) as threads, writing(database):
        made = [threads.submit(log.append, log.own(), SOMEBODY) for _ in range(LINES)]
        for each in made:
            with pytest.raises(StoreFailed):
                each.result(10)
    assert log.append(log.own(), SOMEBODY).entry.number == 1
    hurried.dispose()
