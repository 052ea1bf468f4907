"""Locks: one holder across threads and processes, free again when the holder is gone."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from stat import S_IMODE
from threading import Thread

import pytest
from sqlalchemy import Engine, text

from medaccord.core.errors import StoreFailed
from medaccord.store import open_engine
from medaccord.store.locks import exclusive, if_free

SHORT = timedelta(milliseconds=200)

HOLD = """
import sys, time
from medaccord.store import open_engine
from medaccord.store.locks import exclusive
with exclusive(open_engine(sys.argv[1]), "sender"):
    print("held", flush=True)
    time.sleep(600)
"""

COUNT_UP = """
import pathlib, sys, time
from medaccord.store import open_engine
from medaccord.store.locks import exclusive
engine, path = open_engine(sys.argv[1]), pathlib.Path(sys.argv[2])
for _ in range(20):
    with exclusive(engine, "sender"):
        number = int(path.read_text())
        time.sleep(0.002)
        path.write_text(str(number + 1))
"""


@pytest.fixture
def holder(database_url: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock until it is ended."""
    command = [sys.executable, "-c", HOLD, database_url]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_lock_is_free_again_when_its_block_ended(engine: Engine) -> None:
    for _ in range(2):
        with exclusive(engine, "sender", timeout=SHORT):
            pass


def test_lock_is_free_again_when_its_block_raised(engine: Engine) -> None:
    with pytest.raises(RuntimeError, match="half way"), exclusive(engine, "sender"):
        raise RuntimeError("half way")
    with exclusive(engine, "sender", timeout=SHORT):
        pass


def test_lock_is_held_by_one_thread_when_many_want_it(engine: Engine) -> None:
    inside, most = 0, 0

    def hold() -> None:
        nonlocal inside, most
        with exclusive(engine, "sender"):
            inside += 1
            most = max(most, inside)
            time.sleep(0.005)
            inside -= 1

    threads = [Thread(target=hold) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert most == 1


def test_lock_is_held_by_one_process_when_several_want_it(
    database_url: str, engine: Engine, tmp_path: Path
) -> None:
    (tmp_path / "number").write_text("0")
    command = [sys.executable, "-c", COUNT_UP, database_url, str(tmp_path / "number")]
    processes = [subprocess.Popen(command) for _ in range(3)]
    assert [process.wait(120) for process in processes] == [0, 0, 0]
    assert (tmp_path / "number").read_text() == "60"


def test_lock_is_refused_when_another_process_holds_it_too_long(
    engine: Engine, holder: subprocess.Popen[str]
) -> None:
    with (
        pytest.raises(StoreFailed, match=r"'sender' locked by another for more than 0\.2 s"),
        exclusive(engine, "sender", timeout=SHORT),
    ):
        pass


def test_lock_is_refused_when_another_thread_holds_it_too_long(engine: Engine) -> None:
    refusals: list[str] = []

    def ask() -> None:
        try:
            with exclusive(engine, "sender", timeout=SHORT):
                pass
        except StoreFailed as error:
            refusals.append(str(error))

    with exclusive(engine, "sender"):
        thread = Thread(target=ask)
        thread.start()
        thread.join(10)
    assert len(refusals) == 1


def test_lock_is_free_again_when_its_holder_was_killed(
    engine: Engine, holder: subprocess.Popen[str]
) -> None:
    holder.send_signal(signal.SIGKILL)
    with exclusive(engine, "sender", timeout=timedelta(seconds=10)):
        pass


def test_locks_of_other_names_are_free_when_one_is_held(engine: Engine) -> None:
    with exclusive(engine, "sender"), exclusive(engine, "follower", timeout=SHORT):
        pass


def test_lock_leaves_connections_to_others_when_many_are_held(engine: Engine) -> None:
    """More locks than the pool has connections, and the pool still has one."""
    threads = [Thread(target=hold_half_a_second, args=(engine, f"key {n}")) for n in range(20)]
    for thread in threads:
        thread.start()
    with exclusive(engine, "another", timeout=timedelta(seconds=5)), engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT 1").scalar_one() == 1
    for thread in threads:
        thread.join(30)


def test_server_sees_no_open_transaction_when_a_lock_is_held(engine: Engine) -> None:
    if engine.dialect.name != "postgresql":
        pytest.skip("a lock on a file has no connection")
    others = text(
        "SELECT state FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid() AND query ~ 'advisory'"
    )
    with exclusive(engine, "anchor"), if_free(engine, "work"), engine.connect() as connection:
        assert connection.execute(others).scalars().all() == ["idle", "idle"]


def hold_half_a_second(engine: Engine, name: str) -> None:
    with exclusive(engine, name):
        time.sleep(0.5)


def test_lock_files_tell_nothing_when_made(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'records.db'}")
    with exclusive(engine, "sender 0x123"):
        locks = list(tmp_path.glob("*.lock"))
    engine.dispose()
    assert not [lock.name for lock in locks if "sender" in lock.name or "0x123" in lock.name]
    assert {S_IMODE(lock.stat().st_mode) for lock in locks} == {0o600}
    assert {lock.read_bytes() for lock in locks} == {b""}


def test_lock_is_had_without_waiting_when_nobody_holds_it(engine: Engine) -> None:
    with if_free(engine, "leader") as is_ours:
        assert is_ours is not None
        assert is_ours()
        with if_free(engine, "leader") as again:
            assert again is None
    with if_free(engine, "leader") as is_ours:
        assert is_ours is not None


def test_lock_is_not_had_when_another_process_holds_it_and_had_when_that_was_killed(
    engine: Engine, holder: subprocess.Popen[str]
) -> None:
    with if_free(engine, "sender") as is_ours:
        assert is_ours is None
    holder.kill()
    holder.wait()
    until = time.monotonic() + 30
    while time.monotonic() < until:  # a server notices the end of a connection a little later
        with if_free(engine, "sender") as is_ours:
            if is_ours is not None:
                return
        time.sleep(0.05)
    pytest.fail("the lock outlived its holder")


def test_holder_learns_that_it_lost_the_lock_when_its_connection_is_cut(engine: Engine) -> None:
    if engine.dialect.name != "postgresql":
        pytest.skip("the lock of a file is lost with the process alone")
    is_lost = False
    with suppress(StoreFailed), if_free(engine, "leader") as is_ours:
        assert is_ours is not None
        with engine.begin() as connection:
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_locks"
                    " WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"
                    " AND database = (SELECT oid FROM pg_database"
                    " WHERE datname = current_database())"
                )
            )
        is_lost = not is_ours()
    assert is_lost
