"""PostgreSQL, so set that it keeps the promises that SQLite keeps."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, ExceptionContext

from medaccord.store.transactions import WRITES

__all__ = ["postgresql_engine"]

_CONNECT_SECONDS: Final = 10

# Whatever the server's own settings are. Keep-alives: locks of a machine that vanished are freed.
_SETTINGS: Final = (
    ("TimeZone", "UTC"),
    ("DateStyle", "ISO"),
    ("tcp_keepalives_idle", "30"),
    ("tcp_keepalives_interval", "10"),
    ("tcp_keepalives_count", "3"),
)
_SET: Final = "SELECT set_config(%s, %s, false)"
# Only what returns before the disk has it; `remote_apply` and the like wait for more than we ask.
_DURABLE: Final = """
    SELECT set_config('synchronous_commit', 'on', false)
    WHERE current_setting('synchronous_commit') = 'off'
"""
# How a transaction begins, by what it is for. Said by us and not by the driver, so that it begins
# here, where a connection that broke in the pool is found out before anything is done in it.
_BEGIN: Final[Mapping[bool | None, str]] = {
    None: "BEGIN ISOLATION LEVEL READ COMMITTED",
    False: "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    # Two numbers: what `medaccord.store.locks` locks by one number can never be the same.
    True: "BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock(20261, 1)",
}


def postgresql_engine(url: URL, patience: timedelta) -> Engine:
    """Make an engine; nothing is connected to yet."""
    milliseconds = max(1, round(patience.total_seconds() * 1000))  # 0 would be for ever
    limit = {} if "connect_timeout" in url.query else {"connect_timeout": _CONNECT_SECONDS}
    engine = create_engine(
        url,
        hide_parameters=True,
        isolation_level="AUTOCOMMIT",  # transactions are ours: see _BEGIN
        connect_args={"client_encoding": "utf8", **limit},
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        was, connection.autocommit = connection.autocommit, True  # else a rollback undoes it
        for name, value in (("lock_timeout", f"{milliseconds}ms"), *_SETTINGS):
            connection.execute(_SET, (name, value))
        connection.execute(_DURABLE)
        connection.autocommit = was

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        if options.get("isolation_level") != "AUTOCOMMIT":  # a lock is held in no transaction
            connection.exec_driver_sql(_BEGIN[options.get(WRITES)])

    @event.listens_for(engine, "handle_error")
    def _tell_no_values(context: ExceptionContext) -> None:
        """Keep the first line; the server tells whole rows in the lines that follow."""
        for error in (context.original_exception, context.sqlalchemy_exception):
            if error is not None and error.args and isinstance(error.args[0], str):
                error.args = (error.args[0].partition("\n")[0], *error.args[1:])

    return engine
