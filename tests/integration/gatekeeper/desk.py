"""What people and organisations say to a gatekeeper over HTTP, in tests."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import httpx
from eth_utils.crypto import keccak

from medaccord.chain import Contracts, actions
from medaccord.chain.trust import trusted
from medaccord.core.identifiers import ZERO_DIGEST, Address, Digest, digest, hex_digest
from medaccord.core.purposes import Purpose
from medaccord.core.receipts import SignedReceipt
from medaccord.core.refusals import Refusal
from medaccord.core.requests import AccessRequest
from medaccord.core.scopes import Scope
from medaccord.core.terms import Terms
from medaccord.core.typed_data import typed
from medaccord.fhir import parse_outcome, parse_searchset
from medaccord.gatekeeper.fhir_answers import RECEIPT_HEADER
from medaccord.keys import LocalSigner, Signer


def salt() -> Digest:
    return digest(os.urandom(32))


def as_time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def code_of(answer: httpx.Response) -> str:
    """The code of a refusal; fails on an answer that is no OperationOutcome."""
    assert answer.headers["content-type"] == "application/fhir+json"
    return parse_outcome(answer.content).code


def assert_refused(answer: httpx.Response, status: int, code: Refusal | str) -> None:
    assert (answer.status_code, code_of(answer)) == (status, str(code)), answer.text


def ids_of(answer: httpx.Response) -> list[str]:
    """The ids of the records of a page, in their order."""
    assert answer.status_code == 200, answer.text
    return [str(entry.resource["id"]) for entry in parse_searchset(answer.content).entries]


def receipt_of(answer: httpx.Response) -> SignedReceipt:
    text = answer.headers[RECEIPT_HEADER]
    return SignedReceipt.parse(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


@dataclass(slots=True, kw_only=True)
class Desk:
    """One gatekeeper as its visitors see it."""

    url: str
    contracts: Contracts
    steward: Address
    http: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self.http = httpx.Client(verify=trusted(), base_url=self.url, timeout=60)

    def now(self) -> datetime:
        return self.contracts.network.clock().replace(microsecond=0)

    def account(self, signer: LocalSigner | Address) -> str:
        address = signer.address if isinstance(signer, LocalSigner) else signer
        return str(self.contracts.account_id(address))

    # --- Signing in ---

    def challenge(
        self,
        signer: Signer,
        account: Address | None = None,
        *,
        purpose: Purpose | None = None,
    ) -> str:
        body = {"account": account or signer.address, "by": signer.address}
        asked = {} if purpose is None else {"purpose": purpose.value}
        answer = self.http.post("/sign-in/challenge", json=body | asked)
        assert answer.status_code == 200, answer.text
        message: str = answer.json()["message"]
        return message

    def redeem(self, message: str, signature: bytes) -> httpx.Response:
        body = {"message": message, "signature": "0x" + signature.hex()}
        return self.http.post("/sign-in", json=body)

    def sign_in(
        self,
        signer: Signer,
        account: Address | None = None,
        *,
        purpose: Purpose | None = None,
    ) -> dict[str, str]:
        """Headers of somebody signed in, for a purpose; the gatekeeper's default unless given."""
        message = self.challenge(signer, account, purpose=purpose)
        answer = self.redeem(message, signer.sign_text(message))
        assert answer.status_code == 200, answer.text
        return {"Authorization": f"Bearer {answer.json()['token']}"}

    # --- Reading ---

    def get(
        self,
        path: str,
        headers: Mapping[str, str],
        patient: LocalSigner | Address,
        purpose: Purpose | None = None,
        **parameters: str,
    ) -> httpx.Response:
        extra = {} if purpose is None else {"Purpose-Of-Use": purpose.value}
        query = {"patient": self.account(patient)} | parameters
        return self.http.get(f"/fhir/{path}", params=query, headers={**headers, **extra})

    def audit(self, patient: LocalSigner, **parameters: str) -> dict[str, Any]:
        answer = self.http.get("/audit", params=parameters, headers=self.sign_in(patient))
        assert answer.status_code == 200, answer.text
        log: dict[str, Any] = answer.json()
        return log

    # --- Enrolling ---

    def enrol(
        self,
        signer: LocalSigner,
        code: str,
        *,
        by: LocalSigner | None = None,
        deadline: datetime | None = None,
        steward: Address | None = None,
    ) -> httpx.Response:
        by = by or signer
        until = deadline or self.now() + timedelta(minutes=5)
        message = typed(
            self.contracts.off_chain_domain,
            "Enrolment",
            account=signer.address,
            steward=steward or self.steward,
            code=digest(keccak(text=code)),
            deadline=int(until.timestamp()),
        )
        return self.http.post(
            "/enrolments",
            json={
                "account": signer.address,
                "by": by.address,
                "code": code,
                "deadline": as_time(until),
                "signature": "0x" + by.sign(message).hex(),
            },
        )

    # --- Relaying ---

    def relay(
        self,
        action: actions.Action,
        signer: LocalSigner,
        *,
        terms: Terms | None = None,
        wait: bool = True,
    ) -> httpx.Response:
        body: dict[str, Any] = {"action": actions.signed(action, signer).to_document()}
        if terms is not None:
            body["terms"] = terms.document()
        return self.http.post("/relay", params={"wait": str(wait).lower()}, json=body)

    def accept(self, patient: LocalSigner) -> httpx.Response:
        action = actions.accept(
            self.contracts, patient=patient.address, steward=self.steward, account=patient.address
        )
        return self.relay(action, patient)

    # --- Consenting ---

    def terms(self, *scopes: str, purpose: Purpose = Purpose.TREAT) -> Terms:
        return Terms(
            stewards=(self.contracts.account_id(self.steward),),
            scopes=tuple(Scope.parse(scope) for scope in scopes),
            purposes=(purpose,),
            include_undated=True,
            salt=salt(),
        )

    def consent(
        self,
        patient: LocalSigner,
        grantee: LocalSigner,
        terms: Terms,
        *,
        request: Digest = ZERO_DIGEST,
        days: int = 30,
    ) -> actions.Action:
        return actions.grant(
            self.contracts,
            patient=patient.address,
            grantee=grantee.address,
            terms=terms.commitment,
            valid_from=self.now() - timedelta(hours=1),
            valid_until=self.now() + timedelta(days=days),
            request=request,
        )

    def grant(self, patient: LocalSigner, grantee: LocalSigner, *scopes: str) -> Digest:
        """Consent, relayed with its opening; the id of the consent."""
        terms = self.terms(*scopes)
        action = self.consent(patient, grantee, terms)
        answer = self.relay(action, patient, terms=terms)
        assert answer.status_code == 200, answer.text
        return action.digest

    # --- Asking ---

    def request(
        self, requester: LocalSigner, patient: LocalSigner, **changes: Any
    ) -> AccessRequest:
        values: dict[str, Any] = {
            "requester": self.contracts.account_id(requester.address),
            "patient": self.contracts.account_id(patient.address),
            "steward": self.contracts.account_id(self.steward),
            "terms": self.terms("patient/Observation.rs?category=laboratory"),
            "valid_from": self.now(),
            "valid_until": self.now() + timedelta(days=30),
            "issued_at": self.now(),
            "nonce": salt(),
        }
        return AccessRequest(**(values | changes))

    def ask(
        self, request: AccessRequest, signer: LocalSigner, *, by: Address | None = None
    ) -> httpx.Response:
        signature = signer.sign(request.typed(self.contracts.off_chain_domain))
        return self.http.post(
            "/requests",
            json={
                "request": request.document(),
                "by": by or signer.address,
                "signature": "0x" + signature.hex(),
            },
        )

    def open_terms(
        self, headers: Mapping[str, str], patient: LocalSigner, consent: Digest, terms: Terms
    ) -> httpx.Response:
        return self.http.post(
            "/openings",
            headers=dict(headers),
            json={
                "patient": patient.address,
                "consent": hex_digest(consent),
                "terms": terms.document(),
            },
        )
