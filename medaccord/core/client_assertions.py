"""Client assertions: what an organisation's system signs to get a token, as a JWT of one kind.

A JWT is read with the same strict JSON as every document here, before its signature is checked: no
name twice, nothing deep. Signed it must be by RS384 or ES384, whichever its key is for; ``none``,
shared secrets and weaker hashes are refused before any key is looked at. Key sets are never fetched
from where a ``jku`` points.

Source: RFC 7523 sections 2.2 and 3; RFC 7515; SMART App Launch 2.2, "Asymmetric Authentication";
UDAP Security for Scalable Registration, section 5.2.1.1 (the extension ``hl7-b2b``).
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Self

import jwt

from medaccord.core.canonical import Number, Object, Value, parse_object
from medaccord.core.errors import InvalidDocument, InvalidIdentifier, InvalidSignIn
from medaccord.core.identifiers import AccountId
from medaccord.core.key_sets import ALGORITHMS, SigningKey
from medaccord.core.purposes import PURPOSE_SYSTEM, Purpose

__all__ = ["LEEWAY", "MAX_LIFE", "ClientAssertion"]

MAX_LIFE: Final = timedelta(minutes=5)
"""How far ahead an assertion's end may lie, inclusive."""

LEEWAY: Final = timedelta(seconds=30)
"""How far the clocks of the two sides may be apart, inclusive."""

_MAX_LENGTH: Final = 16_384
_MAX_JTI: Final = 255
_MAX_SECONDS: Final = 10**11
_PURPOSE_PREFIXES: Final = ("", "urn:oid:2.16.840.1.113883.5.8#", f"{PURPOSE_SYSTEM}#")
"""How the code of a purpose may be introduced; the OID is that of v3-ActReason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientAssertion:
    """An assertion as it was handed in. Nothing of it counts until `check` and `verify` passed.

    Attributes:
        text: the JWT.
        algorithm: RS384 or ES384.
        kid: which key of the organisation is said to have signed.
        account: the organisation: issuer and subject.
        audience: for whom it is.
        jti: names it; good once.
        expires: its end, excluded.
        not_before: its beginning, included: the later of ``iat`` and ``nbf``; None without either.
        purposes: the purposes of use asked for, as they are written; None where none is named.
    """

    text: str
    algorithm: str
    kid: str
    account: AccountId
    audience: tuple[str, ...]
    jti: str
    expires: datetime
    not_before: datetime | None
    purposes: tuple[str, ...] | None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a JWT in its compact form.

        Raises:
            InvalidSignIn: it is none, is signed in another way than by RS384 or ES384, or lacks a
                claim.
        """
        if len(text) > _MAX_LENGTH:
            raise InvalidSignIn(f"an assertion has at most {_MAX_LENGTH} characters")
        parts = text.split(".")
        if len(parts) != 3:
            raise InvalidSignIn("an assertion is a signed JWT of three parts")
        header, claims = _object(parts[0], "header"), _object(parts[1], "body")
        algorithm = _text(header, "alg")
        if algorithm not in ALGORITHMS:
            raise InvalidSignIn(f"sign with RS384 or ES384, not {algorithm[:20]!r}")
        if not {"crit", "b64"}.isdisjoint(header):
            raise InvalidSignIn("leave crit and b64 out of the header: no extension is understood")
        issuer, subject = _text(claims, "iss"), _text(claims, "sub")
        if issuer != subject:
            raise InvalidSignIn("iss and sub are the same: the organisation's account")
        try:
            account = AccountId.parse(issuer)
        except InvalidIdentifier as error:
            raise InvalidSignIn(f"iss and sub name the account in CAIP-10: {error}") from error
        jti = _text(claims, "jti")
        if len(jti) > _MAX_JTI:
            raise InvalidSignIn(f"a jti has at most {_MAX_JTI} characters")
        begins = [_instant(claims, name) for name in ("iat", "nbf") if name in claims]
        return cls(
            text=text,
            algorithm=algorithm,
            kid=_text(header, "kid"),
            account=account,
            audience=_texts(claims.get("aud"), "aud"),
            jti=jti,
            expires=_instant(claims, "exp"),
            not_before=max(begins, default=None),
            purposes=_purposes(claims),
        )

    @property
    def until(self) -> datetime:
        """How long it must be remembered that it was used: its end, and the leeway."""
        return self.expires + LEEWAY

    def check(self, *, audience: str, now: datetime) -> None:
        """Check that it is for this place and this moment.

        Args:
            audience: the token endpoint's address; for it, and nobody beside it.
            now: the time; the assertion's end is within `MAX_LIFE` of it.

        Raises:
            InvalidSignIn: it is for another place, not yet or no longer good, or good for too long.
        """
        if self.audience != (audience,):
            raise InvalidSignIn(f"the assertion is not for {audience}: put exactly that into aud")
        if now >= self.until:
            raise InvalidSignIn(f"the assertion ended at {self.expires:%H:%M:%S} UTC: sign another")
        if self.expires > now + MAX_LIFE + LEEWAY:
            raise InvalidSignIn(f"exp lies at most {MAX_LIFE} ahead; here it is {now:%H:%M:%S} UTC")
        if self.not_before is not None and self.not_before > now + LEEWAY:
            raise InvalidSignIn(
                f"the assertion begins at {self.not_before:%H:%M:%S}, and here it is "
                f"{now:%H:%M:%S} UTC: compare the clocks"
            )

    def verify(self, key: SigningKey) -> None:
        """Check that a key signed it.

        Raises:
            InvalidSignIn: it did not, or is for the other algorithm.
        """
        if key.algorithm != self.algorithm:
            raise InvalidSignIn(f"the key {self.kid} signs with {key.algorithm}")
        try:
            jwt.PyJWS().decode(self.text, key.public_key(), algorithms=[key.algorithm])
        except jwt.InvalidTokenError as error:
            raise InvalidSignIn(f"the key {self.kid} did not sign this assertion") from error

    def purpose(self, default: Purpose) -> Purpose:
        """The one purpose asked for.

        Raises:
            InvalidSignIn: it asks for none that we know, or for several: one token has one.
        """
        if self.purposes is None:
            return default
        if len(self.purposes) != 1:
            raise InvalidSignIn("name one purpose_of_use: a token is for one, sign in for each")
        for prefix in _PURPOSE_PREFIXES:
            code = self.purposes[0].removeprefix(prefix)
            if code in set(Purpose):
                return Purpose(code)
        raise InvalidSignIn(f"a purpose_of_use is one of {', '.join(Purpose)}")


def _object(part: str, what: str) -> Object:
    try:
        octets = base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
        return parse_object(octets)
    except (binascii.Error, ValueError, InvalidDocument) as error:
        raise InvalidSignIn(f"the {what} of the assertion is no JSON object") from error


def _text(members: Object, name: str) -> str:
    value = members.get(name)
    if not isinstance(value, str) or not value:
        raise InvalidSignIn(f"the assertion needs {name}, a string")
    return value


def _texts(value: Value, name: str) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    texts = tuple(each for each in values if isinstance(each, str) and each)
    if not texts or len(texts) != len(values):
        raise InvalidSignIn(f"{name} of the assertion is a string, or a list of strings")
    return texts


def _instant(members: Object, name: str) -> datetime:
    """A NumericDate, whose fraction of a second is cut off."""
    value = members.get(name)
    if not isinstance(value, Number):
        raise InvalidSignIn(f"the assertion needs {name}, in seconds since 1970")
    whole = value.lexeme.partition(".")[0]
    if not whole.isdigit() or len(whole) > 11 or int(whole) >= _MAX_SECONDS:
        raise InvalidSignIn(f"{name} of the assertion is no time: write whole seconds since 1970")
    return datetime.fromtimestamp(int(whole), UTC)


def _purposes(claims: Object) -> tuple[str, ...] | None:
    extensions = claims.get("extensions", {})
    asked = extensions.get("hl7-b2b", {}) if isinstance(extensions, dict) else None
    if not isinstance(asked, dict):
        raise InvalidSignIn("extensions of the assertion hold hl7-b2b, an object")
    if "purpose_of_use" not in asked:
        return None
    return _texts(asked["purpose_of_use"], "purpose_of_use")
