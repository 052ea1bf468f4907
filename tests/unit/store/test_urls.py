"""Which URLs are taken, and that no refusal shows a password."""

from pathlib import Path

import pytest

from medaccord.core.errors import InvalidInput
from medaccord.store.urls import database_url

IN_MEMORY = "a database in memory keeps no audit log: name a file"
BY_FILE_ALONE = (
    "a database of SQLite is named by its file alone (sqlite:///records.db),"
    " without file: and without options"
)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_url_is_run_through_psycopg_when_it_is_postgresql(scheme: str) -> None:
    url = database_url(f"{scheme}://gatekeeper:secret@db.example/records?sslmode=verify-full")
    assert url.drivername == "postgresql+psycopg"
    assert url.password == "secret"
    assert (url.host, url.database, url.query) == (
        "db.example",
        "records",
        {"sslmode": "verify-full"},
    )


def test_file_is_named_alike_when_it_is_reached_by_a_link(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there")
    url = database_url(f"sqlite:///{tmp_path / 'link' / 'records.db'}")
    assert url.database == str(tmp_path / "there" / "records.db")


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("sqlite://", IN_MEMORY),
        ("sqlite:///:memory:", IN_MEMORY),
        ("sqlite:///file::memory:", BY_FILE_ALONE),
        ("sqlite:///file::memory:?cache=shared&uri=true", BY_FILE_ALONE),
        ("sqlite:///file:x?mode=memory&uri=true", BY_FILE_ALONE),
        ("sqlite:///records.db?mode=memory&uri=true", BY_FILE_ALONE),
        ("postgresql://db.example", "name the database (postgresql://user@host/records)"),
    ],
)
def test_url_is_refused_when_it_names_no_lasting_database(url: str, problem: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        database_url(url)
    assert caught.value.problem == problem


@pytest.mark.parametrize(
    "driver",
    ["sqlite+aiosqlite", "postgresql+psycopg2", "postgresql+asyncpg", "mysql", "mssql+pyodbc"],
)
def test_url_is_refused_when_we_do_not_run_its_driver(driver: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        database_url(f"{driver}://user:secret@host/records")
    assert caught.value.problem == (
        "records are kept in SQLite (sqlite:///records.db) or in PostgreSQL"
        f" (postgresql://user@host/records), not in {driver!r}"
    )


def test_url_is_refused_when_it_is_malformed() -> None:
    with pytest.raises(InvalidInput) as caught:
        database_url("records.db")
    assert "'records.db'" in caught.value.problem


@pytest.mark.parametrize(
    "url",
    [
        "postgresql:/user:secret@host/records",
        "postgresql://user:secret@host:port/records",
        "postgresql://one:1,other:2/records?password=secret",
    ],
)
def test_refusal_shows_no_password_when_the_url_is_malformed(url: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        database_url(url)
    assert "secret" not in str(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("url", ["sqlite://srv/records.db", "sqlite://user:secret@srv/records.db"])
def test_file_is_refused_when_a_slash_is_missing_before_its_path(url: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        database_url(url)
    assert caught.value.problem == (
        "a database of SQLite is on no host: sqlite:///records.db, and a fourth slash where the"
        " path is absolute"
    )


def test_file_is_refused_when_its_name_cannot_be_one() -> None:
    with pytest.raises(InvalidInput) as caught:
        database_url("sqlite:///records\0.db")
    assert caught.value.problem.startswith("not a file for a database")


@pytest.mark.parametrize("host", ["a..b", 64 * "a" + ".example"])
def test_host_is_refused_when_no_name_is_so_formed(host: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        database_url(f"postgresql://user:secret@{host}/records")
    assert caught.value.problem == f"no host of a database has such a name: {host!r}"
