"""`medaccord serve` as an operator runs it: how it starts, what it tells, how it stops."""

from __future__ import annotations

import json
import re
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from medaccord.core.refusals import Refusal
from tests.e2e.served import Hospital, Service, hospital, reading, until
from tests.integration.anvil import NEEDS_ANVIL
from tests.integration.faulty_node import FaultyNode
from tests.integration.gatekeeper.desk import assert_refused, code_of

pytestmark = NEEDS_ANVIL


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    home = tmp_path_factory.mktemp("hospital")
    with hospital(home, f"sqlite:///{home / 'records.db'}") as made:
        yield made


@pytest.fixture(scope="module")
def service(place: Hospital) -> Service:
    return place.serve()


def samples(url: str) -> dict[str, float]:
    """The numbers at `/metrics`, by name and labels."""
    text = httpx.get(url).text
    found = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in found}


# --- Starting ---


def test_start_tells_where_it_answers_whose_it_is_and_on_which_chain(
    place: Hospital, service: Service
) -> None:
    told = service.told
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", told["url"])
    assert (told["steward"], told["chainId"]) == (place.setting.hospital.address, 1337)
    assert httpx.get(f"{told['url']}/health").json()["steward"] == told["steward"]
    assert httpx.get(f"{told['url']}/ready").json()["status"] == "ready"


def assert_not_started(place: Hospital, code: int, says: str, *flags: str, **env: str) -> None:
    done = place.run("serve", "--port", "0", *flags, **env)
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert says in done.stderr
    assert done.stderr.startswith("medaccord: ")
    assert done.stderr.count("\n") == 1


def test_start_is_refused_when_the_port_is_taken(place: Hospital, service: Service) -> None:
    port = service.told["url"].rpartition(":")[2]
    assert_not_started(place, 1, f"cannot listen on 127.0.0.1:{port}", "--port", port)


def test_start_is_refused_when_there_is_no_record_of_the_deployment(place: Hospital) -> None:
    assert_not_started(place, 2, "nowhere.json", "--record", "nowhere.json")


def test_start_is_refused_when_the_node_does_not_answer(place: Hospital) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        assert_not_started(place, 1, "the node", "--rpc-url", url)


def test_start_is_refused_when_the_steward_is_no_organisation(place: Hospital) -> None:
    nobody = "0x" + 40 * "1"
    assert_not_started(place, 2, f"{nobody} is no organisation", "--steward", nobody)


def test_start_is_refused_when_the_passphrase_of_the_account_is_wrong(
    place: Hospital, tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("three wrong words", encoding="utf-8")
    wrong.chmod(0o600)
    assert_not_started(place, 2, "passphrase", MEDACCORD_PASSPHRASE_FILE=str(wrong))


# --- What it tells ---


def test_people_sign_in_to_the_public_address_when_there_is_one(place: Hospital) -> None:
    service = place.serve("--public-url", "https://Records.Example.org/")
    try:
        assert service.url == "https://records.example.org"
        body = {"account": place.patient.address, "by": place.patient.address}
        here = service.told["listening"]
        message = httpx.post(f"{here}/sign-in/challenge", json=body).json()["message"]
        assert message.startswith("records.example.org wants you to sign in")
    finally:
        assert service.end(signal.SIGTERM) == 0


def test_log_holds_nothing_of_anybody_when_a_patient_reads(
    place: Hospital, service: Service
) -> None:
    desk = place.desk(service)
    headers = desk.sign_in(place.patient) | {"X-Request-Id": "trace-0123456789"}
    answer = desk.get("Observation", headers, place.patient, category="laboratory")
    assert answer.status_code == 200
    assert answer.headers["x-request-id"] == "trace-0123456789"
    until(lambda: any(each.get("requestId") == "trace-0123456789" for each in service.lines()))
    told = next(each for each in service.lines() if each.get("requestId") == "trace-0123456789")
    assert (told["method"], told["route"], told["status"]) == ("GET", "/fhir/{resource_type}", 200)
    text = service.log.read_text(encoding="utf-8")
    for secret in (place.patient.address, headers["Authorization"][7:], "laboratory", "patient="):
        assert secret.lower() not in text.lower()


@pytest.mark.parametrize("given", ["short", "with space here", "x" * 65, 'quote"quote'])
def test_request_id_is_made_when_the_one_given_is_unfit(service: Service, given: str) -> None:
    answer = httpx.get(f"{service.url}/health", headers={"X-Request-Id": given})
    assert re.fullmatch(r"[0-9a-f]{16}", answer.headers["x-request-id"])


def test_metrics_count_answers_by_route_and_status_on_a_port_of_their_own(
    service: Service,
) -> None:
    row = 'medaccord_requests_total{method="GET",route="/fhir/metadata",status="200"}'
    httpx.get(f"{service.url}/ready").raise_for_status()  # which asks the chain
    before = samples(service.told["metrics"]).get(row, 0)
    httpx.get(f"{service.url}/fhir/metadata").raise_for_status()
    now = samples(service.told["metrics"])
    assert now[row] == before + 1
    assert now["medaccord_leads"] == 1
    assert now["medaccord_ledger_block"] > 0
    assert httpx.get(f"{service.url}/metrics").status_code == 404
    assert httpx.get(service.told["metrics"].replace("/metrics", "/")).status_code == 404


# --- The node ---


@pytest.fixture(scope="module")
def faulty(place: Hospital) -> Iterator[FaultyNode]:
    with FaultyNode(place.node.url).running() as node:
        yield node


@pytest.fixture(scope="module")
def behind_it(place: Hospital, faulty: FaultyNode) -> Service:
    """A service that reaches its node over a line that can fail."""
    return place.serve(MEDACCORD_RPC_URL=faulty.url)


@pytest.fixture
def line(faulty: FaultyNode) -> Iterator[FaultyNode]:
    yield faulty
    faulty.hold.set()
    faulty.mend()


def test_nothing_is_released_when_the_node_answers_nonsense(
    place: Hospital, behind_it: Service, line: FaultyNode
) -> None:
    desk = place.desk(behind_it)
    headers = reading(desk.sign_in(place.patient))
    assert desk.get("Observation", headers, place.patient).status_code == 200
    line.raw = lambda text: b'{"jsonrpc":"2.0","id":1,"result":"moo"}'
    answer = desk.get("Observation", headers, place.patient)
    assert_refused(answer, 503, Refusal.CHAIN_UNREACHABLE)
    line.mend()
    assert desk.get("Observation", headers, place.patient).status_code == 200


def test_nothing_is_released_when_the_node_is_on_another_chain(
    place: Hospital, behind_it: Service, line: FaultyNode
) -> None:
    desk = place.desk(behind_it)
    headers = reading(desk.sign_in(place.patient))

    def elsewhere(asked: list[dict[str, object]], answers: list[dict[str, object]]) -> None:
        for request, answer in zip(asked, answers, strict=True):
            if request["method"] == "eth_chainId":
                answer["result"] = "0x1"
            elif request["method"] == "eth_getBlockByNumber":
                block = answer["result"]
                assert isinstance(block, dict)
                block["hash"] = "0x" + "77" * 32

    line.spoil = elsewhere
    answer = desk.get("Observation", headers, place.patient)
    assert answer.status_code == 503
    assert code_of(answer) in (Refusal.CHAIN_UNREACHABLE.value, Refusal.LEDGER_BEHIND.value)


# --- Stopping ---


def test_answer_under_way_arrives_whole_and_the_log_is_anchored_when_told_to_stop(
    place: Hospital, line: FaultyNode
) -> None:
    service = place.serve(MEDACCORD_RPC_URL=line.url)
    desk = place.desk(service)
    headers = reading(desk.sign_in(place.patient))
    answers: list[httpx.Response] = []
    line.delay = 1.5

    def ask() -> None:
        answers.append(desk.get("Observation", headers, place.patient))

    asking = threading.Thread(target=ask)
    asking.start()
    until(lambda: samples(service.told["metrics"])["medaccord_requests_under_way"] == 1)
    service.process.send_signal(signal.SIGTERM)
    asking.join(60)
    line.delay = 0
    assert service.process.wait(60) == 0
    assert answers[0].status_code == 200
    assert answers[0].json()["total"] > 0
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{service.url}/health")
    again = place.serve()
    log = place.desk(again).audit(place.patient)
    # The last line of all is of looking at the log, where that is logged.
    assert log["anchored"]["count"] >= log["count"] - 1
    assert again.end(signal.SIGINT) == 0


def test_readiness_says_so_and_answers_go_on_when_it_drains(place: Hospital) -> None:
    service = place.serve(MEDACCORD_DRAIN_TIME="2")
    service.process.send_signal(signal.SIGTERM)
    until(lambda: httpx.get(f"{service.url}/ready").json()["status"] == "draining")
    assert httpx.get(f"{service.url}/ready").status_code == 503
    assert httpx.get(f"{service.url}/fhir/metadata").status_code == 200
    assert service.process.wait(60) == 0


def test_second_signal_ends_it_at_once_when_it_drains(place: Hospital) -> None:
    service = place.serve(MEDACCORD_DRAIN_TIME="600")
    service.process.send_signal(signal.SIGTERM)
    until(lambda: httpx.get(f"{service.url}/ready").json()["status"] == "draining")
    assert service.end(signal.SIGTERM) == 1


def test_log_is_one_json_object_a_line_also_when_something_fails(place: Hospital) -> None:
    service = place.serve()
    (place.home / "records.db").chmod(0o600)
    httpx.post(f"{service.url}/relay", content=b"{", headers={"Content-Type": "application/json"})
    assert service.end(signal.SIGTERM) == 0
    assert {each["level"] for each in service.lines()} <= {"info", "warning"}
    assert all(json.dumps(each) for each in service.lines())
