"""Batches are anchored oldest first, and each stream ends with the state of its newest."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, select, update

from medaccord.chain import Contracts, actions
from medaccord.chain.embedded import EmbeddedChain
from medaccord.chain.sender import Sender
from medaccord.client import Patient
from medaccord.core.errors import TransportError
from medaccord.core.identifiers import Digest, digest
from medaccord.core.merkle import MerkleTree
from medaccord.gatekeeper import Gatekeeper
from medaccord.keys import FolderPatientKeys, LocalSigner, StewardSecrets
from medaccord.records import Pseudonyms, Sealer
from medaccord.records.index import load_index
from medaccord.store import reading, tables, writing
from tests.integration.gatekeeper.cable import Cable
from tests.integration.gatekeeper.conftest import BUNDLE, PATIENT_ID, Opener, Visit, World
from tests.integration.gatekeeper.desk import Desk

RESOLVED = BUNDLE.replace(b'"code": "active"', b'"code": "resolved"', 1)
RECURRED = BUNDLE.replace(b'"code": "active"', b'"code": "recurrence"', 1)


@pytest.fixture
def names(folder: Path) -> Pseudonyms:
    return Pseudonyms(StewardSecrets(folder / "keys"))


@pytest.fixture
def topic(names: Pseudonyms) -> Digest:
    """The patient's stream."""
    return names.records_topic(names.patient(PATIENT_ID))


def appended(gatekeeper: Gatekeeper, topic: Digest) -> list[Digest]:
    gatekeeper.ledger.sync()
    return [each.root for each in gatekeeper.ledger.anchors(gatekeeper.steward, topic)]


def prepared(engine: Engine, topic: Digest) -> list[Digest]:
    """Roots of the stream's batches, oldest first."""
    query = select(tables.batch.c.root).where(tables.batch.c.topic == topic)
    with reading(engine) as connection:
        found = connection.execute(query.order_by(tables.batch.c.id)).scalars()
        return [digest(root) for root in found]


def import_cut_off(gatekeeper: Gatekeeper, cable: Cable, data: bytes, account: LocalSigner) -> None:
    """Import, and lose the node before anything is anchored."""
    cable.cut_before = "eth_call"
    with pytest.raises(TransportError):
        gatekeeper.import_bundle(data, account.address)
    cable.mend()


def read_conditions(desk: Desk, contracts: Contracts, patient: LocalSigner) -> set[int]:
    """Versions of what the patient reads; the client checks that they are the newest."""
    with Patient(patient, contracts, desk.url) as reader:
        return {each.proof.pointer.version for each in reader.records.search("Condition")}


def test_import_anchors_what_came_before_it_first(
    desk: Desk,
    gatekeeper: Gatekeeper,
    contracts: Contracts,
    cable: Cable,
    database: Engine,
    topic: Digest,
    patient: LocalSigner,
) -> None:
    import_cut_off(gatekeeper, cable, RESOLVED, patient)
    report = gatekeeper.import_bundle(RECURRED, patient.address)
    assert appended(gatekeeper, topic) == prepared(database, topic)
    assert len(prepared(database, topic)) == 3
    assert (len(report.roots), len(report.receipts)) == (1, 1)
    assert max(read_conditions(desk, contracts, patient)) == 3


def test_finish_anchors_oldest_first_when_several_wait(
    gatekeeper: Gatekeeper, cable: Cable, database: Engine, topic: Digest, patient: LocalSigner
) -> None:
    import_cut_off(gatekeeper, cable, RESOLVED, patient)
    import_cut_off(gatekeeper, cable, RECURRED, patient)
    assert len(appended(gatekeeper, topic)) == 1
    assert gatekeeper.anchor_pending() == 2
    assert appended(gatekeeper, topic) == prepared(database, topic)
    assert gatekeeper.anchor_pending() == 0


def test_finish_anchors_in_the_same_order_when_a_reorganisation_took_several_back(
    desk: Desk,
    gatekeeper: Gatekeeper,
    contracts: Contracts,
    chain: EmbeddedChain,
    database: Engine,
    topic: Digest,
    patient: LocalSigner,
) -> None:
    before = chain.snapshot()
    gatekeeper.import_bundle(RESOLVED, patient.address)
    gatekeeper.import_bundle(RECURRED, patient.address)
    chain.revert(before)
    chain.advance(timedelta(seconds=1))
    assert len(appended(gatekeeper, topic)) == 1
    assert gatekeeper.anchor_pending() == 2
    assert appended(gatekeeper, topic) == prepared(database, topic)
    assert max(read_conditions(desk, contracts, patient)) == 3


def test_finish_appends_the_newest_again_when_something_else_was_appended_after_it(
    desk: Desk,
    gatekeeper: Gatekeeper,
    contracts: Contracts,
    world: World,
    sender: Sender,
    database: Engine,
    topic: Digest,
    patient: LocalSigner,
) -> None:
    foreign = actions.append(
        contracts, account=world.hospital.address, topic=topic, root=digest(b"\x07" * 32)
    )
    actions.submit(sender, actions.signed(foreign, world.hospital))
    assert gatekeeper.anchor_pending() == 1
    assert appended(gatekeeper, topic)[-1] == prepared(database, topic)[-1]
    assert read_conditions(desk, contracts, patient) == {1}
    assert gatekeeper.anchor_pending() == 0


def test_finish_gives_a_state_to_a_stream_that_has_none(
    desk: Desk,
    gatekeeper: Gatekeeper,
    contracts: Contracts,
    cable: Cable,
    database: Engine,
    topic: Digest,
    patient: LocalSigner,
) -> None:
    """As version 0001 of the database left it: the root anchored is the Merkle root itself."""
    import_cut_off(gatekeeper, cable, RESOLVED, patient)
    with writing(database) as connection:
        newest = tables.batch.c.topic == topic, tables.batch.c.anchored_at.is_(None)
        row = connection.execute(select(tables.batch).where(*newest)).one()
        pieces = [digest(row.leaves[i : i + 32]) for i in range(0, len(row.leaves), 32)]
        root = MerkleTree(pieces).root
        connection.execute(update(tables.batch).where(*newest).values(state=None, root=root))
    assert gatekeeper.anchor_pending() == 2
    assert appended(gatekeeper, topic) == prepared(database, topic)
    assert appended(gatekeeper, topic)[1] == root
    assert read_conditions(desk, contracts, patient) == {1, 2}
    assert gatekeeper.anchor_pending() == 0


def test_others_stay_provable_and_the_index_forgets_when_a_record_was_erased(
    desk: Desk,
    gatekeeper: Gatekeeper,
    contracts: Contracts,
    folder: Path,
    database: Engine,
    names: Pseudonyms,
    patient: LocalSigner,
) -> None:
    with Patient(patient, contracts, desk.url) as reader:
        first, *others = reader.records.search("Condition")
        gatekeeper.erasing.erase_record(names.patient(PATIENT_ID), first.name)
        left = {each.name for each in reader.records.search("Condition")}
    assert left == {each.name for each in others}
    gatekeeper.anchor_pending()
    with reading(database) as connection:
        sealer = Sealer(FolderPatientKeys(folder / "keys"))
        index = load_index(connection, sealer, names.patient(PATIENT_ID))
    assert first.name not in index.records
    assert index.erased == []
    assert gatekeeper.import_bundle(BUNDLE, patient.address).imported.erased == 1


def test_others_stay_provable_when_the_state_of_before_comes_back_while_another_is_not_final(
    opened: Opener,
    visit: Visit,
    cable: Cable,
    chain: EmbeddedChain,
    folder: Path,
    database: Engine,
    topic: Digest,
    patient: LocalSigner,
) -> None:
    """One record is erased; a new one comes and is erased, too: the same state, so the same root.

    When that is asked for the last final append has this root already, and the one between, which
    still names the new record, has yet to become final.
    """
    gatekeeper = opened(network=cable.network(confirmations=2))
    desk, owner = visit(gatekeeper), gatekeeper.erasing.patient(PATIENT_ID)
    extra = {
        "resourceType": "Condition",
        "id": "erased-soon",
        "subject": {"reference": f"Patient/{PATIENT_ID}"},
    }
    more = json.loads(BUNDLE, parse_float=str)
    more["entry"] = [*more["entry"][:1], {"resource": extra}]

    gatekeeper.import_bundle(json.dumps(more).encode(), patient.address)
    gatekeeper.erasing.erase_record(owner, "Condition/erased-soon")
    chain.mine(2)
    gatekeeper.anchor_pending()
    more["entry"][1]["resource"]["id"] = "erased-later"
    gatekeeper.import_bundle(json.dumps(more).encode(), patient.address)
    gatekeeper.erasing.erase_record(owner, "Condition/erased-later")
    roots = appended(gatekeeper, topic)
    assert roots[-1] == roots[-3] != roots[-2]
    chain.mine(1)
    gatekeeper.ledger.sync()
    final = gatekeeper.ledger.newest_anchor(gatekeeper.steward, topic)
    assert final is not None
    assert final.root == roots[-2]

    answer = desk.get("Condition", desk.sign_in(patient), patient)
    assert answer.status_code == 200, answer.text
    assert "erased-later" not in answer.text

    chain.mine(1)
    gatekeeper.anchor_pending()
    with reading(database) as connection:
        assert (
            load_index(connection, Sealer(FolderPatientKeys(folder / "keys")), owner).erased == []
        )


def test_import_is_no_failure_when_the_patient_is_erased_while_it_is_anchored(
    gatekeeper: Gatekeeper, cable: Cable, database: Engine, topic: Digest, patient: LocalSigner
) -> None:
    """The batch that was sent is not there any more to be noted: it is nobody's."""
    erasing = gatekeeper.erasing
    owner = erasing.patient(PATIENT_ID)
    cable.meanwhile["eth_getTransactionReceipt"] = lambda: erasing.erase_patient(owner)
    report = gatekeeper.import_bundle(RESOLVED, patient.address)
    assert cable.meanwhile == {}
    assert (len(report.roots), len(prepared(database, topic))) == (1, 1)


# --- Files of many patients ---


def file_of_three(path: Path) -> Path:
    """Of the patient, one who enrolled and did not accept, and one whom nobody knows."""
    lines = [entry["resource"] for entry in json.loads(BUNDLE)["entry"]]
    others = [
        resource
        for identity in ("second", "third")
        for resource in (
            {"resourceType": "Patient", "id": identity},
            {
                "resourceType": "Condition",
                "id": f"condition-of-{identity}",
                "subject": {"reference": f"Patient/{identity}"},
            },
        )
    ]
    path.write_text("".join(json.dumps(each) + "\n" for each in (*lines, *others)))
    return path


def test_file_is_taken_in_for_those_who_accepted_alone(
    desk: Desk, gatekeeper: Gatekeeper, stranger: LocalSigner, tmp_path: Path
) -> None:
    path = file_of_three(tmp_path / "bulk.ndjson")
    assert desk.enrol(stranger, gatekeeper.enrolment.issue_code("second")).status_code == 201
    told: list[int] = []

    before = gatekeeper.import_file(path, progress=lambda done, total: told.append(total - done))
    assert desk.accept(stranger).status_code == 200
    after = gatekeeper.import_file(path)

    assert (before.imported.patients, before.imported.left_out) == (1, 2)
    assert told[-1] == 0
    assert (after.imported.patients, after.imported.left_out) == (2, 1)
    assert after.new_versions == 2
    assert (len(after.roots), len(after.receipts)) == (1, 1)
    answer = desk.get("Condition", desk.sign_in(stranger), stranger).json()
    assert [entry["resource"]["id"] for entry in answer["entry"]] == ["condition-of-second"]
