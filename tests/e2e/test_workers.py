"""Several processes on one PostgreSQL behave as one, and outlive each other."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from medaccord.chain import actions
from medaccord.core.identifiers import Digest
from medaccord.core.refusals import Refusal
from tests.databases import Databases
from tests.e2e.served import Hospital, Service, hospital, until
from tests.e2e.test_serve import samples
from tests.integration.anvil import NEEDS_ANVIL
from tests.integration.gatekeeper.desk import Desk, assert_refused, receipt_of

pytestmark = NEEDS_ANVIL

PUBLIC = "http://localhost:4711"
"""What people sign in to at all of them, as behind one proxy."""

LABORATORY = "patient/Observation.rs?category=laboratory"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, postgresql: Databases) -> Iterator[Hospital]:
    home = tmp_path_factory.mktemp("hospital")
    with postgresql.database() as url, hospital(home, url, MEDACCORD_PUBLIC_URL=PUBLIC) as made:
        yield made


@pytest.fixture(scope="module")
def both(place: Hospital) -> tuple[Service, Service]:
    """Two processes; the first does the work in the background."""
    first = place.serve(MEDACCORD_LOG_INTERVAL="1")
    until(lambda: leads(first))
    return first, place.serve(MEDACCORD_LOG_INTERVAL="1")


@pytest.fixture
def desks(place: Hospital, both: tuple[Service, Service]) -> tuple[Desk, Desk]:
    return place.desk(both[0]), place.desk(both[1])


def leads(service: Service) -> bool:
    return samples(service.told["metrics"])["medaccord_leads"] == 1


def test_token_of_one_serves_at_the_other(place: Hospital, desks: tuple[Desk, Desk]) -> None:
    headers = desks[0].sign_in(place.patient)
    assert desks[1].get("Observation", headers, place.patient).status_code == 200


def test_message_is_redeemed_once_when_it_is_handed_to_both_at_once(
    place: Hospital, desks: tuple[Desk, Desk]
) -> None:
    for _ in range(5):
        message = desks[0].challenge(place.patient)
        signature = place.patient.sign_text(message)
        start = threading.Barrier(2)

        def redeem(
            desk: Desk,
            message: str = message,
            signature: bytes = signature,
            start: threading.Barrier = start,
        ) -> int:
            start.wait()
            return desk.redeem(message, signature).status_code

        with ThreadPoolExecutor(2) as pool:
            assert sorted(pool.map(redeem, desks)) == [200, 401]


def test_revocation_handed_to_one_is_obeyed_by_the_other_before_it_is_mined(
    place: Hospital, desks: tuple[Desk, Desk]
) -> None:
    clinician = place.setting.clinician
    consent = desks[0].grant(place.patient, clinician, LABORATORY)
    headers = desks[1].sign_in(clinician)

    def ask() -> httpx.Response:
        return desks[1].get("Observation", headers, place.patient, category="laboratory")

    assert ask().status_code == 200
    revocation = actions.revoke(place.contracts, patient=place.patient.address, consent_id=consent)
    place.node.call("evm_setAutomine", False)
    try:
        answer = desks[0].relay(revocation, place.patient, wait=False)
        assert answer.status_code in (200, 202), answer.text
        assert_refused(ask(), 403, Refusal.CONSENT_REVOKED)
    finally:
        place.node.call("evm_setAutomine", True)
        place.node.mine()


def test_log_has_no_gap_and_nothing_twice_when_both_release_at_once(
    place: Hospital, both: tuple[Service, Service], desks: tuple[Desk, Desk]
) -> None:
    headers = [desk.sign_in(place.patient) for desk in desks]
    before = desks[0].audit(place.patient)["count"]

    def read(number: int) -> Digest:
        desk, mine = desks[number % 2], headers[number % 2]
        answer = desk.get("Observation", mine, place.patient, category="laboratory")
        assert answer.status_code == 200, answer.text
        return receipt_of(answer).receipt.entry

    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(read, range(40)))
    log = place.audit(both[0])
    assert [each.number for each in log.entries] == list(range(1, len(log.entries) + 1))
    here = Counter(each.commitment for each in log.entries[before:])
    assert {each: here[each] for each in told} == dict.fromkeys(told, 1)


def test_other_goes_on_and_takes_the_work_over_when_one_is_killed(
    place: Hospital, both: tuple[Service, Service], desks: tuple[Desk, Desk]
) -> None:
    headers = desks[0].sign_in(place.patient)
    both[0].process.kill()
    assert both[0].process.wait(30) == -signal.SIGKILL
    assert desks[1].get("Observation", headers, place.patient).status_code == 200
    until(lambda: leads(both[1]))
    count = desks[1].audit(place.patient)["count"]
    until(lambda: desks[1].audit(place.patient)["anchored"]["count"] >= count)


# --- Workers of one service ---


def test_worker_is_replaced_when_killed_and_all_end_with_the_log_anchored_when_told_to(
    place: Hospital,
) -> None:
    service = place.serve("--workers", "2")
    until(lambda: len(workers(service)) == 2)
    one = workers(service)[0]
    os.kill(one, signal.SIGKILL)
    headers = place.desk(service).sign_in(place.patient)
    with httpx.Client(base_url=service.told["listening"]) as client:
        account = place.desk(service).account(place.patient)
        asked = {"patient": account}
        answer = client.get("/fhir/Observation", params=asked, headers=headers)
        assert answer.status_code == 200
    until(lambda: len(workers(service)) == 2 and one not in workers(service))
    until(
        lambda: (
            {"0", "1"}
            <= {name.partition('worker="')[2][:1] for name in samples(service.told["metrics"])}
        )
    )
    assert service.end(signal.SIGTERM) == 0
    again = place.serve()
    log = place.desk(again).audit(place.patient)
    assert log["anchored"]["count"] >= log["count"] - 1
    assert again.end(signal.SIGTERM) == 0


def test_workers_end_when_their_supervisor_is_killed(place: Hospital) -> None:
    service = place.serve("--workers", "2")
    until(lambda: len(workers(service)) == 2)
    mine = workers(service)
    service.process.kill()
    service.process.wait(30)
    until(lambda: not any(alive(each) for each in mine))


def workers(service: Service) -> list[int]:
    """The processes that a supervisor started to answer."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if parent == service.process.pid and b"spawn_main" in command:
            found.append(int(folder.name))
    return found


def alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
