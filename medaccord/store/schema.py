"""The version of the tables, and the way from one version to the next."""

from datetime import timedelta
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine

from medaccord.core.errors import StoreFailed
from medaccord.store.faults import faults_told, sentence_for
from medaccord.store.locks import exclusive
from medaccord.store.transactions import WRITES, reading

__all__ = ["upgrade", "version_of", "versions"]

_PATIENCE: Final = timedelta(minutes=10)  # another process may be bringing a large one up


def versions() -> tuple[str, ...]:
    """Every version this program knows, the oldest first."""
    scripts = ScriptDirectory.from_config(_config())
    return tuple(script.revision for script in scripts.walk_revisions())[::-1]


def version_of(engine: Engine) -> str | None:
    """The version of the tables that are there; None where there are none. Nothing is changed.

    Raises:
        StoreFailed: the database is out of reach, or is none.
    """
    with reading(engine) as connection:
        return MigrationContext.configure(connection).get_current_revision()


def upgrade(engine: Engine, version: str | None = None) -> None:
    """Bring the tables to a version, wholly or not at all; one process at a time does.

    Args:
        engine: the database, new or of any version that this program knows.
        version: one of `versions`, no older than what is there; None for the newest.

    Raises:
        StoreFailed: a newer program made the database, rows of it contradict each other, or it is
            out of reach, full, held by another or closed to us. It is as it was.
    """
    target = versions()[-1] if version is None else version
    with exclusive(engine, "schema", timeout=_PATIENCE):
        there = version_of(engine)
        if there is not None and there not in versions():
            raise StoreFailed(
                sentence_for(
                    engine.url,
                    f"is of version {there}, which a newer program made: upgrade medaccord",
                )
            )
        if there != target:
            _upgrade(engine, target)


def _upgrade(engine: Engine, target: str) -> None:
    with (
        faults_told(engine.url),
        engine.connect().execution_options(**{WRITES: True}) as connection,
    ):
        connection.detach()  # closed in the end, and with it what is set here
        on_sqlite = engine.dialect.name == "sqlite"
        if on_sqlite:
            # A table is changed by making it anew, and dropping the old one must delete no others'
            # rows; inside a transaction it could not be switched off.
            connection.connection.cursor().execute("PRAGMA foreign_keys = OFF")
        with connection.begin():
            command.upgrade(_config(connection), target)
            if on_sqlite and connection.exec_driver_sql("PRAGMA foreign_key_check").first():
                raise StoreFailed(
                    sentence_for(
                        engine.url, "has rows that belong to none: restore it from a backup"
                    )
                )


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", "medaccord.store:migrations")
    config.attributes["connection"] = connection
    return config
