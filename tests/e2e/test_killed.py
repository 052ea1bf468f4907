"""`kill -9` at any moment under load: what was answered is in the log, once, and life goes on."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
import pytest

from medaccord.core.audit import GENESIS, chain_head
from medaccord.core.identifiers import Digest
from medaccord.core.receipts import Receipt
from tests.databases import Databases
from tests.e2e.served import Hospital, hospital, until
from tests.integration.anvil import NEEDS_ANVIL
from tests.integration.gatekeeper.desk import Desk, receipt_of

pytestmark = NEEDS_ANVIL

KILLS = 2
READERS = 4
LABORATORY = "patient/Observation.rs?category=laboratory"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Hospital]:
    home = tmp_path_factory.mktemp("hospital")
    if request.param == "sqlite":
        with hospital(home, f"sqlite:///{home / 'records.db'}") as made:
            yield made
        return
    databases: Databases = request.getfixturevalue("postgresql")
    with databases.database() as url, hospital(home, url) as made:
        yield made


@dataclass(slots=True)
class Told:
    """What the readers were answered, by all services together."""

    receipts: list[Receipt] = field(default_factory=list)
    released: int = 0
    refused: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, answer: httpx.Response) -> None:
        if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            return  # nothing was released, and it says so
        assert answer.status_code in (200, 403), answer.text
        is_released = answer.status_code == 200
        # A release always has its receipt; of refusals those alone that have a line of their own.
        has_receipt = is_released or "Medaccord-Receipt" in answer.headers
        receipt = receipt_of(answer).receipt if has_receipt else None
        with self._lock:
            self.released += is_released
            self.refused += not is_released
            if receipt is not None:
                self.receipts.append(receipt)


@contextmanager
def load(desk: Desk, place: Hospital, told: Told) -> Iterator[None]:
    """Readers that ask until nobody answers; what they got is told once they are gone."""
    clinician, failures = place.setting.clinician, []
    headers = [desk.sign_in(each) for each in (place.patient, clinician, clinician)]
    kinds = "Observation", "Observation", "Condition"  # the last of them is refused

    def read(number: int) -> None:
        with httpx.Client(base_url=desk.url, timeout=30) as http:
            asked = {"patient": desk.account(place.patient), "_count": "2"}
            while True:
                number += 1
                kind, mine = kinds[number % 3], headers[number % 3]
                try:
                    answer = http.get(f"/fhir/{kind}", params=asked, headers=mine)
                except httpx.TransportError:
                    return
                try:
                    told.take(answer)
                except Exception as error:  # told by the test: a thread's own is lost
                    failures.append(error)
                    return

    readers = [threading.Thread(target=read, args=(number,)) for number in range(READERS)]
    for each in readers:
        each.start()
    yield
    for each in readers:
        each.join(60)
    assert failures == []


def heads(commitments: tuple[Digest, ...]) -> list[Digest]:
    found = [GENESIS]
    for number, commitment in enumerate(commitments, start=1):
        found.append(chain_head(found[-1], number, commitment))
    return found


def test_every_answer_has_its_line_once_when_the_service_is_killed_under_load(
    place: Hospital,
) -> None:
    told = Told()
    for turn in range(KILLS):
        service = place.serve(MEDACCORD_LOG_INTERVAL="0.3")
        desk = place.desk(service)
        if turn == 0:
            desk.grant(place.patient, place.setting.clinician, LABORATORY)
        before = told.released
        with load(desk, place, told):
            until(lambda before=before: told.released > before)
            time.sleep(random.uniform(0.1, 1.2))
            service.process.kill()
            service.process.wait(30)

    last = place.serve(MEDACCORD_LOG_INTERVAL="0.3")
    log = place.audit(last)  # checks it: no gap, nothing doubled, nothing but what is anchored
    assert len(log.entries) == log.count
    at = heads(log.commitments)
    assert {each.number: 1 for each in told.receipts} == Counter(
        each.number for each in told.receipts
    )
    for receipt in told.receipts:
        assert log.commitments[receipt.number - 1] == receipt.entry
        assert at[receipt.number] == receipt.head
    released = [entry for entry in log.entries if entry.outcome == "released"]
    assert len(released) >= told.released >= KILLS
    assert log.refusals >= told.refused

    # Anchoring goes on from where it was.
    until(lambda: place.audit(last).anchored >= log.count)
