"""The database: its engine, its tables, and the migrations from one version to the next."""

from medaccord.store import tables
from medaccord.store.engine import asked_once, open_engine, reading, writing

__all__ = ["asked_once", "open_engine", "reading", "tables", "writing"]
