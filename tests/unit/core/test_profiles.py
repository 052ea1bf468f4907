"""Profiles: one text for each, older ones still good, and no two keys of one name."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from eth_utils.crypto import keccak

from medaccord.core.canonical import document_bytes
from medaccord.core.errors import CommitmentMismatch, InvalidDocument
from medaccord.core.identifiers import AccountId, Digest, address
from medaccord.core.key_sets import MAX_KEYS, SigningKey
from medaccord.core.profiles import OrganisationProfile

HOSPITAL = AccountId(chain_id=1337, address=address("0x" + "b0" * 20))
KEYS = tuple(
    SigningKey.of(ec.generate_private_key(ec.SECP384R1()).public_key(), kid=f"key-{each}")
    for each in range(2)
)
OLD = {
    "profile": "medaccord/organisation/1",
    "account": str(HOSPITAL),
    "name": "Hospital B",
    "gatekeeper": "https://gatekeeper.example",
}


def profile(**changes: Any) -> OrganisationProfile:
    values: dict[str, Any] = {"account": HOSPITAL, "name": "Hospital B"}
    return OrganisationProfile(**(values | changes))


@pytest.mark.parametrize(
    "changes",
    [{}, {"jwks": KEYS}, {"serial": 1}, {"gatekeeper": "https://g.example", "jwks": KEYS[:1]}],
)
def test_profile_comes_back_from_its_own_text(changes: dict[str, Any]) -> None:
    made = profile(**changes)
    text = document_bytes(made.document())
    assert OrganisationProfile.parse(text) == made
    assert document_bytes(OrganisationProfile.parse(text).document()) == text


def test_profile_without_keys_and_serial_keeps_the_hash_it_always_had() -> None:
    parsed = OrganisationProfile.parse(OLD)
    assert (parsed.jwks, parsed.serial) == ((), None)
    assert parsed.hash == keccak(document_bytes(OLD))


def test_profile_has_another_hash_when_a_key_or_the_serial_changes() -> None:
    variants = [
        profile(),
        profile(jwks=KEYS),
        profile(jwks=KEYS[:1]),
        profile(jwks=KEYS[::-1]),
        profile(serial=1),
        profile(serial=2),
    ]
    assert len({each.hash for each in variants}) == len(variants)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"jwks": (KEYS[0], KEYS[0])}, "two keys of the JWK Set have one kid"),
        ({"jwks": KEYS * MAX_KEYS}, f"a JWK Set has 1 to {MAX_KEYS} keys"),
        ({"serial": 0}, "serial counts from 1"),
        ({"serial": 2**53}, "serial counts from 1"),
        ({"name": ""}, "1 to 120 printable"),
        ({"gatekeeper": "ftp://g.example"}, "no address of a gatekeeper"),
        ({"gatekeeper": "http://[::1"}, "no address of a gatekeeper"),
    ],
)
def test_profile_is_refused_when_a_member_is_malformed(
    changes: dict[str, Any], problem: str
) -> None:
    with pytest.raises(InvalidDocument, match=problem):
        profile(**changes)


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        ({"jwks": None}, "the JWK Set is no object"),
        ({"jwks": {"keys": []}}, f"a JWK Set has 1 to {MAX_KEYS} keys"),
        ({"serial": "1"}, "serial of .* is not an integer from 1"),
        ({"serial": True}, "serial of .* is not an integer from 1"),
        ({"jwks_uri": "https://example.org/keys"}, "unknown members: jwks_uri"),
    ],
)
def test_document_is_refused_when_a_member_is_malformed(
    members: dict[str, Any], problem: str
) -> None:
    with pytest.raises(InvalidDocument, match=problem):
        OrganisationProfile.parse(OLD | members)


@pytest.mark.parametrize(
    ("account", "registered"),
    [
        (HOSPITAL, Digest(b"\x01" * 32)),
        (AccountId(chain_id=1, address=HOSPITAL.address), profile().hash),
    ],
)
def test_check_refuses_when_the_registry_names_another(
    account: AccountId, registered: Digest
) -> None:
    profile().check(HOSPITAL, profile().hash)
    with pytest.raises(CommitmentMismatch, match=f"not the profile in force of {account}"):
        profile().check(account, registered)
