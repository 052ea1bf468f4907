"""Several at once: one writer at a time, readers that nobody makes wait, one state for each."""

import subprocess
import sys
import time
from threading import Event, Thread

from sqlalchemy import Engine, select

from medaccord.store import reading, tables, writing
from tests.unit.store.attempts import COUNT, add_attempt, count_attempts

# Each turn reads what is there and writes what follows from it: two at once would write it twice.
COUNT_UP = """
import sys
from datetime import UTC, datetime
from sqlalchemy import func, insert, select
from medaccord.store import open_engine, tables, writing
engine, nonce = open_engine(sys.argv[1]), tables.spent_nonce
print("ready", flush=True)
sys.stdin.readline()
for _ in range(25):
    with writing(engine) as connection:
        count = connection.execute(select(func.count()).select_from(nonce)).scalar_one()
        row = {"hash": f"{count + 1:04}".encode()}
        connection.execute(insert(nonce).values(**row, expires_at=datetime.now(UTC)))
"""


def test_nothing_is_written_twice_when_processes_count_up_at_once(
    database_url: str, engine: Engine
) -> None:
    command = [sys.executable, "-c", COUNT_UP, database_url]
    pipe = subprocess.PIPE
    processes = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(3)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.communicate("go\n", timeout=120)
    assert [process.returncode for process in processes] == [0, 0, 0]
    with reading(engine) as connection:
        nonces = connection.execute(select(tables.spent_nonce.c.hash)).scalars().all()
    assert sorted(nonces) == [f"{number:04}".encode() for number in range(1, 76)]


def test_writing_waits_for_another_writer_when_one_is_at_work(engine: Engine) -> None:
    seen: list[int] = []
    begun = Event()

    def second() -> None:
        begun.set()
        with writing(engine) as connection:
            seen.append(connection.execute(COUNT).scalar_one())
            add_attempt(connection)

    with writing(engine) as connection:
        thread = Thread(target=second)
        thread.start()
        assert begun.wait(5)
        time.sleep(0.2)  # it would have counted by now
        assert seen == []
        add_attempt(connection)
    thread.join(10)
    assert seen == [1]
    assert count_attempts(engine) == 2


def test_reading_sees_one_state_when_another_writes_meanwhile(engine: Engine) -> None:
    with reading(engine) as reader:
        assert reader.execute(COUNT).scalar_one() == 0
        with writing(engine) as writer:
            add_attempt(writer)
        assert reader.execute(COUNT).scalar_one() == 0
    assert count_attempts(engine) == 1


def test_reading_does_not_wait_when_another_is_writing(engine: Engine) -> None:
    with writing(engine) as connection:
        add_attempt(connection)
        began = time.monotonic()
        assert count_attempts(engine) == 0
        assert time.monotonic() - began < 5  # and not the ten seconds that a writer waits
    assert count_attempts(engine) == 1


def test_writing_does_not_wait_when_others_are_reading(engine: Engine) -> None:
    with reading(engine) as first, reading(engine) as second:
        assert first.execute(COUNT).scalar_one() == second.execute(COUNT).scalar_one() == 0
        with writing(engine) as connection:
            add_attempt(connection)
        assert first.execute(COUNT).scalar_one() == second.execute(COUNT).scalar_one() == 0
    assert count_attempts(engine) == 1
