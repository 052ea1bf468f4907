"""Signing in without a person: SMART Backend Services, by a key of the organisation's profile.

The profile is named by the chain and was handed in at `PUT /directory/{account}`; nothing is ever
fetched. What the token opens is not in its scope but in the patients' consents, so that
`system/*.rs` is what everybody gets who asks for that or for less.

Source: SMART App Launch 2.2, "Backend Services"; RFC 6749 sections 4.4 and 5; RFC 7523.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal
from urllib.parse import parse_qsl

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel
from starlette.responses import JSONResponse

from medaccord.core.client_assertions import ClientAssertion
from medaccord.core.errors import AccessRefused, InvalidScope, InvalidSignIn
from medaccord.core.purposes import Purpose
from medaccord.core.refusals import Refusal
from medaccord.core.scopes import Scope
from medaccord.gatekeeper.directory import Directory
from medaccord.gatekeeper.errors import TokenRefused
from medaccord.gatekeeper.foundation import Foundation
from medaccord.gatekeeper.openapi import REFUSALS, Responses, Tag
from medaccord.gatekeeper.tokens import SCOPE, TOKEN_LIFE, Session, Tokens

GRANT_TYPE: Final = "client_credentials"
ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
TOKEN_PATH: Final = "/token"

_MAX_FIELDS: Final = 20
_MAX_SCOPES: Final = 64


class BackendServices:
    """Takes client assertions for tokens."""

    def __init__(self, base: Foundation, *, directory: Directory, tokens: Tokens, url: str) -> None:
        """Answer at an address, without a slash at its end: assertions are for its /token."""
        self._standing = base.standing
        self._ledger = base.ledger
        self._chain_id = base.network.chain_id
        self._directory = directory
        self._tokens = tokens
        self.token_url = url + TOKEN_PATH

    def redeem(self, form: Mapping[str, str]) -> tuple[str, Session]:
        """Take the fields of a token request for a token.

        Raises:
            AccessRefused: CHAIN_UNREACHABLE and its like.
            TokenRefused: for everything else, with OAuth's code.
        """
        if "grant_type" not in form:
            raise TokenRefused("invalid_request", f"send grant_type={GRANT_TYPE}")
        if form["grant_type"] != GRANT_TYPE:
            raise TokenRefused("unsupported_grant_type", f"the grant type here is {GRANT_TYPE}")
        if form.get("client_assertion_type") != ASSERTION_TYPE or "client_assertion" not in form:
            raise _client(f"send a client_assertion, and client_assertion_type={ASSERTION_TYPE}")
        _check_scope(form.get("scope", SCOPE))
        try:
            assertion = ClientAssertion.parse(form["client_assertion"])
            assertion.check(audience=self.token_url, now=self._standing.clock())
        except InvalidSignIn as error:
            raise _client(error.problem) from error
        if form.get("client_id", str(assertion.account)) != str(assertion.account):
            raise _client("client_id, where it is sent, is the organisation's account, as iss")
        thumbprint = self._signed_by(assertion)
        try:
            purpose = assertion.purpose(Purpose.TREAT)
        except InvalidSignIn as error:
            raise TokenRefused("invalid_grant", error.problem) from error
        account = assertion.account.address
        try:
            return self._tokens.give(
                account=account,
                by=account,
                purpose=purpose,
                key=thumbprint,
                once=f"{assertion.account}|{assertion.jti}",
                until=assertion.until,
            )
        except AccessRefused as error:
            if error.reason is not Refusal.NOT_SIGNED_IN:
                raise
            raise _client("this assertion was used before, or ended: sign another") from error

    def _signed_by(self, assertion: ClientAssertion) -> str:
        """Thumbprint of the key that signed, which is in force now."""
        account = assertion.account
        self._standing.require_fresh()
        now = self._standing.clock()
        standing = self._ledger.standing(account.address, now=now)
        if account.chain_id != self._chain_id or standing is None:
            raise _client(f"{account} is no organisation of this network")
        if not standing.active:
            raise _client(f"{account} is suspended by the consortium")
        keys = [each for each in self._directory.keys(account.address) if each.kid == assertion.kid]
        if len(keys) != 1:
            raise _client(
                f"no key in force of {account} has the kid {assertion.kid[:128]!r}: hand in the "
                f"profile that the registry names, at PUT /directory/{account.address}"
            )
        try:
            assertion.verify(keys[0])
        except InvalidSignIn as error:
            raise _client(error.problem) from error
        return keys[0].thumbprint


class TokenAnswer(BaseModel):
    """What a token request gets."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"
    expires_in: int
    scope: str
    purpose_of_use: Purpose


class TokenError(BaseModel):
    """What a refused token request gets. Source: RFC 6749, section 5.2."""

    error: Literal[
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "invalid_scope",
        "unsupported_grant_type",
    ]
    error_description: str


_FORM: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/x-www-form-urlencoded": {
                "schema": {
                    "type": "object",
                    "required": ["grant_type", "client_assertion_type", "client_assertion"],
                    "properties": {
                        "grant_type": {"const": GRANT_TYPE},
                        "scope": {"type": "string", "default": SCOPE},
                        "client_assertion_type": {"const": ASSERTION_TYPE},
                        "client_assertion": {"type": "string", "format": "jwt"},
                        "client_id": {"type": "string"},
                    },
                }
            }
        },
    }
}


async def _body(request: Request) -> bytes:
    return await request.body()


def routes(backend: BackendServices) -> APIRouter:
    """POST /token."""
    router = APIRouter(tags=[Tag.SIGN_IN])
    refused: Responses = {
        status: {**REFUSALS[status], "model": TokenError} for status in (400, 401)
    }

    @router.post(
        TOKEN_PATH,
        summary="Take a client assertion for a token",
        response_model=TokenAnswer,
        responses={**REFUSALS, **refused},
        openapi_extra=_FORM,
    )
    def token(body: Annotated[bytes, Depends(_body)]) -> JSONResponse:
        try:
            bearer, session = backend.redeem(_fields(body))
        except TokenRefused as error:
            return JSONResponse(
                {"error": error.code, "error_description": error.problem},
                status_code=401 if error.code == "invalid_client" else 400,
            )
        answer = TokenAnswer(
            access_token=bearer,
            expires_in=int(TOKEN_LIFE.total_seconds()),
            scope=SCOPE,
            purpose_of_use=session.purpose,
        )
        return JSONResponse(answer.model_dump(mode="json"), headers={"Pragma": "no-cache"})

    return router


def _fields(body: bytes) -> dict[str, str]:
    """The fields of a form, each once; one without a value counts as left out (RFC 6749, 3.2)."""
    try:
        pairs = parse_qsl(
            body.decode(),
            keep_blank_values=True,
            strict_parsing=bool(body),
            max_num_fields=_MAX_FIELDS,
            errors="strict",
        )
    except ValueError as error:
        raise TokenRefused("invalid_request", "send a form, of at most 20 fields") from error
    if len({name for name, _ in pairs}) != len(pairs):
        raise TokenRefused("invalid_request", "send each field once")
    return {name: value for name, value in pairs if value}


def _check_scope(text: str) -> None:
    scopes = text.split(" ")
    if len(scopes) > _MAX_SCOPES:
        raise TokenRefused("invalid_scope", f"ask for {SCOPE}, or at most {_MAX_SCOPES} scopes")
    for scope in scopes:
        context, slash, rest = scope.partition("/")
        if context != "system" or not slash:
            raise TokenRefused("invalid_scope", f"scopes here are {SCOPE} and parts of it")
        try:
            Scope.parse(f"patient/{rest}")
        except InvalidScope as error:
            problem = error.problem.replace("patient/", "system/")
            raise TokenRefused("invalid_scope", problem) from error


def _client(problem: str) -> TokenRefused:
    return TokenRefused("invalid_client", problem)
