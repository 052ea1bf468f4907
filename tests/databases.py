"""Databases for tests, on SQLite and on a PostgreSQL server of our own.

    def test_something(database_url: str) -> None: ...  # once on SQLite, once on PostgreSQL

The fixtures stand in `tests/conftest.py`, the server in `benchmarks.postgresql`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql

from benchmarks.postgresql import FORGETFUL, MISSING, PostgreSQL, binaries, server
from medaccord.store import open_engine

__all__ = [
    "FORGETFUL",
    "MISSING",
    "Databases",
    "PostgreSQL",
    "binaries",
    "server",
    "stored_bytes",
]

_FIRST_OF_OURS: Final = 16384  # below are PostgreSQL's own tables


class Databases:
    """Databases on one server that forgets, each a copy of one that is at the newest version."""

    def __init__(self, running: PostgreSQL) -> None:
        self._server = running
        self._newest = running.create()
        open_engine(self._newest).dispose()

    @contextmanager
    def database(self, *, empty: bool = False, like: str | None = None) -> Iterator[str]:
        """The URL of a database for one test.

        With `empty` nothing is in it, no table either; with `like` it is a copy of that one, which
        nobody may have open.
        """
        template = "template0" if empty else (like or self._newest).rpartition("/")[2]
        url = self._server.create(template)
        try:
            yield url
        finally:
            self._server.drop(url)


def stored_bytes(url: str) -> dict[str, bytes]:
    """All that a database of a test keeps on the disk, by the names of its files.

    On PostgreSQL those are of its own tables, and of the write-ahead log since it was made, which
    it shares with the server's others. The rows stand there once more as they are read (`rows`),
    since the server may compress what it writes.
    """
    if url.startswith("sqlite:"):
        path = Path(url.removeprefix("sqlite:///"))
        return {each.name: each.read_bytes() for each in path.parent.glob(f"{path.name}*")}
    with psycopg.connect(url, autocommit=True) as connection:
        here = connection.execute(
            "SELECT current_setting('data_directory'), oid::text FROM pg_database"
            " WHERE datname = current_database()"
        ).fetchone()
        assert here is not None
        data, made = Path(here[0]), Path(here[0], "base", here[1])
        since = (made / "PG_VERSION").stat().st_mtime
        log = [each for each in (data / "pg_wal").glob("?" * 24) if each.stat().st_mtime >= since]
        found = {each.name: each.read_bytes() for each in log}  # before it is checked off
        connection.execute("CHECKPOINT")
        rows = []
        for (name,) in connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname='public'"
        ):
            for row in connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(name))):
                rows += [cell if isinstance(cell, bytes) else str(cell).encode() for cell in row]
    numbers = ((each, each.name.partition(".")[0].partition("_")[0]) for each in made.iterdir())
    ours = [each for each, number in numbers if number.isdigit() and int(number) >= _FIRST_OF_OURS]
    return found | {each.name: each.read_bytes() for each in ours} | {"rows": b"\n".join(rows)}
