"""Rotating keys: everything is wrapped to the newest, everything still opens and verifies."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest
from sqlalchemy import func, insert, select, update

from medaccord.core.errors import (
    AccessRefused,
    DecryptionFailed,
    KeyMissing,
    KeyStoreFailed,
    MedaccordError,
)
from medaccord.core.identifiers import Address, Digest, address
from medaccord.core.proofs import verify_record
from medaccord.records import Owner, Sealer
from medaccord.records.rotation import Rotation
from medaccord.records.sealed_rows import (
    OF_STEWARD,
    SEALED_TABLES,
    WEBHOOKS,
    entry_context,
)
from medaccord.records.sealer import row_context
from medaccord.store import reading, writing
from medaccord.store.tables import (
    audit_entry,
    reason_opening,
    record_version,
    request_inbox,
    terms_opening,
    webhook,
)
from tests.unit.records.conftest import NOW, Hospital, bundle, observation, practitioner
from tests.unit.records.erasing import Office, Restore, back_up, open_office, rows

KEY = Digest(b"k" * 32)


@pytest.fixture
def office(hospital: Hospital, tmp_path: Path, patient: Address, other_patient: Address) -> Office:
    """A row in every sealed table, of a patient and of the steward."""
    hospital.take_in(
        bundle(observation("o1", "13.50"), observation("o2", "12"), practitioner()), patient
    )
    berta = observation("o1", "9") | {"subject": {"reference": "Patient/berta-2"}}
    hospital.take_in(bundle(berta, patient_id="berta-2"), other_patient)
    office = open_office(hospital, tmp_path / "keys")
    office.holds.place(office.anna, None, "litigation", at=NOW)
    add_sealed_rows(office, patient)
    return office


def add_sealed_rows(office: Office, patient: Address) -> None:
    sealer = Sealer(office.hospital.keys)
    with writing(office.hospital.engine) as connection:
        for number, owner in enumerate((office.anna, office.hospital.names.steward), start=1):
            row = {
                "relationship": KEY,
                "number": number,
                "patient_ref": owner,
                "at": NOW,
                "commitment": KEY,
                "head": KEY,
            }
            sealed = sealer.seal(owner, b"entry", entry_context(KEY, number))
            connection.execute(insert(audit_entry).values(**row, **sealed))
        for table, key in (
            (request_inbox, "digest"),
            (terms_opening, "consent"),
            (reason_opening, "emergency"),
        ):
            row = {key: KEY, "patient": patient, "received_at": NOW}
            if table is request_inbox:
                row["requester"] = address("0x" + "77" * 20)
            sealed = sealer.seal(office.anna, b"inside", row_context(table.name, KEY))
            connection.execute(insert(table).values(**row, **sealed))
        hook = {"id": "h1", "account": patient, "made_at": NOW, "delivered_upto": 0}
        sealed = sealer.seal(office.hospital.names.steward, b"where", WEBHOOKS.context(hook))
        hook |= {"failures": 0, "next_at": NOW}
        connection.execute(insert(webhook).values(**hook, **sealed))


def generations(office: Office, owner: Owner) -> dict[str, set[int]]:
    """Which keys the rows of an owner are wrapped to, by table."""
    found: dict[str, set[int]] = {}
    accounts = office.hospital.accounts
    with reading(office.hospital.engine) as connection:
        for sealed in (*SEALED_TABLES, *OF_STEWARD):
            for row in connection.execute(select(sealed.table)):
                whose = row._mapping[sealed.whose]
                if sealed in OF_STEWARD:
                    whose = office.hospital.names.steward
                elif sealed.by_account:
                    whose = accounts.owner_of(whose)
                if whose == owner:
                    found.setdefault(sealed.table.name, set()).add(row.key_generation)
    return found


def opened(office: Office, owner: Owner) -> list[bytes]:
    """The content of every sealed row of an owner."""
    sealer, contents = Sealer(office.hospital.keys), []
    with reading(office.hospital.engine) as connection:
        for sealed in SEALED_TABLES:
            for row in connection.execute(select(sealed.table).order_by(*sealed.table.primary_key)):
                whose = row._mapping[sealed.whose]
                if sealed.by_account:
                    whose = office.hospital.accounts.owner_of(whose)
                if whose == owner:
                    contents.append(sealer.open(owner, row._mapping, sealed.context(row._mapping)))
    return contents


# --- What rotating does ---


def test_every_row_of_a_patient_is_wrapped_to_the_new_key_when_rotated(office: Office) -> None:
    before = opened(office, office.anna)
    rotated = office.rotation.rotate(office.anna)
    assert (rotated.generation, rotated.rewrapped, rotated.unopenable) == (2, 8, 0)
    assert not rotated.retired
    assert generations(office, office.anna) == {sealed.table.name: {2} for sealed in SEALED_TABLES}
    assert opened(office, office.anna) == before


def test_every_row_of_the_steward_is_wrapped_to_the_new_key_when_rotated(office: Office) -> None:
    steward = office.hospital.names.steward
    rotated = office.rotation.rotate(steward, destroy_old=True)
    assert (rotated.generation, rotated.rewrapped, rotated.retired) == (2, 5, True)
    assert generations(office, steward) == {
        name: {2}
        for name in ("record_version", "record_index", "audit_entry", "legal_hold", "webhook")
    }
    assert [hold.reason for hold in office.holds.list()] == ["litigation"]


def test_nothing_but_wrappings_changes_when_rotated(office: Office) -> None:
    before = rows(office.hospital.engine)
    office.rotation.rotate(office.anna)
    after = rows(office.hospital.engine)
    sealed_tables = {sealed.table.name: sealed.table for sealed in SEALED_TABLES}
    changed = {name for name in before if before[name] != after[name]}
    assert changed == set(sealed_tables)
    for name, table in sealed_tables.items():
        kept = [
            at
            for at, each in enumerate(table.columns)
            if each.name not in ("wrapped_key", "key_generation")
        ]
        assert [[row[at] for at in kept] for row in after[name]] == [
            [row[at] for at in kept] for row in before[name]
        ]


def test_nobody_elses_rows_are_touched_when_a_patient_is_rotated(office: Office) -> None:
    before = {owner: generations(office, owner) for owner in (office.berta,)}
    office.rotation.rotate(office.anna)
    assert {owner: generations(office, owner) for owner in before} == before
    assert office.hospital.keys.generations(office.berta) == (1,)


def test_records_are_proven_when_their_patient_was_rotated(
    office: Office, patient: Address
) -> None:
    before = office.hospital.read(patient)
    office.rotation.rotate(office.anna, destroy_old=True)
    after = office.hospital.read(patient)
    assert after == before
    anchor_of = office.hospital.stream.anchor_of
    for record in after.values():
        verify_record(
            record.content,
            record.proof,
            lambda each: anchor_of(each.account, each.topic, each.root) == each,
        )


def test_imports_go_to_the_new_key_when_rotated(office: Office, patient: Address) -> None:
    office.rotation.rotate(office.anna, destroy_old=True)
    office.hospital.take_in(bundle(observation("o3", "1")), patient)
    assert generations(office, office.anna)["record_version"] == {2}
    assert "Observation/o3" in office.hospital.read(patient)


def test_progress_tells_how_far_it_is_when_rotated(office: Office) -> None:
    told: list[tuple[int, int]] = []
    office.rotation.rotate(office.anna, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (8, 8)
    assert told == sorted(told)


# --- Old keys ---


@pytest.fixture
def restore(office: Office, database_url: str, tmp_path: Path) -> Restore:
    load = back_up(database_url, tmp_path)

    def restore() -> None:
        office.hospital.engine.dispose()
        load()

    return restore


def test_older_backup_opens_and_is_caught_up_when_old_keys_were_kept(
    office: Office, restore: Restore, patient: Address
) -> None:
    before = office.hospital.read(patient)
    office.rotation.rotate(office.anna)
    restore()
    assert office.hospital.read(patient) == before
    assert office.rotation.pending() == (office.anna,)
    (caught_up,) = office.rotation.carry_on_all()
    assert (caught_up.generation, caught_up.rewrapped) == (2, 8)
    assert office.rotation.pending() == ()
    assert office.hospital.read(patient) == before


def test_older_backup_opens_for_nobody_when_old_keys_were_destroyed(
    office: Office, restore: Restore, patient: Address
) -> None:
    office.rotation.rotate(office.anna, destroy_old=True)
    assert office.hospital.keys.generations(office.anna) == (2,)
    restore()
    with pytest.raises(KeyMissing):
        opened(office, office.anna)
    (told,) = office.rotation.carry_on_all()
    assert (told.rewrapped, told.unopenable) == (0, 8)
    (again,) = office.rotation.carry_on_all()
    assert again == told


def test_changed_row_is_skipped_and_told_when_rotated(office: Office) -> None:
    with writing(office.hospital.engine) as connection:
        first = select(func.min(record_version.c.id)).where(record_version.c.owner == office.anna)
        changed = update(record_version).where(record_version.c.id == first.scalar_subquery())
        connection.execute(changed.values(wrapped_key=b"x" * 80))
    rotated = office.rotation.rotate(office.anna, destroy_old=True)
    assert (rotated.rewrapped, rotated.unopenable, rotated.retired) == (7, 1, True)
    with pytest.raises((DecryptionFailed, KeyMissing)):
        opened(office, office.anna)


def test_record_erased_with_its_key_retired_opens_from_no_copy(
    office: Office, restore: Restore, patient: Address, database_url: str
) -> None:
    hold = office.holds.list()[0]
    office.holds.lift(hold.id, at=NOW)
    key = office.hospital.keys.private(office.anna, 1)
    office.erasure.erase_record(office.anna, "Observation/o1", at=NOW)
    office.rotation.rotate(office.anna, destroy_old=True)
    assert key not in office.at_rest(database_url)
    restore()
    with pytest.raises((AccessRefused, KeyMissing)):
        office.hospital.read(patient)


# --- Stopped and refused ---


class Stopped(Exception):
    """The operator had enough."""


def test_rotation_is_finished_by_the_background_when_it_was_stopped(
    office: Office, patient: Address
) -> None:
    def stop(done: int, total: int) -> None:
        raise Stopped

    before = office.hospital.read(patient)
    with pytest.raises(Stopped):
        office.rotation.rotate(office.anna, progress=stop)
    mixed = set().union(*generations(office, office.anna).values())
    assert mixed == {1, 2}
    assert office.hospital.read(patient) == before
    (carried,) = office.rotation.carry_on_all()
    assert carried.generation == 2
    assert set().union(*generations(office, office.anna).values()) == {2}
    assert office.rotation.carry_on_all() == ()
    assert office.hospital.read(patient) == before


@pytest.mark.parametrize("destroy_old", [True, False])
def test_rotation_is_refused_whole_when_the_key_store_is_gone(
    office: Office, destroy_old: bool
) -> None:
    before = office.everything()
    away = office.folder.with_name("away")
    office.folder.rename(away)
    with pytest.raises(KeyStoreFailed):
        office.rotation.rotate(office.anna, destroy_old=destroy_old)
    with pytest.raises(KeyStoreFailed):
        office.rotation.carry_on_all()
    away.rename(office.folder)
    assert office.everything() == before


def test_rotation_is_refused_when_the_patient_was_erased(office: Office) -> None:
    office.holds.lift(office.holds.list()[0].id, at=NOW)
    office.erasure.erase_patient(office.anna, at=NOW)
    before = office.everything()
    with pytest.raises(KeyMissing):
        office.rotation.rotate(office.anna)
    assert office.rotation.carry_on_all() == ()
    assert office.everything() == before


# --- Meanwhile ---


def test_reads_and_imports_go_on_when_keys_are_rotated_meanwhile(
    office: Office, patient: Address
) -> None:
    hospital, stop = office.hospital, Event()

    def until_stopped(work: Callable[[int], object]) -> int:
        turn = 0
        while not stop.is_set():
            turn += 1
            work(turn)
        return turn

    def read(_: int) -> None:
        records = hospital.read(patient)
        assert {"Patient/anna-1", "Observation/o1", "Observation/o2"} <= set(records)

    def take_in(turn: int) -> None:
        changed = bundle(observation("o1", f"{turn}.5"), observation(f"n{turn}", "1"))
        hospital.importer.import_bundle(changed, patient, at=NOW)

    def rotate(_: int) -> None:
        Rotation(hospital.engine, Sealer(hospital.keys), hospital.names.steward).rotate(office.anna)

    with ThreadPoolExecutor(4) as pool:
        reader, importer = pool.submit(until_stopped, read), pool.submit(until_stopped, take_in)
        try:
            for turn in range(5):
                rotate(turn)
        finally:
            stop.set()
        assert importer.result() > 0
        assert reader.result() > 0
    rotated = office.rotation.carry_on(office.anna)
    assert (rotated.generation, rotated.unopenable) == (6, 0)
    assert set().union(*generations(office, office.anna).values()) == {6}
    assert len(opened(office, office.anna)) > 8


def test_nothing_sealed_meanwhile_is_lost_when_old_keys_are_destroyed(
    office: Office, patient: Address
) -> None:
    hospital, stop, failed = office.hospital, Event(), list[MedaccordError]()

    def take_in() -> int:
        turn = 0
        while not stop.is_set():
            turn += 1
            try:
                hospital.importer.import_bundle(
                    bundle(observation(f"n{turn}", "1")), patient, at=NOW
                )
            except (KeyMissing, DecryptionFailed) as error:  # read just as its key went
                failed.append(error)
        return turn

    with ThreadPoolExecutor(1) as pool:
        importer = pool.submit(take_in)
        try:
            for _ in range(4):
                office.rotation.rotate(office.anna, destroy_old=True)
        finally:
            stop.set()
        turns = importer.result()
    assert turns > len(failed)
    assert hospital.keys.generations(office.anna) == (5,)
    assert len(opened(office, office.anna)) >= 8 + turns - len(failed)
