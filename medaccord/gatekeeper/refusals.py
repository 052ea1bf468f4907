"""The one place where an error becomes an answer: a status and a FHIR OperationOutcome.

| Error                                            | Status | issue.code | details.coding.code |
|--------------------------------------------------|--------|------------|---------------------|
| AccessRefused NOT_SIGNED_IN                      | 401    | login      | its Refusal         |
| AccessRefused, the chain or ledger being in doubt| 503    | exception  | its Refusal         |
| any other AccessRefused                          | 403    | forbidden  | its Refusal         |
| EnrolmentRefused                                 | 403    | forbidden  | its class           |
| NotFound                                         | 404    | not-found  | its class           |
| Conflict                                         | 409    | conflict   | its class           |
| BodyTooLarge                                     | 413    | too-long   | its class           |
| WrongMediaType                                   | 415    | not-supported | its class        |
| NotAcceptable                                    | 406    | not-supported | its class        |
| RequestTooSlow                                   | 408    | timeout    | its class           |
| TooManyRequests (with Retry-After)               | 429    | throttled  | its class           |
| any other InvalidInput, CommitmentMismatch,      | 400    | invalid    | its class           |
| SignatureMismatch                                |        |            |                     |
| ContractReverted                                 | 422    | conflict   | the ABI error       |
| TransportError                                   | 503    | exception  | its class           |
| Overloaded (with Retry-After)                    | 503    | throttled  | its class           |
| StoreFailed                                      | 503    | exception  | its class           |
| an unknown path                                  | 404    | not-found  | NotFound            |
| an unknown method                                | 405    | not-supported | MethodNotAllowed |
| anything else                                    | 500    | exception  | InternalError       |

Source: FHIR R4 OperationOutcome, value set issue-type; RFC 9110 for the statuses.
"""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from medaccord.chain.reverts import Reverted
from medaccord.core.errors import (
    AccessRefused,
    CommitmentMismatch,
    ContractReverted,
    InvalidInput,
    MedaccordError,
    SignatureMismatch,
    StoreFailed,
    TransportError,
)
from medaccord.core.refusals import IN_DOUBT, Refusal
from medaccord.fhir.answers import operation_outcome
from medaccord.gatekeeper.errors import (
    BodyTooLarge,
    Conflict,
    EnrolmentRefused,
    NotAcceptable,
    NotFound,
    Overloaded,
    RequestTooSlow,
    TooManyRequests,
    WrongMediaType,
)

_log = logging.getLogger(__name__)

FHIR_JSON: Final = "application/fhir+json"
REVERT_HEADER: Final = "Medaccord-Revert"
"""What a contract returned as it refused, in hex, so that a client can tell it in its own terms."""

_CLASSES: Final[tuple[tuple[type[MedaccordError], int, str], ...]] = (
    (EnrolmentRefused, 403, "forbidden"),
    (NotFound, 404, "not-found"),
    (Conflict, 409, "conflict"),
    (BodyTooLarge, 413, "too-long"),
    (WrongMediaType, 415, "not-supported"),
    (NotAcceptable, 406, "not-supported"),
    (RequestTooSlow, 408, "timeout"),
    (TooManyRequests, 429, "throttled"),
    (Overloaded, 503, "throttled"),
    (InvalidInput, 400, "invalid"),
    (CommitmentMismatch, 400, "invalid"),
    (SignatureMismatch, 400, "invalid"),
    (ContractReverted, 422, "conflict"),
    (TransportError, 503, "exception"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What an error looks like from outside.

    Attributes:
        status: HTTP status.
        issue: code of the OperationOutcome's issue (value set issue-type).
        code: our code: a Refusal, or the name of an error class.
        diagnostics: one sentence that says what to do.
    """

    status: int
    issue: str
    code: str
    diagnostics: str


def problem_of(error: Exception) -> Problem:
    """Map any error; what is not ours tells the outside nothing about itself."""
    if isinstance(error, AccessRefused):
        return _refused(error)
    if isinstance(error, StoreFailed):  # its own words are for who runs the database
        return Problem(
            status=503,
            issue="exception",
            code="StoreFailed",
            diagnostics="the gatekeeper's database failed, and nothing was released; try again",
        )
    for kind, status, issue in _CLASSES:
        if isinstance(error, kind):
            return Problem(
                status=status, issue=issue, code=type(error).__name__, diagnostics=str(error)
            )
    if isinstance(error, RequestValidationError):
        return _malformed(error)
    if isinstance(error, HTTPException):
        return _routing(error)
    return Problem(
        status=500,
        issue="exception",
        code="InternalError",
        diagnostics="the gatekeeper failed and released nothing; try again, or tell the steward",
    )


def outcome_response(error: Exception, headers: Mapping[str, str] | None = None) -> Response:
    """Answer an error.

    Args:
        error: what happened.
        headers: what the answer carries beside it (the receipt of a refusal).
    """
    problem = problem_of(error)
    extra = dict(headers or {})
    if problem.status == 401:
        extra["WWW-Authenticate"] = "Bearer"
    if isinstance(error, TooManyRequests | Overloaded):
        extra["Retry-After"] = str(error.retry_after)
    if isinstance(error, Reverted):
        extra[REVERT_HEADER] = "0x" + error.data.hex()
    return Response(
        operation_outcome(issue=problem.issue, code=problem.code, diagnostics=problem.diagnostics),
        status_code=problem.status,
        media_type=FHIR_JSON,
        headers=extra,
    )


def install(app: FastAPI) -> None:
    """Have an application answer every error through `outcome_response`.

    What is ours to put right is told in the service's log, which the answer does not.
    """

    async def answer(request: Request, error: Exception) -> Response:  # no thread for so little
        if isinstance(error, InvalidInput | RequestValidationError) and _lacks_token(request):
            error = AccessRefused(Refusal.NOT_SIGNED_IN, "sign in first, and send the token")
        answered = outcome_response(error)
        # A path may fit several routes, and is refused as the first would that takes no such path.
        malformed = (
            isinstance(error, RequestValidationError) and error.errors()[0]["loc"][0] == "path"
        )
        if answered.status_code == 405 or malformed:
            methods = methods_of(app.openapi(), request.url.path)
            if request.method not in methods:
                answered = outcome_response(HTTPException(405))
                answered.headers["Allow"] = ", ".join(sorted(methods))
        if isinstance(error, MedaccordError) and answered.status_code == 500:
            _log.error("a request failed", exc_info=error)
        elif isinstance(error, StoreFailed | TransportError):
            _log.warning("a request could not be answered: %s", error)
        return answered

    for kind in (MedaccordError, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, answer)


def _lacks_token(request: Request) -> bool:
    """Whether a route wants a token and got none: then nothing else about the request is told."""
    told = getattr(request.scope.get("route"), "openapi_extra", None) or {}
    return "security" in told and "authorization" not in request.headers


def methods_of(document: Mapping[str, Any], path: str) -> set[str]:
    """The methods that a path takes, by the template with the most of its parts said outright."""
    fitting = [each for each in document["paths"] if _template(each).fullmatch(path)]
    if not fitting:
        return set()
    closest = min(fitting, key=lambda template: template.count("{"))
    return {method.upper() for method in document["paths"][closest]}


@cache
def _template(path: str) -> re.Pattern[str]:
    parts = re.split(r"\{[^}]+\}", path)
    return re.compile("[^/]+".join(map(re.escape, parts)))


def _refused(error: AccessRefused) -> Problem:
    if error.reason is Refusal.NOT_SIGNED_IN:
        status, issue = 401, "login"
    elif error.reason in IN_DOUBT:
        status, issue = 503, "exception"
    else:
        status, issue = 403, "forbidden"
    return Problem(status=status, issue=issue, code=error.reason.value, diagnostics=error.detail)


def _malformed(error: RequestValidationError) -> Problem:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"] if part != "body") or "the body"
    return Problem(
        status=400,
        issue="invalid",
        code="InvalidRequest",
        diagnostics=f"{where}: {first['msg'][:1].lower()}{first['msg'][1:]}",
    )


def _routing(error: HTTPException) -> Problem:
    if error.status_code == 404:
        return Problem(
            status=404, issue="not-found", code="NotFound", diagnostics="no such path here"
        )
    if error.status_code == 405:
        return Problem(
            status=405,
            issue="not-supported",
            code="MethodNotAllowed",
            diagnostics="this path does not take this method",
        )
    return Problem(
        status=error.status_code,
        issue="invalid",
        code="InvalidRequest",
        diagnostics=f"{error.detail}",
    )
