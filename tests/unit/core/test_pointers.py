"""A pointer's leaf binds every one of its fields."""

from dataclasses import replace
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from medaccord.core.errors import InvalidDocument, InvalidIdentifier, InvalidInput
from medaccord.core.identifiers import Digest, address
from medaccord.core.merkle import leaf_hash
from medaccord.core.pointers import LEAF_TYPES, Pointer, record_key

HOSPITAL = address("0x" + "11" * 20)
STRANGER = address("0x" + "22" * 20)
POINTER = Pointer(
    steward=HOSPITAL,
    topic=Digest(b"\x01" * 32),
    record=record_key("Observation/1"),
    version=3,
    plaintext=Digest(b"\x02" * 32),
    ciphertext=Digest(b"\x03" * 32),
    salt=Digest(b"\x04" * 32),
)
OTHER = Digest(b"\x09" * 32)
CHANGES: list[dict[str, Any]] = [
    {"steward": STRANGER},
    {"topic": OTHER},
    {"record": OTHER},
    {"version": 4},
    {"plaintext": OTHER},
    {"ciphertext": OTHER},
    {"salt": OTHER},
]


def test_leaf_is_the_documented_hash_when_made() -> None:
    words = [
        keccak(text="medaccord/record/1"),
        bytes(12) + bytes.fromhex(HOSPITAL[2:]),
        b"\x01" * 32,
        keccak(text="Observation/1"),
        (3).to_bytes(32),
        b"\x02" * 32,
        b"\x03" * 32,
        b"\x04" * 32,
    ]
    assert POINTER.leaf == keccak(keccak(b"".join(words)))
    assert encode(["uint64"], [3]) == words[4]


def test_leaf_is_the_merkle_leaf_over_its_types() -> None:
    values = [
        keccak(text=POINTER.kind),
        POINTER.steward,
        POINTER.topic,
        POINTER.record,
        POINTER.version,
        POINTER.plaintext,
        POINTER.ciphertext,
        POINTER.salt,
    ]
    assert POINTER.leaf == leaf_hash(LEAF_TYPES, values)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: next(iter(change)))
def test_leaf_differs_when_one_field_does(change: dict[str, Any]) -> None:
    assert replace(POINTER, **change).leaf != POINTER.leaf


def test_pointer_comes_back_when_written_and_read() -> None:
    assert Pointer.parse(POINTER.document()) == POINTER


@pytest.mark.parametrize("member", sorted(POINTER.document()))
def test_pointer_is_refused_when_a_member_is_missing(member: str) -> None:
    document = POINTER.document()
    del document[member]
    with pytest.raises(InvalidDocument, match=f"the pointer lacks {member}"):
        Pointer.parse(document)


def test_pointer_is_refused_when_its_kind_is_unknown() -> None:
    with pytest.raises(InvalidInput, match="unknown kind of pointer: 'medaccord/record/2'"):
        replace(POINTER, kind="medaccord/record/2")


@pytest.mark.parametrize("version", [0, -1, 2**53])
def test_pointer_is_refused_when_its_version_is_out_of_range(version: int) -> None:
    with pytest.raises(InvalidInput, match=f"counted from 1, not {version}"):
        replace(POINTER, version=version)


def test_pointer_is_refused_when_its_salt_is_short() -> None:
    with pytest.raises(InvalidIdentifier, match="not 32 bytes but 16"):
        replace(POINTER, salt=Digest(bytes(16)))
