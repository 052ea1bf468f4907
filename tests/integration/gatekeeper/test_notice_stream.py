"""The stream of notices: told as they come, resumed where it was left, ended with the session."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import pytest

from medaccord.chain import Contracts, Power, Sender, actions
from medaccord.chain.embedded import EmbeddedChain
from medaccord.core.refusals import Refusal
from medaccord.gatekeeper import Gatekeeper
from medaccord.gatekeeper.tokens import TOKEN_LIFE
from medaccord.keys import LocalSigner
from tests.integration.gatekeeper.conftest import Opener, Visit, delegate
from tests.integration.gatekeeper.desk import Desk, assert_refused
from tests.integration.gatekeeper.told import notices, open_emergency

LABORATORY = "patient/Observation.rs?category=laboratory"
PATIENCE = 30  # seconds until something that never comes fails a test


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One event of a stream as it was read."""

    kind: str
    id: str | None
    data: dict[str, Any]


@contextmanager
def reading(desk: Desk, headers: Mapping[str, str], **parameters: int) -> Iterator[Iterator[Told]]:
    """The events of a stream, as they come."""
    with (
        httpx.Client(base_url=desk.url, timeout=PATIENCE) as http,
        http.stream("GET", "/notices/stream", headers=dict(headers), params=parameters) as answer,
    ):
        assert answer.status_code == 200, answer.read()
        yield _events(answer)


def _events(answer: httpx.Response) -> Iterator[Told]:
    fields: dict[str, str] = {}
    for line in answer.iter_lines():
        if line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            fields[name] = value
        elif not line and fields:
            data = json.loads(fields["data"])
            yield Told(kind=fields["event"], id=fields.get("id"), data=data)
            fields = {}


@pytest.fixture
def gatekeeper(opened: Opener) -> Gatekeeper:
    """One that follows the chain by itself."""
    return opened(poll_interval=timedelta(seconds=0.2))


def test_emergency_is_told_on_the_stream_when_its_block_is_there(
    desk: Desk, sender: Sender, patient: LocalSigner, clinician: LocalSigner
) -> None:
    headers = desk.sign_in(patient)
    with reading(desk, headers) as events:
        assert next(events).kind == "opened"
        opening = open_emergency(desk, sender, patient, clinician)
        told = next(events)  # nobody asks anything meanwhile: it was followed
    assert (told.kind, told.data["kind"], told.data["subject"]) == ("notice", "emergency", opening)
    assert [told.data] == notices(desk, headers)
    assert told.id == str(told.data["id"])


def test_stream_goes_on_after_the_last_id_when_it_is_resumed(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner
) -> None:
    headers = desk.sign_in(patient)
    with reading(desk, headers) as events:
        opened = next(events)
    for _ in range(3):
        desk.grant(patient, clinician, LABORATORY)
    every = notices(desk, headers)
    for last, rest in ((opened.id, every), (str(every[0]["id"]), every[1:])):
        with reading(desk, headers | {"Last-Event-ID": str(last)}) as events:
            assert next(events).id == last
            assert [next(events).data for _ in rest] == rest
    with reading(desk, headers, after=every[1]["id"]) as events:
        assert [next(events).kind, next(events).data] == ["opened", every[2]]


def test_stream_tells_what_comes_when_the_last_id_is_one_yet_to_come(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner
) -> None:
    desk.grant(patient, clinician, LABORATORY)
    headers = desk.sign_in(patient)
    (first,) = notices(desk, headers)
    with reading(desk, headers | {"Last-Event-ID": str(first["id"] + 100)}) as events:
        assert next(events).id == str(first["id"] + 1)  # the grantee was told besides
        desk.grant(patient, clinician, LABORATORY)
        assert next(events).data == notices(desk, headers)[1]


def test_stream_tells_nothing_of_others_when_they_are_told(
    desk: Desk, contracts: Contracts, patient: LocalSigner, clinician: LocalSigner
) -> None:
    with reading(desk, desk.sign_in(clinician)) as events:
        next(events)
        assert desk.ask(desk.request(clinician, patient), clinician).status_code == 201
        consent = desk.grant(patient, clinician, LABORATORY)
        assert next(events).data["kind"] == "grant"
        revocation = actions.revoke(contracts, patient=patient.address, consent_id=consent)
        desk.relay(revocation, patient)
        assert next(events).data["kind"] == "revocation"


def test_stream_ends_with_the_reason_when_the_delegation_does(
    desk: Desk, contracts: Contracts, sender: Sender, patient: LocalSigner, stranger: LocalSigner
) -> None:
    delegate(contracts, sender, patient, stranger, Power.READ)
    with reading(desk, desk.sign_in(stranger, patient.address)) as events:
        next(events)
        removal = actions.undelegate(contracts, account=patient.address, delegate=stranger.address)
        actions.submit(sender, actions.signed(removal, patient))
        ended = next(events)
        assert (ended.kind, ended.data["code"]) == ("refused", Refusal.NOT_SIGNED_IN)
        assert next(events, None) is None


def test_stream_ends_with_the_reason_when_the_token_does(
    desk: Desk, chain: EmbeddedChain, patient: LocalSigner, clinician: LocalSigner
) -> None:
    with reading(desk, desk.sign_in(patient)) as events:
        next(events)
        chain.advance(TOKEN_LIFE)
        assert desk.ask(desk.request(clinician, patient), clinician).status_code == 201
        assert next(events).kind == "refused"  # and not the request
        assert next(events, None) is None


def test_stream_is_told_what_another_process_wrote(
    opened: Opener, visit: Visit, desk: Desk, patient: LocalSigner, clinician: LocalSigner
) -> None:
    other = visit(opened())
    with reading(other, other.sign_in(patient)) as events:
        next(events)
        assert desk.ask(desk.request(clinician, patient), clinician).status_code == 201
        assert next(events).data["kind"] == "request"


def test_idle_streams_hold_no_thread_each(desk: Desk, patient: LocalSigner) -> None:
    headers, more = desk.sign_in(patient), 7
    with ExitStack() as open_streams:
        next(open_streams.enter_context(reading(desk, headers)))
        before = threading.active_count()
        for _ in range(more):
            next(open_streams.enter_context(reading(desk, headers)))
        patience = time.monotonic() + PATIENCE
        while threading.active_count() >= before + more:
            assert time.monotonic() < patience
            time.sleep(0.05)


def test_stream_is_refused_when_its_account_has_too_many(
    desk: Desk, gatekeeper: Gatekeeper, patient: LocalSigner
) -> None:
    headers = desk.sign_in(patient)
    client = httpx.Client(base_url=desk.url, timeout=PATIENCE)
    with client:
        for _ in range(8):
            request = client.build_request("GET", "/notices/stream", headers=headers)
            assert client.send(request, stream=True).status_code == 200
        answer = desk.http.get("/notices/stream", headers=headers)
    assert_refused(answer, 429, "TooManyRequests")
    assert int(answer.headers["retry-after"]) >= 1


def test_stream_is_refused_when_nobody_is_signed_in(desk: Desk) -> None:
    assert_refused(desk.http.get("/notices/stream"), 401, Refusal.NOT_SIGNED_IN)


def test_stream_is_refused_when_its_reader_is_told_nothing_here(
    desk: Desk, stranger: LocalSigner
) -> None:
    answer = desk.http.get("/notices/stream", headers=desk.sign_in(stranger))
    assert_refused(answer, 403, Refusal.UNKNOWN_PATIENT)


def test_stream_is_refused_when_the_last_id_is_none_of_ours(
    desk: Desk, patient: LocalSigner
) -> None:
    headers = desk.sign_in(patient)
    for last in ("x", "-1", "1" * 30, "1.5"):
        answer = desk.http.get("/notices/stream", headers=headers | {"Last-Event-ID": last})
        assert_refused(answer, 400, "InvalidRequest")


def test_stream_ends_when_the_gatekeeper_stops(
    desk: Desk, gatekeeper: Gatekeeper, patient: LocalSigner
) -> None:
    with reading(desk, desk.sign_in(patient)) as events:
        next(events)
        gatekeeper.drain()
        assert next(events, None) is None
