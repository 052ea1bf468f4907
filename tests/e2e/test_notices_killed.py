"""`kill -9` while notices are posted: every release is told, in order, once it is back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from medaccord.client import verify_webhook
from medaccord.core.notices import Notice, NoticeKind
from tests.databases import Databases
from tests.e2e.served import Hospital, hospital, until
from tests.integration.anvil import NEEDS_ANVIL
from tests.integration.gatekeeper.desk import Desk
from tests.integration.gatekeeper.receiver import Posted, receiving
from tests.integration.gatekeeper.told import notices

pytestmark = NEEDS_ANVIL

LABORATORY = "patient/Observation.rs?category=laboratory"
READS = 6


@pytest.fixture(scope="module")
def place(postgresql: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    home = tmp_path_factory.mktemp("hospital")
    with (
        postgresql.database() as url,
        hospital(home, url, MEDACCORD_WEBHOOK_NETWORKS="127.0.0.0/8") as made,
    ):
        yield made


def read(desk: Desk, place: Hospital) -> None:
    """Read as often as it takes to have something posted while more comes."""
    headers = desk.sign_in(place.setting.clinician)
    for _ in range(READS):
        answer = desk.get("Observation", headers, place.patient, _count="1")
        assert answer.status_code == 200, answer.text


def _takes_its_time(_: Posted) -> int:
    time.sleep(0.1)
    return 200


def test_every_release_is_posted_in_order_when_the_service_is_killed_between(
    place: Hospital,
) -> None:
    with receiving() as receiver:
        receiver.answer = _takes_its_time
        service = place.serve()
        desk = place.desk(service)
        answer = desk.http.post(
            "/webhooks", headers=desk.sign_in(place.patient), json={"url": receiver.url}
        )
        assert answer.status_code == 201, answer.text
        secret = answer.json()["secret"]
        desk.grant(place.patient, place.setting.clinician, LABORATORY)
        read(desk, place)
        until(lambda: len(receiver.posted) > READS // 2)
        service.process.kill()
        service.process.wait(30)
        assert len({each.name for each in receiver.posted}) <= READS  # killed in the middle

        again = place.serve()
        desk = place.desk(again)
        read(desk, place)
        kept = notices(desk, desk.sign_in(place.patient))
        last = f"notice-{kept[-1]['id']}"
        until(lambda: any(each.name == last for each in receiver.posted), seconds=60)
        told = [_verified(secret, each) for each in receiver.posted]

    assert list(dict.fromkeys(each.id for each in told)) == [each["id"] for each in kept]
    lines = dict.fromkeys(each.subject for each in told if each.kind is NoticeKind.READ)
    log = place.audit(again)
    assert list(lines) == [
        str(entry.number)
        for entry in log.entries
        if entry.outcome == "released" and entry.requester != place.patient.address
    ]
    assert len(lines) == 2 * READS


def _verified(secret: str, posted: Posted) -> Notice:
    return verify_webhook(secret, posted.headers, posted.body, now=datetime.now(UTC))
