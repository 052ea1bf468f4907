"""Documents of guardians: read back as they were written, and nothing else is read."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from medaccord.chain import GuardianCircle
from medaccord.client.guardian_documents import (
    CancellationApproval,
    GuardianCard,
    Handout,
    RecoveryApproval,
    RecoveryRequest,
    SealedHandout,
)
from medaccord.core.canonical import document_bytes
from medaccord.core.errors import DecryptionFailed, InvalidDocument, ProofMismatch
from medaccord.core.identifiers import AccountId, digest
from medaccord.keys import LocalSigner

SISTER, BROTHER, FRIEND, PATIENT, DEVICE = (
    LocalSigner.unsafe_from_key(bytes([number]) * 32).address for number in range(1, 6)
)
KEY = X25519PrivateKey.from_private_bytes(b"\x07" * 32)
CIRCLE = GuardianCircle(
    salts={
        guardian: digest(bytes([number]) * 32)
        for number, guardian in enumerate((SISTER, BROTHER, FRIEND), start=0x11)
    },
    threshold=2,
)
ACCOUNT = AccountId(chain_id=1337, address=PATIENT)
CARD = GuardianCard(guardian=SISTER, index=9, key=digest(KEY.public_key().public_bytes_raw()))
HANDOUT = Handout(account=ACCOUNT, index=9, place=CIRCLE.place(SISTER))
REQUEST = RecoveryRequest(
    account=ACCOUNT,
    new_controller=DEVICE,
    nonce=3,
    deadline=datetime(2026, 3, 8, 12, tzinfo=UTC),
)
APPROVAL = RecoveryApproval(request=REQUEST, place=CIRCLE.place(SISTER), signature=b"\x05" * 65)
CANCELLATION = CancellationApproval(
    account=ACCOUNT, nonce=3, place=CIRCLE.place(SISTER), signature=b"\x05" * 65
)
EVERY = {
    type(each).__name__: each
    for each in (CARD, HANDOUT, HANDOUT.sealed(CARD), REQUEST, APPROVAL, CANCELLATION)
}


def read_again(document: Any, changes: dict[str, Any]) -> Any:
    return type(document).parse(document.document() | changes)


@pytest.mark.parametrize("name", EVERY)
def test_document_is_read_back_as_it_was_written(name: str) -> None:
    document = EVERY[name]
    text = document_bytes(document.document())
    assert type(document).parse(text) == type(document).parse(json.loads(text)) == document


@pytest.mark.parametrize("name", EVERY)
def test_document_is_refused_when_a_member_is_missing_or_unknown(name: str) -> None:
    written = EVERY[name].document()
    for member in written:
        without = {each: value for each, value in written.items() if each != member}
        with pytest.raises(InvalidDocument):
            type(EVERY[name]).parse(without)
    with pytest.raises(InvalidDocument, match="unknown members: note"):
        read_again(EVERY[name], {"note": ""})


@pytest.mark.parametrize("name", EVERY)
def test_document_is_refused_when_its_profile_is_another(name: str) -> None:
    with pytest.raises(InvalidDocument, match="the profile is 'medaccord/other/1'"):
        read_again(EVERY[name], {"profile": "medaccord/other/1"})


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("GuardianCard", {"guardian": SISTER.lower()}),
        ("GuardianCard", {"index": 2**31}),
        ("GuardianCard", {"index": -1}),
        ("GuardianCard", {"key": "0x00"}),
        ("Handout", {"account": PATIENT}),
        ("Handout", {"index": "9"}),
        ("Handout", {"threshold": 0}),
        ("Handout", {"threshold": 256}),
        ("Handout", {"proof": ["0x00"]}),
        ("SealedHandout", {"ciphertext": "00"}),
        ("RecoveryRequest", {"deadline": "2026-03-08T12:00:00Z"}),
        ("RecoveryRequest", {"nonce": -1}),
        ("RecoveryRequest", {"newController": "0x00"}),
        ("RecoveryApproval", {"request": {}}),
        ("RecoveryApproval", {"signature": "0xZZ"}),
        ("CancellationApproval", {"account": "eip155:0:" + PATIENT}),
    ],
)
def test_document_is_refused_when_a_member_is_malformed(name: str, changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidDocument):
        read_again(EVERY[name], changes)


@pytest.mark.parametrize("name", ["Handout", "RecoveryApproval", "CancellationApproval"])
@pytest.mark.parametrize(
    "changes", [{"guardian": BROTHER}, {"salt": "0x" + "00" * 32}, {"proof": []}]
)
def test_document_is_refused_when_it_does_not_prove_the_place(
    name: str, changes: dict[str, Any]
) -> None:
    with pytest.raises(ProofMismatch, match="not under the root"):
        read_again(EVERY[name], changes)


def test_handout_tells_a_guardian_nothing_of_the_others() -> None:
    text = document_bytes(HANDOUT.document()).decode().lower()
    assert SISTER.lower() in text
    for other in (BROTHER, FRIEND):
        assert other.lower() not in text
        assert CIRCLE.salts[other].hex() not in text


def test_sealed_handout_is_opened_by_the_key_of_the_card_alone() -> None:
    sealed = HANDOUT.sealed(CARD)
    assert sealed.open(KEY.private_bytes_raw()) == HANDOUT
    assert PATIENT.lower() not in document_bytes(sealed.document()).decode().lower()
    with pytest.raises(DecryptionFailed):
        sealed.open(b"\x08" * 32)


@pytest.mark.parametrize("changed", [{"guardian": BROTHER}, {"index": 10}])
def test_sealed_handout_does_not_open_when_it_is_passed_off_as_anothers(
    changed: dict[str, Any],
) -> None:
    with pytest.raises(DecryptionFailed):
        replace(HANDOUT.sealed(CARD), **changed).open(KEY.private_bytes_raw())


def test_sealed_handout_is_refused_when_what_was_sealed_is_another_guardians() -> None:
    others = replace(HANDOUT, place=CIRCLE.place(BROTHER)).sealed(CARD)
    assert isinstance(others, SealedHandout)
    with pytest.raises(InvalidDocument, match="is another guardian's"):
        others.open(KEY.private_bytes_raw())
