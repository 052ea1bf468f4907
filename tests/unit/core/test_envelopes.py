"""An envelope gives its receiver the record and a whole proof, and nobody else anything."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from eth_utils.crypto import keccak

from medaccord.core.envelope import Sealed, rewrap, seal
from medaccord.core.envelopes import Envelope, salt_and_content
from medaccord.core.errors import DecryptionFailed, InvalidDocument, ProofMismatch
from medaccord.core.identifiers import Digest
from medaccord.core.merkle import MerkleTree
from medaccord.core.proofs import verify_record
from tests.unit.core import proof_samples as samples

PATIENT, GRANTEE, STRANGER = (X25519PrivateKey.generate() for _ in range(3))
CONTEXT = b"whose, which, version 1"
NAME = "Observation/a"
CONTENT = samples.BYTES[0]


def _to_patient() -> Sealed:
    salt = samples.POINTERS[0].salt
    return seal(salt + CONTENT, PATIENT.public_key().public_bytes_raw(), CONTEXT)


def envelope() -> Envelope:
    """What a steward makes: the data key wrapped anew, the ciphertext as it was."""
    sealed = _to_patient()
    wrapped = rewrap(
        sealed.wrapped_key,
        PATIENT.private_bytes_raw(),
        GRANTEE.public_key().public_bytes_raw(),
        CONTEXT,
    )
    pointer = replace(samples.POINTERS[0], ciphertext=Digest(keccak(sealed.ciphertext)))
    batch = MerkleTree([pointer.leaf, *(each.leaf for each in samples.POINTERS[1:])])
    return Envelope(
        record=NAME,
        version=1,
        steward=samples.HOSPITAL,
        topic=samples.RECORDS,
        context=CONTEXT,
        sealed=Sealed(ciphertext=sealed.ciphertext, wrapped_key=wrapped),
        siblings=batch.proof(0),
        anchor=samples.anchor(samples.RECORDS, batch.root),
    )


def test_envelope_gives_the_record_and_its_proof_when_its_receiver_opens_it() -> None:
    made = envelope()
    opened = Envelope.parse(made.document()).open(GRANTEE.private_bytes_raw())
    assert opened.record == CONTENT
    verify_record(opened.record, opened.proof, lambda anchor: anchor == made.anchor)


@pytest.mark.parametrize("key", [STRANGER, PATIENT], ids=["stranger", "patient"])
def test_envelope_does_not_open_when_it_is_wrapped_to_another_key(key: X25519PrivateKey) -> None:
    with pytest.raises(DecryptionFailed, match="the data key does not open"):
        envelope().open(key.private_bytes_raw())


@pytest.mark.parametrize("change", [{"record": "Observation/b"}, {"version": 2}])
def test_envelope_does_not_verify_when_it_says_it_is_another_record(
    change: dict[str, object],
) -> None:
    opened = replace(envelope(), **change).open(GRANTEE.private_bytes_raw())  # type: ignore[arg-type]  # the values are of the fields' own types
    with pytest.raises(ProofMismatch):
        verify_record(opened.record, opened.proof, lambda _: True)


def test_envelope_does_not_verify_when_its_record_was_sealed_anew() -> None:
    # The same content and salt under a fresh key: whoever seals it anew is not who anchored it.
    salt = samples.POINTERS[0].salt
    forged = seal(salt + CONTENT, GRANTEE.public_key().public_bytes_raw(), CONTEXT)
    opened = replace(envelope(), sealed=forged).open(GRANTEE.private_bytes_raw())
    with pytest.raises(ProofMismatch, match="not under the root"):
        verify_record(opened.record, opened.proof, lambda _: True)


def test_envelope_is_refused_when_a_member_is_missing() -> None:
    document = envelope().document()
    del document["wrappedKey"]
    with pytest.raises(InvalidDocument, match="wrappedKey"):
        Envelope.parse(document)


def test_salt_is_refused_when_what_was_sealed_is_too_short() -> None:
    with pytest.raises(DecryptionFailed, match="holds no salt"):
        salt_and_content(bytes(31))
