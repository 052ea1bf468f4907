"""Legal holds: what they block, what they do not, and what they tell to whom."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from medaccord.core.errors import DecryptionFailed, ErasureRefused, InvalidRequest, KeyStoreFailed
from medaccord.core.identifiers import Address
from medaccord.records.erasure import Erased
from medaccord.store import writing
from medaccord.store.tables import legal_hold
from tests.databases import stored_bytes
from tests.unit.records.conftest import NOW, Hospital, bundle, observation
from tests.unit.records.erasing import Office, column, open_office

REASON = "Litigation-Canary versus Wolkenstein"
SINCE = "a legal hold is on it since 2026-03-01 12:00 UTC: nothing was erased"


@pytest.fixture
def office(hospital: Hospital, tmp_path: Path, patient: Address, other_patient: Address) -> Office:
    hospital.take_in(bundle(observation("o1", "13.50"), observation("o2", "12")), patient)
    berta = observation("o1", "9") | {"subject": {"reference": "Patient/berta-2"}}
    hospital.take_in(bundle(berta, patient_id="berta-2"), other_patient)
    return open_office(hospital, tmp_path / "keys")


def erase(office: Office, name: str | None) -> Erased:
    if name is None:
        return office.erasure.erase_patient(office.anna, at=NOW)
    return office.erasure.erase_record(office.anna, name, at=NOW)


@pytest.mark.parametrize("name", [None, "Observation/o1", "Patient/anna-1"])
def test_hold_on_a_patient_blocks_patient_and_records(office: Office, name: str | None) -> None:
    office.holds.place(office.anna, None, REASON, at=NOW)
    before = office.everything()
    with pytest.raises(ErasureRefused) as caught:
        erase(office, name)
    assert str(caught.value) == SINCE
    assert office.everything() == before


@pytest.mark.parametrize("name", [None, "Observation/o1"])
def test_hold_on_a_record_blocks_it_and_the_patient(office: Office, name: str | None) -> None:
    office.holds.place(office.anna, "Observation/o1", REASON, at=NOW)
    before = office.everything()
    with pytest.raises(ErasureRefused) as caught:
        erase(office, name)
    assert str(caught.value) == SINCE
    assert office.everything() == before


def test_hold_on_a_record_lets_another_record_be_erased(office: Office) -> None:
    office.holds.place(office.anna, "Observation/o1", REASON, at=NOW)
    assert office.erasure.erase_record(office.anna, "Observation/o2", at=NOW).versions == 1


def test_hold_on_a_patient_lets_another_patient_be_erased(office: Office) -> None:
    office.holds.place(office.anna, None, REASON, at=NOW)
    assert office.erasure.erase_patient(office.berta, at=NOW).versions == 2


def test_hold_blocks_nothing_when_it_was_lifted(office: Office) -> None:
    hold = office.holds.place(office.anna, None, REASON, at=NOW)
    lifted = office.holds.lift(hold.id, at=NOW + timedelta(days=1))
    assert lifted.lifted_at == NOW + timedelta(days=1)
    assert office.erasure.erase_patient(office.anna, at=NOW).versions == 3


def test_second_hold_still_blocks_when_the_first_was_lifted(office: Office) -> None:
    first = office.holds.place(office.anna, None, REASON, at=NOW)
    office.holds.place(office.anna, None, "another", at=NOW + timedelta(days=2))
    office.holds.lift(first.id, at=NOW)
    with pytest.raises(ErasureRefused, match="since 2026-03-03 12:00 UTC"):
        office.erasure.erase_patient(office.anna, at=NOW)


def test_holds_are_listed_with_reason_and_record_until_lifted(office: Office) -> None:
    first = office.holds.place(office.anna, "Observation/o1", REASON, at=NOW)
    second = office.holds.place(office.berta, None, "inquiry", at=NOW)
    assert office.holds.list() == (first, second)
    assert (first.record, first.reason, second.record) == ("Observation/o1", REASON, None)
    assert office.holds.list(office.berta) == (second,)
    office.holds.lift(first.id, at=NOW)
    assert office.holds.list() == (second,)
    assert [hold.id for hold in office.holds.list(lifted=True)] == [first.id, second.id]


def test_lifted_holds_are_forgotten_when_the_patient_is_erased(office: Office) -> None:
    hold = office.holds.place(office.anna, None, REASON, at=NOW)
    office.holds.lift(hold.id, at=NOW)
    office.erasure.erase_patient(office.anna, at=NOW)
    assert office.holds.list(lifted=True) == ()


def test_reason_is_nowhere_to_be_read_when_the_database_is(
    office: Office, database_url: str
) -> None:
    office.holds.place(office.anna, "Observation/o1", REASON, at=NOW)
    assert not any(
        word in content
        for content in stored_bytes(database_url).values()
        for word in (b"Litigation-Canary", b"Observation/o1")
    )


def test_reasons_do_not_open_when_they_trade_places(office: Office) -> None:
    for reason in ("one", "two"):
        office.holds.place(office.anna, None, reason, at=NOW)
    engine = office.hospital.engine
    texts, keys = (column(engine, "legal_hold", name) for name in ("ciphertext", "wrapped_key"))
    with writing(engine) as connection:
        for hold_id, text, key in zip((1, 2), texts[::-1], keys[::-1], strict=True):
            moved = update(legal_hold).where(legal_hold.c.id == hold_id)
            connection.execute(moved.values(ciphertext=text, wrapped_key=key))
    with pytest.raises(DecryptionFailed):
        office.holds.list()


@pytest.mark.parametrize("reason", ["", " \n", "x" * 4001])
def test_hold_is_refused_when_its_reason_is_none(office: Office, reason: str) -> None:
    with pytest.raises(InvalidRequest, match="a reason of 1 to 4000 characters"):
        office.holds.place(office.anna, None, reason, at=NOW)


def test_hold_is_refused_when_its_record_is_not_here(office: Office) -> None:
    with pytest.raises(InvalidRequest, match="no record Observation/o3 here"):
        office.holds.place(office.anna, "Observation/o3", REASON, at=NOW)
    assert office.holds.list() == ()


def test_hold_is_refused_when_the_patient_is_not_here(office: Office) -> None:
    nobody = office.hospital.names.patient("nobody")
    with pytest.raises(InvalidRequest, match="there is no such patient here"):
        office.holds.place(nobody, None, REASON, at=NOW)


def test_lifting_is_refused_when_it_was_lifted_before(office: Office) -> None:
    hold = office.holds.place(office.anna, None, REASON, at=NOW)
    office.holds.lift(hold.id, at=NOW)
    with pytest.raises(InvalidRequest, match=f"hold {hold.id} was lifted on 2026-03-01"):
        office.holds.lift(hold.id, at=NOW)


def test_lifting_is_refused_when_there_is_no_such_hold(office: Office) -> None:
    with pytest.raises(InvalidRequest, match="there is no hold 7"):
        office.holds.lift(7, at=NOW)


@pytest.mark.parametrize("number", [0, -1, 2**63, 10**30])
def test_lifting_is_refused_when_no_hold_can_have_the_number(office: Office, number: int) -> None:
    with pytest.raises(InvalidRequest, match=f"there is no hold {number}$"):
        office.holds.lift(number, at=NOW)


def test_hold_is_refused_when_the_key_store_is_gone(office: Office) -> None:
    office.folder.rename(office.folder.with_name("away"))
    with pytest.raises(KeyStoreFailed):
        office.holds.place(office.anna, None, REASON, at=NOW)
    office.folder.with_name("away").rename(office.folder)
    assert office.holds.list() == ()
