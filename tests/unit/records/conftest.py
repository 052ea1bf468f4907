"""A hospital with a database and keys, two of its patients, and the stream it anchors in."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from sqlalchemy import Engine

from medaccord.chain.events import Anchored
from medaccord.core.anchors import Anchor
from medaccord.core.blocks import BlockRef
from medaccord.core.identifiers import ZERO_DIGEST, Address, Digest, address, digest
from medaccord.fhir.bundle import PatientBundle, read_bundle
from medaccord.keys import FolderPatientKeys, StewardSecrets
from medaccord.ledger import Projection
from medaccord.records import (
    Batch,
    Batches,
    Imported,
    Importer,
    PatientAccounts,
    Pseudonyms,
    Record,
    RecordRepository,
    Sealer,
)
from medaccord.store import open_engine

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LOINC = "http://loinc.org"


def observation(name: str, value: str, *, code: str = "718-7") -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": name,
        "status": "final",
        "category": [{"coding": [{"system": "http://hl7.org/cat", "code": "laboratory"}]}],
        "code": {"coding": [{"system": LOINC, "code": code, "display": "Haemoglobin"}]},
        "effectiveDateTime": "2025-11-03T09:30:00Z",
        "subject": {"reference": "Patient/anna-1"},
        "valueQuantity": {"value": f"NUMBER{value}NUMBER", "unit": "g/dL"},
    }


def bundle(*resources: dict[str, Any], patient_id: str = "anna-1") -> PatientBundle:
    patient = {
        "resourceType": "Patient",
        "id": patient_id,
        "name": [{"family": "Zyrianova-Canary", "given": ["Anna"]}],
    }
    entries = [{"resource": each} for each in (patient, *resources)]
    text = json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries})
    return read_bundle(text.replace('"NUMBER', "").replace('NUMBER"', "").encode())


def practitioner(name: str = "dr-canary-7") -> dict[str, Any]:
    return {"resourceType": "Practitioner", "id": name, "name": [{"family": "Wolkenstein"}]}


@dataclass(slots=True)
class Stream:
    """The chain as far as records need it: the ledger's projection, fed with appends."""

    state: Projection = field(default_factory=Projection)
    block: int = 0

    def append(self, account: Address, topic: Digest, root: Digest) -> Anchored:
        self.block += 1
        last = self.state.streams.last((account, topic))
        previous = last.head if last else ZERO_DIGEST
        at = datetime.fromtimestamp(NOW.timestamp() + self.block, UTC)
        words = encode(["bytes32", "bytes32", "uint40"], [previous, root, int(at.timestamp())])
        event = Anchored(
            contract=account,
            block=BlockRef(
                chain_id=1337, number=self.block, hash=digest(keccak(words)), timestamp=at
            ),
            transaction=digest(keccak(words + b"transaction")),
            log_index=0,
            account=account,
            topic=topic,
            by=account,
            previous=previous,
            root=root,
            head=digest(keccak(words)),
        )
        self.state.apply(event)
        return event

    def anchor_of(self, account: Address, topic: Digest, root: Digest) -> Anchor | None:
        return self.state.roots.get((account, topic, root))

    def newest_anchor(self, account: Address, topic: Digest) -> Anchor | None:
        return self.state.streams.last((account, topic))

    def anchors(self, account: Address, topic: Digest) -> tuple[Anchor, ...]:
        return self.state.streams.get((account, topic))


@dataclass(slots=True)
class Hospital:
    engine: Engine
    keys: FolderPatientKeys
    names: Pseudonyms
    account: Address
    stream: Stream
    importer: Importer
    batches: Batches
    accounts: PatientAccounts
    records: RecordRepository

    def take_in(self, content: PatientBundle, account: Address) -> Imported:
        """Import and anchor."""
        imported = self.importer.import_bundle(content, account, at=NOW)
        for batch in imported.batches:
            self.anchor(batch)
        return imported

    def anchor(self, batch: Batch) -> None:
        event = self.stream.append(self.account, batch.topic, batch.root)
        self.batches.mark_anchored(batch, transaction=event.transaction, block=event.block, at=NOW)

    def read(self, account: Address) -> dict[str, Record]:
        found = self.records.find(account, lambda _: True)
        return {record.descriptor.record: record for record in self.records.open(found)}

    def reopened(self) -> RecordRepository:
        """A repository that remembers nothing."""
        return RecordRepository(
            self.engine, Sealer(self.keys), self.names, self.account, self.stream
        )


@pytest.fixture
def hospital(tmp_path: Path, database_url: str) -> Iterator[Hospital]:
    engine = open_engine(database_url)
    keys = FolderPatientKeys(tmp_path / "keys")
    names = Pseudonyms(StewardSecrets(tmp_path / "keys"))
    account = address("0x" + "a0" * 20)
    stream = Stream()
    yield Hospital(
        engine=engine,
        keys=keys,
        names=names,
        account=account,
        stream=stream,
        importer=Importer(engine, Sealer(keys), names, account),
        batches=Batches(engine),
        accounts=PatientAccounts(engine, keys),
        records=RecordRepository(engine, Sealer(keys), names, account, stream),
    )
    engine.dispose()


@pytest.fixture
def patient(hospital: Hospital) -> Address:
    account = address("0x" + "01" * 20)
    hospital.accounts.enrol(account, hospital.names.patient("anna-1"), at=NOW)
    return account


@pytest.fixture
def other_patient(hospital: Hospital) -> Address:
    account = address("0x" + "02" * 20)
    hospital.accounts.enrol(account, hospital.names.patient("berta-2"), at=NOW)
    return account


@pytest.fixture
def stranger() -> Address:
    return address("0x" + "99" * 20)
