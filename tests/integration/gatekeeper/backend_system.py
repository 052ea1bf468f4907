"""An organisation's own system, which signs in by SMART Backend Services with outside libraries."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from medaccord.chain import Contracts, Sender, actions
from medaccord.core.key_sets import SigningKey
from medaccord.core.profiles import OrganisationProfile
from medaccord.keys import LocalSigner
from tests.integration.conftest import KEY
from tests.integration.gatekeeper.desk import Desk

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@dataclass(slots=True, kw_only=True)
class BackendSystem:
    """Holds the keys of one organisation's system."""

    desk: Desk
    contracts: Contracts
    sender: Sender
    organisation: LocalSigner
    key: PrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP384R1()))
    kid: str = "key-1"

    @property
    def account(self) -> str:
        return self.desk.account(self.organisation)

    @property
    def token_url(self) -> str:
        return f"{self.desk.url}/token"

    def profile(self, *keys: PrivateKey, **members: Any) -> OrganisationProfile:
        """A profile with the system's key, or with these, named key-1, key-2 and so on."""
        named = [
            SigningKey.of(key.public_key(), kid=f"key-{number}")
            for number, key in enumerate(keys or (self.key,), start=1)
        ]
        values: dict[str, Any] = {"name": "Clinic", "jwks": tuple(named)} | members
        account = self.contracts.account_id(self.organisation.address)
        return OrganisationProfile(account=account, **values)

    def register(self, profile: OrganisationProfile) -> None:
        """Have the chain name a profile."""
        action = actions.publish(
            self.contracts, account=self.organisation.address, key=KEY, profile=profile.hash
        )
        actions.submit(self.sender, actions.signed(action, self.organisation))

    def hand_in(self, profile: OrganisationProfile) -> httpx.Response:
        path = f"/directory/{self.organisation.address}"
        return self.desk.http.put(path, json=profile.document())

    def publish(self, profile: OrganisationProfile) -> None:
        """Have the chain name a profile, and bring it to the gatekeeper."""
        self.register(profile)
        answer = self.hand_in(profile)
        assert answer.status_code == 200, answer.text

    def claims(self, *, exp: float = 240, **claims: Any) -> dict[str, Any]:
        """Claims of an assertion that ends in so many seconds; None leaves a claim out."""
        values = {
            "iss": self.account,
            "sub": self.account,
            "aud": self.token_url,
            "jti": secrets.token_hex(16),
            "exp": self.desk.now().timestamp() + exp,
        }
        return {name: value for name, value in (values | claims).items() if value is not None}

    def assertion(
        self,
        claims: dict[str, Any] | None = None,
        *,
        key: Any = None,
        algorithm: str | None = None,
        **headers: Any,
    ) -> str:
        is_rsa = isinstance(self.key, rsa.RSAPrivateKey)
        return jwt.encode(
            self.claims() if claims is None else claims,
            self.key if key is None else key,
            algorithm or ("RS384" if is_rsa else "ES384"),
            headers={"kid": self.kid} | headers,
        )

    def ask(self, assertion: str | None = None, **fields: str | None) -> httpx.Response:
        """Ask for a token; None leaves a field out."""
        values = {
            "grant_type": "client_credentials",
            "scope": "system/*.rs",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": self.assertion() if assertion is None else assertion,
        }
        form = {name: value for name, value in (values | fields).items() if value is not None}
        return self.desk.http.post("/token", data=form)

    def sign_in(self, purposes: Sequence[str] | None = None) -> dict[str, str]:
        """Headers of the system, signed in."""
        asked = {} if purposes is None else {"purpose_of_use": list(purposes)}
        claims = self.claims(extensions={"hl7-b2b": asked}) if asked else self.claims()
        answer = self.ask(self.assertion(claims))
        assert answer.status_code == 200, answer.text
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def assert_no_token(answer: httpx.Response, code: str, words: str) -> None:
    """A refusal as RFC 6749 has it, with these words in its description."""
    status = 401 if code == "invalid_client" else 400
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert set(body) == {"error", "error_description"}
    assert body["error"] == code
    assert words in body["error_description"]
