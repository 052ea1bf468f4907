"""How fast records are taken in, opened and proven, rewrapped and erased, and in what memory.

    python -m benchmarks.records                 a table
    python -m benchmarks.records --json          the figures as JSON
    python -m benchmarks.records --scale 0.1     the same over a tenth of everything

Each import runs in a process of its own, so that its peak of memory is its own. A file is read,
compared, canonicalised, sealed, committed to, staged and written; patients are enrolled before.
Rates are by the clock on the wall, and by the processor's time too, which a busy machine changes
less.
PostgreSQL is measured where it is installed, by a server that this starts.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from eth_utils.crypto import keccak
from rich.console import Console
from rich.table import Table

from benchmarks.memory import peak_bytes
from benchmarks.patients import patient_ids, write_ndjson
from benchmarks.postgresql import MISSING, binaries, server
from medaccord.core.anchors import Anchor
from medaccord.core.blocks import BlockRef
from medaccord.core.identifiers import ZERO_DIGEST, Address, Digest, address
from medaccord.keys import FolderPatientKeys, StewardSecrets
from medaccord.records import (
    Batches,
    Importer,
    PatientAccounts,
    Pseudonyms,
    RecordRepository,
    Sealer,
)
from medaccord.records.erasure import Erasure
from medaccord.records.erasure_list import ErasureList
from medaccord.records.rotation import Rotation
from medaccord.store import open_engine

SIZES: Final = (10_000, 100_000)
"""Resources of the two imports whose memory is compared."""

_STEWARD: Final = address("0x" + "a0" * 20)
_NOW: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
_OPENED: Final = 20  # patients whose records are opened


@dataclass(slots=True)
class Chain:
    """Holds whatever it is given, at once and for good."""

    anchors: dict[tuple[Digest, Digest], Anchor] = field(default_factory=dict)
    last: dict[Digest, Anchor] = field(default_factory=dict)

    def append(self, topic: Digest, root: Digest) -> Anchor:
        """Append a root to a stream."""
        before = self.last.get(topic)
        anchor = Anchor(
            account=_STEWARD,
            topic=topic,
            previous=before.head if before else ZERO_DIGEST,
            root=root,
            head=Digest(keccak(root)),
            block_number=1,
            transaction=Digest(keccak(topic + root)),
        )
        self.anchors[topic, root] = self.last[topic] = anchor
        return anchor

    def anchor_of(self, account: Address, topic: Digest, root: Digest) -> Anchor | None:
        """As `records.Anchors`."""
        return self.anchors.get((topic, root))

    def newest_anchor(self, account: Address, topic: Digest) -> Anchor | None:
        """As `records.Anchors`."""
        return self.last.get(topic)


class Archive:
    """A hospital's records: a database, and a key store beside it."""

    def __init__(self, url: str, folder: Path) -> None:
        """Open the database, and make the key store where there is none."""
        self.engine = open_engine(url)
        self.keys = FolderPatientKeys(folder)
        self.names = Pseudonyms(StewardSecrets(folder))
        self.sealer = Sealer(self.keys)
        self.folder = folder

    def enrol(self, patients: list[str]) -> None:
        """Let an account stand for each of them."""
        accounts = PatientAccounts(self.engine, self.keys)
        for each in patients:
            accounts.enrol(account_of(each), self.names.patient(each), at=_NOW)

    def importer(self) -> Importer:
        """Takes files in."""
        return Importer(self.engine, self.sealer, self.names, _STEWARD)

    def anchored(self) -> RecordRepository:
        """The records, once every batch is anchored."""
        chain, batches = Chain(), Batches(self.engine)
        for batch in batches.unanchored():
            anchor = chain.append(batch.topic, batch.root)
            block = BlockRef(chain_id=1, number=1, hash=ZERO_DIGEST, timestamp=_NOW)
            batches.mark_anchored(batch, transaction=anchor.transaction, block=block, at=_NOW)
        return RecordRepository(self.engine, self.sealer, self.names, _STEWARD, chain)


def account_of(patient: str) -> Address:
    """The account that stands for a patient."""
    return address("0x" + keccak(text=patient)[:20].hex())


def measure(scale: float, folder: Path) -> dict[str, float]:
    """Every figure by its name.

    Args:
        scale: share of the resources, above 0.
        folder: where files and databases may be made.
    """
    figures: dict[str, float] = {}
    sizes = [max(200, int(size * scale)) for size in SIZES]
    files = [folder / f"{size}.ndjson" for size in sizes]
    counts = [write_ndjson(file, size) for file, size in zip(files, sizes, strict=True)]
    for size, file, count in zip(sizes, files, counts, strict=True):
        url = f"sqlite:///{folder / f'{size}.db'}"
        took, busy, peak = import_in_a_process(url, folder / f"keys-{size}", file, size)
        figures[f"sqlite_import_{size}_resources_per_second"] = count / took
        figures[f"sqlite_import_{size}_resources_per_processor_second"] = count / busy
        figures[f"sqlite_import_{size}_megabytes_per_second"] = file.stat().st_size / took / 1e6
        figures[f"sqlite_import_{size}_peak_megabytes"] = peak
    with postgresql() as database:
        if database is not None:
            took, _, _ = import_in_a_process(database, folder / "keys-pg", files[0], sizes[0])
            figures[f"postgresql_import_{sizes[0]}_resources_per_second"] = counts[0] / took
            figures[f"postgresql_import_{sizes[0]}_megabytes_per_second"] = (
                files[0].stat().st_size / took / 1e6
            )
    archive = Archive(f"sqlite:///{folder / f'{sizes[0]}.db'}", folder / f"keys-{sizes[0]}")
    patients = patient_ids(sizes[0])
    return figures | opening(archive, patients) | changing(archive, patients)


def import_in_a_process(url: str, keys: Path, file: Path, size: int) -> tuple[float, float, float]:
    """Seconds that an import takes, those of the processor, and its peak of memory in megabytes."""
    Archive(url, keys).enrol(patient_ids(size))
    command = [sys.executable, "-m", "benchmarks.records", "--import", url, str(keys), str(file)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    told = json.loads(done.stdout)
    return told["seconds"], told["busy"], told["megabytes"]


def import_here(url: str, keys: Path, file: Path) -> dict[str, float]:
    """Import a file, and tell what that took."""
    archive = Archive(url, keys)
    started, worked = time.perf_counter(), time.process_time()
    imported = archive.importer().import_file(file, at=_NOW)
    seconds, busy = time.perf_counter() - started, time.process_time() - worked
    if imported.left_out or imported.known:
        raise SystemExit("the file was not taken in whole: the figures would be of something else")
    return {"seconds": seconds, "busy": busy, "megabytes": peak_bytes() / 1e6}


def opening(archive: Archive, patients: list[str]) -> dict[str, float]:
    """Records opened and proven, beside AES-256-GCM over the same bytes."""
    repository = archive.anchored()
    contents: list[bytes] = []
    took = busy = 0.0
    for each in patients[:_OPENED]:
        started, worked = time.perf_counter(), time.process_time()
        records = repository.open(repository.find(account_of(each), lambda _: True))
        took += time.perf_counter() - started
        busy += time.process_time() - worked
        contents += [record.content for record in records]
    total = sum(map(len, contents))
    ciphers = []
    for content in contents:
        key, nonce = os.urandom(32), os.urandom(12)
        ciphers.append((AESGCM(key), nonce, AESGCM(key).encrypt(nonce, content, b"")))
    started = time.perf_counter()
    for cipher, nonce, sealed in ciphers:
        cipher.decrypt(nonce, sealed, b"")
    alone = time.perf_counter() - started
    return {
        "open_and_prove_records_per_second": len(contents) / took,
        "open_and_prove_records_per_processor_second": len(contents) / busy,
        "open_and_prove_megabytes_per_second": total / took / 1e6,
        "aes_256_gcm_alone_megabytes_per_second": total / alone / 1e6,
        "aes_256_gcm_share_of_open_and_prove": alone / took,
        "record_bytes_on_average": total / len(contents),
    }


def changing(archive: Archive, patients: list[str]) -> dict[str, float]:
    """Renewing one patient's key, and erasing one record, and one patient."""
    names = archive.names
    rotation = Rotation(archive.engine, archive.sealer, names.steward)
    erasure = Erasure(archive.engine, archive.sealer, names, ErasureList(archive.folder))
    first, second = (names.patient(each) for each in patients[:2])

    def timed(action: object) -> float:
        started = time.perf_counter()
        assert callable(action)
        action()
        return time.perf_counter() - started

    record = f"Patient/{patients[0]}"
    return {
        "rotate_patient_seconds": timed(lambda: rotation.rotate(first)),
        "rotate_patient_and_destroy_old_seconds": timed(
            lambda: rotation.rotate(second, destroy_old=True)
        ),
        "erase_record_seconds": timed(lambda: erasure.erase_record(first, record, at=_NOW)),
        "erase_patient_seconds": timed(lambda: erasure.erase_patient(second, at=_NOW)),
    }


@contextmanager
def postgresql() -> Iterator[str | None]:
    """The URL of an empty database of a server of our own; None where there can be none."""
    programs = binaries()
    if programs is None:
        print(f"PostgreSQL is left out: {MISSING}", file=sys.stderr)
        yield None
        return
    with server(programs) as running:
        yield running.create()


def main(arguments: list[str] | None = None) -> int:
    """Measure, and tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="figures as JSON")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the resources")
    parser.add_argument("--import", dest="here", nargs=3, help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.here:
        url, keys, file = chosen.here
        print(json.dumps(import_here(url, Path(keys), Path(file))))
        return 0
    with tempfile.TemporaryDirectory(prefix="medaccord-records-") as folder:
        figures = measure(chosen.scale, Path(folder))
    if chosen.json:
        print(json.dumps(figures, indent=2))
        return 0
    table = Table("figure", "value")
    for name, value in figures.items():
        table.add_row(name.replace("_", " "), f"{value:,.3f}")
    Console().print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
