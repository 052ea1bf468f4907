"""Files of many patients: taken in whole or not at all, resumable, and by several at once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Barrier

import pytest
from sqlalchemy import delete, insert, select

from medaccord.core.errors import InvalidBundle
from medaccord.core.identifiers import Address, address
from medaccord.store import reading, tables, writing
from tests.unit.records.conftest import NOW, Hospital
from tests.unit.records.ndjson import count, observation, of_two, practitioner, write
from tests.unit.records.ndjson import patient as person


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return of_two(tmp_path / "export.ndjson")


def test_file_is_taken_in_with_a_batch_for_each_patient_and_one_for_the_steward(
    hospital: Hospital, patient: Address, other_patient: Address, file: Path
) -> None:
    told: list[tuple[int, int]] = []

    imported = hospital.importer.import_file(
        file, at=NOW, progress=lambda done, total: told.append((done, total))
    )

    assert (imported.patients, imported.left_out, imported.known) == (2, 0, False)
    assert (imported.records, imported.directory, imported.new_versions) == (4, 2, 6)
    owners = [hospital.names.patient("anna-1"), hospital.names.patient("berta-2")]
    assert [batch.owner for batch in imported.batches] == [*owners, hospital.names.steward]
    assert [batch.size for batch in imported.batches] == [2, 2, 2]
    assert told == [(done, 6) for done in range(1, 7)]
    for batch in imported.batches:
        hospital.anchor(batch)
    assert set(hospital.read(patient)) == {"Observation/hb", "Patient/anna-1"}
    assert set(hospital.read(other_patient)) == {"Observation/hb2", "Patient/berta-2"}


def test_patients_are_left_out_when_nobody_enrolled_for_them(
    hospital: Hospital, patient: Address, file: Path
) -> None:
    told: list[int] = []
    imported = hospital.importer.import_file(
        file, at=NOW, progress=lambda done, _: told.append(done)
    )
    assert (imported.patients, imported.left_out) == (1, 1)
    assert (imported.records, imported.directory, imported.new_versions) == (2, 2, 4)
    assert told[-1] == 6
    assert count(hospital)["imported_file"] == 0


def test_patients_are_left_out_when_they_are_not_wanted(
    hospital: Hospital, patient: Address, other_patient: Address, file: Path
) -> None:
    anna = hospital.names.patient("anna-1")
    imported = hospital.importer.import_file(file, at=NOW, wanted=lambda owner: owner != anna)
    assert (imported.patients, imported.left_out) == (1, 1)
    assert [batch.owner for batch in imported.batches][:1] == [hospital.names.patient("berta-2")]


def test_file_is_skipped_when_it_was_taken_in_whole(
    hospital: Hospital, patient: Address, other_patient: Address, file: Path
) -> None:
    hospital.importer.import_file(file, at=NOW)
    before = count(hospital)
    assert before["imported_file"] == 1

    again = hospital.importer.import_file(file, at=NOW)
    looked_into = hospital.importer.import_file(file, at=NOW, again=True)

    assert (again.known, again.new_versions, again.unchanged) == (True, 0, 0)
    assert (looked_into.known, looked_into.unchanged, looked_into.batches) == (False, 6, ())
    assert count(hospital) == before


def test_file_is_not_skipped_when_a_patient_left_out_has_enrolled(
    hospital: Hospital, patient: Address, file: Path
) -> None:
    hospital.importer.import_file(file, at=NOW)
    berta = hospital.names.patient("berta-2")
    hospital.accounts.enrol(address("0x" + "02" * 20), berta, at=NOW)
    imported = hospital.importer.import_file(file, at=NOW)
    assert (imported.patients, imported.new_versions, imported.unchanged) == (2, 2, 4)


def test_file_is_known_only_by_a_keyed_hash(
    hospital: Hospital, patient: Address, other_patient: Address, file: Path
) -> None:
    hospital.importer.import_file(file, at=NOW)
    with reading(hospital.engine) as connection:
        row = connection.execute(select(tables.imported_file)).one()
    assert bytes(row.file) == hospital.names.file(file.read_bytes())
    assert (row.size, row.resources) == (file.stat().st_size, 6)


def test_erased_record_is_not_brought_back(
    hospital: Hospital, patient: Address, other_patient: Address, file: Path
) -> None:
    row = {
        "owner": hospital.names.patient("anna-1"),
        "record": hospital.names.record("Observation/hb"),
        "erased_at": NOW,
    }
    with writing(hospital.engine) as connection:
        connection.execute(insert(tables.erasure).values(row))
    imported = hospital.importer.import_file(file, at=NOW)
    assert (imported.erased, imported.new_versions) == (1, 5)
    for batch in imported.batches:
        hospital.anchor(batch)
    assert set(hospital.read(patient)) == {"Patient/anna-1"}


def test_file_is_refused_when_it_cannot_be_opened(hospital: Hospital, tmp_path: Path) -> None:
    with pytest.raises(InvalidBundle) as caught:
        hospital.importer.import_file(tmp_path / "none.ndjson", at=NOW)
    assert caught.value.problem == "none.ndjson cannot be opened: No such file or directory"


def test_file_is_refused_when_it_is_empty(hospital: Hospital, tmp_path: Path) -> None:
    (tmp_path / "empty.json").touch()
    with pytest.raises(InvalidBundle) as caught:
        hospital.importer.import_file(tmp_path / "empty.json", at=NOW)
    assert caught.value.problem == "empty.json is empty"


def test_order_of_versions_is_that_of_imports_when_the_clock_was_set_back(
    hospital: Hospital, patient: Address, tmp_path: Path
) -> None:
    for days, value in enumerate(("1.0", "2.0", "3.0")):
        path = write(tmp_path / "a", person("anna-1"), observation("hb", "anna-1", value))
        imported = hospital.importer.import_file(path, at=NOW - timedelta(days=days))
        for batch in imported.batches:
            hospital.anchor(batch)
    record = hospital.read(patient)["Observation/hb"]
    assert (record.version, b'"3.0"' in record.content) == (3, True)
    assert record.proof.newest is not None
    assert record.proof.newest.version == 3


# --- Several at once ---


def test_both_succeed_when_two_import_at_once(
    hospital: Hospital, patient: Address, other_patient: Address, tmp_path: Path
) -> None:
    """Both touch the same patient and the same practitioner, and neither knows of the other."""
    files = [
        write(
            tmp_path / f"{number}.ndjson",
            person("anna-1"),
            practitioner("dr-1"),
            *(observation(f"o{number}-{i}", "anna-1") for i in range(30)),
        )
        for number in range(2)
    ]
    ready = Barrier(2, timeout=30)
    waited: list[int] = []

    def meet(done: int, total: int) -> None:
        if done == total and len(waited) < 2:  # at the end of the first phase of each
            waited.append(done)
            ready.wait()

    with ThreadPoolExecutor(2) as threads:
        jobs = [
            threads.submit(hospital.importer.import_file, path, at=NOW, progress=meet)
            for path in files
        ]
    results = sorted((job.result() for job in jobs), key=lambda each: each.unchanged)
    assert [each.new_versions for each in results] == [32, 30]
    assert [each.unchanged for each in results] == [0, 2]
    for batch in hospital.batches.unanchored():
        hospital.anchor(batch)
    assert len(hospital.read(patient)) == 61


def test_part_is_sealed_anew_when_the_key_was_renewed_meanwhile(
    hospital: Hospital, patient: Address, other_patient: Address, file: Path
) -> None:
    anna = hospital.names.patient("anna-1")

    def renew(done: int, total: int) -> None:
        if done == total:
            hospital.keys.renew(anna)
            hospital.keys.retire(anna, 2)

    imported = hospital.importer.import_file(file, at=NOW, progress=renew)
    for batch in imported.batches:
        hospital.anchor(batch)
    with reading(hospital.engine) as connection:
        rows = connection.execute(
            select(tables.record_version.c.key_generation).where(
                tables.record_version.c.owner == anna
            )
        ).scalars()
        assert set(rows) == {2}
    assert set(hospital.read(patient)) == {"Observation/hb", "Patient/anna-1"}


def test_log_is_not_kept_waiting_while_an_import_is_prepared(
    hospital: Hospital, patient: Address, other_patient: Address, file: Path
) -> None:
    def write_to_the_log(done: int, total: int) -> None:
        with writing(hospital.engine) as connection:  # would wait for ever, were a lock held
            connection.execute(delete(tables.token))

    imported = hospital.importer.import_file(file, at=NOW, progress=write_to_the_log)
    assert imported.new_versions == 6
