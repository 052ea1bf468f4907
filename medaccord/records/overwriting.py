"""Getting what was deleted off the disk, where the database is a file.

SQLite overwrites what is deleted with zeros (``secure_delete``) in the pages that it writes; the
older pages stay in the file and in the write-ahead log until the log is copied back. So after an
erasure that is done at once, and the log cut off. PostgreSQL keeps dead rows and its log as its
administrator has set it to, and cannot be told to forget: there nothing is done.
"""

import logging
import sqlite3
from contextlib import closing
from typing import Final

from sqlalchemy import Engine

__all__ = ["overwrite"]

_TRIES: Final = 3  # each waits as long as the database waits for a lock

_log = logging.getLogger(__name__)


def overwrite(engine: Engine) -> bool:
    """Copy the write-ahead log back into the file, over what was deleted, and empty it.

    Returns:
        Whether nothing deleted is left in either. False where others read or wrote all the time, or
        the disk fails: the next erasure or start does it.
    """
    if engine.dialect.name != "sqlite":
        return True
    with closing(engine.raw_connection()) as connection:  # in no transaction
        cursor = connection.cursor()
        for _ in range(_TRIES):
            try:
                busy, _, _ = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            except sqlite3.OperationalError as error:
                _log.warning("the log of the database cannot be emptied: %s", error)
                return False
            if not busy:
                return True
    _log.warning("what was deleted is still in the log of the database: others are reading it")
    return False
