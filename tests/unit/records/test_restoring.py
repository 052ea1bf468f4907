"""A backup taken before an erasure and restored after it brings nothing back."""

import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete

from medaccord.core.errors import (
    AccessRefused,
    InvalidDocument,
    InvalidInput,
    KeyMissing,
    KeyStoreFailed,
)
from medaccord.core.identifiers import Address
from medaccord.records import Sealer
from medaccord.records.restoring import unfinished
from medaccord.store import writing
from medaccord.store.tables import erasure
from tests.unit.records.conftest import NOW, Hospital, bundle, observation
from tests.unit.records.erasing import (
    Office,
    Restore,
    back_up,
    column,
    open_office,
    private_keys,
    rows,
)

BackUp = Callable[[], Restore]


@pytest.fixture
def office(hospital: Hospital, tmp_path: Path, patient: Address, other_patient: Address) -> Office:
    hospital.take_in(bundle(observation("o1", "13.50"), observation("o2", "12")), patient)
    berta = observation("o1", "9") | {"subject": {"reference": "Patient/berta-2"}}
    hospital.take_in(bundle(berta, patient_id="berta-2"), other_patient)
    return open_office(hospital, tmp_path / "keys")


@pytest.fixture
def backed_up(office: Office, database_url: str, tmp_path: Path) -> BackUp:
    """Takes a backup; calling what it gives stops the hospital, restores, and starts it."""

    def take() -> Restore:
        load = back_up(database_url, tmp_path)

        def restore() -> None:
            office.hospital.engine.dispose()
            load()

        return restore

    return take


def test_patient_is_gone_again_when_an_older_backup_was_restored(
    office: Office, backed_up: BackUp, patient: Address, database_url: str
) -> None:
    keys = private_keys(office.hospital.keys, office.anna)
    restore = backed_up()
    office.erasure.erase_patient(office.anna, at=NOW)
    restore()
    assert office.anna in column(office.hospital.engine, "record_version", "owner")
    restored = office.start()
    assert [each.versions for each in restored.erased] == [3]
    for table, whose in (
        *(("record_version", "owner"), ("record_index", "owner")),
        *(("patient_account", "patient_ref"), ("batch", "patient_ref")),
    ):
        assert office.anna not in column(office.hospital.engine, table, whose)
    assert not any(key in office.at_rest(database_url) for key in keys)
    with pytest.raises(AccessRefused):
        office.hospital.read(patient)


def test_backup_opens_nothing_of_an_erased_patient_before_the_list_is_applied(
    office: Office, backed_up: BackUp, patient: Address
) -> None:
    restore = backed_up()
    office.erasure.erase_patient(office.anna, at=NOW)
    restore()
    with pytest.raises((AccessRefused, KeyMissing)):
        office.hospital.read(patient)


def test_everyone_else_is_served_when_an_older_backup_was_restored(
    office: Office, backed_up: BackUp, other_patient: Address
) -> None:
    before = office.hospital.read(other_patient)
    restore = backed_up()
    office.erasure.erase_patient(office.anna, at=NOW)
    restore()
    office.start()
    assert office.hospital.read(other_patient) == before


def test_record_is_gone_again_when_an_older_backup_was_restored(
    office: Office, backed_up: BackUp, patient: Address
) -> None:
    restore = backed_up()
    office.erasure.erase_record(office.anna, "Observation/o1", at=NOW)
    restore()
    assert "Observation/o1" in office.hospital.read(patient)
    (again,) = office.start().erased
    assert again.versions == 1
    assert again.batch is not None
    office.hospital.anchor(again.batch)
    assert set(office.hospital.read(patient)) == {"Patient/anna-1", "Observation/o2"}
    imported = office.hospital.take_in(bundle(observation("o1", "1")), patient)
    assert imported.erased == 1


def test_start_changes_nothing_when_everything_is_applied(
    office: Office, backed_up: BackUp
) -> None:
    restore = backed_up()
    office.erasure.erase_record(office.anna, "Observation/o1", at=NOW)
    office.erasure.erase_patient(office.berta, at=NOW)
    restore()
    assert len(office.start().erased) == 2
    before = office.everything()
    assert office.start().erased == ()
    assert office.everything() == before


def test_new_enrolment_stays_when_an_older_erasure_is_applied_again(
    office: Office, backed_up: BackUp, patient: Address
) -> None:
    hospital = office.hospital
    office.erasure.erase_patient(office.anna, at=NOW)
    hospital.accounts.enrol(patient, office.anna, at=NOW + timedelta(days=1))
    hospital.take_in(bundle(observation("o5", "5")), patient)
    restore = backed_up()
    restore()
    before = rows(hospital.engine)
    assert office.start().erased == ()
    assert rows(hospital.engine) == before
    assert set(hospital.read(patient)) == {"Patient/anna-1", "Observation/o5"}


def test_new_key_stays_and_old_rows_go_when_a_backup_of_before_is_restored(
    office: Office, backed_up: BackUp, patient: Address
) -> None:
    hospital = office.hospital
    restore = backed_up()
    office.erasure.erase_patient(office.anna, at=NOW)
    hospital.accounts.enrol(patient, office.anna, at=NOW + timedelta(days=1))
    hospital.take_in(bundle(observation("o5", "5")), patient)
    restore()
    assert len(office.start().erased) == 1
    assert office.anna not in column(hospital.engine, "record_version", "owner")
    assert hospital.keys.generations(office.anna) == (2,)
    hospital.accounts.enrol(patient, office.anna, at=NOW + timedelta(days=2))
    assert hospital.take_in(bundle(observation("o5", "5")), patient).new_versions == 2


def test_keys_go_again_when_an_older_key_store_was_restored(office: Office, tmp_path: Path) -> None:
    key = private_keys(office.hospital.keys, office.anna)[0]
    kept = shutil.copytree(office.folder, tmp_path / "kept")
    office.erasure.erase_patient(office.anna, at=NOW)
    erasures = (office.folder / "erasures.jsonl").read_bytes()
    shutil.copytree(kept, office.folder, dirs_exist_ok=True)
    (office.folder / "erasures.jsonl").write_bytes(erasures)
    assert private_keys(office.hospital.keys, office.anna) == [key]
    office.start()
    assert office.hospital.keys.generations(office.anna) == ()
    assert not any(key in path.read_bytes() for path in office.folder.rglob("*") if path.is_file())


def test_list_is_written_anew_and_applied_when_it_was_lost(
    office: Office, backed_up: BackUp, tmp_path: Path
) -> None:
    office.erasure.erase_patient(office.anna, at=NOW)
    lines = office.list.lines()
    (office.folder / "erasures.jsonl").unlink()
    assert office.start().listed == 1
    assert office.list.lines() == lines


def test_erasure_is_finished_when_only_its_line_was_written(office: Office) -> None:
    office.erasure.erase_patient(office.anna, at=NOW)
    with writing(office.hospital.engine) as connection:
        connection.execute(delete(erasure))
    keys = office.hospital.keys
    assert len(unfinished(office.hospital.engine, keys, office.list)) == 1
    assert len(office.start().erased) == 1
    assert unfinished(office.hospital.engine, keys, office.list) == ()


def test_hold_of_an_older_backup_brings_nothing_back_when_it_was_lifted_since(
    office: Office, backed_up: BackUp
) -> None:
    hold = office.holds.place(office.anna, None, "litigation", at=NOW)
    restore = backed_up()
    office.holds.lift(hold.id, at=NOW)
    office.erasure.erase_patient(office.anna, at=NOW)
    restore()
    assert len(office.start().erased) == 1
    assert office.anna not in column(office.hospital.engine, "record_version", "owner")


def test_start_is_refused_when_the_list_was_changed(office: Office) -> None:
    office.erasure.erase_patient(office.anna, at=NOW)
    path = office.folder / "erasures.jsonl"
    path.write_bytes(b"{}\n" + path.read_bytes())
    with pytest.raises(InvalidDocument) as caught:
        office.start()
    assert caught.value.line == 1


def test_start_is_refused_when_the_key_store_is_gone(office: Office) -> None:
    office.erasure.erase_patient(office.anna, at=NOW)
    away = office.folder.with_name("away")
    office.folder.rename(away)
    with pytest.raises(KeyStoreFailed):
        office.start()
    away.rename(office.folder)


def test_erased_index_does_not_stop_the_start_when_its_key_was_retired(
    office: Office, backed_up: BackUp
) -> None:
    restore = backed_up()
    office.erasure.erase_record(office.anna, "Observation/o1", at=NOW)
    office.rotation.rotate(office.anna, destroy_old=True)
    restore()
    (again,) = office.start().erased
    assert (again.versions, again.batch) == (1, None)
    with pytest.raises((KeyMissing, InvalidInput)):
        Sealer(office.hospital.keys).keys.private(office.anna, 1)
