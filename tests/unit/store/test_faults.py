"""Real faults: each is told in a sentence that says what to do, and nothing is half-written."""

import os
import subprocess
import traceback
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread

import pytest
from sqlalchemy import Engine, event, insert

from medaccord.core.errors import StoreFailed
from medaccord.store import open_engine, tables, writing
from medaccord.store.locks import exclusive
from tests import databases
from tests.unit.store.attempts import AT, add_attempt, count_attempts

SHORT = timedelta(milliseconds=200)
MEBIBYTE = 1 << 20


@pytest.fixture(scope="module")
def shared_server() -> Iterator[databases.PostgreSQL]:
    """A server of these tests alone, whose commits would not wait for the disk by themselves."""
    programs = databases.binaries()
    if programs is None:
        pytest.skip(databases.MISSING)
    with databases.server(programs, "synchronous_commit=off", "wal_writer_delay=10s") as running:
        yield running


@pytest.fixture
def server(shared_server: databases.PostgreSQL) -> databases.PostgreSQL:
    shared_server.start()  # a test may have left it down
    return shared_server


@pytest.fixture
def url(server: databases.PostgreSQL) -> str:
    return server.create()


@pytest.fixture
def on_server(url: str) -> Iterator[Engine]:
    engine = open_engine(url)
    yield engine
    engine.dispose()


def add_document(engine: Engine, number: int) -> None:
    """Write 64 KiB that do not compress."""
    row = {"hash": number.to_bytes(32), "account": "0x0", "published_at": AT}
    with writing(engine) as connection:
        add_attempt(connection)
        document = os.urandom(1 << 16)
        connection.execute(insert(tables.directory_profile).values(**row, document=document))


def fill(engine: Engine) -> tuple[int, str]:
    """Write until it is refused: how often it was not, and the refusal."""
    for number in range(10_000):
        try:
            add_document(engine, number)
        except StoreFailed as error:
            return number, str(error)
    raise AssertionError("it never was full")


# --- The disk is full ---


def mount(folder: Path, mebibytes: int) -> bool:
    folder.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", str(folder)]
    if os.geteuid() != 0:
        return False
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def unmount(folder: Path) -> None:
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_writing_leaves_nothing_half_when_the_disk_is_full(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    with ExitStack() as stack:
        if not mount(disk, 3):
            pytest.skip("a small disk can be mounted by root alone")
        stack.callback(unmount, disk)
        engine = open_engine(f"sqlite:///{disk / 'records.db'}")
        stack.callback(engine.dispose)
        (disk / "filler").write_bytes(bytes(MEBIBYTE))
        written, told = fill(engine)
        assert told == (
            f"the database {disk / 'records.db'} has no room left on its disk:"
            " make room, then try again"
        )
        assert count_attempts(engine) == written > 0
        (disk / "filler").unlink()
        add_document(engine, written)
        assert count_attempts(engine) == written + 1


def test_open_is_refused_when_the_disk_is_full(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    with ExitStack() as stack:
        if not mount(disk, 1):
            pytest.skip("a small disk can be mounted by root alone")
        stack.callback(unmount, disk)
        url = f"sqlite:///{disk / 'records.db'}"
        (disk / "records.db").touch()
        (disk / "filler").write_bytes(bytes(MEBIBYTE - 64 * 1024))
        with pytest.raises(StoreFailed, match="has no room left on its disk: make room"):
            open_engine(url)
        (disk / "filler").unlink()
        engine = open_engine(url)
        stack.callback(engine.dispose)
        assert count_attempts(engine) == 0


def test_writing_leaves_nothing_half_when_the_file_may_grow_no_more(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'records.db'}")
    engine.dispose()
    event.listen(engine, "connect", lambda it, _: it.execute("PRAGMA max_page_count = 200").close())
    written, told = fill(engine)
    assert "has no room left on its disk" in told
    assert count_attempts(engine) == written > 0
    engine.dispose()


def test_writing_leaves_nothing_half_when_the_disk_of_a_server_is_full(
    server: databases.PostgreSQL,
) -> None:
    disk = server.data.parent / "disk"
    with ExitStack() as stack:
        if not mount(disk, 16):
            pytest.skip("a small disk can be mounted by root alone")
        stack.callback(unmount, disk)
        os.chown(disk, server.data.stat().st_uid, -1)
        server.run(f"CREATE TABLESPACE small LOCATION '{disk}'")
        url = server.create(tablespace="small")
        engine = open_engine(url)
        stack.callback(server.run, "DROP TABLESPACE small")
        stack.callback(server.drop, url)
        stack.callback(engine.dispose)
        filler = disk / "filler"
        filler.write_bytes(bytes(MEBIBYTE))
        written, told = fill(engine)
        assert "has no room left on its disk: make room, then try again" in told
        assert count_attempts(engine) == written > 0
        filler.unlink()
        add_document(engine, written)
        assert count_attempts(engine) == written + 1


# --- The server is gone ---


def test_writing_is_refused_when_the_server_is_killed_in_the_middle(
    server: databases.PostgreSQL, on_server: Engine
) -> None:
    def write_on() -> None:
        with writing(on_server) as connection:
            add_attempt(connection)
            server.kill()
            add_attempt(connection)

    with pytest.raises(StoreFailed, match="was lost in the middle: see that it runs"):
        write_on()
    server.start()
    assert count_attempts(on_server) == 0


def test_writing_is_refused_when_the_server_is_killed_before_its_end(
    server: databases.PostgreSQL, on_server: Engine
) -> None:
    def write_and_end() -> None:
        with writing(on_server) as connection:
            add_attempt(connection)
            server.kill()

    with pytest.raises(StoreFailed, match="was lost in the middle: see that it runs"):
        write_and_end()
    server.start()
    assert count_attempts(on_server) == 0


def test_what_was_written_is_there_when_the_server_is_killed_right_after(
    server: databases.PostgreSQL, on_server: Engine
) -> None:
    with writing(on_server) as connection:
        add_attempt(connection)
    server.kill()
    server.start()
    assert count_attempts(on_server) == 1


def test_use_is_refused_while_the_server_is_down(
    server: databases.PostgreSQL, url: str, on_server: Engine
) -> None:
    server.stop()
    place = f"the database {url.rpartition('/')[2]} on 127.0.0.1:{server.port}"
    for use in (lambda: count_attempts(on_server), lambda: open_engine(url)):
        with pytest.raises(StoreFailed) as caught:
            use()
        assert str(caught.value) == (
            f"{place} is out of reach: see that it runs, and that its URL is right"
        )
        assert_hides_password(caught.value, url)


def test_lock_is_said_to_be_lost_when_the_server_is_killed(
    server: databases.PostgreSQL, on_server: Engine
) -> None:
    with (
        pytest.raises(StoreFailed, match="was lost in the middle"),
        exclusive(on_server, "sender"),
    ):
        server.kill()


# --- Who may not, and what is not there ---


def test_open_is_refused_when_the_password_is_wrong(url: str) -> None:
    wrong = url.replace("@", "-wrong@")
    with pytest.raises(StoreFailed, match="is out of reach: see that it runs, and that its URL"):
        open_engine(wrong)


def test_open_is_refused_when_there_is_no_such_database(url: str) -> None:
    with pytest.raises(StoreFailed, match=r"nowhere on 127\.0\.0\.1:\d+ is out of reach") as caught:
        open_engine(url.rpartition("/")[0] + "/nowhere")
    assert_hides_password(caught.value, url)


def test_open_is_refused_when_its_user_may_make_no_tables(
    server: databases.PostgreSQL, url: str
) -> None:
    server.run("CREATE ROLE reader LOGIN PASSWORD 'secret'")
    with pytest.raises(StoreFailed, match="does not let this user do that: give it the right"):
        open_engine(f"postgresql://reader:secret@{url.rpartition('@')[2]}")


def assert_hides_password(error: Exception, url: str) -> None:
    password = url.partition("@")[0].rpartition(":")[2]
    assert password not in "".join(traceback.format_exception(error))


# --- On either database ---


def test_open_is_refused_when_a_newer_program_made_the_tables(database_url: str) -> None:
    engine = open_engine(database_url)
    with writing(engine) as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    engine.dispose()
    with pytest.raises(
        StoreFailed, match="is of version 9999, which a newer program made: upgrade medaccord"
    ):
        open_engine(database_url)


def test_writing_is_refused_when_another_writes_too_long(database_url: str) -> None:
    engine = open_engine(database_url, patience=SHORT)
    begun, enough = Event(), Event()

    def hold() -> None:
        with writing(engine) as connection:
            add_attempt(connection)
            begun.set()
            enough.wait(30)

    thread = Thread(target=hold)
    thread.start()
    begun.wait(30)
    try:
        with (
            pytest.raises(StoreFailed, match="is held by another program for too long: let that"),
            writing(engine) as connection,
        ):
            add_attempt(connection)
    finally:
        enough.set()
        thread.join(30)
    assert count_attempts(engine) == 1
    engine.dispose()


def test_use_is_refused_when_every_connection_is_lent(database_url: str) -> None:
    engine = open_engine(database_url)
    engine.pool._timeout = 0.1  # type: ignore[attr-defined] # half a minute as it comes
    with ExitStack() as stack:
        for _ in range(15):
            stack.enter_context(engine.connect())
        with pytest.raises(StoreFailed, match="has no connection left: let others finish"):
            count_attempts(engine)
    engine.dispose()


@pytest.mark.parametrize("options", ["nothing=like-that", "connect_timeout=soon"])
def test_open_is_refused_when_the_url_has_options_that_nobody_knows(options: str) -> None:
    url = f"postgresql://user:hidden-word@127.0.0.1:1/records?{options}"
    with pytest.raises(StoreFailed) as caught:
        open_engine(url)
    assert str(caught.value) == (
        "the database records on 127.0.0.1:1 cannot be connected to as its URL says:"
        " see to the options that follow its name"
    )
    assert_hides_password(caught.value, url)
