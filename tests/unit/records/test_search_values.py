"""What searches compare is told at import, kept sealed, held to the records, and told later too."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from medaccord.core.errors import AccessRefused
from medaccord.core.identifiers import Address
from medaccord.core.refusals import Refusal
from medaccord.fhir.search import SearchQuery
from medaccord.fhir.search_values import VALUES_FORMAT, SearchValues
from medaccord.records import Importer, Owner, Sealer
from medaccord.records.index import Index, index_text, load_index, save_index, seal_index
from medaccord.records.sealer import Columns
from medaccord.store import reading, tables, writing
from tests.unit.records.conftest import NOW, Hospital, bundle, observation, practitioner

LATER = NOW + timedelta(days=1)


@pytest.fixture
def anna(hospital: Hospital) -> Owner:
    return hospital.names.patient("anna-1")


@pytest.fixture
def content(hospital: Hospital, patient: Address) -> None:
    """Three observations, one of them in two versions; one was done by a practitioner."""
    done_by = {"performer": [{"reference": "Practitioner/dr-canary-7"}]}
    three = [observation(f"o{each}", "1.0") for each in range(3)]
    hospital.take_in(bundle(three[0] | done_by, *three[1:], practitioner()), patient)
    amended = observation("o1", "1.1") | {"status": "amended"}
    imported = hospital.importer.import_bundle(bundle(amended), patient, at=LATER)
    hospital.anchor(imported.batches[0])


def names(hospital: Hospital, account: Address, *pairs: tuple[str, str]) -> list[str]:
    query = SearchQuery.parse("Observation", pairs)
    found = hospital.reopened().find(account, query.matches)
    return [each.descriptor.record.partition("/")[2] for each in query.sorted(found)]


@pytest.mark.usefixtures("content")
def test_records_are_found_by_their_values(hospital: Hospital, patient: Address) -> None:
    assert names(hospital, patient, ("status", "final")) == ["o0", "o2"]
    assert names(hospital, patient, ("status", "amended"), ("date", "2025-11")) == ["o1"]
    assert names(hospital, patient, ("date", "gt2025-11-03T09:30:00Z")) == []
    assert names(hospital, patient, ("_lastUpdated", "ge2026-03-02")) == ["o1"]


@pytest.mark.usefixtures("content")
def test_records_name_whom_they_refer_to(hospital: Hospital, patient: Address) -> None:
    found = {
        each.descriptor.record: each for each in hospital.records.find(patient, lambda _: True)
    }
    assert found["Observation/o0"].references == {"Practitioner/dr-canary-7"}
    assert found["Observation/o1"].references == set()
    assert (found["Observation/o0"].updated, found["Observation/o1"].updated) == (NOW, LATER)


# --- The index is held to the content ---


def forge(hospital: Hospital, owner: Owner, **changed: Any) -> None:
    with writing(hospital.engine) as connection:
        index = load_index(connection, Sealer(hospital.keys), owner)
        entry = index.records["Observation/o0"][0]
        index.records["Observation/o0"][0] = replace(entry, **changed)
        save_index(connection, Sealer(hospital.keys), owner, index)


@pytest.mark.usefixtures("content")
@pytest.mark.parametrize(
    "changed",
    [
        {"values": SearchValues({"status": [[None, "amended"]]})},
        {"references": frozenset({"Practitioner/somebody-else"})},
    ],
    ids=["values", "references"],
)
def test_record_is_refused_when_the_index_lets_it_be_found_by_what_it_does_not_say(
    hospital: Hospital, patient: Address, anna: Owner, changed: dict[str, Any]
) -> None:
    forge(hospital, anna, **changed)
    repository = hospital.reopened()
    found = repository.find(patient, lambda each: each.descriptor.record == "Observation/o0")
    with pytest.raises(AccessRefused) as caught:
        repository.open(found)
    assert caught.value.reason is Refusal.RECORD_UNVERIFIABLE
    assert "the index lets it be found by what its content does not say" in caught.value.detail


# --- An index of before ---


def as_before(document: dict[str, Any]) -> None:
    """As version 0002 of the database wrote it."""
    del document["values"], document["taken_in"]
    document["records"] = [line[:9] for line in document["records"]]


def by_another_table(document: dict[str, Any]) -> None:
    """As a program with another table of search parameters wrote it."""
    document["values"] = "1:another"
    for line in document["records"]:
        line[9] = {"status": [[None, "unknown"]]}


EARLIER = pytest.mark.parametrize("earlier", [as_before, by_another_table])


def put_back(hospital: Hospital, owner: Owner, earlier: Callable[[dict[str, Any]], None]) -> Index:
    """Write an index in the form it had earlier, and give it as it was."""
    sealer = Sealer(hospital.keys)
    with writing(hospital.engine) as connection:
        index = load_index(connection, sealer, owner)
        document = json.loads(index_text(index))
        earlier(document)
        text = json.dumps(document, separators=(",", ":")).encode()
        columns = seal_index(sealer, owner, text, after=index.revision - 1)
        where = tables.record_index.c.owner == owner
        connection.execute(
            update(tables.record_index)
            .where(where)
            .values(**columns, values_format=document.get("values"))
        )
    return index


def loaded(hospital: Hospital, owner: Owner) -> Index:
    with reading(hospital.engine) as connection:
        return load_index(connection, Sealer(hospital.keys), owner)


def upgraded(hospital: Hospital, *, sealer: Sealer | None = None) -> int:
    keyed = sealer or Sealer(hospital.keys)
    return Importer(hospital.engine, keyed, hospital.names, hospital.account).upgrade(most=10)


@EARLIER
@pytest.mark.usefixtures("content")
def test_records_are_found_by_their_values_when_the_index_is_of_before(
    hospital: Hospital,
    patient: Address,
    anna: Owner,
    earlier: Callable[[dict[str, Any]], None],
) -> None:
    put_back(hospital, anna, earlier)
    assert names(hospital, patient, ("status", "final")) == ["o0", "o2"]
    assert names(hospital, patient, ("_lastUpdated", "ge2026-03-02")) == ["o1"]
    assert {each.descriptor.record for each in hospital.read(patient).values()} >= {
        "Observation/o0"
    }
    assert not loaded(hospital, anna).is_searchable


@EARLIER
@pytest.mark.usefixtures("content")
def test_index_of_before_is_written_as_an_import_would(
    hospital: Hospital, anna: Owner, earlier: Callable[[dict[str, Any]], None]
) -> None:
    before = put_back(hospital, anna, earlier)
    assert upgraded(hospital) == 1
    after = loaded(hospital, anna)
    assert (after.records, after.revision) == (before.records, before.revision + 1)
    assert after.is_searchable
    query = select(tables.record_index.c.values_format)
    with reading(hospital.engine) as connection:
        assert set(connection.execute(query).scalars()) == {VALUES_FORMAT}
    assert upgraded(hospital) == 0


@pytest.mark.usefixtures("content")
def test_index_of_before_is_left_when_it_is_changed_meanwhile(
    hospital: Hospital, patient: Address, anna: Owner
) -> None:
    put_back(hospital, anna, as_before)

    disturbed: list[str] = []

    class Disturbed(Sealer):
        """Lets an import come in between, once records are being opened."""

        def open(self, owner: Owner, columns: Columns, context: bytes) -> bytes:
            if not disturbed and "record" in columns:
                disturbed.append(owner)
                hospital.take_in(bundle(observation("o9", "9.0")), patient)
            return super().open(owner, columns, context)

    assert upgraded(hospital, sealer=Disturbed(hospital.keys)) == 0
    assert disturbed == [anna]
    assert names(hospital, patient, ("status", "final")) == ["o0", "o2", "o9"]


@pytest.mark.usefixtures("content")
def test_index_of_before_is_left_when_its_key_was_erased(
    hospital: Hospital, other_patient: Address, anna: Owner
) -> None:
    hospital.take_in(bundle(patient_id="berta-2"), other_patient)
    berta = hospital.names.patient("berta-2")
    put_back(hospital, anna, as_before)
    put_back(hospital, berta, as_before)
    hospital.keys.erase(anna)
    assert upgraded(hospital) == 1
    assert loaded(hospital, berta).is_searchable


@pytest.mark.usefixtures("content")
def test_record_that_does_not_open_is_told_to_whoever_reads_it_when_the_index_is_of_before(
    hospital: Hospital, patient: Address, anna: Owner
) -> None:
    put_back(hospital, anna, as_before)
    record = tables.record_version.c.record == hospital.names.record("Observation/o0")
    with writing(hospital.engine) as connection:
        connection.execute(update(tables.record_version).where(record).values(ciphertext=b"0" * 99))
    assert names(hospital, patient, ("status", "final")) == ["o2"]
    assert upgraded(hospital) == 1
    assert names(hospital, patient) == ["o0", "o1", "o2"]
    with pytest.raises(AccessRefused) as caught:
        hospital.read(patient)
    assert caught.value.detail.startswith("Observation/o0, version 1, is not what was anchored")
