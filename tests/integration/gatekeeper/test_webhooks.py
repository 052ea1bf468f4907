"""Webhooks: signed, in order, at least once, each by itself, and nowhere they must not go."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from sqlalchemy import Engine, select

from medaccord.chain import Contracts, Power, Sender, actions
from medaccord.chain.embedded import EmbeddedChain
from medaccord.core.errors import SignatureMismatch, TransportError
from medaccord.core.refusals import Refusal
from medaccord.core.webhook_signatures import check_webhook
from medaccord.gatekeeper import Gatekeeper
from medaccord.gatekeeper.posting import TIMEOUT
from medaccord.gatekeeper.webhooks import MAX_WEBHOOKS
from medaccord.keys import LocalSigner
from medaccord.store import reading, tables
from tests.integration.gatekeeper.cable import Cable
from tests.integration.gatekeeper.conftest import PATIENT_ID, Opener, Visit, delegate
from tests.integration.gatekeeper.desk import Desk, assert_refused
from tests.integration.gatekeeper.receiver import PATIENCE, Receiver, receiving, until
from tests.integration.gatekeeper.recovering import start_recovery
from tests.integration.gatekeeper.told import notices

LOOPBACK = ip_network("127.0.0.0/8")
LABORATORY = "patient/Observation.rs?category=laboratory"
NEXT_TRY = timedelta(minutes=1)  # later than the first few tries that failed


@pytest.fixture
def gatekeeper(opened: Opener) -> Gatekeeper:
    """One that follows the chain by itself, and may post to this machine."""
    return opened(webhook_networks=(LOOPBACK,), poll_interval=timedelta(seconds=0.2))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


def register(desk: Desk, signer: LocalSigner, url: str) -> dict[str, Any]:
    answer = desk.http.post("/webhooks", headers=desk.sign_in(signer), json={"url": url})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def state(desk: Desk, signer: LocalSigner) -> dict[str, Any]:
    """The one webhook of somebody."""
    answer = desk.http.get("/webhooks", headers=desk.sign_in(signer))
    assert answer.status_code == 200, answer.text
    (webhook,) = answer.json()["webhooks"]
    found: dict[str, Any] = webhook
    return found


def test_notice_is_posted_signed_when_a_webhook_is_there(
    desk: Desk, receiver: Receiver, patient: LocalSigner, clinician: LocalSigner
) -> None:
    desk.grant(patient, clinician, LABORATORY)  # before the webhook: not posted
    made = register(desk, clinician, receiver.url + "?from=hospital")
    desk.grant(patient, clinician, LABORATORY)
    (posted,) = receiver.wait_for(1)
    (_, notice) = notices(desk, desk.sign_in(clinician))
    assert (posted.document, posted.path) == (notice, "/notices?from=hospital")
    assert posted.headers["content-type"] == "application/json"
    name = check_webhook(made["secret"], posted.headers, posted.body, now=desk.now())
    assert name == f"notice-{notice['id']}"
    with pytest.raises(SignatureMismatch, match="not signed with this secret"):
        check_webhook(made["secret"], posted.headers, posted.body + b" ", now=desk.now())


def test_notices_are_posted_again_and_in_order_when_the_receiver_fails(
    desk: Desk,
    chain: EmbeddedChain,
    receiver: Receiver,
    patient: LocalSigner,
    clinician: LocalSigner,
) -> None:
    register(desk, clinician, receiver.url)
    receiver.answer = lambda _: 503
    for _ in range(3):
        desk.grant(patient, clinician, LABORATORY)
    receiver.wait_for(1)
    until(lambda: state(desk, clinician)["failures"] == 1)
    assert len(receiver.posted) == 1  # nothing overtakes, and it is left alone for a while
    receiver.answer = lambda _: 200
    chain.advance(NEXT_TRY)
    names = [each.name for each in receiver.wait_for(4)]
    expected = [f"notice-{each['id']}" for each in notices(desk, desk.sign_in(clinician))]
    assert names == [expected[0], *expected]
    until(lambda: state(desk, clinician)["failures"] == 0)


def test_notices_wait_for_the_receiver_when_it_is_down_and_starts_again(
    desk: Desk, chain: EmbeddedChain, patient: LocalSigner, clinician: LocalSigner
) -> None:
    with receiving() as first:
        port = first.port
        register(desk, clinician, first.url)
    for _ in range(2):
        desk.grant(patient, clinician, LABORATORY)
    until(lambda: state(desk, clinician)["failures"] >= 1)
    with receiving(port) as second:
        chain.advance(NEXT_TRY)
        names = [each.name for each in second.wait_for(2)]
    assert names == [f"notice-{each['id']}" for each in notices(desk, desk.sign_in(clinician))]


def test_others_are_posted_to_when_one_receiver_is_slow(
    desk: Desk, receiver: Receiver, patient: LocalSigner, clinician: LocalSigner
) -> None:
    with receiving() as slow:
        slow.answer = _slowly
        register(desk, patient, slow.url)
        register(desk, clinician, receiver.url)
        for _ in range(3):
            desk.grant(patient, clinician, LABORATORY)
        assert len({each.name for each in receiver.wait_for(3)}) == 3
        assert len(slow.posted) <= 2


def _slowly(_: object) -> int:
    time.sleep(3)
    return 200


def test_notice_is_posted_by_another_process_when_the_one_that_posts_it_hangs(
    desk: Desk,
    gatekeeper: Gatekeeper,
    opened: Opener,
    chain: EmbeddedChain,
    receiver: Receiver,
    patient: LocalSigner,
    clinician: LocalSigner,
) -> None:
    """As it is after a process was killed: its claim is in the database, and ends by itself."""
    register(desk, clinician, receiver.url)
    over = threading.Event()

    def hang(_: object) -> int:
        over.wait(PATIENCE)
        return 200

    receiver.answer = hang
    for _ in range(2):
        desk.grant(patient, clinician, LABORATORY)
    receiver.wait_for(1)
    receiver.answer = lambda _: 200
    other = opened(webhook_networks=(LOOPBACK,))
    other._delivery.deliver()
    until(lambda: not other._delivery._under_way)
    assert len(receiver.posted) == 1  # claimed
    chain.advance(TIMEOUT * 2)

    def posted_by_other() -> bool:
        other._delivery.deliver()  # it may have to hear of the chain first
        return len(receiver.posted) >= 3

    until(posted_by_other)
    names = [each.name for each in receiver.posted]
    first, second = (f"notice-{each['id']}" for each in notices(desk, desk.sign_in(clinician)))
    assert names == [first, first, second]
    until(lambda: f"notice-{state(desk, clinician)['deliveredUpto']}" == second)
    over.set()
    until(lambda: not gatekeeper._delivery._under_way)  # the one that hung changes nothing
    assert [each.name for each in receiver.posted] == names


def test_webhook_is_given_up_and_resumed_when_the_receiver_says_it_is_gone(
    desk: Desk, receiver: Receiver, patient: LocalSigner, clinician: LocalSigner
) -> None:
    made = register(desk, clinician, receiver.url)
    assert made["stoppedAt"] is None
    receiver.answer = lambda _: 410
    desk.grant(patient, clinician, LABORATORY)
    until(lambda: state(desk, clinician)["stoppedAt"] is not None)
    receiver.answer = lambda _: 200
    path = f"/webhooks/{made['id']}/resume"
    answer = desk.http.post(path, headers=desk.sign_in(clinician))
    assert (answer.status_code, answer.json()["stoppedAt"]) == (200, None)
    first, again = receiver.wait_for(2)
    assert (first.name, first.body) == (again.name, again.body)
    check_webhook(made["secret"], again.headers, again.body, now=desk.now())


def test_redirect_is_a_failure_when_the_receiver_sends_on(
    desk: Desk, receiver: Receiver, patient: LocalSigner, clinician: LocalSigner
) -> None:
    with receiving() as elsewhere:
        receiver.answer, receiver.location = (lambda _: 307), elsewhere.url
        register(desk, clinician, receiver.url)
        desk.grant(patient, clinician, LABORATORY)
        until(lambda: state(desk, clinician)["failures"] == 1)
        assert elsewhere.posted == []


def test_nothing_is_posted_to_a_name_when_it_leads_to_this_machine(
    opened: Opener, visit: Visit, receiver: Receiver, patient: LocalSigner, clinician: LocalSigner
) -> None:
    desk = visit(opened(poll_interval=timedelta(seconds=0.2)))
    register(desk, clinician, f"https://localhost:{receiver.port}/")
    desk.grant(patient, clinician, LABORATORY)
    until(lambda: state(desk, clinician)["failures"] == 1)
    assert receiver.posted == []


def test_webhook_is_refused_when_its_address_cannot_be_posted_to(
    opened: Opener, visit: Visit, clinician: LocalSigner
) -> None:
    desk = visit(opened())
    headers, url = desk.sign_in(clinician), "https://127.0.0.1/"
    answer = desk.http.post("/webhooks", headers=headers, json={"url": url})
    assert_refused(answer, 400, "InvalidRequest")


def test_webhook_ends_when_the_delegation_does_that_made_it(
    desk: Desk,
    contracts: Contracts,
    sender: Sender,
    receiver: Receiver,
    patient: LocalSigner,
    clinician: LocalSigner,
    stranger: LocalSigner,
) -> None:
    delegate(contracts, sender, patient, stranger, Power.READ)
    headers = desk.sign_in(stranger, patient.address)
    answer = desk.http.post("/webhooks", headers=headers, json={"url": receiver.url})
    assert answer.status_code == 201
    removal = actions.undelegate(contracts, account=patient.address, delegate=stranger.address)
    actions.submit(sender, actions.signed(removal, patient))
    desk.grant(patient, clinician, LABORATORY)
    until(lambda: state(desk, patient)["stoppedAt"] is not None)
    assert receiver.posted == []


def test_owner_learns_by_webhook_of_a_recovery_and_others_webhooks_wait(
    desk: Desk,
    contracts: Contracts,
    sender: Sender,
    database: Engine,
    receiver: Receiver,
    patient: LocalSigner,
    stranger: LocalSigner,
) -> None:
    carer = LocalSigner.create()
    delegate(contracts, sender, patient, carer, Power.READ)
    register(desk, patient, receiver.url + "?of=owner")
    headers = desk.sign_in(carer, patient.address)
    waits = desk.http.post("/webhooks", headers=headers, json={"url": receiver.url + "?of=other"})
    assert waits.status_code == 201
    start_recovery(
        contracts, sender, patient, guardian=LocalSigner.create(), new_controller=stranger
    )
    (posted,) = receiver.wait_for(1)
    assert posted.path == "/notices?of=owner"
    assert (posted.document["kind"], posted.document["actor"]) == ("recovery", stranger.address)
    with reading(database) as connection:
        stopped = connection.execute(select(tables.webhook.c.stopped_at)).scalars().all()
    assert stopped == [None, None]


def test_webhook_waits_when_whether_its_delegation_stands_cannot_be_told(
    desk: Desk,
    gatekeeper: Gatekeeper,
    cable: Cable,
    chain: EmbeddedChain,
    contracts: Contracts,
    sender: Sender,
    receiver: Receiver,
    patient: LocalSigner,
    clinician: LocalSigner,
    stranger: LocalSigner,
) -> None:
    delegate(contracts, sender, patient, stranger, Power.READ)
    headers = desk.sign_in(stranger, patient.address)
    answer = desk.http.post("/webhooks", headers=headers, json={"url": receiver.url})
    assert answer.status_code == 201
    receiver.answer = lambda _: 503
    desk.grant(patient, clinician, LABORATORY)
    until(lambda: state(desk, patient)["failures"] == 1)
    cable.cut_before = "eth_getLogs"
    with pytest.raises(TransportError):
        gatekeeper.ledger.rebuild()  # the ledger is empty, and stays so
    chain.advance(NEXT_TRY)
    time.sleep(1)  # twice as long as it takes to look for something to post
    assert len(receiver.posted) == 1
    receiver.answer = lambda _: 204
    cable.mend()
    until(lambda: state(desk, patient)["deliveredUpto"] > 0)
    assert state(desk, patient)["stoppedAt"] is None


def test_webhook_is_gone_when_its_patient_is_erased(
    desk: Desk,
    gatekeeper: Gatekeeper,
    database: Engine,
    receiver: Receiver,
    patient: LocalSigner,
    clinician: LocalSigner,
) -> None:
    register(desk, patient, receiver.url)
    register(desk, clinician, receiver.url)
    erasing = gatekeeper.erasing
    erasing.erase_patient(erasing.patient(PATIENT_ID))
    with reading(database) as connection:
        left = connection.execute(select(tables.webhook.c.account)).scalars().all()
    assert left == [clinician.address]


def test_webhook_is_refused_when_its_patient_is_erased_meanwhile(
    desk: Desk,
    gatekeeper: Gatekeeper,
    monkeypatch: pytest.MonkeyPatch,
    receiver: Receiver,
    patient: LocalSigner,
) -> None:
    posting, erasing = gatekeeper.webhooks._posting, gatekeeper.erasing
    check = posting.check

    def check_slowly(url: str) -> None:
        erasing.erase_patient(erasing.patient(PATIENT_ID))
        check(url)

    headers = desk.sign_in(patient)
    monkeypatch.setattr(posting, "check", check_slowly)
    answer = desk.http.post("/webhooks", headers=headers, json={"url": receiver.url})
    assert_refused(answer, 403, Refusal.UNKNOWN_PATIENT)


def test_nothing_is_posted_any_more_when_a_webhook_is_deleted(
    desk: Desk, receiver: Receiver, patient: LocalSigner, clinician: LocalSigner
) -> None:
    made, headers = register(desk, clinician, receiver.url), desk.sign_in(clinician)
    path = f"/webhooks/{made['id']}"
    assert_refused(desk.http.delete(path, headers=desk.sign_in(patient)), 404, "NotFound")
    assert desk.http.delete(path, headers=headers).status_code == 204
    assert desk.http.get("/webhooks", headers=headers).json() == {"webhooks": []}
    assert_refused(desk.http.delete(path, headers=headers), 404, "NotFound")
    assert_refused(desk.http.post(path + "/resume", headers=headers), 404, "NotFound")
    desk.grant(patient, clinician, LABORATORY)
    time.sleep(1)  # twice as long as it takes to look for something to post
    assert receiver.posted == []


def test_secret_is_told_once_and_kept_sealed_when_a_webhook_is_made(
    desk: Desk, database: Engine, receiver: Receiver, clinician: LocalSigner
) -> None:
    made = register(desk, clinician, receiver.url)
    assert made.pop("secret").startswith("whsec_")
    assert state(desk, clinician) == made
    with reading(database) as connection:
        row = connection.execute(select(tables.webhook)).one()
    assert receiver.url not in str(row)


def test_webhook_conflicts_when_its_account_has_as_many_as_it_may(
    desk: Desk, receiver: Receiver, clinician: LocalSigner
) -> None:
    for _ in range(MAX_WEBHOOKS):
        register(desk, clinician, receiver.url)
    headers = desk.sign_in(clinician)
    answer = desk.http.post("/webhooks", headers=headers, json={"url": receiver.url})
    assert_refused(answer, 409, "Conflict")


def test_webhook_is_refused_when_its_account_is_told_nothing_here(
    desk: Desk, receiver: Receiver, stranger: LocalSigner
) -> None:
    headers = desk.sign_in(stranger)
    answer = desk.http.post("/webhooks", headers=headers, json={"url": receiver.url})
    assert_refused(answer, 403, Refusal.UNKNOWN_PATIENT)


def test_webhooks_are_refused_when_nobody_is_signed_in(desk: Desk) -> None:
    for method, path in (
        ("GET", "/webhooks"),
        ("DELETE", "/webhooks/" + 32 * "0"),
        ("POST", f"/webhooks/{32 * '0'}/resume"),
    ):
        assert_refused(desk.http.request(method, path), 401, Refusal.NOT_SIGNED_IN)
    answer = desk.http.post("/webhooks", json={"url": "https://example.org/"})
    assert_refused(answer, 401, Refusal.NOT_SIGNED_IN)
