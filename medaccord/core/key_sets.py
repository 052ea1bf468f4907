"""The public keys an organisation signs in with, as a JWK Set of one closed form.

RFC 7517 leaves much open; a profile is hashed, so here each set has one text. A key is RSA of 2048
to 8192 bits (RS384) or EC on P-384 (ES384) and names a ``kid`` that no other key of the set has.
Beside what makes the key it may have ``alg`` (its algorithm), ``use`` (``sig``), ``key_ops``
(``["verify"]``) and ``ext`` (true), as SMART's examples do, and nothing else: private members,
certificates and other keys are refused.

Source: RFC 7517 (JWK), RFC 7518 section 6 (RSA, EC), RFC 7638 (thumbprints); SMART App Launch 2.2,
"Asymmetric Authentication".
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from medaccord.core.canonical import document_bytes
from medaccord.core.documents import DocumentReader
from medaccord.core.errors import InvalidDocument

__all__ = [
    "ALGORITHMS",
    "MAX_KEYS",
    "SigningKey",
    "check_key_set",
    "key_set_document",
    "parse_key_set",
]

ALGORITHMS: Final = ("RS384", "ES384")
"""The signatures that count; no others."""

MAX_KEYS: Final = 10
"""Most keys in a set, inclusive: one in use, one to come, for each of a few servers."""

_MAX_KID: Final = 128
_RSA_BITS: Final = (2048, 8192)
_LEAST_EXPONENT: Final = 65537
_P384_BYTES: Final = 48
_PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_MEMBERS: Final = {"RSA": ("n", "e"), "EC": ("crv", "x", "y")}
_REMARKS: Final[Mapping[str, Any]] = {"use": "sig", "key_ops": ["verify"], "ext": True}
"""Members that change nothing, each with the one value it may have; so may `alg`."""

_PublicNumbers = rsa.RSAPublicNumbers | ec.EllipticCurvePublicNumbers


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A public key that an organisation signs in with.

    Attributes:
        kid: what it is called, 1 to 128 printable ASCII characters without spaces.
        numbers: the key itself.
        remarks: which of the members that change nothing are written: `alg`, `use`, `key_ops`,
            `ext`.

    Raises:
        InvalidDocument: the key is too short, on another curve or not on its curve, or has a name
            or a remark that is not one.
    """

    kid: str
    numbers: _PublicNumbers
    remarks: frozenset[str] = frozenset({"alg", "use"})

    def __post_init__(self) -> None:
        """Refuse what is weak, or would not come back from its own document."""
        if not 1 <= len(self.kid) <= _MAX_KID or not all("!" <= each <= "~" for each in self.kid):
            raise InvalidDocument(f"a kid has 1 to {_MAX_KID} printable ASCII characters, no space")
        if not self.remarks <= {"alg", *_REMARKS}:
            raise InvalidDocument("a key is remarked on by alg, use, key_ops and ext alone")
        if isinstance(self.numbers, rsa.RSAPublicNumbers):
            if not _RSA_BITS[0] <= self.numbers.n.bit_length() <= _RSA_BITS[1]:
                raise InvalidDocument(f"an RSA key has {_RSA_BITS[0]} to {_RSA_BITS[1]} bits")
            if not _LEAST_EXPONENT <= self.numbers.e < 2**32:
                raise InvalidDocument("the exponent of an RSA key is 65537 or a little more")
        elif not isinstance(self.numbers.curve, ec.SECP384R1):
            raise InvalidDocument("an EC key is on the curve P-384")
        try:
            self.public_key()
        except ValueError as error:
            raise InvalidDocument(f"the numbers of the key {self.kid} are no key") from error

    @classmethod
    def of(
        cls, key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey, *, kid: str | None = None
    ) -> Self:
        """A key to put into a profile; its kid is its thumbprint unless given.

        Raises:
            InvalidDocument: as the class.
        """
        made = cls(kid=kid or "unnamed", numbers=key.public_numbers())
        return made if kid else cls(kid=made.thumbprint, numbers=made.numbers)

    @classmethod
    def parse(cls, document: object) -> Self:
        """Read what `document` writes.

        Raises:
            InvalidDocument: it is no such key, or not written in its one form.
        """
        if not isinstance(document, Mapping):
            raise InvalidDocument("a key of a JWK Set is no object")
        if private := sorted(_PRIVATE & document.keys()):
            raise InvalidDocument(
                f"a key has the private members {', '.join(private)}: consider it stolen, and "
                "publish public keys only"
            )
        kind = document.get("kty")
        if kind not in ("RSA", "EC"):
            raise InvalidDocument("a key's kty is RSA or EC")
        reader = DocumentReader(
            document,
            what="a key",
            required=("kty", "kid", *_MEMBERS[kind]),
            optional=("alg", *_REMARKS),
        )
        numbers = _rsa(reader) if kind == "RSA" else _ec(reader)
        remarks = frozenset(name for name in ("alg", *_REMARKS) if reader.has(name))
        key = cls(kid=reader.text("kid"), numbers=numbers, remarks=remarks)
        if document_bytes(key.document()) != document_bytes(document):
            raise InvalidDocument(f"the key {key.kid} is not written in its one form")
        return key

    @property
    def algorithm(self) -> str:
        """RS384 or ES384, as the key is."""
        return "RS384" if isinstance(self.numbers, rsa.RSAPublicNumbers) else "ES384"

    @property
    def thumbprint(self) -> str:
        """SHA-256 over what makes the key, base64url. Source: RFC 7638."""
        return _encode(hashlib.sha256(document_bytes(self._essence())).digest())

    def public_key(self) -> rsa.RSAPublicKey | ec.EllipticCurvePublicKey:
        """The key to check signatures with."""
        return self.numbers.public_key()

    def document(self) -> dict[str, Any]:
        """The key as a JWK."""
        remarks = {"alg": self.algorithm, **_REMARKS}
        written = {name: remarks[name] for name in remarks if name in self.remarks}
        return {"kid": self.kid, **self._essence(), **written}

    def _essence(self) -> dict[str, str]:
        numbers = self.numbers
        if isinstance(numbers, rsa.RSAPublicNumbers):
            return {"kty": "RSA", "n": _number(numbers.n), "e": _number(numbers.e)}
        x, y = (_encode(each.to_bytes(_P384_BYTES, "big")) for each in (numbers.x, numbers.y))
        return {"kty": "EC", "crv": "P-384", "x": x, "y": y}


def parse_key_set(document: object) -> tuple[SigningKey, ...]:
    """Read a JWK Set of 1 to `MAX_KEYS` keys, each with a kid of its own.

    Raises:
        InvalidDocument: it is none, or a key of it is not as `SigningKey` has it.
    """
    reader = DocumentReader(document, what="the JWK Set", required=("keys",))
    keys = reader.raw("keys")
    if not isinstance(keys, Sequence) or isinstance(keys, str) or not 1 <= len(keys) <= MAX_KEYS:
        raise InvalidDocument(f"a JWK Set has 1 to {MAX_KEYS} keys")
    return tuple(SigningKey.parse(each) for each in keys)


def key_set_document(keys: Sequence[SigningKey]) -> dict[str, Any]:
    """The JWK Set of keys, in their order."""
    return {"keys": [each.document() for each in keys]}


def check_key_set(keys: Sequence[SigningKey]) -> None:
    """Check that a kid selects exactly one key, and that there are not too many.

    Raises:
        InvalidDocument: two keys have one name, or there are more than `MAX_KEYS`.
    """
    if len(keys) > MAX_KEYS:
        raise InvalidDocument(f"a JWK Set has 1 to {MAX_KEYS} keys")
    if len({each.kid for each in keys}) != len(keys):
        raise InvalidDocument("two keys of the JWK Set have one kid")


def _rsa(reader: DocumentReader) -> rsa.RSAPublicNumbers:
    return rsa.RSAPublicNumbers(n=_decode(reader, "n"), e=_decode(reader, "e"))


def _ec(reader: DocumentReader) -> ec.EllipticCurvePublicNumbers:
    if reader.text("crv") != "P-384":
        raise InvalidDocument("an EC key is on the curve P-384")
    x, y = _decode(reader, "x"), _decode(reader, "y")
    return ec.EllipticCurvePublicNumbers(x=x, y=y, curve=ec.SECP384R1())


def _decode(reader: DocumentReader, name: str) -> int:
    text = reader.text(name)
    try:
        octets = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidDocument(f"{name} of a key is not base64url") from error
    if not 0 < len(octets) <= _RSA_BITS[1] // 8:
        raise InvalidDocument(f"{name} of a key has 1 to {_RSA_BITS[1] // 8} bytes")
    return int.from_bytes(octets, "big")


def _number(value: int) -> str:
    return _encode(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def _encode(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()
