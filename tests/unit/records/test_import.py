"""What an import adds, and what it leaves as it was."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from eth_utils.crypto import keccak
from sqlalchemy import select, update

from medaccord.core.errors import AccessRefused, InvalidBundle, InvalidRequest, KeyMissing
from medaccord.core.identifiers import Address, address
from medaccord.core.merkle import MerkleTree
from medaccord.core.refusals import Refusal
from medaccord.core.sparse_map import SparseMap
from medaccord.records import Importer, Sealer
from medaccord.records.index import load_index
from medaccord.store import reading, tables, writing
from tests.unit.records.conftest import NOW, Hospital, bundle, observation, practitioner


def rows(hospital: Hospital) -> dict[str, list[tuple[object, ...]]]:
    with reading(hospital.engine) as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(select(table))]
            for table in tables.metadata.sorted_tables
        }


def test_import_counts_what_was_new_when_bundle_is_new(
    hospital: Hospital, patient: Address
) -> None:
    content = bundle(observation("hb", "13.20"), observation("crp", "1.0"), practitioner())

    imported = hospital.importer.import_bundle(content, patient, at=NOW)

    assert (imported.records, imported.directory) == (3, 1)
    assert (imported.new_versions, imported.unchanged) == (4, 0)
    assert (imported.patients, imported.left_out, imported.erased) == (1, 0, 0)
    theirs, own = imported.batches
    assert (theirs.size, own.size) == (3, 1)
    assert theirs.topic == hospital.names.records_topic(hospital.accounts.owner_of(patient))
    assert own.topic == hospital.names.records_topic(hospital.names.steward)
    assert not theirs.is_anchored


def test_import_changes_nothing_when_bundle_was_imported(
    hospital: Hospital, patient: Address
) -> None:
    content = bundle(observation("hb", "13.20"), practitioner())
    hospital.importer.import_bundle(content, patient, at=NOW)
    before = rows(hospital)

    again = hospital.importer.import_bundle(content, patient, at=NOW)

    assert (again.new_versions, again.unchanged, again.batches) == (0, 3, ())
    assert rows(hospital) == before


def test_import_adds_one_version_when_one_record_changed(
    hospital: Hospital, patient: Address
) -> None:
    hospital.take_in(bundle(observation("hb", "13.20"), observation("crp", "1.0")), patient)

    changed = hospital.take_in(
        bundle(observation("hb", "13.20"), observation("crp", "1.1")), patient
    )

    assert (changed.new_versions, changed.unchanged) == (1, 2)
    versions = {name: record.version for name, record in hospital.read(patient).items()}
    assert versions == {"Observation/crp": 2, "Observation/hb": 1, "Patient/anna-1": 1}


def test_import_adds_a_version_when_a_number_is_written_otherwise(
    hospital: Hospital, patient: Address
) -> None:
    hospital.take_in(bundle(observation("crp", "1.0")), patient)
    changed = hospital.take_in(bundle(observation("crp", "1.00")), patient)
    assert changed.new_versions == 1
    assert b'"value":1.00}' in hospital.read(patient)["Observation/crp"].content


def test_import_keeps_what_a_bundle_does_not_hold_when_it_is_smaller(
    hospital: Hospital, patient: Address
) -> None:
    hospital.take_in(bundle(observation("hb", "13.20")), patient)
    hospital.take_in(bundle(observation("crp", "1.0")), patient)
    assert set(hospital.read(patient)) == {"Observation/crp", "Observation/hb", "Patient/anna-1"}


def test_import_gives_a_directory_entry_one_version_when_two_patients_share_it(
    hospital: Hospital, patient: Address, other_patient: Address
) -> None:
    hospital.take_in(bundle(practitioner()), patient)
    second = hospital.take_in(bundle(practitioner(), patient_id="berta-2"), other_patient)
    assert (second.new_versions, second.unchanged) == (1, 1)
    found = hospital.records.find_directory(lambda _: True)
    assert [(each.descriptor.record, each.entry.version) for each in found] == [
        ("Practitioner/dr-canary-7", 1)
    ]


def test_import_keeps_patients_apart_when_their_records_share_a_name(
    hospital: Hospital, patient: Address, other_patient: Address
) -> None:
    hospital.take_in(bundle(observation("hb", "13.20")), patient)
    theirs = observation("hb", "9.9") | {"subject": {"reference": "Patient/berta-2"}}
    hospital.take_in(bundle(theirs, patient_id="berta-2"), other_patient)
    assert b"13.20" in hospital.read(patient)["Observation/hb"].content
    assert b"9.9" in hospital.read(other_patient)["Observation/hb"].content


def test_batch_root_is_over_its_leaves_in_order_and_the_state(
    hospital: Hospital, patient: Address
) -> None:
    (batch,) = hospital.importer.import_bundle(
        bundle(observation("hb", "1")), patient, at=NOW
    ).batches
    with reading(hospital.engine) as connection:
        row = connection.execute(select(tables.batch)).one()
        index = load_index(connection, Sealer(hospital.keys), hospital.names.patient("anna-1"))
    pieces = [row.leaves[i : i + 32] for i in range(0, len(row.leaves), 32)]
    assert batch.state == SparseMap(index.state()).root == row.state
    assert batch.root == keccak(b"\x05" + MerkleTree(pieces).root + row.state)


def test_import_takes_one_when_two_come_at_once(hospital: Hospital, patient: Address) -> None:
    content = bundle(*(observation(f"o{i}", str(i)) for i in range(40)))
    with ThreadPoolExecutor(4) as threads:
        jobs = [
            threads.submit(hospital.importer.import_bundle, content, patient, at=NOW)
            for _ in range(4)
        ]
    assert sorted(job.result().new_versions for job in jobs) == [0, 0, 0, 41]


def test_import_leaves_nothing_when_it_fails_half_way(hospital: Hospital, patient: Address) -> None:
    drawn = 0

    def failing(size: int) -> bytes:
        nonlocal drawn
        drawn += 1
        if drawn > 8:
            raise OSError("no entropy")
        return bytes([drawn]) * size

    sealer = Sealer(hospital.keys, random=failing)
    importer = Importer(hospital.engine, sealer, hospital.names, hospital.account)
    before = rows(hospital)
    content = bundle(*(observation(f"o{i}", str(i)) for i in range(10)))
    with pytest.raises(OSError, match="no entropy"):
        importer.import_bundle(content, patient, at=NOW)
    assert rows(hospital) == before


def test_import_is_refused_when_bundle_is_of_another_patient(
    hospital: Hospital, patient: Address
) -> None:
    before = rows(hospital)
    with pytest.raises(InvalidBundle) as caught:
        hospital.importer.import_bundle(bundle(patient_id="berta-2"), patient, at=NOW)
    assert caught.value.problem == (
        f"the Bundle is of another patient than the one enrolled as {patient}"
    )
    assert rows(hospital) == before


def test_import_is_refused_when_nobody_enrolled_with_the_account(
    hospital: Hospital, stranger: Address
) -> None:
    with pytest.raises(AccessRefused) as caught:
        hospital.importer.import_bundle(bundle(), stranger, at=NOW)
    assert caught.value.reason is Refusal.UNKNOWN_PATIENT
    assert stranger in caught.value.detail


def test_import_is_refused_when_the_key_was_erased(hospital: Hospital, patient: Address) -> None:
    hospital.keys.erase(hospital.names.patient("anna-1"))
    with pytest.raises(KeyMissing):
        hospital.importer.import_bundle(bundle(), patient, at=NOW)


def test_batch_is_listed_until_it_is_anchored(hospital: Hospital, patient: Address) -> None:
    (batch,) = hospital.importer.import_bundle(bundle(), patient, at=NOW).batches
    assert hospital.batches.unanchored() == (batch,)

    hospital.anchor(batch)

    assert hospital.batches.unanchored() == ()
    anchored = hospital.batches.get(batch.id)
    assert anchored.is_anchored
    assert anchored.block_number == hospital.stream.block


def test_anchoring_is_not_noted_when_the_batch_was_erased_and_its_id_given_to_another(
    hospital: Hospital, patient: Address
) -> None:
    (erased,) = hospital.importer.import_bundle(bundle(), patient, at=NOW).batches
    event = hospital.stream.append(hospital.account, erased.topic, erased.root)
    other = {"patient_ref": "02" * 32, "root": bytes(32)}
    with writing(hospital.engine) as connection:
        connection.execute(update(tables.batch).values(other))

    noted = hospital.batches.mark_anchored(
        erased, transaction=event.transaction, block=event.block, at=NOW
    )

    assert not noted
    assert not hospital.batches.get(erased.id).is_anchored


def test_enrolment_is_refused_when_account_stands_for_another(
    hospital: Hospital, patient: Address
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        hospital.accounts.enrol(patient, hospital.names.patient("berta-2"), at=NOW)
    assert caught.value.problem == (
        f"{patient} stands for another patient: enrol with a fresh account"
    )


def test_records_stay_with_the_patient_when_it_enrols_a_second_account(
    hospital: Hospital, patient: Address
) -> None:
    hospital.take_in(bundle(observation("hb", "13.20")), patient)
    second = address("0x" + "03" * 20)
    hospital.accounts.enrol(second, hospital.names.patient("anna-1"), at=NOW)
    assert set(hospital.read(second)) == {"Observation/hb", "Patient/anna-1"}
