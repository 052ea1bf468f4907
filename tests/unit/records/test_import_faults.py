"""What goes wrong during an import leaves nothing behind, and nothing readable on the way."""

import errno
import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import delete, event

from medaccord.core.errors import KeyMissing, StoreFailed
from medaccord.core.identifiers import Address
from medaccord.keys import PublicKey
from medaccord.records import Importer, Owner, Sealer
from medaccord.records.sealer import SealedColumns
from medaccord.records.staging import Staging, staging_folder
from medaccord.store import tables, writing
from tests.unit.records.conftest import NOW, Hospital
from tests.unit.records.ndjson import count, observation, of_two, write
from tests.unit.records.ndjson import patient as person


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return of_two(tmp_path / "export.ndjson")


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """No file of this process may become longer, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_nothing_is_taken_in_when_there_is_no_room_to_prepare_it(
    hospital: Hospital, patient: Address, tmp_path: Path
) -> None:
    path = write(
        tmp_path / "big.ndjson",
        person("anna-1"),
        *(observation(f"o{i}", "anna-1", "x" * 1_000_000) for i in range(4)),
    )
    before = count(hospital)
    with room_for(3_000_000), pytest.raises(StoreFailed) as caught:
        hospital.importer.import_file(path, at=NOW)
    assert os.strerror(errno.EFBIG) in str(caught.value)
    assert str(caught.value).endswith("then import again: nothing was taken in")
    assert count(hospital) == before
    assert hospital.importer.import_file(path, at=NOW).new_versions == 5


def test_nothing_is_taken_in_when_the_database_is_full(
    hospital: Hospital, patient: Address, tmp_path: Path
) -> None:
    if hospital.engine.dialect.name != "sqlite":
        pytest.skip("the size of a PostgreSQL database cannot be bounded from here")
    path = write(
        tmp_path / "big.ndjson",
        person("anna-1"),
        *(observation(f"o{i}", "anna-1", "x" * 1_000_000) for i in range(4)),
    )
    before = count(hospital)
    with hospital.engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()

    @event.listens_for(hospital.engine, "connect")
    def limit(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages + 100}")

    hospital.engine.dispose()
    with pytest.raises(StoreFailed, match="has no room left on its disk"):
        hospital.importer.import_file(path, at=NOW)
    assert count(hospital) == before


class Vanishing(Sealer):
    """A sealer over a key store that is gone after a while."""

    def __init__(self, hospital: Hospital, after: int) -> None:
        super().__init__(hospital.keys)
        self._left = after

    def seal(
        self, owner: Owner, plaintext: bytes, context: bytes, *, to: PublicKey | None = None
    ) -> SealedColumns:
        self._left -= 1
        if self._left < 0:
            raise KeyMissing("the key store is gone")
        return super().seal(owner, plaintext, context, to=to)


@pytest.mark.parametrize("after", [0, 3, 9, 11])
def test_nothing_is_taken_in_when_the_key_store_goes_away(
    hospital: Hospital, patient: Address, other_patient: Address, file: Path, after: int
) -> None:
    """At the first record, in the middle, and in the transaction that takes it in."""
    before = count(hospital)
    sealer = Vanishing(hospital, after)
    importer = Importer(hospital.engine, sealer, hospital.names, hospital.account)
    with pytest.raises(KeyMissing, match="the key store is gone"):
        importer.import_file(file, at=NOW)
    assert count(hospital) == before
    assert hospital.importer.import_file(file, at=NOW).new_versions == 6


def test_nothing_is_taken_in_when_a_key_is_erased_in_the_middle(
    hospital: Hospital, patient: Address, other_patient: Address, file: Path
) -> None:
    def erase(done: int, total: int) -> None:
        if done == total:
            hospital.keys.erase(hospital.names.patient("anna-1"))

    before = count(hospital)
    with pytest.raises(KeyMissing):
        hospital.importer.import_file(file, at=NOW, progress=erase)
    assert count(hospital) == before


def test_patient_is_left_out_when_it_was_erased_in_the_middle(
    hospital: Hospital, patient: Address, other_patient: Address, file: Path
) -> None:
    def erase(done: int, total: int) -> None:
        if done == total:
            anna = hospital.names.patient("anna-1")
            with writing(hospital.engine) as connection:
                mine = tables.patient_account.c.patient_ref == anna
                connection.execute(delete(tables.patient_account).where(mine))
            hospital.keys.erase(anna)

    imported = hospital.importer.import_file(file, at=NOW, progress=erase)
    assert (imported.patients, imported.left_out, imported.new_versions) == (1, 1, 4)
    assert count(hospital)["imported_file"] == 0


def test_string_of_fifty_megabytes_is_taken_in_and_given_back(
    hospital: Hospital, patient: Address, tmp_path: Path
) -> None:
    if hospital.engine.dialect.name != "sqlite":
        pytest.skip("shown on one database: it takes long, and a text has no length of its own")
    text = "x" * 50_000_000
    path = write(tmp_path / "long.ndjson", person("anna-1"), observation("o", "anna-1", text))
    for batch in hospital.importer.import_file(path, at=NOW).batches:
        hospital.anchor(batch)
    content = hospital.read(patient)["Observation/o"].content
    assert json.loads(content)["valueString"] == text


KILLED = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from medaccord.core.identifiers import address
from medaccord.keys import FolderPatientKeys, StewardSecrets
from medaccord.records import Importer, Pseudonyms, Sealer
from medaccord.store import open_engine

url, keys, file = sys.argv[1:]
folder = Path(keys)
importer = Importer(
    open_engine(url),
    Sealer(FolderPatientKeys(folder)),
    Pseudonyms(StewardSecrets(folder)),
    address("0x" + "a0" * 20),
)

def die(done, total):
    if done == total:
        os.kill(os.getpid(), signal.SIGKILL)

importer.import_file(Path(file), at=datetime.now(UTC), progress=die)
"""


def test_nothing_is_left_when_the_process_is_killed(
    hospital: Hospital, patient: Address, other_patient: Address, file: Path, tmp_path: Path
) -> None:
    before, folder = count(hospital), staging_folder(hospital.engine.url)
    files = {path.name for path in folder.iterdir()}
    url = hospital.engine.url.render_as_string(hide_password=False)
    command = [sys.executable, "-c", KILLED, url, str(tmp_path / "keys"), str(file)]
    done = subprocess.run(command, check=False, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert count(hospital) == before
    if hospital.engine.dialect.name == "sqlite":
        assert {path.name for path in folder.iterdir()} <= files | {
            "records.db-wal",
            "records.db-shm",
        }
    assert hospital.importer.import_file(file, at=NOW).new_versions == 6


# --- What is staged ---


def test_staged_rows_have_no_name_and_hold_nothing_readable(
    hospital: Hospital, patient: Address, other_patient: Address, file: Path
) -> None:
    folder = staging_folder(hospital.engine.url)
    seen: list[bytes] = []

    def look(done: int, total: int) -> None:
        for link in Path("/proc/self/fd").iterdir():
            target = os.readlink(link) if link.is_symlink() else ""
            if target.startswith(str(folder)) and target.endswith("(deleted)"):
                assert os.stat(link).st_mode & 0o077 == 0
                seen.append(link.read_bytes())

    before = set(folder.iterdir())
    big = write(
        file.with_name("big.ndjson"),
        person("anna-1"),
        *(observation(f"canary-{i}", "anna-1", "Canary " * 4_000) for i in range(4)),
    )
    hospital.importer.import_file(big, at=NOW, progress=look)
    staged = max(seen, key=len)
    assert len(staged) > 28_000
    for canary in (b"Canary", b"canary", b"anna-1", b"Observation", b"2025-11-03"):
        assert canary not in staged
    if hospital.engine.dialect.name == "sqlite":
        assert {path.name for path in set(folder.iterdir()) - before} <= {
            "records.db-wal",
            "records.db-shm",
        }


def test_staging_is_refused_when_its_folder_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StoreFailed, match="No such file or directory"):
        Staging(tmp_path / "none")


def test_staging_is_beside_the_database_when_that_is_a_file(hospital: Hospital) -> None:
    folder = staging_folder(hospital.engine.url)
    if hospital.engine.dialect.name == "sqlite":
        assert folder == Path(str(hospital.engine.url.database)).parent
    else:
        assert folder == Path(tempfile.gettempdir())
