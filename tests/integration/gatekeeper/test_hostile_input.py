"""What anybody may send: each gets a clear answer or a closed line, and holds nothing up."""

from __future__ import annotations

import asyncio
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from medaccord.gatekeeper import boundary, http_protocol
from medaccord.gatekeeper.bodies import MAX_JSON_DEPTH
from medaccord.gatekeeper.boundary import Boundary
from medaccord.gatekeeper.http_protocol import MAX_HEAD_BYTES
from medaccord.gatekeeper.server import RunningServer, bind, serve
from tests.integration.gatekeeper.cable import Cable
from tests.integration.gatekeeper.conftest import World, open_gatekeeper
from tests.integration.gatekeeper.desk import Desk, assert_refused

CHALLENGE = "/sign-in/challenge"


@pytest.fixture(scope="module")
def desk(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """One gatekeeper for all that is refused before anything is read or written."""
    folder = Path(shutil.copytree(world.folder, tmp_path_factory.mktemp("hostile") / "hospital"))
    database = f"sqlite:///{folder / 'records.db'}"
    gatekeeper = open_gatekeeper(world, folder, database, Cable(world.chain))
    url = gatekeeper.serve().url
    made = Desk(url=url, contracts=world.contracts, steward=world.hospital.address)
    yield made
    made.http.close()
    gatekeeper.close()


def post(desk: Desk, body: bytes, media: str | None = "application/json") -> httpx.Response:
    headers = {} if media is None else {"Content-Type": media}
    return desk.http.post(CHALLENGE, content=body, headers=headers)


@pytest.mark.parametrize(
    "media",
    [
        None,
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=utf-16",
        "application/xml",
        "json",
        "",
    ],
)
def test_body_is_refused_when_its_type_is_not_taken(desk: Desk, media: str | None) -> None:
    assert_refused(post(desk, b"{}", media), 415, "WrongMediaType")


def test_form_is_demanded_when_a_search_is_posted(desk: Desk) -> None:
    answer = desk.http.post("/fhir/Observation/_search", json={"patient": "x"})
    assert_refused(answer, 415, "WrongMediaType")


@pytest.mark.parametrize("media", ["application/json; charset=UTF-8", "Application/JSON"])
def test_body_is_taken_when_its_type_is_json(desk: Desk, media: str) -> None:
    assert_refused(post(desk, b"{}", media), 400, "InvalidRequest")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b'{"a":' * (MAX_JSON_DEPTH + 1) + b"1" + b"}" * (MAX_JSON_DEPTH + 1), "nested"),
        (b"[" * 60_000, "nested"),
        (b'{"account":"a","account":"b"}', "stands twice"),
        (b'{"account":NaN}', "NaN"),
        (b'{"account":"\\u0000"}', "character zero"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        (b'{"account":"\xff"}', "not UTF-8"),
        (b'{"account":"\xed\xa0\x80"}', "not UTF-8"),
    ],
    ids=["deep", "brackets", "twice", "NaN", "zero", "mark", "byte", "surrogate"],
)
def test_json_is_refused_when_two_readers_would_read_it_differently(
    desk: Desk, body: bytes, says: str
) -> None:
    answer = post(desk, body)
    assert_refused(answer, 400, "InvalidRequest")
    assert says in answer.text


def test_number_is_refused_when_it_is_huge(desk: Desk) -> None:
    answer = post(desk, b'{"account":' + b"9" * 60_000 + b"}")
    assert_refused(answer, 400, "InvalidRequest")


@pytest.mark.parametrize(
    "path",
    [
        "/fhir/Observation/%00",
        "/fhir/Observation/%ff",
        "/fhir/Observation/a%0ab",
        "/fhir/Observation?patient=%00",
        "/fhir/Observation?code=%ff%fe",
        "/fhir/Observation?%1b=1",
        "/directory/%c3%28",
    ],
)
def test_target_is_refused_when_it_is_no_text(desk: Desk, path: str) -> None:
    assert_refused(raw(desk, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"), 400, "InvalidRequest")


@pytest.mark.parametrize(
    "path",
    [
        "/fhir/../../etc/passwd",
        "/fhir/%2e%2e/%2e%2e/etc/passwd",
        "/fhir/Observation/' OR 1=1 --/x".replace(" ", "%20"),
        "//fhir/metadata",
        "/FHIR/metadata",
        "/fhir/metadata/",
    ],
)
def test_path_is_not_found_when_it_names_no_route(desk: Desk, path: str) -> None:
    assert raw(desk, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").status_code in (401, 404)


@pytest.mark.parametrize(
    "request_line",
    ["GET / HTTP/9.9", "nonsense", "GET /\x00 HTTP/1.1", "G\x7fT / HTTP/1.1"],
)
def test_connection_is_answered_and_closed_when_it_speaks_no_http(
    desk: Desk, request_line: str
) -> None:
    answer = raw(desk, f"{request_line}\r\nHost: x\r\n\r\n")
    assert_refused(answer, 400, "InvalidRequest")
    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize(
    "headers",
    [
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: -1",
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked, identity",
        "Host : x",
        "X: a\x00b",
    ],
)
def test_request_is_refused_when_two_readers_would_part_it_differently(
    desk: Desk, headers: str
) -> None:
    sent = f"POST {CHALLENGE} HTTP/1.1\r\nHost: x\r\n{headers}\r\n\r\n0\r\n\r\n"
    assert_refused(raw(desk, sent), 400, "InvalidRequest")


def test_headers_are_refused_when_a_byte_too_long(desk: Desk) -> None:
    start = b"GET /health HTTP/1.1\r\nHost: x\r\nX: "
    fits = start + b"a" * (MAX_HEAD_BYTES - len(start) - 4) + b"\r\n\r\n"
    assert raw(desk, fits).status_code == 200
    answer = raw(desk, fits.replace(b"X: ", b"X: a"))
    assert_refused(answer, 431, "HeadTooLarge")


def test_connection_ends_when_the_headers_after_a_body_do_not(desk: Desk) -> None:
    """Trailers are headers as well, and were taken without end."""
    with connected(desk) as line:
        line.sendall(
            b"POST /relay HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"
        )
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            line.sendall(b"X: " + b"a" * 64_000_000)


def test_header_counts_for_nothing_when_it_comes_after_the_body(desk: Desk) -> None:
    """What a proxy in front takes out of the head must not come in by the back door."""
    answer = raw(
        desk,
        f"POST {CHALLENGE} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        "2\r\n{}\r\n0\r\nContent-Type: application/json\r\n\r\n",
    )
    assert_refused(answer, 415, "WrongMediaType")


def test_next_request_is_answered_when_the_one_before_was_refused(desk: Desk) -> None:
    with httpx.Client(base_url=desk.url) as client:
        for _ in range(3):
            assert client.post(CHALLENGE, content=b"{").status_code == 415
            assert client.get("/health").status_code == 200


# --- Waits, which are shortened here ---


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningServer]:
    """A server whose waits are short, in front of an application that never sees what is late."""
    monkeypatch.setattr(http_protocol, "HEAD_SECONDS", 0.3)
    monkeypatch.setattr(boundary, "BODY_SECONDS", 0.3)

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    running = serve(Boundary(application), bind())
    yield running
    running.stop()


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\nX: "])
def test_connection_is_closed_when_its_head_does_not_come(
    hurried: RunningServer, sent: bytes
) -> None:
    assert_refused(exchange(hurried.url, sent), 408, "RequestTooSlow")


def test_body_is_refused_when_it_does_not_come(hurried: RunningServer) -> None:
    sent = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{"
    answer = exchange(hurried.url, sent)
    assert_refused(answer, 408, "RequestTooSlow")
    assert answer.headers["connection"] == "close"


def test_connection_stays_when_its_next_head_comes_in_time(hurried: RunningServer) -> None:
    with httpx.Client(base_url=hurried.url) as client:
        for _ in range(2):
            assert client.get("/").status_code == 204
            time.sleep(0.5)  # idle, which is borne for longer than a head that was begun


@pytest.mark.parametrize("close", [b"", b"Connection: close\r\n"], ids=["stays", "closes"])
def test_connection_is_broken_off_when_its_answer_is_not_read(
    monkeypatch: pytest.MonkeyPatch, close: bytes
) -> None:
    """Whoever asked on and read nothing held a place for ever, and a thousand of them all."""
    monkeypatch.setattr(http_protocol, "READ_SECONDS", 0.3)
    length = 32 * 2**20

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": bytes(length)})

    running = serve(Boundary(application), bind())
    with connect(running.url) as line:
        line.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n" + close + b"\r\n")
        time.sleep(1.5)
        taken = 0
        with suppress(ConnectionResetError):
            while piece := line.recv(2**20):
                taken += len(piece)
    running.stop()
    assert 0 < taken < length


def test_nothing_is_logged_when_somebody_leaves_before_answers_asked_for_in_a_row(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": bytes(32 * 2**20)})

    running = serve(Boundary(application), bind())
    with connect(running.url) as line:
        line.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 3)
        time.sleep(0.5)
    running.stop()
    assert [record.getMessage() for record in caplog.records] == []


# --- More than can be answered ---


def test_request_is_refused_with_a_time_to_come_again_when_too_many_are_under_way() -> None:
    going, leave = threading.Event(), threading.Event()

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/slow":
            going.set()
            await asyncio.to_thread(leave.wait, 30)
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    running = serve(Boundary(application, limit=1), bind())
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(httpx.get, f"{running.url}/slow", timeout=60)
        assert going.wait(30)
        refused = httpx.get(f"{running.url}/other")
        alive = httpx.get(f"{running.url}/health")
        leave.set()
        assert slow.result().status_code == 204
    running.stop()
    assert_refused(refused, 503, "Overloaded")
    assert refused.headers["retry-after"] == "1"
    assert alive.status_code == 204


def test_request_is_answered_when_the_bodies_of_others_do_not_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They held the places of those who could be answered."""
    monkeypatch.setattr(boundary, "MAX_COMING_IN", 1)

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    running = serve(Boundary(application, limit=1), bind())
    with connect(running.url) as line:
        line.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{")
        time.sleep(0.3)
        answered = httpx.get(running.url)
        refused = httpx.post(running.url, content=b"{}")
    running.stop()
    assert answered.status_code == 204
    assert_refused(refused, 503, "Overloaded")


# --- Raw lines ---


def connected(desk: Desk) -> socket.socket:
    return connect(desk.url)


def connect(url: str) -> socket.socket:
    where = httpx.URL(url)
    return socket.create_connection((where.host, where.port or 80), timeout=30)


def raw(desk: Desk, sent: str | bytes) -> httpx.Response:
    return exchange(desk.url, sent if isinstance(sent, bytes) else sent.encode("latin-1"))


def exchange(url: str, sent: bytes) -> httpx.Response:
    """Send bytes as they are; the first answer."""
    with connect(url) as line:
        line.sendall(sent)
        data = b""
        while b"\r\n\r\n" not in data:
            piece = line.recv(65_536)
            assert piece, "closed without an answer"
            data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        status, *rows = head.decode("latin-1").split("\r\n")
        pairs = [(name, value) for name, _, value in (row.partition(": ") for row in rows)]
        length = int(dict(pairs).get("content-length", "0"))
        while len(body) < length:
            body += line.recv(65_536)
        return httpx.Response(int(status.split()[1]), headers=pairs, content=body)
