"""Which URLs name a database that records may be kept in."""

from pathlib import Path
from typing import Final

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from medaccord.core.errors import InvalidInput

__all__ = ["database_url"]

_SQLITE: Final = frozenset({"sqlite", "sqlite+pysqlite"})
_POSTGRESQL: Final = frozenset({"postgres", "postgresql", "postgresql+psycopg"})


def database_url(url: str) -> URL:
    """Read the URL of a database.

    Args:
        url: ``sqlite:///`` and the path of a file (a fourth slash makes it absolute), or
            ``postgresql://user:password@host:port/database``, also spelled ``postgres://`` and
            ``postgresql+psycopg://``; what libpq takes may follow, as ``?sslmode=verify-full``.

    Returns:
        The URL with the driver that we run it through. SQLite's file is named absolutely and
        without symbolic links, so that all who share it name it alike.

    Raises:
        InvalidInput: it is malformed, of another kind of database or driver, names no database, or
            one in memory. The message never shows a password.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        secret = "@" in url or "?" in url
        shown = "it is not shown, for it may hold a password" if secret else repr(url)
        raise InvalidInput(
            f"not the URL of a database (such as sqlite:///records.db): {shown}"
        ) from None  # some versions repeat the URL
    if parsed.drivername in _SQLITE:
        return _sqlite(parsed)
    if parsed.drivername in _POSTGRESQL:
        return _postgresql(parsed)
    raise InvalidInput(
        "records are kept in SQLite (sqlite:///records.db) or in PostgreSQL"
        f" (postgresql://user@host/records), not in {parsed.drivername!r}"
    )


def _sqlite(url: URL) -> URL:
    name = url.database
    if not name or name == ":memory:":
        raise InvalidInput("a database in memory keeps no audit log: name a file")
    if url.host or url.username or url.password or url.port:
        raise InvalidInput(
            "a database of SQLite is on no host: sqlite:///records.db, and a fourth slash where the"
            " path is absolute"
        )
    if name.startswith("file:") or url.query:
        # SQLite's own URIs can ask for memory, for no locks, or for no other process
        raise InvalidInput(
            "a database of SQLite is named by its file alone (sqlite:///records.db),"
            " without file: and without options"
        )
    try:
        path = Path(name).resolve()
    except (RuntimeError, ValueError):
        raise InvalidInput(
            f"not a file for a database, or a symbolic link that leads to itself: {name!r}"
        ) from None
    return url.set(drivername="sqlite", database=str(path))


def _postgresql(url: URL) -> URL:
    if not url.database:
        raise InvalidInput("name the database (postgresql://user@host/records)")
    try:
        (url.host or "").encode("idna")
    except UnicodeError:
        raise InvalidInput(f"no host of a database has such a name: {url.host!r}") from None
    return url.set(drivername="postgresql+psycopg")
