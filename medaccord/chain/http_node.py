"""JSON-RPC over HTTP: one connection kept alive, calls in batches, answers checked."""

from __future__ import annotations

import json
import time
import weakref
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final, Protocol, TypeAlias, cast, runtime_checkable

import httpx
from web3 import HTTPProvider
from web3.exceptions import BadResponseFormat
from web3.types import RPCEndpoint, RPCResponse

from medaccord.chain.trust import trusted

Call: TypeAlias = tuple[str, Sequence[Any]]
"""Method and parameters of one call."""

_MOST_BYTES: Final = 256 * 2**20
"""Longest answer read; the logs of a busy range are far below."""

_DEEPEST: Final = 100
"""Honest answers lie about ten brackets deep."""

_ALL_BUT_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))

_NEVER_TWICE: Final = ("eth_send", "personal_")


@runtime_checkable
class Batching(Protocol):
    """A provider that sends several calls at once."""

    def batch(self, calls: Sequence[Call]) -> list[RPCResponse]:
        """The answers to some calls, in their order."""


class HttpNode(HTTPProvider):
    """A node at a URL. Any number of threads may share it.

    An answer counts only if it is JSON-RPC and names the call it answers, and only if it is there
    in time, however slowly it drips in.
    """

    def __init__(self, url: str, *, timeout: timedelta) -> None:
        """Nothing is asked yet.

        Args:
            url: the node's JSON-RPC address, `http://…` or `https://…`.
            timeout: how long one call, or one batch, may take in all.
        """
        super().__init__(url)
        self._timeout = timeout.total_seconds()
        self._client = httpx.Client(verify=trusted(), headers={"content-type": "application/json"})
        weakref.finalize(self, self._client.close)

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """Make one call.

        Raises:
            OSError: the node cannot be reached, or not in time.
            BadResponseFormat: what it answered is no answer to this call.
        """
        sent = self.encode_rpc_request(method, params)
        answer = self._exchange(sent, again=not method.startswith(_NEVER_TWICE))
        if not isinstance(answer, dict):
            raise BadResponseFormat(f"no answer of JSON-RPC: {answer!r:.200}")
        # A node that could not read the call answers an error that names none.
        if answer.get("id") != json.loads(sent)["id"] and "error" not in answer:
            raise BadResponseFormat("the answer is to another call")
        return cast(RPCResponse, answer)

    def batch(self, calls: Sequence[Call]) -> list[RPCResponse]:
        """Make several calls that change nothing, in one exchange.

        Args:
            calls: at least one; whoever calls bounds how many.

        Raises:
            OSError: the node cannot be reached, or not in time.
            BadResponseFormat: what it answered are no answers to these calls.
        """
        requests = [self.encode_rpc_request(RPCEndpoint(name), params) for name, params in calls]
        answers = self._exchange(b"[" + b",".join(requests) + b"]", again=True)
        if isinstance(answers, dict):
            refusal = answers.get("error", answers)
            raise BadResponseFormat(f"the node refused a batch of calls: {refusal!r:.200}")
        if not isinstance(answers, list) or not all(isinstance(each, dict) for each in answers):
            raise BadResponseFormat(f"no answers of JSON-RPC: {answers!r:.200}")
        by_id = {str(each.get("id")): each for each in answers}
        wanted = [str(json.loads(each)["id"]) for each in requests]
        if len(answers) != len(wanted) or by_id.keys() != set(wanted):
            raise BadResponseFormat("the answers are to other calls")
        return [cast(RPCResponse, by_id[each]) for each in wanted]

    def _exchange(self, sent: bytes, *, again: bool) -> Any:
        until = time.monotonic() + self._timeout
        try:
            if again:
                # A node closes idle connections when it likes: one such loss says nothing about it.
                with suppress(httpx.NetworkError, httpx.RemoteProtocolError):
                    return self._post(sent, until)
            return self._post(sent, until)
        except httpx.TimeoutException as error:
            raise TimeoutError(f"no answer within {self._timeout:g} seconds") from error
        # These quote the address or parts of it, where a password or a key of the provider may be.
        except httpx.HTTPStatusError as error:
            raise ConnectionError(f"HTTP status {error.response.status_code}") from None
        except (httpx.InvalidURL, UnicodeError):
            raise ConnectionError("its address is malformed") from None
        except httpx.HTTPError as error:
            raise ConnectionError(str(error) or type(error).__name__) from error

    def _post(self, sent: bytes, until: float) -> Any:
        left = max(until - time.monotonic(), 0.001)
        read = bytearray()
        with self._client.stream(
            "POST", str(self.endpoint_uri), content=sent, timeout=left
        ) as response:
            response.raise_for_status()
            for piece in response.iter_bytes():
                read += piece
                if time.monotonic() > until:
                    raise httpx.ReadTimeout("the answer dripped in too slowly")
                if len(read) > _MOST_BYTES:
                    raise BadResponseFormat(f"an answer of more than {_MOST_BYTES:,} bytes")
        if is_too_deep(read):
            raise BadResponseFormat(f"no JSON that can be read: {bytes(read[:80])!r}")
        try:
            return json.loads(read)
        except ValueError as error:  # the encoding can be wrong, and a number too long
            raise BadResponseFormat(f"no JSON: {bytes(read[:80])!r}") from error


def is_too_deep(text: bytearray) -> bool:
    """Whether brackets lie so deep in each other that parsing them could end the process.

    Pairs are taken away from the inside out; brackets within strings matter too little to look.
    """
    left = text.translate(None, delete=_ALL_BUT_BRACKETS)
    for _ in range(_DEEPEST):
        left = left.replace(b"[]", b"").replace(b"{}", b"")
    return len(left) > 2 * _DEEPEST
