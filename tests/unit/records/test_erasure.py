"""Erasing: what is gone afterwards, what stays and still verifies, and what is refused."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select

from medaccord.core.anchors import Anchor
from medaccord.core.errors import AccessRefused, InvalidRequest, KeyStoreFailed
from medaccord.core.identifiers import Address
from medaccord.core.proofs import verify_record
from medaccord.core.refusals import Refusal
from medaccord.records import Importer, PatientAccounts, Sealer
from medaccord.records.erasure import Erased
from medaccord.records.erasure_list import ErasureLine
from medaccord.records.sources import OneBundle
from medaccord.store import reading
from medaccord.store.tables import metadata
from tests.unit.records import ndjson
from tests.unit.records.conftest import NOW, Hospital, bundle, observation, practitioner
from tests.unit.records.erasing import (
    Office,
    Recorder,
    column,
    open_office,
    private_keys,
    rows,
)

ANNAS = bundle(observation("o1", "13.50"), observation("o2", "12.00"), practitioner("dr-canary-7"))
BERTAS = bundle(
    observation("o1", "9") | {"subject": {"reference": "Patient/berta-2"}}, patient_id="berta-2"
)
CANARIES = (b"Zyrianova-Canary", b"13.50", b"Haemoglobin", b"Observation/o1", b"anna-1")


@pytest.fixture
def chance() -> Recorder:
    return Recorder(os.urandom)


@pytest.fixture
def office(
    hospital: Hospital,
    tmp_path: Path,
    patient: Address,
    other_patient: Address,
    chance: Recorder,
) -> Office:
    """Two patients' records, every salt and data key among them known to the test."""
    sealer = Sealer(hospital.keys, random=chance)
    hospital.importer = Importer(hospital.engine, sealer, hospital.names, hospital.account)
    hospital.take_in(ANNAS, patient)
    hospital.take_in(bundle(observation("o1", "14"), observation("o2", "12.00")), patient)
    hospital.take_in(BERTAS, other_patient)
    return open_office(hospital, tmp_path / "keys", sealer)


# --- One record ---


def test_record_is_found_no_more_when_it_was_erased(office: Office, patient: Address) -> None:
    erased = office.erasure.erase_record(office.anna, "Observation/o1", at=NOW)
    assert erased.batch is not None
    office.hospital.anchor(erased.batch)
    assert erased.versions == 2
    assert set(office.hospital.read(patient)) == {"Patient/anna-1", "Observation/o2"}


def test_record_stays_erased_when_it_is_imported_again(office: Office, patient: Address) -> None:
    erased = office.erasure.erase_record(office.anna, "Observation/o1", at=NOW)
    assert erased.batch is not None
    office.hospital.anchor(erased.batch)
    imported = office.hospital.take_in(
        bundle(observation("o1", "99"), observation("o3", "1")), patient
    )
    assert (imported.new_versions, imported.erased) == (1, 1)
    assert set(office.hospital.read(patient)) == {
        *("Patient/anna-1", "Observation/o2", "Observation/o3")
    }


def test_state_names_the_record_no_more_when_it_was_erased(office: Office) -> None:
    erased = office.erasure.erase_record(office.anna, "Observation/o1", at=NOW)
    batch = erased.batch
    assert batch is not None
    assert batch.size == 0
    assert batch.state is not None
    assert batch.topic == office.hospital.names.records_topic(office.anna)
    assert not batch.is_anchored


def test_other_records_are_proven_when_one_is_erased_and_the_state_is_not_anchored_yet(
    office: Office, patient: Address
) -> None:
    office.erasure.erase_record(office.anna, "Observation/o1", at=NOW)
    assert set(office.hospital.read(patient)) == {"Patient/anna-1", "Observation/o2"}


def test_erasure_of_a_record_is_noted_in_database_and_list(office: Office) -> None:
    office.erasure.erase_record(office.anna, "Observation/o1", at=NOW)
    record = office.hospital.names.record("Observation/o1")
    (line,) = office.list.lines()
    assert line == ErasureLine(owner=office.anna, record=record, upto_generation=1, erased_at=NOW)
    assert column(office.hospital.engine, "erasure", "owner") == [office.anna]
    assert column(office.hospital.engine, "erasure", "record") == [record]


def test_wrapped_key_and_ciphertext_are_off_the_disk_when_a_record_was_erased(
    office: Office, database_url: str
) -> None:
    if database_url.startswith("postgresql"):
        pytest.skip("PostgreSQL keeps dead rows and its log; see the test with a retired key")
    record = office.hospital.names.record("Observation/o1")
    sealed = _sealed(office, "record_version")
    gone = [part for key, row in sealed if key == (office.anna, record) for part in row]
    assert len(gone) == 4
    at_rest = office.at_rest(database_url)
    assert all(part in at_rest for part in gone)
    assert office.erasure.erase_record(office.anna, "Observation/o1", at=NOW).overwritten
    at_rest = office.at_rest(database_url)
    assert not any(part in at_rest for part in gone)


def test_nothing_else_is_touched_when_a_record_is_erased(office: Office) -> None:
    before = rows(office.hospital.engine)
    record = office.hospital.names.record("Observation/o1")
    office.erasure.erase_record(office.anna, "Observation/o1", at=NOW)
    after = rows(office.hospital.engine)
    kept = [row for row in before["record_version"] if row[1:3] != (office.anna, record)]
    assert after["record_version"] == kept
    assert [row for row in after["record_index"] if row[0] != office.anna] == [
        row for row in before["record_index"] if row[0] != office.anna
    ]
    assert set(before["batch"]) < set(after["batch"])
    changed = {"record_version", "record_index", "batch", "erasure"}
    assert {name for name in before if before[name] != after[name]} == changed


def test_erasure_is_refused_when_there_is_no_such_record(office: Office) -> None:
    before = office.everything()
    with pytest.raises(InvalidRequest, match="no record Observation/o9 of this patient here"):
        office.erasure.erase_record(office.anna, "Observation/o9", at=NOW)
    assert office.everything() == before


def test_erasure_is_refused_when_the_record_was_erased_before(office: Office) -> None:
    office.erasure.erase_record(office.anna, "Observation/o1", at=NOW)
    before = office.everything()
    with pytest.raises(InvalidRequest, match="no record Observation/o1 of this patient here"):
        office.erasure.erase_record(office.anna, "Observation/o1", at=NOW)
    assert office.everything() == before


# --- A patient ---


def test_nothing_of_a_patient_is_left_when_it_was_erased(
    office: Office, patient: Address, database_url: str
) -> None:
    engine = office.hospital.engine
    assert office.erasure.erase_patient(office.anna, at=NOW).versions == 4
    assert office.anna not in column(engine, "record_version", "owner")
    assert office.anna not in column(engine, "record_index", "owner")
    assert office.anna not in column(engine, "batch", "patient_ref")
    assert office.anna not in column(engine, "patient_account", "patient_ref")
    assert office.hospital.keys.generations(office.anna) == ()
    with pytest.raises(AccessRefused) as caught:
        office.hospital.accounts.owner_of(patient)
    assert caught.value.reason is Refusal.UNKNOWN_PATIENT


def test_no_plaintext_salt_or_key_is_on_the_disk_when_a_patient_was_erased(
    office: Office, chance: Recorder, database_url: str
) -> None:
    keys = private_keys(office.hospital.keys, office.anna)
    assert all(key in office.at_rest(database_url) for key in keys)
    office.erasure.erase_patient(office.anna, at=NOW)
    at_rest = office.at_rest(database_url)
    assert len(chance.secrets) >= 2 * 7  # a salt and a data key a version, and the indexes'
    assert not any(key in at_rest for key in keys)
    assert not any(secret in at_rest for secret in chance.secrets)
    assert not any(canary in at_rest for canary in CANARIES)


def test_no_ciphertext_or_account_is_on_the_disk_when_a_patient_was_erased(
    office: Office, patient: Address, database_url: str
) -> None:
    if database_url.startswith("postgresql"):
        pytest.skip("PostgreSQL keeps dead rows and its log for a while; no key opens them")
    sealed = [*_sealed(office, "record_version"), *_sealed(office, "record_index")]
    gone = [part for key, row in sealed if key[0] == office.anna for part in row]
    gone.append(patient.encode())
    at_rest = office.at_rest(database_url)
    assert all(part in at_rest for part in gone)
    assert office.erasure.erase_patient(office.anna, at=NOW).overwritten
    at_rest = office.at_rest(database_url)
    assert not any(part in at_rest for part in gone)


def test_everyone_elses_proofs_verify_when_a_patient_was_erased(
    office: Office, other_patient: Address
) -> None:
    before = office.hospital.read(other_patient)
    office.erasure.erase_patient(office.anna, at=NOW)
    after = office.hospital.reopened()
    found = after.find(other_patient, lambda _: True)
    records = {record.descriptor.record: record for record in after.open(found)}
    assert records == before
    for record in records.values():
        verify_record(record.content, record.proof, _on_chain(office))


def test_stewards_own_records_stay_when_a_patient_was_erased(office: Office) -> None:
    steward = office.hospital.names.steward
    before = [row for row in rows(office.hospital.engine)["record_version"] if row[1] == steward]
    office.erasure.erase_patient(office.anna, at=NOW)
    after = [row for row in rows(office.hospital.engine)["record_version"] if row[1] == steward]
    assert after == before != []


def test_leaves_and_streams_stay_when_a_patient_was_erased(office: Office) -> None:
    engine = office.hospital.engine
    kept = {name: set(column(engine, "batch", name)) for name in ("id", "topic", "root", "leaves")}
    office.erasure.erase_patient(office.anna, at=NOW)
    assert {name: set(column(engine, "batch", name)) for name in kept} == kept


def test_batch_that_was_never_anchored_is_gone_when_its_patient_was_erased(
    office: Office, patient: Address
) -> None:
    imported = office.hospital.importer.import_bundle(
        bundle(observation("o7", "1")), patient, at=NOW
    )
    (batch,) = imported.batches
    office.erasure.erase_patient(office.anna, at=NOW)
    assert office.hospital.batches.unanchored() == ()
    assert batch.id not in column(office.hospital.engine, "batch", "id")


def test_file_can_be_imported_again_when_its_patient_was_erased(
    office: Office, patient: Address, tmp_path: Path
) -> None:
    file = tmp_path / "anna.json"
    file.write_text(
        '{"resourceType":"Bundle","type":"collection","entry":'
        '[{"resource":{"resourceType":"Patient","id":"anna-1","active":true}}]}'
    )
    importer = office.hospital.importer
    assert importer.import_file(file, at=NOW).new_versions == 1
    assert importer.import_file(file, at=NOW).known
    office.erasure.erase_patient(office.anna, at=NOW)
    office.hospital.accounts.enrol(patient, office.anna, at=NOW)
    assert importer.import_file(file, at=NOW).new_versions == 1


def test_patient_enrols_anew_with_a_fresh_key_when_it_was_erased(
    office: Office, patient: Address
) -> None:
    office.erasure.erase_patient(office.anna, at=NOW)
    PatientAccounts(office.hospital.engine, office.hospital.keys).enrol(
        patient, office.anna, at=NOW
    )
    imported = office.hospital.take_in(bundle(observation("o1", "15")), patient)
    assert imported.new_versions == 2
    assert office.hospital.keys.generations(office.anna) == (2,)
    read = office.hospital.read(patient)
    assert {name: record.version for name, record in read.items()} == {
        "Patient/anna-1": 1,
        "Observation/o1": 1,
    }


def test_patient_is_erased_again_when_it_enrolled_anew(office: Office, patient: Address) -> None:
    office.erasure.erase_patient(office.anna, at=NOW)
    office.hospital.accounts.enrol(patient, office.anna, at=NOW)
    office.hospital.take_in(bundle(observation("o1", "15")), patient)
    assert office.erasure.erase_patient(office.anna, at=NOW).versions == 2
    assert [line.upto_generation for line in office.list.lines()] == [1, 2]
    assert office.hospital.keys.generations(office.anna) == ()


def test_import_under_way_brings_nothing_in_when_its_patient_is_erased_meanwhile(
    office: Office, patient: Address
) -> None:
    looked_at: list[int] = []

    def between_the_phases(done: int, total: int) -> None:
        looked_at.append(done)
        if len(looked_at) == 1:
            office.erasure.erase_patient(office.anna, at=NOW)

    source = OneBundle(bundle=bundle(observation("o8", "1")))
    imported = office.hospital.importer.import_source(source, at=NOW, progress=between_the_phases)
    assert (imported.left_out, imported.new_versions) == (1, 0)
    assert office.anna not in column(office.hospital.engine, "record_version", "owner")


def test_file_is_not_noted_when_a_patient_of_whom_nothing_was_new_is_erased_meanwhile(
    office: Office, patient: Address, tmp_path: Path
) -> None:
    """Else the patient, enrolled anew, would be skipped with it."""
    file = ndjson.of_two(tmp_path / "export.ndjson")
    importer = office.hospital.importer
    importer.import_file(file, at=NOW)

    def erase(done: int, total: int) -> None:
        if done == total:
            office.erasure.erase_patient(office.anna, at=NOW)

    importer.import_file(file, at=NOW, again=True, progress=erase)
    office.hospital.accounts.enrol(patient, office.anna, at=NOW)
    imported = importer.import_file(file, at=NOW)
    assert (imported.known, imported.new_versions) == (False, 2)


# --- Refused ---


@pytest.mark.parametrize("name", [None, "Observation/o1"])
def test_erasure_is_refused_whole_when_the_key_store_is_gone(
    office: Office, name: str | None
) -> None:
    before = office.everything()
    away = office.folder.with_name("away")
    office.folder.rename(away)
    with pytest.raises(KeyStoreFailed):
        _erase(office, name)
    assert not office.folder.exists()
    away.rename(office.folder)
    assert office.everything() == before


def test_erasure_is_refused_when_there_is_no_such_patient(office: Office) -> None:
    before = office.everything()
    with pytest.raises(InvalidRequest, match="there is no such patient here"):
        office.erasure.erase_patient(office.hospital.names.patient("nobody"), at=NOW)
    assert office.everything() == before


def test_erasure_is_refused_when_the_patient_was_erased_before(office: Office) -> None:
    office.erasure.erase_patient(office.anna, at=NOW)
    before = office.everything()
    with pytest.raises(InvalidRequest, match="there is no such patient here"):
        office.erasure.erase_patient(office.anna, at=NOW)
    assert office.everything() == before


def test_erasure_is_refused_when_the_steward_itself_is_named(office: Office) -> None:
    before = office.everything()
    with pytest.raises(InvalidRequest, match="the steward's own records are not a patient's"):
        office.erasure.erase_patient(office.hospital.names.steward, at=NOW)
    assert office.everything() == before


def _erase(office: Office, name: str | None) -> Erased:
    if name is None:
        return office.erasure.erase_patient(office.anna, at=NOW)
    return office.erasure.erase_record(office.anna, name, at=NOW)


def _on_chain(office: Office) -> Callable[[Anchor], bool]:
    anchor_of = office.hospital.stream.anchor_of
    return lambda each: anchor_of(each.account, each.topic, each.root) == each


def _sealed(office: Office, table: str) -> list[tuple[tuple[object, ...], tuple[bytes, bytes]]]:
    """Of each row: owner and record (or revision), then ciphertext and wrapped key."""
    columns = metadata.tables[table].c
    second = columns["record" if table == "record_version" else "revision"]
    query = select(columns.owner, second, columns.ciphertext, columns.wrapped_key)
    with reading(office.hospital.engine) as connection:
        return [((row[0], row[1]), (row[2], row[3])) for row in connection.execute(query)]
