"""JSON-RPC 2.0 over HTTP, in front of a chain that is in this process: an ASGI application.

It is for programs of this machine. Where a browser runs, pages of strangers are programs of this
machine too: a request must name a loopback host (a name that is pointed at 127.0.0.1 afterwards is
none) and send JSON (for which a browser asks first, by OPTIONS, which is refused).

Source: JSON-RPC 2.0; EIP-1474 (codes of errors).
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from email.message import Message
from typing import Any, Final
from urllib.parse import urlsplit

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from web3.types import RPCResponse

from medaccord.chain.http_node import is_too_deep

MAX_BODY_BYTES: Final = 512 * 1024
"""Longest body of a request, inclusive; the longest transaction that we send has a tenth."""

MAX_BATCH: Final = 1000
"""Most calls of one batch, inclusive."""

METHODS: Final = (
    *("web3_clientVersion", "web3_sha3", "net_version", "eth_chainId", "eth_syncing"),
    *("eth_blockNumber", "eth_getBlockByNumber", "eth_getBlockByHash"),
    *("eth_getBlockTransactionCountByNumber", "eth_getBlockTransactionCountByHash"),
    *("eth_getBlockReceipts", "eth_getLogs", "eth_getTransactionByHash"),
    *("eth_getTransactionByBlockHashAndIndex", "eth_getTransactionByBlockNumberAndIndex"),
    *("eth_getTransactionReceipt", "eth_getTransactionCount", "eth_sendRawTransaction"),
    *("eth_call", "eth_estimateGas", "eth_getBalance", "eth_getCode", "eth_getStorageAt"),
    *("eth_gasPrice", "eth_maxPriorityFeePerGas", "eth_feeHistory"),
)
"""What is answered. Nothing signs here, so that a key is needed for whatever changes the chain."""

_PARSE_ERROR: Final = -32700
_INVALID_REQUEST: Final = -32600
_METHOD_NOT_FOUND: Final = -32601
_INVALID_PARAMS: Final = -32602
_INTERNAL_ERROR: Final = -32603

_LONGEST_MESSAGE: Final = 300


class RpcServer:
    """Answers JSON-RPC for one chain; an ASGI application. One call is answered at a time."""

    def __init__(self, ask: Callable[[str, list[Any]], RPCResponse]) -> None:
        """Answer for a chain.

        Args:
            ask: makes a call, of one of `METHODS` with any parameters, and gives its answer as JSON
                has it. Whatever it raises becomes an error of JSON-RPC.
        """
        self._ask = ask
        self._turn = ThreadPoolExecutor(max_workers=1, thread_name_prefix="json-rpc")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request of HTTP."""
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        try:
            response = await self._response(request)
        except ClientDisconnect:
            return
        await response(scope, receive, send)

    async def _response(self, request: Request) -> Response:
        if not _is_loopback(request.headers.getlist("host")):
            return _failed(
                403, _INVALID_REQUEST, "ask for 127.0.0.1 or localhost: no other host is here"
            )
        if request.method != "POST":
            refused = _failed(405, _INVALID_REQUEST, "send calls by POST")
            refused.headers["allow"] = "POST"
            return refused
        if _media_type(request.headers.getlist("content-type")) != "application/json":
            return _failed(415, _INVALID_REQUEST, "send calls as application/json")
        body = bytearray()
        async for piece in request.stream():
            body += piece
            if len(body) > MAX_BODY_BYTES:
                return _failed(
                    413, _INVALID_REQUEST, f"a request has at most {MAX_BODY_BYTES} bytes"
                )
        loop = asyncio.get_running_loop()
        answer = await loop.run_in_executor(self._turn, self.answer, bytes(body))
        return Response(status_code=204) if answer is None else _json(200, answer)

    def answer(self, body: bytes) -> Any:
        """The answer to a call or a batch of them; None where they want none.

        Args:
            body: JSON in UTF-8.
        """
        if is_too_deep(bytearray(body)):
            return _error(None, _PARSE_ERROR, "the body is nested too deep")
        try:
            asked = json.loads(body)
        except (ValueError, RecursionError):
            return _error(None, _PARSE_ERROR, "the body is no JSON in UTF-8")
        if not isinstance(asked, list):
            return self._one(asked)
        if not 0 < len(asked) <= MAX_BATCH:
            return _error(None, _INVALID_REQUEST, f"a batch has 1 to {MAX_BATCH} calls")
        answers = [answer for each in asked if (answer := self._one(each)) is not None]
        return answers or None

    def _one(self, asked: object) -> dict[str, Any] | None:
        if not isinstance(asked, dict):
            return _error(None, _INVALID_REQUEST, "a call is an object")
        identity = asked.get("id")
        if isinstance(identity, bool) or not isinstance(identity, int | float | str | None):
            return _error(None, _INVALID_REQUEST, "the id of a call is a string or a number")
        method, params = asked.get("method"), asked.get("params", [])
        if asked.get("jsonrpc") != "2.0" or not isinstance(method, str):
            return _error(identity, _INVALID_REQUEST, 'a call has "jsonrpc": "2.0" and a method')
        answer = self._called(identity, method, params)
        return answer if "id" in asked else None

    def _called(self, identity: object, method: str, params: object) -> dict[str, Any]:
        if method not in METHODS:
            problem = f"the method {method:.80} does not exist/is not available"
            return _error(identity, _METHOD_NOT_FOUND, problem)
        if not isinstance(params, list):
            return _error(identity, _INVALID_PARAMS, "give the parameters as a list")
        try:
            answer: dict[str, Any] = {**self._ask(method, params), "jsonrpc": "2.0", "id": identity}
            if isinstance(error := answer.get("error"), dict):
                answer["error"] = {**error, "message": _short(str(error.get("message")))}
            return answer
        # The chain's libraries raise anything where a parameter is not what they expect.
        except Exception as problem:
            wrong = isinstance(problem, TypeError | ValueError | LookupError | AttributeError)
            code = _INVALID_PARAMS if wrong else _INTERNAL_ERROR
            return _error(identity, code, f"{method}: {type(problem).__name__}: {problem}")


def _error(identity: object, code: int, message: str) -> dict[str, Any]:
    return {
        "jsonrpc": "2.0",
        "id": identity,
        "error": {"code": code, "message": _short(message)},
    }


def _short(message: str) -> str:
    return message[:_LONGEST_MESSAGE]


def _failed(status: int, code: int, message: str) -> Response:
    return _json(status, _error(None, code, message))


def _json(status: int, answer: object) -> Response:
    return Response(json.dumps(answer), status_code=status, media_type="application/json")


def _is_loopback(hosts: list[str]) -> bool:
    """Whether the one host that a request names is this machine, by a name nobody can point away.

    Source: RFC 6761 section 6.3 (localhost).
    """
    if len(hosts) != 1:
        return False
    try:
        name = urlsplit(f"//{hosts[0]}").hostname or ""
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _media_type(given: list[str]) -> str | None:
    if len(given) != 1:
        return None
    message = Message()
    message["content-type"] = given[0]
    return message.get_content_type()
