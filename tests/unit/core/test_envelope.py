"""A sealed record opens with its key and in its place, whole, or not at all."""

from itertools import count

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from medaccord.core.envelope import PROFILE, WRAPPED_KEY_BYTES, Sealed, open_sealed, rewrap, seal
from medaccord.core.errors import DecryptionFailed, InvalidInput

PATIENT = X25519PrivateKey.generate()
PRIVATE = PATIENT.private_bytes_raw()
PUBLIC = PATIENT.public_key().public_bytes_raw()
STRANGER = X25519PrivateKey.generate().private_bytes_raw()
CONTEXT = b"Observation/1/version 1"
SEALED = seal(b"a record", PUBLIC, CONTEXT)


def changed(data: bytes, bit: int) -> bytes:
    number = int.from_bytes(data) ^ 1 << bit % (len(data) * 8)
    return number.to_bytes(len(data))


@given(st.binary(max_size=4096), st.binary(max_size=128))
def test_record_opens_when_key_and_context_are_its_own(plaintext: bytes, context: bytes) -> None:
    sealed = seal(plaintext, PUBLIC, context)
    assert open_sealed(sealed, PRIVATE, context) == plaintext
    assert len(sealed.ciphertext) == len(plaintext) + 28
    assert len(sealed.wrapped_key) == WRAPPED_KEY_BYTES


@given(st.integers(0, len(SEALED.ciphertext) * 8 - 1))
def test_record_does_not_open_when_one_bit_of_it_changed(bit: int) -> None:
    forged = Sealed(ciphertext=changed(SEALED.ciphertext, bit), wrapped_key=SEALED.wrapped_key)
    with pytest.raises(DecryptionFailed, match="the sealed record does not open"):
        open_sealed(forged, PRIVATE, CONTEXT)


# X25519 ignores the highest bit of a point, but HPKE binds the encapsulated key as it was sent.
@given(st.integers(0, WRAPPED_KEY_BYTES * 8 - 1))
def test_record_does_not_open_when_one_bit_of_its_wrapped_key_changed(bit: int) -> None:
    forged = Sealed(ciphertext=SEALED.ciphertext, wrapped_key=changed(SEALED.wrapped_key, bit))
    with pytest.raises(DecryptionFailed, match="the data key does not open"):
        open_sealed(forged, PRIVATE, CONTEXT)


@given(st.integers(0, len(SEALED.ciphertext) - 1))
def test_record_does_not_open_when_it_is_cut(length: int) -> None:
    forged = Sealed(ciphertext=SEALED.ciphertext[:length], wrapped_key=SEALED.wrapped_key)
    with pytest.raises(DecryptionFailed, match="the sealed record"):
        open_sealed(forged, PRIVATE, CONTEXT)


@pytest.mark.parametrize("length", [0, 79, 81])
def test_record_does_not_open_when_its_wrapped_key_has_another_length(length: int) -> None:
    forged = Sealed(ciphertext=SEALED.ciphertext, wrapped_key=bytes(length))
    with pytest.raises(DecryptionFailed, match=f"the wrapped key has {length} bytes, not 80"):
        open_sealed(forged, PRIVATE, CONTEXT)


def test_record_does_not_open_when_the_context_is_another() -> None:
    with pytest.raises(DecryptionFailed, match="the context is another"):
        open_sealed(SEALED, PRIVATE, b"Observation/1/version 2")


def test_record_does_not_open_when_the_key_is_a_stranger_s() -> None:
    with pytest.raises(DecryptionFailed, match="the data key does not open"):
        open_sealed(SEALED, STRANGER, CONTEXT)


def test_record_does_not_open_when_its_wrapped_key_is_of_another_record() -> None:
    other = seal(b"a record", PUBLIC, CONTEXT)
    forged = Sealed(ciphertext=SEALED.ciphertext, wrapped_key=other.wrapped_key)
    with pytest.raises(DecryptionFailed, match="the sealed record does not open"):
        open_sealed(forged, PRIVATE, CONTEXT)


def test_record_is_sealed_differently_when_sealed_again() -> None:
    again = seal(b"a record", PUBLIC, CONTEXT)
    assert again.ciphertext != SEALED.ciphertext
    assert again.wrapped_key != SEALED.wrapped_key


def test_data_key_and_nonce_are_those_drawn_when_the_source_is_handed_in() -> None:
    draws = count(1)
    sealed = seal(b"a", PUBLIC, CONTEXT, random=lambda length: bytes([next(draws)]) * length)
    assert sealed.ciphertext[:12] == b"\x02" * 12
    assert AESGCM(b"\x01" * 32).decrypt(b"\x02" * 12, sealed.ciphertext[12:], CONTEXT) == b"a"


@pytest.mark.parametrize("recipient", [b"", bytes(31), bytes(33)])
def test_sealing_is_refused_when_the_recipient_has_not_32_bytes(recipient: bytes) -> None:
    with pytest.raises(InvalidInput, match="no X25519 public key of 32 bytes"):
        seal(b"", recipient, b"")


def test_sealing_is_refused_when_the_recipient_is_of_low_order() -> None:
    with pytest.raises(InvalidInput, match="low order"):
        seal(b"", bytes(32), b"")


def test_opening_is_refused_when_the_private_key_has_not_32_bytes() -> None:
    with pytest.raises(InvalidInput, match="has 32 bytes"):
        open_sealed(SEALED, bytes(31), CONTEXT)


def test_wrapped_key_is_that_of_rfc_9180_when_another_implementation_opens_it() -> None:
    pyhpke = pytest.importorskip("pyhpke", reason="the second HPKE implementation is not installed")
    suite = pyhpke.CipherSuite.new(
        pyhpke.KEMId.DHKEM_X25519_HKDF_SHA256, pyhpke.KDFId.HKDF_SHA256, pyhpke.AEADId.AES256_GCM
    )
    private_key = suite.kem.deserialize_private_key(PRIVATE)
    encapsulated, sealed_key = SEALED.wrapped_key[:32], SEALED.wrapped_key[32:]
    recipient = suite.create_recipient_context(encapsulated, private_key, info=PROFILE + CONTEXT)
    key = recipient.open(sealed_key)
    nonce, body = SEALED.ciphertext[:12], SEALED.ciphertext[12:]
    assert AESGCM(key).decrypt(nonce, body, CONTEXT) == b"a record"


def test_record_opens_when_another_implementation_of_rfc_9180_wrapped_its_key() -> None:
    pyhpke = pytest.importorskip("pyhpke", reason="the second HPKE implementation is not installed")
    suite = pyhpke.CipherSuite.new(
        pyhpke.KEMId.DHKEM_X25519_HKDF_SHA256, pyhpke.KDFId.HKDF_SHA256, pyhpke.AEADId.AES256_GCM
    )
    public_key = suite.kem.deserialize_public_key(PUBLIC)
    encapsulated, sender = suite.create_sender_context(public_key, info=PROFILE + CONTEXT)
    wrapped_key = encapsulated + sender.seal(b"\x07" * 32)
    ciphertext = bytes(12) + AESGCM(b"\x07" * 32).encrypt(bytes(12), b"theirs", CONTEXT)
    sealed = Sealed(ciphertext=ciphertext, wrapped_key=wrapped_key)
    assert open_sealed(sealed, PRIVATE, CONTEXT) == b"theirs"


def test_rewrapped_key_opens_for_the_new_key_alone_when_the_ciphertext_stays() -> None:
    first, second = X25519PrivateKey.generate(), X25519PrivateKey.generate()
    sealed = seal(b"haemoglobin 13.40", first.public_key().public_bytes_raw(), b"row 7")
    wrapped = rewrap(
        sealed.wrapped_key,
        first.private_bytes_raw(),
        second.public_key().public_bytes_raw(),
        b"row 7",
    )
    again = Sealed(ciphertext=sealed.ciphertext, wrapped_key=wrapped)
    assert open_sealed(again, second.private_bytes_raw(), b"row 7") == b"haemoglobin 13.40"
    with pytest.raises(DecryptionFailed):
        open_sealed(again, first.private_bytes_raw(), b"row 7")


def test_rewrapping_is_refused_when_the_context_is_another() -> None:
    key = X25519PrivateKey.generate()
    public = key.public_key().public_bytes_raw()
    sealed = seal(b"text", public, b"row 7")
    with pytest.raises(DecryptionFailed):
        rewrap(sealed.wrapped_key, key.private_bytes_raw(), public, b"row 8")
