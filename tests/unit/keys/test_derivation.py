"""Keys of a phrase, held to the published vectors and to a derivation written out by itself."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from eth_account.hdaccount import key_from_seed
from eth_keys.datatypes import PrivateKey

from medaccord.core.errors import InvalidInput
from medaccord.keys import LocalSigner, Seed

# A phrase that every wallet's documentation derives from, and its seed without a passphrase.
ABANDON = "abandon " * 11 + "about"
ABANDON_SEED = (
    "5eb00bbddcf069084889a8ab9155568165f5c453ccb85e70811aaed6f6da5fc1"
    "9a5ac40b389cd370d086206dec8aa6c43daea6690f20ad3d8d48b2d2ce9e38e4"
)
ABANDON_ACCOUNT = "0x9858EfFD232B4033E47d90003D41EC34EcaEda94"

# BIP-39, vectors.json of its reference implementation: phrases of 12, 18 and 24 words.
PHRASES = (
    "legal winner thank year wave sausage worth useful legal winner thank yellow",
    "letter advice cage absurd amount doctor acoustic avoid letter advice cage absurd amount "
    "doctor acoustic avoid letter always",
    "zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo "
    "vote",
)

# BIP-32, test vector 1: paths and the private keys of their extended keys.
VECTOR_SEED = bytes.fromhex("000102030405060708090a0b0c0d0e0f")
VECTORS = (
    ("m/0'", "edb2e14f9ee77d26dd93b4ecede8d16ed408ce149b6cd80b0715a2d911a0afea"),
    ("m/0'/1", "3c6cb8d0f6a264c91ea8b5030fadaa8e538b020f0a387421a12de9319dc93368"),
    ("m/0'/1/2'", "cbce0d719ecf7431d88e6a89fa1483e02e35092af60c042b1df2ff59fa424dca"),
    ("m/0'/1/2'/2", "0f479245fb19a38a1954c5c7c0ebab2f9bdfd96a17563ef28a6a4b1a2a764ef4"),
    ("m/0'/1/2'/2/1000000000", "471b76e389e528d6de6d816857e012c5455051cad6660850e58372a6c3e6e7c8"),
)

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def derived(seed: bytes, path: str) -> bytes:
    """BIP-32 written out: private child keys from a master."""
    node = hmac.digest(b"Bitcoin seed", seed, hashlib.sha512)
    for step in path.split("/")[1:]:
        key, chain = node[:32], node[32:]
        number = int(step.rstrip("'")) + (2**31 if step.endswith("'") else 0)
        point = PrivateKey(key).public_key.to_compressed_bytes()
        data = b"\0" + key if number >= 2**31 else point
        node = hmac.digest(chain, data + number.to_bytes(4), hashlib.sha512)
        child = (int.from_bytes(node[:32]) + int.from_bytes(key)) % ORDER
        node = child.to_bytes(32) + node[32:]
    return node[:32]


def hkdf(key: bytes, info: bytes) -> bytes:
    """RFC 5869 written out, for one block and no salt."""
    pseudorandom = hmac.digest(bytes(32), key, hashlib.sha256)
    return hmac.digest(pseudorandom, info + b"\x01", hashlib.sha256)


@pytest.fixture
def patient() -> Seed:
    return Seed.parse(ABANDON)


@pytest.mark.parametrize(("path", "expected"), VECTORS)
def test_keys_are_those_of_the_vectors_of_bip_32(path: str, expected: str) -> None:
    assert key_from_seed(VECTOR_SEED, path).hex() == expected
    assert derived(VECTOR_SEED, path).hex() == expected


def test_account_is_that_of_every_other_wallet(patient: Seed) -> None:
    assert patient.account(0).address == ABANDON_ACCOUNT
    key = derived(bytes.fromhex(ABANDON_SEED), "m/44'/60'/0'/0/0")
    assert LocalSigner.unsafe_from_key(key).address == ABANDON_ACCOUNT


@pytest.mark.parametrize("words", PHRASES)
def test_phrases_of_the_vectors_of_bip_39_are_read(words: str) -> None:
    assert Seed.parse(words).unsafe_words() == words


@pytest.mark.parametrize("words", PHRASES)
def test_phrases_of_the_vectors_are_refused_when_two_words_are_swapped(words: str) -> None:
    first, *between, last = words.split()
    with pytest.raises(InvalidInput, match="no seed phrase"):
        Seed.parse(" ".join([last, *between, first]))


@pytest.mark.parametrize(("index", "rotations"), [(0, 1), (7, 3)])
def test_controller_after_a_rotation_is_at_its_path(
    patient: Seed, index: int, rotations: int
) -> None:
    key = derived(bytes.fromhex(ABANDON_SEED), f"m/44'/60'/{rotations}'/0/{index}")
    assert patient.controller(index, rotations).unsafe_key() == key


def test_first_controller_is_the_account_itself(patient: Seed) -> None:
    assert patient.controller(4, 0).address == patient.account(4).address


def test_guardian_is_at_its_path(patient: Seed) -> None:
    key = derived(bytes.fromhex(ABANDON_SEED), "m/44'/60'/0'/2/9")
    assert patient.guardian(9).unsafe_key() == key


def test_x25519_keys_are_at_their_paths(patient: Seed) -> None:
    seed = bytes.fromhex(ABANDON_SEED)
    for path, key in (
        ("m/44'/60'/0'/1/6", patient.x25519(6)),
        ("m/44'/60'/0'/3/6", patient.guardian_x25519(6)),
    ):
        expected = hkdf(derived(seed, path), b"medaccord/x25519/1")
        assert key.private_bytes_raw() == expected


def test_no_two_keys_of_a_phrase_are_the_same(patient: Seed) -> None:
    signers = [
        *(patient.controller(index, rotations) for index in range(3) for rotations in range(3)),
        *(patient.guardian(index) for index in range(3)),
    ]
    secrets = [
        *(each.unsafe_key() for each in signers),
        *(patient.x25519(index).private_bytes_raw() for index in range(3)),
        *(patient.guardian_x25519(index).private_bytes_raw() for index in range(3)),
    ]
    assert len(set(secrets)) == len(secrets)


@pytest.mark.parametrize("number", [-1, 2**31])
def test_key_is_refused_when_a_number_is_out_of_range(patient: Seed, number: int) -> None:
    with pytest.raises(InvalidInput, match=f"rotations {number} .* they run from 0"):
        patient.controller(0, number)
    with pytest.raises(InvalidInput, match=f"index {number} .* they run from 0"):
        patient.guardian(number)
