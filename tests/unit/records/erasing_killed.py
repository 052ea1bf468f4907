"""Runs an erasure, a restore or a rotation and kills it before each of its steps, in turn.

`main` takes as a program's arguments a job's name, the URL of a database that nobody has open, and
the folders of keys and of a backup. It forks, so it must run in a process of its own, with one
thread only. A step is a transaction begun or ended, or a file of the key store written. It prints
how many steps there were.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

from medaccord.keys import FolderPatientKeys, StewardSecrets
from medaccord.records import Owner, PatientAccounts, Pseudonyms, Sealer
from medaccord.records.erasure import Erasure
from medaccord.records.erasure_list import ErasureList
from medaccord.records.restoring import apply, unfinished
from medaccord.records.rotation import Rotation
from medaccord.records.sealed_rows import SEALED_TABLES
from medaccord.store import open_engine
from tests.unit.records.conftest import NOW
from tests.unit.records.erasing import back_up, rows

# What CPython tells an audit hook before it asks the system for it.
_STEPS = {"open", "os.link", "os.rename", "os.remove", "os.mkdir", "os.truncate"}
_ERASED = "Observation/o1"


@dataclass(frozen=True, slots=True)
class Parts:
    """What a hospital works with, opened anew."""

    engine: Engine
    keys: FolderPatientKeys
    names: Pseudonyms
    erasures: ErasureList

    @classmethod
    def open(cls, url: str, folder: Path) -> Parts:
        names = Pseudonyms(StewardSecrets(folder))
        return cls(open_engine(url), FolderPatientKeys(folder), names, ErasureList(folder))

    @property
    def anna(self) -> Owner:
        return self.names.patient("anna-1")

    @property
    def erasure(self) -> Erasure:
        return Erasure(self.engine, Sealer(self.keys), self.names, self.erasures)

    @property
    def rotation(self) -> Rotation:
        return Rotation(self.engine, Sealer(self.keys), self.names.steward)

    def start(self) -> None:
        apply(self.engine, Sealer(self.keys), self.names, self.erasures, at=NOW)

    def of_anna(self) -> dict[str, list[tuple[Any, ...]]]:
        """Rows that name the patient, or its account, whatever the table; but what bars it."""
        accounts = {"0x" + "01" * 20, self.anna}
        return {
            name: found
            for name, all_rows in rows(self.engine).items()
            if name != "erasure" and (found := [row for row in all_rows if accounts & set(row)])
        }

    def contents(self) -> list[tuple[Any, ...]]:
        """What every sealed row says, opened."""
        sealer, found = Sealer(self.keys), []
        accounts = PatientAccounts(self.engine, self.keys)
        with self.engine.connect() as connection:
            for sealed in SEALED_TABLES:
                for row in connection.execute(sealed.table.select()):
                    owner = row._mapping[sealed.whose]
                    owner = accounts.owner_of(owner) if sealed.by_account else owner
                    context = sealed.context(row._mapping)
                    found.append((sealed.table.name, sealer.open(owner, row._mapping, context)))
        return sorted(found)

    def generations(self) -> set[int]:
        found: set[int] = set()
        with self.engine.connect() as connection:
            for sealed in SEALED_TABLES:
                query = sealed.table.select()
                found |= {
                    row.key_generation
                    for row in connection.execute(query)
                    if self.anna in row or "0x" + "01" * 20 in row
                }
        return found


def killed(run: Callable[[Parts], object], parts: Parts, folder: Path, step: int) -> bool:
    """Run in a process of its own, killed before a step; say whether it came that far."""
    child = os.fork()
    if child == 0:
        left = step

        def count(*_: object) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)

        def watch(name: str, arguments: tuple[Any, ...]) -> None:
            if name not in _STEPS or not str(arguments[0]).startswith(str(folder)):
                return
            if name != "open" or arguments[2] & (os.O_WRONLY | os.O_RDWR):
                count()

        event.listen(parts.engine, "begin", count)
        event.listen(parts.engine, "commit", count)
        sys.addaudithook(watch)
        run(parts)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return True
    assert os.waitstatus_to_exitcode(status) == 0, "the job failed by itself"
    return False


def erase_patient(parts: Parts) -> None:
    parts.erasure.erase_patient(parts.anna, at=NOW)


def erase_record(parts: Parts) -> None:
    parts.erasure.erase_record(parts.anna, _ERASED, at=NOW)


def start(parts: Parts) -> None:
    parts.start()


def rotate(parts: Parts) -> None:
    parts.rotation.rotate(parts.anna)


def rotate_and_destroy(parts: Parts) -> None:
    parts.rotation.rotate(parts.anna, destroy_old=True)


def check_patient(parts: Parts, before: dict[str, Any]) -> None:
    """Nothing was decided and nothing changed; or the next start has erased it all."""
    decided = parts.erasures.lines()
    parts.start()
    if not decided:
        assert rows(parts.engine) == before["rows"]
        assert parts.keys.generations(parts.anna) == (1,)
        return
    assert parts.of_anna() == {}
    assert parts.keys.generations(parts.anna) == ()
    assert parts.keys.create(parts.anna).generation == 2
    assert unfinished(parts.engine, parts.keys, parts.erasures) == ()


def check_record(parts: Parts, before: dict[str, Any]) -> None:
    decided = parts.erasures.lines()
    parts.start()
    record = parts.names.record(_ERASED)
    left = [row for row in rows(parts.engine)["record_version"] if {parts.anna, record} <= set(row)]
    states = [row for row in rows(parts.engine)["batch"] if row not in before["rows"]["batch"]]
    assert (len(left), len(states)) == ((0, 1) if decided else (1, 0))
    assert unfinished(parts.engine, parts.keys, parts.erasures) == ()


def check_rotation(parts: Parts, before: dict[str, Any]) -> None:
    newest = parts.keys.generations(parts.anna)[-1]
    parts.rotation.carry_on_all()
    assert parts.rotation.pending() == ()
    assert parts.generations() == {newest}
    assert parts.contents() == before["contents"]
    again = parts.rotation.retire(parts.anna)
    assert parts.keys.generations(parts.anna) == (again.generation,) == (newest,)
    assert parts.contents() == before["contents"]


JOBS = {
    "patient": (erase_patient, check_patient),
    "record": (erase_record, check_record),
    "restore": (start, check_patient),
    "rotation": (rotate, check_rotation),
    "destroying": (rotate_and_destroy, check_rotation),
}


def main() -> None:
    job, url, folder, kept = sys.argv[1], sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4])
    run, check = JOBS[job]
    restore = back_up(url, kept)
    parts = Parts.open(url, folder)
    before = {"rows": rows(parts.engine), "contents": parts.contents()}
    if job == "restore":
        erase_patient(parts)
    parts.engine.dispose()
    shutil.copytree(folder, kept / "keys")
    step = 0
    while True:
        restore()
        shutil.rmtree(folder)
        shutil.copytree(kept / "keys", folder)
        died = killed(run, parts, folder, step)  # which has no connection open
        check(parts, before)
        parts.engine.dispose()
        if not died:
            break
        step += 1
    print(step)
