"""A dictionary attack on what is on the chain: it succeeds with the salt, and never without.

The attacker knows everything that could be known or guessed of the record: names and ids, its
content to the last byte, the accounts, the version, even the ciphertext from an old backup. What it
does not know after an erasure is the salt, which went with the content, and the steward's secret.
"""

import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from itertools import product
from pathlib import Path

import pytest
from eth_utils.crypto import keccak
from sqlalchemy import select

from medaccord.core.identifiers import Address, Digest
from medaccord.core.merkle import MerkleTree
from medaccord.core.pointers import Pointer, record_key
from medaccord.core.pseudonyms import topic
from medaccord.core.record_state import anchored_root, state_value
from medaccord.core.sparse_map import SparseMap
from medaccord.records import Sealer
from medaccord.records.sealing import VersionId, open_version
from medaccord.store import reading
from medaccord.store.tables import record_version
from tests.unit.records.conftest import NOW, Hospital, bundle
from tests.unit.records.erasing import Office, column, open_office

NAME = "Patient/anna-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the attacker holds: the public record of the chain, and a copy of the database."""

    targets: frozenset[bytes]
    steward: Address
    patient: Address
    topic: Digest
    content: bytes
    ciphertext: bytes


def salts(known: Known) -> Iterator[bytes]:
    """Every salt that a careless steward might have used."""
    words = [b"", NAME.encode(), b"anna-1", known.content, known.ciphertext, known.topic]
    words += [known.patient.encode(), known.steward.encode(), bytes.fromhex(known.patient[2:])]
    yield bytes(32)
    yield b"\xff" * 32
    for word in words:
        yield keccak(word)
        yield sha256(word).digest()
        for key in (b"", bytes(32), known.steward.encode()):
            yield hmac.digest(key, word, sha256)
        if len(word) == 32:
            yield word


def attack(known: Known, candidates: Iterator[bytes]) -> list[bytes]:
    """Rebuild leaf, tree, state, root, and their bare hashes, for each salt; tell which hit."""
    hits = []
    for salt, version in product(candidates, (1, 2)):
        leaf = Pointer(
            steward=known.steward,
            topic=known.topic,
            record=record_key(NAME),
            version=version,
            plaintext=Digest(keccak(known.content)),
            ciphertext=Digest(keccak(known.ciphertext)),
            salt=Digest(salt),
        ).leaf
        tree = MerkleTree([leaf]).root
        state = SparseMap({record_key(NAME): state_value(version, leaf)}).root
        made = {bytes(each) for each in (leaf, tree, state, anchored_root(tree, state))}
        hits += sorted(made & known.targets)
    return hits


@pytest.fixture
def office(hospital: Hospital, tmp_path: Path, patient: Address) -> Office:
    hospital.take_in(bundle(), patient)
    return open_office(hospital, tmp_path / "keys")


@pytest.fixture
def known(office: Office, patient: Address) -> Known:
    hospital = office.hospital
    topic_of = hospital.names.records_topic(office.anna)
    appended = hospital.stream.anchors(hospital.account, topic_of)
    targets = {bytes(each) for anchor in appended for each in (anchor.root, anchor.head)}
    for name in ("leaves", "root", "state"):
        targets |= set(column(hospital.engine, "batch", name))
    return Known(
        targets=frozenset(targets),
        steward=hospital.account,
        patient=patient,
        topic=topic_of,
        content=hospital.read(patient)[NAME].content,
        ciphertext=column(hospital.engine, "record_version", "ciphertext")[0],
    )


def true_salt(office: Office, known: Known) -> bytes:
    names = office.hospital.names
    version = VersionId(
        owner=office.anna,
        name=NAME,
        record=names.record(NAME),
        version=1,
        steward=known.steward,
        topic=known.topic,
    )
    with reading(office.hospital.engine) as connection:
        row = connection.execute(select(record_version)).one()
    return open_version(version, row._mapping, Sealer(office.hospital.keys)).pointer.salt


def test_attack_finds_leaf_state_and_root_when_the_salt_is_known(
    office: Office, known: Known
) -> None:
    assert len(attack(known, iter([true_salt(office, known)]))) == 3


@pytest.mark.parametrize("name", [None, NAME])
def test_attack_finds_nothing_when_record_or_patient_was_erased(
    office: Office, known: Known, name: str | None
) -> None:
    salt = true_salt(office, known)
    if name is None:
        office.erasure.erase_patient(office.anna, at=NOW)
    else:
        office.erasure.erase_record(office.anna, name, at=NOW)
    left = column(office.hospital.engine, "batch", "leaves")
    assert known.targets & set(left), "the leaves outlive the erasure: they are what is attacked"
    assert column(office.hospital.engine, "record_version", "id") == []
    candidates = list(salts(known))
    assert len(candidates) > 40
    assert salt not in candidates
    assert attack(known, iter(candidates)) == []


def test_topic_is_found_only_by_who_holds_the_secret(office: Office, known: Known) -> None:
    owners = [office.anna, "anna-1", NAME, known.patient]
    guessed = (bytes(32), keccak(known.steward.encode()), known.topic)
    found = {topic(secret, "records", owner) for secret in guessed for owner in owners}
    assert known.topic not in found
    secret = office.hospital.names._secret
    assert known.topic in {topic(secret, "records", owner) for owner in owners}
