"""The state of a stream: made from the index, anchored with each batch, kept through erasures."""

import json

import pytest
from sqlalchemy import select, update

from medaccord.core.errors import AccessRefused, InvalidRequest, ProofMismatch, RecordSuperseded
from medaccord.core.identifiers import Address, digest, hex_digest
from medaccord.core.merkle import MerkleTree
from medaccord.core.pointers import record_key
from medaccord.core.proofs import RecordProof, verify_newest, verify_record
from medaccord.core.record_state import NO_LEAVES
from medaccord.core.refusals import Refusal
from medaccord.core.sparse_map import EMPTY
from medaccord.records import Batch, Sealer
from medaccord.records.index import load_index
from medaccord.records.restating import forget_erased, restate
from medaccord.records.sealed_rows import index_context
from medaccord.records.sealing import VersionId, open_version
from medaccord.store import reading, tables, writing
from tests.unit.records.conftest import NOW, Hospital, bundle, observation, practitioner

HB = "Observation/hb"
DOCTOR = "Practitioner/dr-canary-7"


def topic_of(hospital: Hospital, patient: Address) -> bytes:
    return hospital.names.records_topic(hospital.accounts.owner_of(patient))


def check(hospital: Hospital, content: bytes, proof: RecordProof) -> None:
    """As a stranger would, with the chain alone."""
    travelled = RecordProof.parse(proof.document())
    stream = hospital.stream.anchors(proof.pointer.steward, proof.pointer.topic)
    verify_record(content, travelled, stream.__contains__)
    verify_newest(travelled, lambda anchor: anchor == stream[-1])


def restated(hospital: Hospital, *without: str) -> Batch:
    with writing(hospital.engine) as connection:
        return restate(
            connection,
            Sealer(hospital.keys),
            hospital.names,
            hospital.names.patient("anna-1"),
            at=NOW,
            without=without,
        )


@pytest.fixture
def two(hospital: Hospital, patient: Address) -> None:
    """Two versions of one record, and one version of another."""
    hospital.take_in(bundle(observation("hb", "1.0"), observation("crp", "5.0")), patient)
    hospital.take_in(bundle(observation("hb", "2.0")), patient)


@pytest.mark.usefixtures("two")
def test_every_record_is_shown_to_be_the_newest_when_only_one_was_in_the_last_batch(
    hospital: Hospital, patient: Address
) -> None:
    for record in hospital.read(patient).values():
        check(hospital, record.content, record.proof)
        assert record.proof.newest is not None
        assert record.proof.newest.anchor.block_number == 2


@pytest.mark.usefixtures("two")
def test_proof_tells_that_a_version_was_superseded_and_by_which(
    hospital: Hospital, patient: Address
) -> None:
    proof = hospital.records.proof(patient, HB, 1)
    older = hospital.records.versions(patient, HB)[0]
    (record,) = hospital.records.open([older])
    with pytest.raises(RecordSuperseded) as caught:
        check(hospital, record.content, proof)
    assert (caught.value.version, caught.value.latest) == (1, 2)
    check(hospital, hospital.read(patient)[HB].content, hospital.records.proof(patient, HB, 2))


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize(("name", "version"), [(HB, 3), (HB, 0), ("Observation/none", 1)])
def test_proof_is_refused_when_there_is_no_such_version(
    hospital: Hospital, patient: Address, name: str, version: int
) -> None:
    with pytest.raises(AccessRefused) as caught:
        hospital.records.proof(patient, name, version)
    assert caught.value.reason is Refusal.SCOPE_NOT_COVERED
    assert caught.value.detail == f"There is no version {version} of {name} here."


def test_state_stays_that_of_the_last_append_when_a_batch_is_only_prepared(
    hospital: Hospital, patient: Address
) -> None:
    hospital.take_in(bundle(observation("hb", "1.0")), patient)
    later = bundle(observation("hb", "2.0"), observation("new", "7"))
    hospital.importer.import_bundle(later, patient, at=NOW)
    records = hospital.read(patient)
    assert set(records) == {HB, "Patient/anna-1"}
    assert records[HB].version == 1
    check(hospital, records[HB].content, records[HB].proof)


def test_state_is_that_of_the_append_when_an_older_batch_was_appended_again(
    hospital: Hospital, patient: Address
) -> None:
    """The newest version waits until its batch is the last again: nothing unprovable is served."""
    first = hospital.take_in(bundle(observation("hb", "1.0")), patient).batches[0]
    hospital.take_in(bundle(observation("hb", "2.0")), patient)
    hospital.anchor(first)
    record = hospital.read(patient)[HB]
    assert record.version == 1
    check(hospital, record.content, record.proof)


def test_record_without_a_newest_proof_is_given_when_the_last_append_is_not_ours(
    hospital: Hospital, patient: Address
) -> None:
    hospital.take_in(bundle(observation("hb", "1.0")), patient)
    hospital.stream.append(hospital.account, topic_of(hospital, patient), digest(b"\x07" * 32))  # type: ignore[arg-type]  # a topic
    record = hospital.read(patient)[HB]
    assert record.proof.newest is None
    with pytest.raises(ProofMismatch, match="nothing shows which version"):
        check(hospital, record.content, record.proof)


@pytest.mark.usefixtures("two")
def test_record_is_refused_when_the_index_tells_another_state_than_the_anchored(
    hospital: Hospital, patient: Address
) -> None:
    with writing(hospital.engine) as connection:
        newest = select(tables.batch.c.id).order_by(tables.batch.c.id.desc()).limit(1)
        mine = tables.batch.c.id == connection.execute(newest).scalar_one()
        connection.execute(update(tables.batch).where(mine).values(state=bytes(32)))
    with pytest.raises(AccessRefused) as caught:
        hospital.reopened().open(hospital.reopened().find(patient, lambda _: True))
    assert caught.value.reason is Refusal.RECORD_UNVERIFIABLE
    assert "says something else of it than the anchored state" in caught.value.detail


def test_practitioner_is_anchored_in_a_stream_that_no_patient_shows(
    hospital: Hospital, patient: Address, other_patient: Address
) -> None:
    hospital.take_in(bundle(practitioner()), patient)
    hospital.take_in(bundle(practitioner("dr-2"), patient_id="berta-2"), other_patient)
    own = hospital.names.records_topic(hospital.names.steward)
    for record in hospital.records.open(hospital.records.find_directory(lambda _: True)):
        assert record.proof.pointer.topic == own
        check(hospital, record.content, record.proof)
    for account in (patient, other_patient):
        for name in hospital.read(account):
            assert not name.startswith("Practitioner/")


# --- Erasing ---


@pytest.mark.usefixtures("two")
def test_batch_without_leaves_is_prepared_when_a_state_is_told_anew(
    hospital: Hospital, patient: Address
) -> None:
    batch = restated(hospital, HB)
    assert (batch.size, batch.is_anchored) == (0, False)
    hospital.anchor(batch)
    records = hospital.read(patient)
    assert set(records) == {"Observation/crp", "Patient/anna-1"}
    for record in records.values():
        check(hospital, record.content, record.proof)
        assert record.proof.newest is not None
        assert record.proof.newest.tree == NO_LEAVES


@pytest.mark.usefixtures("two")
def test_others_are_proven_under_the_state_before_until_the_one_after_an_erasure_is_anchored(
    hospital: Hospital, patient: Address
) -> None:
    restated(hospital, HB, "Patient/anna-1")
    repository = hospital.reopened()
    found = repository.find(patient, lambda _: True)
    assert [each.descriptor.record for each in found] == ["Observation/crp"]
    (record,) = repository.open(found)
    check(hospital, record.content, record.proof)


@pytest.mark.usefixtures("two")
def test_index_forgets_what_was_erased_when_the_state_after_it_is_final(
    hospital: Hospital, patient: Address
) -> None:
    anna, sealer = hospital.names.patient("anna-1"), Sealer(hospital.keys)
    batch = restated(hospital, HB)
    with reading(hospital.engine) as connection:
        index = load_index(connection, sealer, anna)
    assert HB not in index.records
    assert {each.key for each in index.erased} == {record_key(HB)}
    assert {each.until for each in index.erased} == {batch.id}
    with writing(hospital.engine) as connection:
        assert not forget_erased(connection, sealer, anna, upto=batch.id - 1)
    hospital.anchor(batch)
    with writing(hospital.engine) as connection:
        assert forget_erased(connection, sealer, anna, upto=batch.id)
    with reading(hospital.engine) as connection:
        assert load_index(connection, sealer, anna).erased == []
    record = hospital.reopened().open(
        hospital.reopened().find(patient, lambda each: each.descriptor.record == "Observation/crp")
    )[0]
    check(hospital, record.content, record.proof)


@pytest.mark.usefixtures("two")
def test_state_is_empty_when_every_record_was_erased(hospital: Hospital, patient: Address) -> None:
    batch = restated(hospital, HB, "Observation/crp", "Patient/anna-1")
    assert batch.state == EMPTY
    hospital.anchor(batch)
    assert hospital.read(patient) == {}


@pytest.mark.usefixtures("two")
def test_erasing_is_refused_and_nothing_prepared_when_there_is_no_such_record(
    hospital: Hospital, patient: Address
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        restated(hospital, "Observation/none")
    assert caught.value.problem == "there is no record Observation/none"
    assert hospital.batches.unanchored() == ()


# --- What version 0001 of the database wrote ---


def as_the_first_version_wrote(hospital: Hospital, patient: Address) -> Batch:
    """Two records and a practitioner in one batch of the patient's, without state or leaves."""
    imported = hospital.importer.import_bundle(
        bundle(observation("hb", "1.0"), observation("crp", "5.0"), practitioner()),
        patient,
        at=NOW,
    )
    theirs, own = imported.batches
    sealer = Sealer(hospital.keys)
    with writing(hospital.engine) as connection:
        held = select(tables.batch.c.leaves).where(tables.batch.c.id == theirs.id)
        leaves = connection.execute(held).scalar_one()
        pieces = [digest(leaves[i : i + 32]) for i in range(0, len(leaves), 32)]
        version = tables.record_version.c.batch_id == own.id
        row = connection.execute(select(tables.record_version).where(version)).one()
        # Its leaf named the patient's stream then.
        practitioners = VersionId(
            owner=hospital.names.steward,
            name=DOCTOR,
            record=hospital.names.record(DOCTOR),
            version=1,
            steward=hospital.account,
            topic=theirs.topic,
        )
        pieces.append(open_version(practitioners, row._mapping, sealer).pointer.leaf)
        connection.execute(
            update(tables.record_version)
            .where(tables.record_version.c.batch_id == own.id)
            .values(batch_id=theirs.id, position=len(pieces) - 1)
        )
        connection.execute(tables.batch.delete().where(tables.batch.c.id == own.id))
        connection.execute(
            update(tables.batch).values(
                leaves=b"".join(pieces), root=MerkleTree(pieces).root, state=None
            )
        )
        for owner in (hospital.names.patient("anna-1"), hospital.names.steward):
            index = load_index(connection, sealer, owner)
            lines = [
                [
                    name,
                    each.version,
                    theirs.id,
                    hex_digest(each.plaintext),
                    sorted(each.descriptor.codes),
                    sorted(each.descriptor.categories),
                    None,
                    ["R", "http://terminology.hl7.org/CodeSystem/v3-Confidentiality|R"],
                ]
                for name, versions in index.records.items()
                for each in versions
            ]
            text = json.dumps(lines).encode()
            sealed = sealer.seal(owner, text, index_context(owner, index.revision))
            mine = tables.record_index.c.owner == owner
            connection.execute(update(tables.record_index).where(mine).values(**sealed))
    (batch,) = hospital.batches.unanchored()
    return batch


def test_stream_of_the_first_version_gets_a_state_and_everything_in_it_stays_provable(
    hospital: Hospital, patient: Address
) -> None:
    batch = as_the_first_version_wrote(hospital, patient)
    assert (batch.state, batch.size) == (None, 4)
    hospital.anchor(batch)

    told = restated(hospital)
    hospital.anchor(told)

    records = hospital.read(patient)
    assert set(records) == {HB, "Observation/crp", "Patient/anna-1"}
    for record in records.values():
        assert record.proof.state is None
        check(hospital, record.content, record.proof)
    assert records[HB].descriptor.date is not None  # which that version did not note


def test_next_import_tells_the_state_of_all_when_a_stream_is_of_the_first_version(
    hospital: Hospital, patient: Address
) -> None:
    hospital.anchor(as_the_first_version_wrote(hospital, patient))
    hospital.take_in(bundle(observation("hb", "2.0")), patient)
    records = hospital.read(patient)
    assert {name: record.version for name, record in records.items()} == {
        HB: 2,
        "Observation/crp": 1,
        "Patient/anna-1": 1,
    }
    for record in records.values():
        check(hospital, record.content, record.proof)


def test_practitioner_of_the_first_version_stays_provable_where_it_was_anchored(
    hospital: Hospital, patient: Address
) -> None:
    batch = as_the_first_version_wrote(hospital, patient)
    hospital.anchor(batch)
    hospital.take_in(bundle(practitioner("dr-2")), patient)  # the steward's stream has a state now
    found = hospital.records.find_directory(lambda each: each.descriptor.record == DOCTOR)
    (record,) = hospital.records.open(found)
    assert (record.version, record.proof.pointer.topic) == (1, batch.topic)
    stream = hospital.stream.anchors(hospital.account, batch.topic)
    verify_record(record.content, record.proof, stream.__contains__)


def test_practitioner_of_the_first_version_moves_to_the_stewards_stream_when_it_changes(
    hospital: Hospital, patient: Address
) -> None:
    hospital.anchor(as_the_first_version_wrote(hospital, patient))
    hospital.take_in(bundle(practitioner() | {"active": True}), patient)
    (record,) = hospital.records.open(hospital.records.find_directory(lambda _: True))
    assert record.version == 2
    assert record.proof.pointer.topic == hospital.names.records_topic(hospital.names.steward)
    check(hospital, record.content, record.proof)
