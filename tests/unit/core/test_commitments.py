"""A commitment opens with one salt and one document."""

import pytest
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from medaccord.core.commitments import check, commit
from medaccord.core.errors import CommitmentMismatch, InvalidIdentifier

SALT = bytes(range(32))
DOCUMENT = b'{"profile":"medaccord/terms/1"}'


def test_commitment_is_the_documented_hash_when_made() -> None:
    assert commit(SALT, DOCUMENT) == keccak(b"\x00" + SALT + keccak(DOCUMENT))


def test_commitment_opens_when_salt_and_document_are_the_same() -> None:
    check(commit(SALT, DOCUMENT), SALT, DOCUMENT)


@given(st.binary(), st.integers(0, 31), st.integers(1, 255))
def test_commitment_does_not_open_when_one_byte_of_the_salt_differs(
    document: bytes, place: int, change: int
) -> None:
    other = bytearray(SALT)
    other[place] ^= change
    with pytest.raises(CommitmentMismatch, match=commit(SALT, document).hex()):
        check(commit(SALT, document), bytes(other), document)


@given(st.binary(), st.binary())
def test_commitment_opens_only_with_its_document_when_salts_are_equal(
    document: bytes, other: bytes
) -> None:
    if document == other:
        check(commit(SALT, document), SALT, other)
    else:
        with pytest.raises(CommitmentMismatch):
            check(commit(SALT, document), SALT, other)


def test_commitment_is_refused_when_the_salt_is_short() -> None:
    with pytest.raises(InvalidIdentifier, match="not 32 bytes but 16"):
        commit(bytes(16), DOCUMENT)
