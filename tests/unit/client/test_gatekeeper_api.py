"""What a client makes of a gatekeeper that keeps to no bound."""

from __future__ import annotations

import gzip
from collections.abc import Iterator

import httpx
import pytest

from medaccord.client import gatekeeper_api
from medaccord.client.gatekeeper_api import GatekeeperApi
from medaccord.core.errors import TransportError

URL = "http://gatekeeper.example"


class Endless(httpx.SyncByteStream):
    """A body without an end; counts what was taken of it."""

    def __init__(self, piece: bytes = b" ") -> None:
        self.piece = piece
        self.taken = 0

    def __iter__(self) -> Iterator[bytes]:
        while True:
            self.taken += 1
            yield self.piece


def answering(answer: httpx.Response) -> GatekeeperApi:
    transport = httpx.MockTransport(lambda request: answer)
    return GatekeeperApi(URL, http=httpx.Client(transport=transport))


@pytest.mark.parametrize("status", [200, 403])
def test_answer_is_refused_when_it_is_longer_than_any(
    monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setattr(gatekeeper_api, "MAX_ANSWER", 10)
    body = Endless()
    api = answering(httpx.Response(status, stream=body))
    with pytest.raises(
        TransportError, match=r"^gatekeeper\.example answers with more than 10 bytes$"
    ):
        api.get("/health")
    assert body.taken == 11


def test_answer_is_refused_when_it_unpacks_to_more_than_any(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gatekeeper_api, "MAX_ANSWER", 100_000)
    packed = gzip.compress(bytes(100_001))
    assert len(packed) < 1000
    api = answering(httpx.Response(200, headers={"content-encoding": "gzip"}, content=packed))
    with pytest.raises(TransportError, match="answers with more than 100000 bytes"):
        api.get("/health")


def test_answer_is_refused_when_it_does_not_end_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gatekeeper_api, "_WHOLE_SECONDS", 0.0)
    with pytest.raises(TransportError, match="does not come to the end of its answer"):
        answering(httpx.Response(200, stream=Endless())).get("/health")


def test_refusal_of_a_stream_is_refused_when_it_is_longer_than_any(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gatekeeper_api, "MAX_ANSWER", 10)
    api = answering(httpx.Response(403, stream=Endless()))
    with pytest.raises(TransportError, match="answers with more than"), api.stream("/events"):
        pytest.fail("it was taken")


def test_answer_that_came_packed_is_read_as_it_was() -> None:
    packed = gzip.compress(b'{"steward":1}')
    api = answering(httpx.Response(200, headers={"content-encoding": "gzip"}, content=packed))
    assert api.get("/health").json() == {"steward": 1}


@pytest.mark.parametrize("url", ["http://a b", "http://[::1", "http://h:99999", "http://a\x00"])
def test_address_that_is_none_is_told_as_nobody_answering(url: str) -> None:
    with pytest.raises(TransportError, match="no gatekeeper answers at"):
        GatekeeperApi(url).get("/health")


def test_token_that_no_header_takes_is_told() -> None:
    api = answering(httpx.Response(200))
    with pytest.raises(TransportError, match="no gatekeeper answers at"):
        api.get("/health", headers={"Authorization": "Bearer ü\udcff"})
