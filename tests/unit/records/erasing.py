"""What the tests of erasure, holds, restores and rotation share: parts, backups, what is left."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import Engine, select

from medaccord.keys import PatientKeys
from medaccord.records import Owner, Pseudonyms, Sealer
from medaccord.records.erasure import Erasure
from medaccord.records.erasure_list import ErasureList
from medaccord.records.holds import Holds
from medaccord.records.restoring import Restored, apply
from medaccord.records.rotation import Rotation
from medaccord.store import reading
from medaccord.store.tables import metadata
from tests.databases import stored_bytes
from tests.unit.records.conftest import NOW, Hospital

Restore = Callable[[], None]


@dataclass(slots=True)
class Office:
    """The data officer's desk of a hospital."""

    hospital: Hospital
    folder: Path
    list: ErasureList
    erasure: Erasure
    holds: Holds
    rotation: Rotation

    @property
    def anna(self) -> Owner:
        return self.hospital.names.patient("anna-1")

    @property
    def berta(self) -> Owner:
        return self.hospital.names.patient("berta-2")

    def start(self) -> Restored:
        """What every start does first."""
        return apply(
            self.hospital.engine,
            Sealer(self.hospital.keys),
            self.hospital.names,
            self.list,
            at=NOW,
        )

    def everything(self) -> dict[str, Any]:
        """All there is, to be compared: rows, keys and the erasure list."""
        return {
            "rows": rows(self.hospital.engine),
            "keys": {
                path.relative_to(self.folder): path.read_bytes()
                for path in self.folder.rglob("*")
                if path.is_file() and not path.name.endswith(".lock")
            },
        }

    def at_rest(self, url: str) -> bytes:
        """Every byte that the hospital keeps anywhere: the database's files, and the keys."""
        kept = [*stored_bytes(url).values()]
        kept += [path.read_bytes() for path in self.folder.rglob("*") if path.is_file()]
        if url.startswith("sqlite:"):
            beside = Path(url.removeprefix("sqlite:///")).parent
            kept += [path.read_bytes() for path in beside.rglob("*") if path.is_file()]
        return b"\n".join(kept)


def open_office(hospital: Hospital, folder: Path, sealer: Sealer | None = None) -> Office:
    sealer = sealer or Sealer(hospital.keys)
    return make_office(hospital.engine, sealer, hospital.names, folder, hospital)


def make_office(
    engine: Engine, sealer: Sealer, names: Pseudonyms, folder: Path, hospital: Hospital
) -> Office:
    erasures = ErasureList(folder)
    return Office(
        hospital=hospital,
        folder=folder,
        list=erasures,
        erasure=Erasure(engine, sealer, names, erasures),
        holds=Holds(engine, sealer, names),
        rotation=Rotation(engine, sealer, names.steward),
    )


@dataclass(slots=True)
class Recorder:
    """A source of chance that remembers: every salt, data key and nonce there ever was."""

    source: Callable[[int], bytes]
    given: list[bytes] = field(default_factory=list)

    def __call__(self, size: int) -> bytes:
        self.given.append(self.source(size))
        return self.given[-1]

    @property
    def secrets(self) -> set[bytes]:
        return {each for each in self.given if len(each) == 32}


def rows(engine: Engine) -> dict[str, list[tuple[Any, ...]]]:
    with reading(engine) as connection:
        return {
            table.name: sorted((tuple(row) for row in connection.execute(select(table))), key=repr)
            for table in metadata.sorted_tables
        }


def column(engine: Engine, table: str, name: str) -> list[Any]:
    found = metadata.tables[table]
    with reading(engine) as connection:
        return list(connection.execute(select(found.c[name])).scalars())


def private_keys(keys: PatientKeys, owner: Owner) -> list[bytes]:
    return [keys.private(owner, generation) for generation in keys.generations(owner)]


def back_up(url: str, folder: Path) -> Restore:
    """Take a backup as the database's own tools do; calling what it gives restores it."""
    if url.startswith("sqlite:"):
        path, kept = Path(url.removeprefix("sqlite:///")), folder / "backup.db"
        with closing(sqlite3.connect(path)) as live, closing(sqlite3.connect(kept)) as copy:
            live.backup(copy)

        def restore() -> None:
            for name in (f"{path.name}-wal", f"{path.name}-shm"):
                path.with_name(name).unlink(missing_ok=True)
            path.write_bytes(kept.read_bytes())

        return restore
    dumped = dict(_dump(url))

    def load() -> None:
        with psycopg.connect(url) as connection:
            names = sql.SQL(", ").join(map(sql.Identifier, dumped))
            connection.execute(sql.SQL("TRUNCATE {} CASCADE").format(names))
            for name, content in dumped.items():
                statement = sql.SQL("COPY {} FROM STDIN (FORMAT binary)")
                with connection.cursor().copy(statement.format(sql.Identifier(name))) as copy:
                    copy.write(content)

    return load


def _dump(url: str) -> Iterator[tuple[str, bytes]]:
    with psycopg.connect(url) as connection:
        for table in metadata.sorted_tables:
            statement = sql.SQL("COPY {} TO STDOUT (FORMAT binary)")
            with connection.cursor().copy(statement.format(sql.Identifier(table.name))) as copy:
                yield table.name, b"".join(bytes(part) for part in copy)
