"""Client assertions: one kind of JWT, for one place, for minutes, for one purpose, by one key."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from medaccord.core.client_assertions import ClientAssertion
from medaccord.core.errors import InvalidSignIn
from medaccord.core.identifiers import AccountId, address
from medaccord.core.key_sets import SigningKey
from medaccord.core.purposes import PURPOSE_SYSTEM, Purpose

CLINIC = AccountId(chain_id=1337, address=address("0x" + "c0" * 20))
TOKEN_URL = "https://gatekeeper.example/token"
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
EC = ec.generate_private_key(ec.SECP384R1())
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
KEY = SigningKey.of(EC.public_key(), kid="key-1")


def claims(*, left_out: tuple[str, ...] = (), **changes: Any) -> dict[str, Any]:
    values = {
        "iss": str(CLINIC),
        "sub": str(CLINIC),
        "aud": TOKEN_URL,
        "jti": "1",
        "exp": int(NOW.timestamp()) + 240,
    }
    return {name: value for name, value in (values | changes).items() if name not in left_out}


def signed(
    members: dict[str, Any] | None = None, *, key: Any = EC, algorithm: str = "ES384", **header: Any
) -> str:
    given = claims() if members is None else members
    return jwt.encode(given, key, algorithm, headers={"kid": "key-1"} | header)


def part(value: Any) -> str:
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def forged(header: Any, body: Any, signature: bytes = b"") -> str:
    return f"{part(header)}.{part(body)}.{part(signature)}"


def _with(changes: dict[str, Any]) -> str:
    return forged({"alg": "ES384", "kid": "key-1"}, claims(**changes))


@pytest.mark.parametrize(("algorithm", "key"), [("ES384", EC), ("RS384", RSA)])
def test_assertion_of_another_library_passes_when_all_is_as_it_must_be(
    algorithm: str, key: Any
) -> None:
    text = signed(claims(iat=int(NOW.timestamp()) - 1), key=key, algorithm=algorithm, typ="JWT")
    assertion = ClientAssertion.parse(text)
    assert (assertion.account, assertion.kid, assertion.jti) == (CLINIC, "key-1", "1")
    assertion.check(audience=TOKEN_URL, now=NOW)
    assertion.verify(SigningKey.of(key.public_key(), kid="key-1"))
    assert assertion.expires == NOW + timedelta(minutes=4)


@pytest.mark.parametrize("algorithm", ["none", "None", "HS384", "HS256", "RS256", "PS384", "ES256"])
def test_assertion_is_refused_when_it_says_that_it_is_signed_in_another_way(algorithm: str) -> None:
    with pytest.raises(InvalidSignIn, match="sign with RS384 or ES384, not"):
        ClientAssertion.parse(forged({"alg": algorithm, "kid": "key-1"}, claims()))


@pytest.mark.parametrize("algorithm", ["RS384", "ES384"])
def test_assertion_is_refused_when_the_public_key_served_as_a_shared_secret(algorithm: str) -> None:
    keys: dict[str, Any] = {"RS384": RSA, "ES384": EC}
    key = keys[algorithm].public_key()
    secret = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    content = forged({"alg": algorithm, "kid": "key-1"}, claims()).rpartition(".")[0]
    mark = hmac.digest(secret, content.encode(), hashlib.sha384)
    assertion = ClientAssertion.parse(f"{content}.{part(mark)}")
    with pytest.raises(InvalidSignIn, match="the key key-1 did not sign this assertion"):
        assertion.verify(SigningKey.of(key, kid="key-1"))


@pytest.mark.parametrize("signature", [b"", b"\x00" * 96, b"\x01" * 96, b"\xff" * 97])
def test_assertion_is_refused_when_its_signature_is_made_up(signature: bytes) -> None:
    assertion = ClientAssertion.parse(forged({"alg": "ES384", "kid": "key-1"}, claims(), signature))
    with pytest.raises(InvalidSignIn, match="the key key-1 did not sign this assertion"):
        assertion.verify(KEY)


def test_assertion_is_refused_when_its_claims_were_changed() -> None:
    head, _, signature = signed().split(".")
    assertion = ClientAssertion.parse(f"{head}.{part(claims(jti='2'))}.{signature}")
    with pytest.raises(InvalidSignIn, match="the key key-1 did not sign this assertion"):
        assertion.verify(KEY)


def test_assertion_is_refused_when_its_key_is_for_the_other_algorithm() -> None:
    assertion = ClientAssertion.parse(signed(key=RSA, algorithm="RS384"))
    with pytest.raises(InvalidSignIn, match="the key key-1 signs with ES384"):
        assertion.verify(KEY)


@pytest.mark.parametrize("header", [{"crit": ["exp"]}, {"crit": []}, {"b64": True}, {"b64": False}])
def test_assertion_is_refused_when_its_header_asks_for_an_extension(header: dict[str, Any]) -> None:
    with pytest.raises(InvalidSignIn, match="leave crit and b64 out"):
        ClientAssertion.parse(forged({"alg": "ES384", "kid": "key-1"} | header, claims()))


@pytest.mark.parametrize("kid", [None, "", 1, ["key-1"]])
def test_assertion_is_refused_when_its_header_names_no_key(kid: Any) -> None:
    with pytest.raises(InvalidSignIn, match="the assertion needs kid"):
        ClientAssertion.parse(forged({"alg": "ES384", "kid": kid}, claims()))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"aud": 5}, "aud of the assertion is a string"),
        ({"aud": []}, "aud of the assertion is a string"),
        ({"aud": [TOKEN_URL, 1]}, "aud of the assertion is a string"),
        ({"iss": "clinic", "sub": "clinic"}, "name the account in CAIP-10"),
        ({"iss": str(CLINIC).lower(), "sub": str(CLINIC).lower()}, "name the account in CAIP-10"),
        ({"sub": "clinic"}, "iss and sub are the same"),
        ({"jti": 7}, "the assertion needs jti"),
        ({"jti": ""}, "the assertion needs jti"),
        ({"jti": "x" * 256}, "at most 255"),
        ({"exp": "soon"}, "the assertion needs exp"),
        ({"exp": True}, "the assertion needs exp"),
        ({"exp": -1}, "exp of the assertion is no time"),
        ({"exp": 1e30}, "exp of the assertion is no time"),
        ({"exp": 10**12}, "exp of the assertion is no time"),
        ({"iat": "now"}, "the assertion needs iat"),
        ({"nbf": -5}, "nbf of the assertion is no time"),
        ({"extensions": []}, "extensions of the assertion hold hl7-b2b"),
        ({"extensions": {"hl7-b2b": "TREAT"}}, "extensions of the assertion hold hl7-b2b"),
        ({"extensions": {"hl7-b2b": {"purpose_of_use": []}}}, "purpose_of_use of the assertion"),
    ],
)
def test_assertion_is_refused_when_a_claim_is_not_what_it_must_be(
    changes: dict[str, Any], problem: str
) -> None:
    with pytest.raises(InvalidSignIn, match=problem):
        ClientAssertion.parse(_with(changes))


@pytest.mark.parametrize("name", ["iss", "sub", "aud", "jti", "exp"])
def test_assertion_is_refused_when_a_claim_is_left_out(name: str) -> None:
    body = claims(left_out=(name,))
    with pytest.raises(InvalidSignIn, match=name):
        ClientAssertion.parse(forged({"alg": "ES384", "kid": "key-1"}, body))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a.b",
        "a.b.c.d",
        "!.!.!",
        "e30.e30",
        forged([], claims()),
        forged({"alg": "ES384", "kid": "1"}, "text"),
        forged({"alg": "ES384", "kid": "1"}, b'{"iss":"a","iss":"b"}'),
        forged({"alg": "ES384", "kid": "1"}, b"[" * 5000),
        forged({"alg": "ES384", "kid": "1"}, b"\xff"),
        "x" * 16_385,
    ],
)
def test_assertion_is_refused_when_it_is_no_jwt(text: str) -> None:
    with pytest.raises(InvalidSignIn, match="assertion"):
        ClientAssertion.parse(text)


@pytest.mark.parametrize("audience", ["https://elsewhere.example/token", TOKEN_URL + "/", "token"])
def test_assertion_is_refused_when_it_is_for_another_place(audience: str) -> None:
    with pytest.raises(InvalidSignIn, match=f"not for {TOKEN_URL}"):
        ClientAssertion.parse(_with({"aud": audience})).check(audience=TOKEN_URL, now=NOW)


def test_assertion_is_refused_when_it_is_for_another_place_too() -> None:
    assertion = ClientAssertion.parse(_with({"aud": [TOKEN_URL, "https://elsewhere.example"]}))
    with pytest.raises(InvalidSignIn, match=f"not for {TOKEN_URL}"):
        assertion.check(audience=TOKEN_URL, now=NOW)


def shifted(name: str, seconds: int) -> ClientAssertion:
    return ClientAssertion.parse(_with({name: int(NOW.timestamp()) + seconds}))


@pytest.mark.parametrize(
    ("name", "seconds"), [("exp", -29), ("exp", 330), ("iat", 30), ("nbf", 30)]
)
def test_assertion_is_good_when_the_clocks_are_half_a_minute_apart(name: str, seconds: int) -> None:
    shifted(name, seconds).check(audience=TOKEN_URL, now=NOW)


@pytest.mark.parametrize(
    ("name", "seconds", "problem"),
    [
        ("exp", -30, "the assertion ended at 11:59:30 UTC"),
        ("exp", 331, "exp lies at most 0:05:00 ahead; here it is 12:00:00 UTC"),
        ("iat", 31, "the assertion begins at 12:00:31, and here it is 12:00:00 UTC"),
        ("nbf", 31, "the assertion begins at 12:00:31, and here it is 12:00:00 UTC"),
    ],
)
def test_assertion_is_refused_when_the_clocks_are_farther_apart(
    name: str, seconds: int, problem: str
) -> None:
    with pytest.raises(InvalidSignIn, match=problem):
        shifted(name, seconds).check(audience=TOKEN_URL, now=NOW)


@pytest.mark.parametrize("prefix", ["", "urn:oid:2.16.840.1.113883.5.8#", f"{PURPOSE_SYSTEM}#"])
def test_purpose_is_the_one_that_the_extension_names(prefix: str) -> None:
    asked = {"version": "1", "purpose_of_use": [f"{prefix}HRESCH"]}
    assertion = ClientAssertion.parse(_with({"extensions": {"hl7-b2b": asked}}))
    assert assertion.purpose(Purpose.TREAT) is Purpose.HRESCH


@pytest.mark.parametrize("extensions", [{}, {"hl7-b2b": {}}, {"other": 1}])
def test_purpose_is_the_default_when_the_extension_names_none(extensions: dict[str, Any]) -> None:
    assertion = ClientAssertion.parse(_with({"extensions": extensions}))
    assert assertion.purpose(Purpose.HPAYMT) is Purpose.HPAYMT


@pytest.mark.parametrize(
    ("purposes", "problem"),
    [
        (["TREAT", "HRESCH"], "name one purpose_of_use"),
        (["MARKT"], "a purpose_of_use is one of TREAT"),
        (["urn:oid:1.2.3#TREAT"], "a purpose_of_use is one of TREAT"),
        (["treat"], "a purpose_of_use is one of TREAT"),
    ],
)
def test_purpose_is_refused_when_it_is_not_one_that_we_know(
    purposes: list[str], problem: str
) -> None:
    extensions = {"hl7-b2b": {"purpose_of_use": purposes}}
    assertion = ClientAssertion.parse(_with({"extensions": extensions}))
    with pytest.raises(InvalidSignIn, match=problem):
        assertion.purpose(Purpose.TREAT)
