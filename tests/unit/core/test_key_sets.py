"""JWK Sets: one form, strong keys only, nothing private, each key by one name."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from medaccord.core.errors import InvalidDocument
from medaccord.core.key_sets import MAX_KEYS, SigningKey, parse_key_set

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP384R1())


def jwk(key: Any, **members: Any) -> dict[str, Any]:
    """A key as another library writes it."""
    algorithm: Any = RSAAlgorithm if isinstance(key, rsa.RSAPublicKey) else ECAlgorithm
    return {"kid": "1", **json.loads(algorithm.to_jwk(key)), **members}


def test_thumbprint_is_that_of_the_standards_example() -> None:
    # RFC 7638, section 3.1.
    example = {
        "kty": "RSA",
        "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tS"
        "oc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0"
        "_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4"
        "vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
        "e": "AQAB",
        "alg": "RS384",
        "kid": "2011-04-29",
    }
    key = SigningKey.parse(example)
    assert key.thumbprint == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
    assert key.document() == example


@pytest.mark.parametrize("key", [RSA.public_key(), EC.public_key()])
def test_key_of_another_library_comes_back_as_it_was_when_parsed(key: Any) -> None:
    document = jwk(key)  # with key_ops, without alg and use
    (parsed,) = parse_key_set({"keys": [document]})
    assert parsed.document() == document
    assert parsed.public_key() == key
    assert parsed.algorithm == ("RS384" if isinstance(key, rsa.RSAPublicKey) else "ES384")


def test_thumbprint_depends_on_nothing_but_the_key() -> None:
    plain, remarked = jwk(EC.public_key()), jwk(EC.public_key(), kid="2", alg="ES384", ext=True)
    assert SigningKey.parse(plain).thumbprint == SigningKey.parse(remarked).thumbprint
    assert SigningKey.of(EC.public_key()).kid == SigningKey.parse(plain).thumbprint


@pytest.mark.parametrize("member", ["d", "p", "q", "dp", "dq", "qi", "oth", "k"])
def test_key_is_refused_when_it_has_a_private_member(member: str) -> None:
    with pytest.raises(InvalidDocument, match=f"private members {member}: consider it stolen"):
        SigningKey.parse(jwk(RSA.public_key(), **{member: "AQAB"}))


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        ({"kty": "oct"}, "kty is RSA or EC"),
        ({"kty": "OKP"}, "kty is RSA or EC"),
        ({"alg": "RS256"}, "not written in its one form"),
        ({"alg": "ES384"}, "not written in its one form"),
        ({"use": "enc"}, "not written in its one form"),
        ({"key_ops": ["sign"]}, "not written in its one form"),
        ({"ext": 1}, "not written in its one form"),
        ({"x5c": []}, "unknown members: x5c"),
        ({"e": "Aw"}, "exponent"),
        ({"e": "AAEAAQ"}, "not written in its one form"),
        ({"e": "AQAB="}, "not written in its one form"),
        ({"n": "!"}, "n of a key is not base64url"),
        ({"n": ""}, "n of a key has 1 to"),
        ({"n": "A" * 2000}, "n of a key has 1 to"),
        ({"kid": ""}, "a kid has 1 to"),
        ({"kid": "x" * 129}, "a kid has 1 to"),
        ({"kid": "a b"}, "a kid has 1 to"),
        ({"kid": 1}, "kid of a key is not a string"),
    ],
)
def test_key_is_refused_when_a_member_is_not_what_it_must_be(
    members: dict[str, Any], problem: str
) -> None:
    with pytest.raises(InvalidDocument, match=problem):
        SigningKey.parse(jwk(RSA.public_key(), **members))


def test_rsa_key_is_refused_when_it_has_fewer_than_2048_bits() -> None:
    short = rsa.generate_private_key(public_exponent=65537, key_size=2047).public_key()
    with pytest.raises(InvalidDocument, match="an RSA key has 2048 to 8192 bits"):
        SigningKey.parse(jwk(short))
    with pytest.raises(InvalidDocument, match="an RSA key has 2048 to 8192 bits"):
        SigningKey.of(short)


def test_ec_key_is_refused_when_on_another_curve() -> None:
    with pytest.raises(InvalidDocument, match="on the curve P-384"):
        SigningKey.parse(jwk(ec.generate_private_key(ec.SECP256R1()).public_key()))


def test_ec_key_is_refused_when_not_on_its_curve() -> None:
    document = jwk(EC.public_key())
    with pytest.raises(InvalidDocument, match="are no key"):
        SigningKey.parse(document | {"x": document["y"]})


@pytest.mark.parametrize("keys", [[], {}, "keys", None, [jwk(EC.public_key())] * (MAX_KEYS + 1)])
def test_key_set_is_refused_when_it_has_no_keys_or_too_many(keys: Any) -> None:
    with pytest.raises(InvalidDocument, match=f"a JWK Set has 1 to {MAX_KEYS} keys"):
        parse_key_set({"keys": keys})
