"""What every endpoint has in common: bounded bodies, and an OperationOutcome for whatever fails."""

from __future__ import annotations

import json
import socket
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from medaccord.chain import reverts
from medaccord.chain.embedded import EmbeddedChain
from medaccord.core import errors
from medaccord.core.identifiers import hex_digest
from medaccord.core.refusals import IN_DOUBT, Refusal
from medaccord.gatekeeper import Gatekeeper
from medaccord.gatekeeper.boundary import MAX_BODY_BYTES
from medaccord.gatekeeper.refusals import problem_of
from medaccord.keys import LocalSigner
from tests.integration.gatekeeper.cable import Cable
from tests.integration.gatekeeper.desk import Desk, assert_refused, code_of, salt

POSTS = ("/sign-in/challenge", "/sign-in", "/enrolments", "/relay", "/openings", "/requests")


@pytest.mark.parametrize("path", ["/", "/nothing", "/fhir", "/docs", "/fhir/A/b/c"])
def test_path_is_refused_when_unknown(desk: Desk, path: str) -> None:
    assert_refused(desk.http.get(path), 404, "NotFound")


@pytest.mark.parametrize("path", POSTS)
def test_method_is_refused_when_unknown(desk: Desk, path: str) -> None:
    assert_refused(desk.http.delete(path), 405, "MethodNotAllowed")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b"\xff\xfe",
        b'{"a":' * 5000,
        b'{"account":"\\ud800","by":"\\ud800","message":"\\ud800","code":"\\ud800"}',
        b'{"unknown": 1}',
    ],
    ids=["empty", "cut off", "list", "null", "no field", "no UTF-8", "deep", "half", "unknown"],
)
def test_body_is_refused_when_malformed(desk: Desk, patient: LocalSigner, body: bytes) -> None:
    headers = desk.sign_in(patient) | {"Content-Type": "application/json"}
    for path in (*POSTS, "/openings/emergency"):
        answer = desk.http.post(path, content=body, headers=headers)
        assert answer.status_code == 400, (path, answer.text)
        assert code_of(answer) in ("InvalidRequest", "InvalidIdentifier"), (path, answer.text)


def test_terms_are_refused_when_a_string_holds_half_a_surrogate_pair(
    desk: Desk, patient: LocalSigner
) -> None:
    terms = desk.terms("patient/*.rs").document() | {"stewards": ["\ud800"]}
    body = {"patient": patient.address, "consent": hex_digest(salt()), "terms": terms}
    headers = desk.sign_in(patient) | {"Content-Type": "application/json"}
    answer = desk.http.post("/openings", content=json.dumps(body), headers=headers)
    assert_refused(answer, 400, "InvalidRequest")


def test_body_is_taken_when_as_long_as_it_may_be(desk: Desk) -> None:
    body = b"{}".ljust(MAX_BODY_BYTES)
    answer = desk.http.post("/relay", content=body, headers={"Content-Type": "application/json"})
    assert_refused(answer, 400, "InvalidRequest")


def test_body_is_refused_when_a_byte_too_long(desk: Desk) -> None:
    answer = desk.http.post("/relay", content=b"{}".ljust(MAX_BODY_BYTES + 1))
    assert_refused(answer, 413, "BodyTooLarge")


def test_body_is_refused_when_too_long_without_saying_so(desk: Desk) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(MAX_BODY_BYTES // 1024 + 1):
            yield bytes(1024)

    assert_refused(desk.http.post("/relay", content=pieces()), 413, "BodyTooLarge")


def test_failure_inside_tells_nothing_of_itself_when_it_happens(
    desk: Desk, folder: Path, patient: LocalSigner
) -> None:
    headers = desk.sign_in(patient)
    with closing(sqlite3.connect(folder / "records.db")) as database, database:
        database.execute("alter table audit_entry rename to secret_table_name")
    answer = desk.get("Observation", headers, patient)
    assert_refused(answer, 500, "InternalError")
    assert "secret" not in answer.text
    assert "sqlite" not in answer.text.lower()


def test_nothing_is_released_when_the_log_cannot_be_written(
    desk: Desk, folder: Path, patient: LocalSigner
) -> None:
    headers = desk.sign_in(patient)
    with closing(sqlite3.connect(folder / "records.db")) as database, database:
        database.execute(
            "create trigger full before insert on audit_entry"
            " begin select raise(abort, 'the disk is full'); end"
        )
    answer = desk.get("Observation", headers, patient)
    assert_refused(answer, 500, "InternalError")
    assert b"Observation" not in answer.content


def test_answer_is_kept_by_nobody_when_given(desk: Desk) -> None:
    for path in ("/health", "/fhir/metadata", "/nothing", "/requests"):
        assert desk.http.get(path).headers["cache-control"] == "no-store"


# --- The one mapping ---


def _every(kind: type[errors.MedaccordError]) -> Iterator[type[errors.MedaccordError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _every(child)


def test_mapping_leaves_no_error_of_ours_unexplained_when_it_is_the_askers() -> None:
    faults = {
        each.__name__
        for branch in (errors.InvalidInput, errors.ContractReverted, errors.TransportError)
        for each in _every(branch)
        if problem_of(each.__new__(each, "what to do")).status == 500
    }
    assert faults == set()


@pytest.mark.parametrize("reason", Refusal)
def test_mapping_gives_each_refusal_its_code_when_access_is_refused(reason: Refusal) -> None:
    problem = problem_of(errors.AccessRefused(reason, "detail"))
    expected = 401 if reason is Refusal.NOT_SIGNED_IN else 503 if reason in IN_DOUBT else 403
    assert (problem.status, problem.code, problem.diagnostics) == (expected, reason.value, "detail")


def test_mapping_names_the_contracts_error_when_it_would_revert() -> None:
    error = reverts.from_data(b"\x00")
    assert (problem_of(error).status, problem_of(error).code) == (422, "Reverted")


def test_mapping_blames_the_steward_when_its_own_records_fail() -> None:
    assert problem_of(errors.DecryptionFailed("row 7")).status == 500
    assert "row 7" not in problem_of(errors.DecryptionFailed("row 7")).diagnostics


def test_mapping_does_not_tell_where_the_database_is_when_it_failed() -> None:
    problem = problem_of(errors.StoreFailed("the database records on 10.0.0.7 is out of reach"))
    assert (problem.status, problem.code) == (503, "StoreFailed")
    assert "10.0.0.7" not in problem.diagnostics


def test_mapping_does_not_repeat_what_was_sent_when_a_field_is_malformed() -> None:
    error = RequestValidationError(
        [{"loc": ("body", "code"), "msg": "Field required", "type": "missing", "input": "secret"}]
    )
    assert problem_of(error).diagnostics == "code: field required"


def test_mapping_spells_values_as_they_are_when_another_is_sent() -> None:
    error = RequestValidationError(
        [{"loc": ("body", "purpose"), "msg": "Input should be 'TREAT'", "type": "enum"}]
    )
    assert problem_of(error).diagnostics == "purpose: input should be 'TREAT'"


def test_mapping_keeps_the_status_when_routing_fails_otherwise() -> None:
    assert problem_of(HTTPException(400, "bad")).status == 400


def test_readiness_is_told_when_the_chain_answers(desk: Desk) -> None:
    answer = desk.http.get("/ready")
    body = answer.json()
    assert (answer.status_code, body["status"], body["behind"]) == (200, "ready", 0)
    assert body["block"]["number"] == desk.contracts.network.head().number


def test_readiness_is_denied_and_health_is_not_when_the_chain_is_unreachable(
    desk: Desk, cable: Cable, chain: EmbeddedChain
) -> None:
    assert desk.http.get("/ready").status_code == 200
    cable.is_cut = True
    chain.advance(timedelta(minutes=1))
    answer = desk.http.get("/ready")
    assert (answer.status_code, answer.json()["status"]) == (503, "chain-unreachable")
    assert desk.http.get("/health").json()["status"] == "ok"


def test_connection_is_dropped_when_the_headers_do_not_end(desk: Desk) -> None:
    with raw_connection(desk) as line:
        line.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nX: ")
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            line.sendall(bytes(64_000_000))


def test_server_stops_when_a_body_never_ends(desk: Desk, gatekeeper: Gatekeeper) -> None:
    with raw_connection(desk) as line:
        line.sendall(b"POST /relay HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        stopping = threading.Thread(target=gatekeeper.close, daemon=True)
        stopping.start()
        stopping.join(timeout=30)
        assert not stopping.is_alive()


def raw_connection(desk: Desk) -> socket.socket:
    url = desk.http.base_url
    return socket.create_connection((url.host, url.port or 80), timeout=30)
