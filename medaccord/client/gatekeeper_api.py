"""A gatekeeper over HTTP: what it answers, and its refusals as our errors."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final, TypeAlias

import httpx

from medaccord.chain import reverts
from medaccord.chain.trust import trusted
from medaccord.core.canonical import parse_object
from medaccord.core.errors import (
    AccessRefused,
    InvalidDocument,
    InvalidInput,
    InvalidRequest,
    TransportError,
    VerificationFailed,
)
from medaccord.core.refusals import Refusal
from medaccord.fhir.outcomes import parse_outcome

Query: TypeAlias = Mapping[str, str | Sequence[str]]
"""Parameters of a query by name; one that is given several times has a list."""

REVERT_HEADER: Final = "Medaccord-Revert"
"""Header with what a contract returned as it refused, in hex."""

_TIMEOUT_SECONDS: Final = 30.0

_SILENCE_SECONDS: Final = 45.0
"""How long a stream may say nothing: gatekeepers send a comment every 15 seconds."""

MAX_ANSWER: Final = 256 * 1024 * 1024
"""Bytes of the longest answer taken, inclusive; gatekeepers answer in pages far shorter."""

_WHOLE_SECONDS: Final = 300.0
"""How long an answer may go on coming."""

_CODED: Final = (b"content-encoding", b"content-length", b"transfer-encoding")
"""Headers that tell how an answer came, and not what it says."""

_BROKEN: Final = (httpx.HTTPError, httpx.InvalidURL, UnicodeError)
"""What is raised for an address, a header or an answer that is none."""

_MAX_DIGITS: Final = 20


class GatekeeperApi:
    """One gatekeeper. Any number of threads may share it.

    Attributes:
        url: Where it answers, without a slash at the end.
    """

    def __init__(self, url: str, *, http: httpx.Client | None = None) -> None:
        """Speak to a gatekeeper; nothing is sent yet.

        Args:
            url: Its address, http or https.
            http: The client to send with, for certificates or proxies of one's own.
        """
        self.url = url.rstrip("/")
        self._http = http or httpx.Client(verify=trusted(), timeout=_TIMEOUT_SECONDS)
        self._is_own = http is None

    def close(self) -> None:
        """Close the connections, unless the client was handed in."""
        if self._is_own:
            self._http.close()

    def get(
        self,
        path: str,
        *,
        parameters: Query | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Ask for something.

        Args:
            path: With its leading slash, or a whole address under `url`, as links of pages are.
            parameters: Of the query.
            headers: Beside the usual ones.

        Raises:
            AccessRefused: The gatekeeper refuses, with its reason.
            InvalidRequest: The gatekeeper cannot make sense of the request.
            ContractReverted: A contract would refuse; of the class of the contract's own error.
            TransportError: No answer, or one that is not a gatekeeper's.
        """
        return self._send("GET", path, params=dict(parameters or {}), headers=headers)

    def post(
        self,
        path: str,
        body: Mapping[str, Any],
        *,
        parameters: Query | None = None,
        headers: Mapping[str, str] | None = None,
        patience: timedelta | None = None,
    ) -> dict[str, Any]:
        """Hand something in; the answer's JSON object. Errors as `get`.

        Args:
            path: As for `get`.
            body: What is handed in.
            parameters: Of the query.
            headers: Beside the usual ones.
            patience: How long the answer may take; as long as any other unless given.
        """
        options: dict[str, Any] = {}
        if patience is not None:
            options["timeout"] = patience.total_seconds()
        answer = self._send(
            "POST", path, json=dict(body), params=dict(parameters or {}), headers=headers, **options
        )
        return json_object(answer)

    def put(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Put something in its place; the answer's JSON object. Errors as `get`."""
        return json_object(self._send("PUT", path, json=dict(body)))

    def delete(self, path: str, *, headers: Mapping[str, str] | None = None) -> None:
        """Delete something. Errors as `get`."""
        self._send("DELETE", path, headers=headers)

    @contextmanager
    def stream(
        self,
        path: str,
        *,
        parameters: Query | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Iterator[Iterator[bytes]]:
        """What an answer holds, as it comes. Errors as `get`, also while it is read."""
        try:
            with self._http.stream(
                "GET",
                self._address(path),
                params=dict(parameters or {}),
                headers=headers,
                follow_redirects=False,
                timeout=_SILENCE_SECONDS,
            ) as answer:
                if not answer.is_success:
                    raise _error(_whole(answer, 0.0))
                yield answer.iter_bytes()
        except _BROKEN as error:
            raise TransportError(f"the stream of {self.url} broke: {error}") from error

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        url = self._address(path)
        if not options.get("params"):
            options.pop("params", None)  # httpx would drop the query of a page's link
        try:
            # Wherever it would send us on to, neither token nor question goes there.
            with self._http.stream(method, url, follow_redirects=False, **options) as coming:
                answer = _whole(coming, options.get("timeout", 0.0))
        except _BROKEN as error:
            raise TransportError(f"no gatekeeper answers at {self.url}: {error}") from error
        if answer.is_success:
            return answer
        raise _error(answer)

    def _address(self, path: str) -> str:
        if path.startswith("/"):
            return self.url + path
        if not path.startswith(self.url + "/"):
            # A token must not follow a link to somewhere else.
            raise TransportError(f"the gatekeeper at {self.url} links elsewhere: {path}")
        return path


def _whole(coming: httpx.Response, patience: float) -> httpx.Response:
    """An answer once it is there, from somebody who is not trusted to keep to any bound.

    Raises:
        TransportError: it is too long, or does not end.
    """
    content = bytearray()
    ends = time.monotonic() + max(_WHOLE_SECONDS, patience)
    for piece in coming.iter_bytes():
        content += piece
        if len(content) > MAX_ANSWER:
            raise TransportError(f"{coming.url.host} answers with more than {MAX_ANSWER} bytes")
        if time.monotonic() > ends:
            raise TransportError(f"{coming.url.host} does not come to the end of its answer")
    kept = [each for each in coming.headers.raw if each[0].lower() not in _CODED]
    return httpx.Response(
        coming.status_code, headers=kept, content=bytes(content), request=coming.request
    )


def json_object(answer: httpx.Response) -> dict[str, Any]:
    """The JSON object in an answer.

    Raises:
        TransportError: It holds none.
    """
    with reading_answer(str(answer.url.copy_with(query=None))):
        parse_object(answer.content)  # refuses what plain json would take: NaN, names twice, depth
        body: dict[str, Any] = json.loads(answer.content, parse_int=_integer)
        return body


@contextmanager
def reading_answer(where: str) -> Iterator[None]:
    """Read an answer: what is malformed in it is the gatekeeper's fault, not the caller's.

    Args:
        where: Address of whoever answered.

    Raises:
        TransportError: For any InvalidInput raised inside.
    """
    try:
        yield
    except InvalidInput as error:
        raise TransportError(f"{where} does not answer as a gatekeeper does: {error}") from error


def _integer(lexeme: str) -> int:
    if len(lexeme) > _MAX_DIGITS:
        raise InvalidDocument(f"an integer of {len(lexeme)} digits has no exact form in JSON")
    return int(lexeme)


def _error(answer: httpx.Response) -> Exception:
    """The error that an OperationOutcome stands for."""
    code, words = _outcome(answer)
    if code in _REFUSALS:
        return AccessRefused(Refusal(code), words)
    if answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY:
        return reverts.from_data(_revert_data(answer), message=words)
    if answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
        return TransportError(f"{answer.url}: {words}")
    if code.endswith("Mismatch"):
        return VerificationFailed(words)
    return InvalidRequest(words)


def _revert_data(answer: httpx.Response) -> bytes:
    """What the contract said, so that it can be told in its own terms; nothing if not sent."""
    try:
        return bytes.fromhex(answer.headers.get(REVERT_HEADER, "").removeprefix("0x"))
    except ValueError:
        return b""


_REFUSALS: Final = frozenset(reason.value for reason in Refusal)


def _outcome(answer: httpx.Response) -> tuple[str, str]:
    try:
        outcome = parse_outcome(answer.content)
    except InvalidDocument as error:
        raise TransportError(
            f"{answer.url} answered {answer.status_code}, not as a gatekeeper does"
        ) from error
    return outcome.code, outcome.diagnostics
