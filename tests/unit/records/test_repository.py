"""Records are released only when they are what was anchored."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from eth_utils.crypto import keccak
from sqlalchemy import delete, select, update

from medaccord.core.canonical import parse_object
from medaccord.core.errors import AccessRefused, ProofMismatch
from medaccord.core.identifiers import Address
from medaccord.core.merkle import MerkleTree
from medaccord.core.pointers import record_key
from medaccord.core.proofs import RecordProof, verify_record
from medaccord.core.refusals import Refusal
from medaccord.records import Found, Sealer
from medaccord.records.index import load_index, save_index
from medaccord.records.sealing import VersionId, open_version, seal_version
from medaccord.store import reading, tables, writing
from tests.databases import stored_bytes
from tests.unit.records.conftest import NOW, Hospital, bundle, observation, practitioner

VERSIONS = tables.record_version


@pytest.fixture
def content(hospital: Hospital, patient: Address) -> None:
    observations = [observation(f"o{i}", f"1.{i}0") for i in range(6)]
    hospital.take_in(bundle(*observations, practitioner()), patient)


def found(hospital: Hospital, patient: Address, name: str) -> Found:
    (one,) = hospital.reopened().find(patient, lambda about: about.descriptor.record == name)
    return one


def refusal(hospital: Hospital, patient: Address, name: str = "Observation/o3") -> AccessRefused:
    """What opening one record is refused with; the others must open all the same."""
    repository = hospital.reopened()
    others = repository.find(
        patient, lambda about: about.descriptor.record not in (name, "Observation/o4")
    )
    assert len(repository.open(others)) == 5
    with pytest.raises(AccessRefused) as caught:
        repository.open([found(hospital, patient, name)])
    assert caught.value.reason is Refusal.RECORD_UNVERIFIABLE
    assert caught.value.detail.startswith(f"{name}, version 1, is not what was anchored: ")
    return caught.value


def change(hospital: Hospital, name: str, **values: object) -> None:
    record = hospital.names.record(name)
    with writing(hospital.engine) as connection:
        changed = update(VERSIONS).where(VERSIONS.c.record == record).values(**values)
        assert connection.execute(changed).rowcount == 1


def stored(hospital: Hospital, name: str, column: str) -> bytes:
    query = select(VERSIONS.c[column]).where(VERSIONS.c.record == hospital.names.record(name))
    with reading(hospital.engine) as connection:
        return bytes(connection.execute(query).scalar_one())


@pytest.mark.usefixtures("content")
def test_open_gives_the_records_as_they_came_when_untouched(
    hospital: Hospital, patient: Address
) -> None:
    record = hospital.read(patient)["Observation/o3"]
    assert b'"value":1.30}' in record.content
    assert record.descriptor.codes == {"718-7", "http://loinc.org|718-7"}
    assert parse_object(record.content)["id"] == "o3"


@pytest.mark.usefixtures("content")
def test_proof_checks_with_the_chain_alone(hospital: Hospital, patient: Address) -> None:
    record = hospital.read(patient)["Observation/o3"]
    topic = hospital.names.records_topic(hospital.accounts.owner_of(patient))
    on_chain = set(hospital.stream.state.streams.get((hospital.account, topic)))
    travelled = RecordProof.parse(record.proof.document())
    verify_record(record.content, travelled, on_chain.__contains__)
    with pytest.raises(ProofMismatch):
        verify_record(record.content.replace(b"1.30", b"1.3"), travelled, on_chain.__contains__)


@pytest.mark.usefixtures("content")
def test_find_gives_only_what_is_wanted(hospital: Hospital, patient: Address) -> None:
    wanted = hospital.records.find(
        patient, lambda about: about.descriptor.resource_type == "Patient"
    )
    assert [each.descriptor.record for each in wanted] == ["Patient/anna-1"]


@pytest.mark.usefixtures("content")
def test_find_gives_nothing_of_others(
    hospital: Hospital, patient: Address, other_patient: Address
) -> None:
    assert hospital.records.find(other_patient, lambda _: True) == ()


@pytest.mark.usefixtures("content")
def test_directory_opens_with_a_proof_of_its_own(hospital: Hospital, patient: Address) -> None:
    (one,) = hospital.records.open(hospital.records.find_directory(lambda _: True))
    assert one.descriptor.record == "Practitioner/dr-canary-7"
    assert one.proof.pointer.topic == hospital.names.records_topic(hospital.names.steward)
    assert one.proof.anchor != hospital.read(patient)["Observation/o0"].proof.anchor


def test_record_is_not_found_when_its_batch_is_only_prepared(
    hospital: Hospital, patient: Address
) -> None:
    imported = hospital.importer.import_bundle(bundle(observation("hb", "1")), patient, at=NOW)
    assert hospital.records.find(patient, lambda _: True) == ()
    hospital.anchor(imported.batches[0])
    assert len(hospital.records.find(patient, lambda _: True)) == 2


def test_earlier_version_is_given_when_the_next_is_only_prepared(
    hospital: Hospital, patient: Address
) -> None:
    hospital.take_in(bundle(observation("hb", "1.0")), patient)
    hospital.importer.import_bundle(bundle(observation("hb", "2.0")), patient, at=NOW)
    record = hospital.read(patient)["Observation/hb"]
    assert (record.version, b'"value":1.0}' in record.content) == (1, True)


def test_both_versions_open_when_a_record_changed(hospital: Hospital, patient: Address) -> None:
    hospital.take_in(bundle(observation("hb", "1.0")), patient)
    hospital.take_in(bundle(observation("hb", "2.0")), patient)
    first, second = hospital.records.open(hospital.records.versions(patient, "Observation/hb"))
    assert (first.version, b'"value":1.0}' in first.content) == (1, True)
    assert (second.version, b'"value":2.0}' in second.content) == (2, True)
    assert first.proof.anchor.head == second.proof.anchor.previous


# --- Behind the steward's back ---


@pytest.mark.usefixtures("content")
@pytest.mark.parametrize("column", ["ciphertext", "wrapped_key"])
@pytest.mark.parametrize("place", [0, 40, -1])
def test_record_is_refused_when_one_byte_of_it_changed(
    hospital: Hospital, patient: Address, column: str, place: int
) -> None:
    changed = bytearray(stored(hospital, "Observation/o3", column))
    changed[place] ^= 1
    change(hospital, "Observation/o3", **{column: bytes(changed)})
    assert "does not open" in refusal(hospital, patient).detail


@pytest.mark.usefixtures("content")
def test_record_is_refused_when_another_stands_in_its_place(
    hospital: Hospital, patient: Address
) -> None:
    for column in ("ciphertext", "wrapped_key"):
        other = stored(hospital, "Observation/o4", column)
        change(hospital, "Observation/o3", **{column: other})
    assert "does not open" in refusal(hospital, patient).detail


@pytest.mark.usefixtures("content")
def test_record_is_refused_when_it_was_deleted(hospital: Hospital, patient: Address) -> None:
    one = found(hospital, patient, "Observation/o3")
    record = hospital.names.record("Observation/o3")
    with writing(hospital.engine) as connection:
        connection.execute(delete(VERSIONS).where(VERSIONS.c.record == record))
    with pytest.raises(AccessRefused) as caught:
        hospital.reopened().open([one])
    assert caught.value.detail == (
        "Observation/o3, version 1, is not what was anchored: it is gone from the database."
    )


def forge(hospital: Hospital, name: str, edit: Callable[[bytes], bytes]) -> None:
    """Rewrite a record with the patient's own key, as the steward itself could."""
    owner = hospital.names.patient("anna-1")
    topic = hospital.names.records_topic(owner)
    theirs = tables.batch.c.topic == topic
    version = VersionId(
        owner=owner,
        name=name,
        record=hospital.names.record(name),
        version=1,
        steward=hospital.account,
        topic=topic,
    )
    sealed = {
        "ciphertext": stored(hospital, name, "ciphertext"),
        "wrapped_key": stored(hospital, name, "wrapped_key"),
        "key_generation": 1,
    }
    sealer = Sealer(hospital.keys)
    before = open_version(version, sealed, sealer)
    content = edit(before.content)
    assert content != before.content
    forged, pointer = seal_version(version, content, sealer)
    change(hospital, name, **forged)
    with writing(hospital.engine) as connection:
        leaves = connection.execute(select(tables.batch.c.leaves).where(theirs)).scalar_one()
        changed = leaves.replace(before.pointer.leaf, pointer.leaf)
        connection.execute(update(tables.batch).where(theirs).values(leaves=changed))
        index = load_index(connection, Sealer(hospital.keys), owner)
        index.records[name][0] = replace(
            index.records[name][0],
            plaintext=keccak(content),  # type: ignore[arg-type]  # 32 bytes
        )
        save_index(connection, Sealer(hospital.keys), owner, index)


@pytest.mark.usefixtures("content")
def test_record_is_refused_when_a_zero_was_dropped_and_everything_sealed_anew(
    hospital: Hospital, patient: Address
) -> None:
    forge(hospital, "Observation/o3", lambda content: content.replace(b"1.30", b"1.3"))
    with pytest.raises(AccessRefused) as caught:
        hospital.reopened().open([found(hospital, patient, "Observation/o3")])
    assert caught.value.reason is Refusal.RECORD_UNVERIFIABLE
    assert "the leaf is not under the root" in caught.value.detail


@pytest.mark.usefixtures("content")
def test_record_is_refused_when_root_was_replaced_too(hospital: Hospital, patient: Address) -> None:
    forge(hospital, "Observation/o3", lambda content: content.replace(b"1.30", b"1.3"))
    with writing(hospital.engine) as connection:
        row = connection.execute(select(tables.batch).order_by(tables.batch.c.id)).first()
        assert row is not None
        tree = MerkleTree([row.leaves[i : i + 32] for i in range(0, len(row.leaves), 32)])
        root = keccak(b"\x05" + tree.root + row.state)
        connection.execute(
            update(tables.batch).where(tables.batch.c.id == row.id).values(root=root)
        )
    with pytest.raises(AccessRefused) as caught:
        hospital.reopened().open([found(hospital, patient, "Observation/o3")])
    assert "the chain holds no anchor of its batch" in caught.value.detail


@pytest.mark.usefixtures("content")
def test_record_is_refused_when_it_is_said_to_stand_elsewhere_in_the_batch(
    hospital: Hospital, patient: Address
) -> None:
    with writing(hospital.engine) as connection:
        record = VERSIONS.c.record == hospital.names.record("Observation/o3")
        other = VERSIONS.c.record == hospital.names.record("Observation/o4")
        position = connection.execute(select(VERSIONS.c.position).where(other)).scalar_one()
        connection.execute(update(VERSIONS).where(other).values(position=1_000))
        connection.execute(update(VERSIONS).where(record).values(position=position))
    assert "the leaf is not under the root" in refusal(hospital, patient).detail


@pytest.mark.usefixtures("content")
def test_record_is_refused_when_the_chain_lost_its_anchor(
    hospital: Hospital, patient: Address
) -> None:
    hospital.stream.state.undo_after(0)
    with pytest.raises(AccessRefused) as caught:
        hospital.reopened().open([found(hospital, patient, "Observation/o3")])
    assert "the chain holds no anchor of its batch" in caught.value.detail


@pytest.mark.usefixtures("content")
def test_record_is_refused_when_the_index_says_what_its_content_does_not(
    hospital: Hospital, patient: Address
) -> None:
    owner = hospital.names.patient("anna-1")
    with writing(hospital.engine) as connection:
        index = load_index(connection, Sealer(hospital.keys), owner)
        entry = index.records["Observation/o3"][0]
        false = replace(entry.descriptor, codes=frozenset({"4548-4"}))
        index.records["Observation/o3"][0] = replace(entry, descriptor=false)
        save_index(connection, Sealer(hospital.keys), owner, index)
    assert "the index says something else of it" in refusal(hospital, patient).detail


@pytest.mark.usefixtures("content")
def test_search_is_refused_when_the_index_changed(hospital: Hospital, patient: Address) -> None:
    owner = hospital.names.patient("anna-1")
    with writing(hospital.engine) as connection:
        row = tables.record_index.c.owner == owner
        query = select(tables.record_index.c.ciphertext).where(row)
        changed = bytearray(connection.execute(query).scalar_one())
        changed[30] ^= 1
        connection.execute(update(tables.record_index).where(row).values(ciphertext=bytes(changed)))
    with pytest.raises(AccessRefused) as caught:
        hospital.records.find(patient, lambda _: True)
    assert caught.value.reason is Refusal.RECORD_UNVERIFIABLE
    assert caught.value.detail.startswith("The index of these records does not open: ")


@pytest.mark.usefixtures("content")
def test_nothing_opens_when_the_key_was_erased(
    hospital: Hospital, patient: Address, other_patient: Address
) -> None:
    hospital.take_in(bundle(patient_id="berta-2"), other_patient)
    one = found(hospital, patient, "Observation/o3")
    hospital.keys.erase(hospital.names.patient("anna-1"))
    with pytest.raises(AccessRefused) as caught:
        hospital.reopened().open([one])
    assert caught.value.reason is Refusal.RECORD_UNVERIFIABLE
    assert set(hospital.read(other_patient)) == {"Patient/berta-2"}
    assert len(hospital.records.open(hospital.records.find_directory(lambda _: True))) == 1


# --- At rest ---


def test_database_holds_nothing_readable_when_records_are_in_it(
    hospital: Hospital, patient: Address, database_url: str
) -> None:
    content = bundle(observation("hb-canary", "13.20"), practitioner())
    hospital.take_in(content, patient)
    resources = (*content.resources, *content.directory)
    words = [
        "Zyrianova",
        "Wolkenstein",
        "anna-1",
        "hb-canary",
        "dr-canary-7",
        "Observation",
        "Practitioner",
        "718-7",
        "loinc",
        "Haemoglobin",
        "laboratory",
        "2025-11-03",
        "13.20",
    ]
    hashes = [
        value
        for each in resources
        for value in (record_key(each.record), keccak(each.canonical()), keccak(text=each.id))
    ]
    canaries = [word.encode() for word in words] + [bytes(value) for value in hashes]

    at_rest = stored_bytes(database_url)
    for canary in canaries:
        for spelled in (
            canary,
            canary.hex().encode(),
            canary.decode("latin-1").encode("utf-16-le"),
        ):
            held = [name for name, data in at_rest.items() if spelled.lower() in data.lower()]
            assert held == [], canary
    assert any(patient.encode() in data for data in at_rest.values())  # the scan does find things
