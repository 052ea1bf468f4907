"""Records on the way from a Bundle to a proof that a stranger checks against the chain."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from medaccord.chain import actions, events
from medaccord.core.anchors import Anchor
from medaccord.core.errors import AccessRefused
from medaccord.core.proofs import verify_record
from medaccord.core.refusals import Refusal
from medaccord.fhir.bundle import PatientBundle, read_bundle
from medaccord.keys import FolderPatientKeys, LocalSigner, StewardSecrets
from medaccord.ledger import Ledger
from medaccord.records import (
    Batch,
    Batches,
    Importer,
    PatientAccounts,
    Pseudonyms,
    RecordRepository,
    Sealer,
)
from medaccord.store import open_engine
from tests.integration.conftest import Setting

BUNDLE = {
    "resourceType": "Bundle",
    "type": "collection",
    "entry": [
        {"resource": {"resourceType": "Patient", "id": "p1"}},
        {
            "resource": {
                "resourceType": "Observation",
                "id": "o1",
                "status": "final",
                "subject": {"reference": "Patient/p1"},
            }
        },
    ],
}


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = open_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def ledger(setting: Setting, engine: Engine) -> Ledger:
    return Ledger(setting.network, setting.contracts, engine)


class Archive:
    """The records of the hospital, with the chain's own ledger behind them."""

    def __init__(self, setting: Setting, engine: Engine, ledger: Ledger, folder: Path) -> None:
        keys, names = FolderPatientKeys(folder), Pseudonyms(StewardSecrets(folder))
        account = setting.hospital.address
        self.setting = setting
        self.names = names
        self.batches = Batches(engine)
        self.accounts = PatientAccounts(engine, keys)
        self.importer = Importer(engine, Sealer(keys), names, account)
        self.records = RecordRepository(engine, Sealer(keys), names, account, ledger)

    def take_in(self, bundle: PatientBundle, patient: LocalSigner) -> Batch:
        now = self.setting.network.clock()
        self.accounts.enrol(patient.address, self.names.patient("p1"), at=now)
        imported = self.importer.import_bundle(bundle, patient.address, at=now)
        (batch,) = imported.batches
        return batch

    def anchor(self, batch: Batch) -> None:
        setting = self.setting
        action = actions.append(
            setting.contracts,
            account=setting.hospital.address,
            topic=batch.topic,
            root=batch.root,
        )
        receipt = actions.submit(setting.sender, actions.signed(action, setting.hospital))
        self.batches.mark_anchored(
            batch,
            transaction=receipt.transaction,
            block=receipt.block,
            at=setting.network.clock(),
        )


@pytest.fixture
def archive(setting: Setting, engine: Engine, ledger: Ledger, tmp_path: Path) -> Archive:
    return Archive(setting, engine, ledger, tmp_path / "keys")


def test_record_is_released_with_a_proof_when_its_batch_stands_on_the_chain(
    setting: Setting, archive: Archive, ledger: Ledger, patient: LocalSigner
) -> None:
    archive.anchor(archive.take_in(read_bundle(json.dumps(BUNDLE).encode()), patient))
    ledger.sync()

    found = archive.records.find(
        patient.address, lambda about: about.descriptor.record == "Observation/o1"
    )
    (record,) = archive.records.open(found)

    logs = events.fetch(setting.network, setting.contracts, 0, setting.network.head().number)
    on_chain = {
        Anchor(
            account=each.account,
            topic=each.topic,
            previous=each.previous,
            root=each.root,
            head=each.head,
            block_number=each.block.number,
            transaction=each.transaction,
        )
        for each in logs
        if isinstance(each, events.Anchored)
    }
    verify_record(record.content, record.proof, on_chain.__contains__)
    head = setting.contracts.call(
        "Anchors", "headOf", setting.hospital.address, record.proof.anchor.topic
    )
    assert record.proof.anchor.head == head


def test_record_is_refused_when_the_chain_forgot_its_batch(
    setting: Setting, archive: Archive, ledger: Ledger, patient: LocalSigner
) -> None:
    batch = archive.take_in(read_bundle(json.dumps(BUNDLE).encode()), patient)
    fork = setting.chain.snapshot()
    archive.anchor(batch)
    ledger.sync()
    found = archive.records.find(
        patient.address, lambda about: about.descriptor.record == "Observation/o1"
    )
    assert len(archive.records.open(found)) == 1

    setting.chain.revert(fork)
    setting.chain.mine(2)
    ledger.sync()

    with pytest.raises(AccessRefused) as caught:
        archive.records.open(found)
    assert caught.value.reason is Refusal.RECORD_UNVERIFIABLE
    assert caught.value.detail == (
        "Observation/o1, version 1, is not what was anchored: the chain holds no anchor of its "
        "batch."
    )
