"""SQLite: settings that last, a file closed to others, and what befalls files."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from stat import S_IMODE

import pytest
from sqlalchemy import Engine

from medaccord.core.errors import StoreFailed
from medaccord.store import open_engine, writing
from tests.unit.store.attempts import add_attempt, count_attempts

NOBODY = 65534


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "database" / "records.db"


@pytest.fixture
def url(path: Path) -> str:
    return f"sqlite:///{path}"


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    engine = open_engine(url)
    yield engine
    engine.dispose()


@pytest.mark.parametrize(
    ("pragma", "value"),
    [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("secure_delete", 1)],
)
def test_connection_flushes_and_overwrites_when_opened(
    engine: Engine, pragma: str, value: object
) -> None:
    with engine.connect() as connection:
        assert connection.exec_driver_sql(f"PRAGMA {pragma}").scalar_one() == value


def test_file_is_readable_by_its_owner_alone_when_made(path: Path, engine: Engine) -> None:
    modes = {each.name: S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}
    assert modes["records.db"] == 0o600
    assert set(modes.values()) == {0o600}


def test_file_is_closed_to_others_when_it_was_open_to_them(path: Path, url: str) -> None:
    path.parent.mkdir()
    path.touch(mode=0o644)
    open_engine(url).dispose()
    assert S_IMODE(path.stat().st_mode) == 0o600


def test_commit_is_kept_when_the_file_was_opened_twice_and_another_process_ended(
    path: Path, url: str, engine: Engine
) -> None:
    with writing(engine) as connection:
        add_attempt(connection)
    open_engine(url).dispose()
    elsewhere(path, "UPDATE enrolment_attempt SET account = '0x1'")  # it ends, and tidies up
    with writing(engine) as connection:
        add_attempt(connection)
    assert elsewhere(path, "SELECT count(*) FROM enrolment_attempt") == "2"


def elsewhere(path: Path, statement: str) -> str:
    """What a statement gives in another process, which ends."""
    program = """
import sqlite3, sys
with sqlite3.connect(sys.argv[1]) as connection:
    row = connection.execute(sys.argv[2]).fetchone()
connection.close()
print(*row or ())
"""
    asked = [sys.executable, "-c", program, str(path), statement]
    return subprocess.run(asked, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def test_open_is_refused_when_the_file_is_no_database(path: Path, url: str) -> None:
    path.parent.mkdir()
    path.write_bytes(b"%PDF-1.7 nothing of ours" * 100)
    with pytest.raises(StoreFailed) as caught:
        open_engine(url)
    assert str(caught.value) == f"the database {path} is no SQLite database: name another file"
    assert path.read_bytes().startswith(b"%PDF-1.7")


def test_open_is_refused_when_a_folder_is_there(path: Path, url: str) -> None:
    path.mkdir(parents=True)
    with pytest.raises(StoreFailed, match="cannot be opened or made"):
        open_engine(url)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_open_is_refused_when_the_file_belongs_to_another(path: Path, url: str) -> None:
    open_engine(url).dispose()
    os.seteuid(NOBODY)
    try:
        with pytest.raises(StoreFailed) as caught:
            open_engine(url)
    finally:
        os.seteuid(0)
    assert str(caught.value) == (
        f"the database {path} cannot be opened or made (Permission denied): see to its folder"
    )


def test_writing_is_refused_when_the_file_was_moved_away(path: Path, engine: Engine) -> None:
    path.rename(path.with_suffix(".away"))
    with (
        pytest.raises(StoreFailed, match="was moved away or replaced: put it back"),
        writing(engine) as connection,
    ):
        add_attempt(connection)
    assert not path.exists()


def test_reading_is_refused_when_another_file_took_its_place(path: Path, engine: Engine) -> None:
    path.rename(path.with_suffix(".away"))
    path.touch()
    with pytest.raises(StoreFailed, match="was moved away or replaced: put it back"):
        count_attempts(engine)


def test_writing_goes_on_when_the_file_was_put_back(path: Path, engine: Engine) -> None:
    away = path.with_suffix(".away")
    path.rename(away)
    with pytest.raises(StoreFailed):
        count_attempts(engine)
    away.rename(path)
    with writing(engine) as connection:
        add_attempt(connection)
    assert count_attempts(engine) == 1
