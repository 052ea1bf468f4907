"""Databases as earlier versions of this program left them, with the keys that open them.

`version_0001.json` was written down by the program of version 0001 itself, through its own doors: a
patient enrolled, records imported twice, a consent granted, its terms and a reason handed in, a
request left, a log kept and anchored; and, the chain being out of reach in the end, a revocation
that is held and an import that is not anchored. All of its keys are nobody's. With a new version
comes a file of the one before, made in the same way; `KEPT` finds it by its name.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import DateTime, Engine, MetaData, Table, func, insert, select, text

from medaccord.store import writing
from medaccord.store.schema import upgrade, versions


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """What one version left.

    Attributes:
        version: of its tables.
        told: what went in, as its users knew it.
        keys: the files of its key store, by name.
        rows: of each table.
    """

    version: str
    told: dict[str, Any]
    keys: dict[str, bytes]
    rows: dict[str, list[dict[str, Any]]]

    @classmethod
    def load(cls, path: Path) -> Earlier:
        found = json.loads(path.read_text())
        return cls(
            version=found["version"],
            told=found["told"],
            keys={name: bytes.fromhex(content) for name, content in found["keys"].items()},
            rows={
                table: [{name: _cell(value) for name, value in row.items()} for row in rows]
                for table, rows in found["tables"].items()
            },
        )

    def restore(self, engine: Engine, keys: Path) -> None:
        """Make the database as it was, by the migrations of that time, and its key store."""
        keys.mkdir(mode=0o700)
        for name, content in self.keys.items():
            (keys / name).write_bytes(content)
            (keys / name).chmod(0o600)
        upgrade(engine, self.version)
        found = tables_of(engine)
        with writing(engine) as connection:
            for table in found.sorted_tables:
                if rows := [_typed(table, row) for row in self.rows.get(table.name, [])]:
                    connection.execute(insert(table), rows)
                    if engine.dialect.name == "postgresql" and "id" in table.c:
                        _count_on(connection, table)


def tables_of(engine: Engine) -> MetaData:
    """The tables that are there now."""
    found = MetaData()
    found.reflect(engine)
    return found


def _cell(value: Any) -> Any:
    return bytes.fromhex(value["hex"]) if isinstance(value, dict) else value


def _typed(table: Table, row: dict[str, Any]) -> dict[str, Any]:
    """The row with its moments as moments; they are written down in UTC."""
    return {
        name: datetime.fromisoformat(value).replace(tzinfo=UTC)
        if isinstance(value, str) and isinstance(table.c[name].type, DateTime)
        else value
        for name, value in row.items()
    }


def _count_on(connection: Any, table: Table) -> None:
    """Let the keys count on from the rows, as they would have."""
    newest = connection.execute(select(func.max(table.c.id))).scalar_one()
    sequence = text("SELECT setval(pg_get_serial_sequence(:name, 'id'), :newest)")
    has = text("SELECT pg_get_serial_sequence(:name, 'id')")
    if connection.execute(has, {"name": table.name}).scalar_one() is not None:
        connection.execute(sequence, {"name": table.name, "newest": newest})


KEPT: Final = {
    each.version: each
    for each in map(Earlier.load, sorted(Path(__file__).parent.glob("version_*.json")))
}


def newest_kept(version: str) -> Earlier:
    """What the version itself left, or the nearest one before it of which something is kept."""
    known = versions()
    upto = known[: known.index(version) + 1]
    return next(KEPT[each] for each in reversed(upto) if each in KEPT)
