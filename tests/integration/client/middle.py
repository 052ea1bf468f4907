"""Whoever sits between a client and a gatekeeper, and changes what is answered."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import httpx

from medaccord.core.canonical import encode, parse_object

Alter = Callable[[httpx.Request, httpx.Response], httpx.Response | None]
"""What to answer in place of an answer; None for the answer as it is."""

RECEIPT = "Medaccord-Receipt"


class Middle(httpx.BaseTransport):
    """A transport that passes requests on, and hands answers to `alter` first.

    Attributes:
        alter: Changes answers; passes them on at first.
        redirect: Changes requests before they are passed on.
        asked: Every request a client made, in order.
        cut: Paths whose requests do not get through.
    """

    def __init__(self) -> None:
        self.alter: Alter = lambda request, answer: None
        self.redirect: Callable[[httpx.URL], httpx.URL] = lambda url: url
        self.asked: list[httpx.Request] = []
        self.cut: set[str] = set()
        self._line = httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        if request.url.path in self.cut:
            raise httpx.ConnectError("the line was cut", request=request)
        answer = self._pass_on(request)
        return self.alter(request, answer) or answer

    def close(self) -> None:
        self._line.close()

    def client(self) -> httpx.Client:
        return httpx.Client(transport=self, timeout=60)

    def paths(self) -> list[str]:
        return [request.url.path for request in self.asked]

    def assert_nothing_left(self, url: str) -> None:
        """Check that no request, let alone a token, went anywhere but to a gatekeeper."""
        assert {request.url.netloc.decode() for request in self.asked} <= {urlsplit(url).netloc}

    def _pass_on(self, request: httpx.Request) -> httpx.Response:
        url = self.redirect(request.url)
        headers = {name: value for name, value in request.headers.items() if name != "host"}
        passed = httpx.Request(request.method, url, headers=headers, content=request.read())
        answer = self._line.handle_request(passed)
        answer.read()
        answer.request = request
        return answer


def instead(
    answer: httpx.Response,
    content: bytes | None = None,
    *,
    status: int | None = None,
    headers: dict[str, str] | None = None,
    without: str | None = None,
) -> httpx.Response:
    """An answer like another one, but for what is given."""
    kept = {
        name: value
        for name, value in answer.headers.items()
        if name not in ("content-length", "content-encoding", "transfer-encoding")
        and name != (without or "").lower()
    }
    changed = {**kept, **{name.lower(): value for name, value in (headers or {}).items()}}
    return httpx.Response(
        status or answer.status_code,
        headers=[(name.encode(), value.encode("latin-1")) for name, value in changed.items()],
        content=answer.content if content is None else content,
        request=answer.request,
    )


def at(path: str, change: Callable[[httpx.Response], httpx.Response]) -> Alter:
    """Change the successful answers of one path, or of all below it where it ends with a slash."""

    def alter(request: httpx.Request, answer: httpx.Response) -> httpx.Response | None:
        here = request.url.path
        fits = here == path or (path.endswith("/") and here.startswith(path))
        return change(answer) if fits and answer.is_success else None

    return alter


def edited(edit: Callable[[Any], Any]) -> Callable[[httpx.Response], httpx.Response]:
    """Change the JSON of an answer in place, and nothing else of it: numbers stay as written."""

    def change(answer: httpx.Response) -> httpx.Response:
        document = parse_object(answer.content)
        edit(document)
        return instead(answer, encode(document))

    return change


def receipt_of(answer: httpx.Response) -> dict[str, Any]:
    """The receipt in an answer."""
    text = answer.headers[RECEIPT]
    document: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return document


def with_receipt(answer: httpx.Response, document: object) -> httpx.Response:
    """An answer with another receipt."""
    text = base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()
    return instead(answer, headers={RECEIPT: text})
