"""Waiting for blocks: a chain that stalls takes some of the threads of the routes, never all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from datetime import timedelta

import httpx
import pytest

from medaccord.chain import Contracts, Sender, actions
from medaccord.chain.embedded import EmbeddedChain
from medaccord.chain.reverts import ConsentRevokedAlready
from medaccord.core.errors import TransportError
from medaccord.core.identifiers import hex_digest
from medaccord.gatekeeper import Gatekeeper
from medaccord.gatekeeper.block_waits import MAX_WAITS, MAX_WAITS_AN_ACCOUNT, BlockWaits
from medaccord.keys import LocalSigner
from tests.integration.gatekeeper.desk import Desk, salt

THREADS = 40  # that all routes share: anyio's default
LIMIT = 30.0  # seconds: until then, whoever does not wait for a block must have been answered

Answers = list[Future[httpx.Response]]


@pytest.fixture
def others(desk: Desk, gatekeeper: Gatekeeper) -> list[LocalSigner]:
    """More patients, so that all together may take every place."""
    made = [LocalSigner.create() for _ in range(MAX_WAITS // MAX_WAITS_AN_ACCOUNT)]
    for number, each in enumerate(made):
        code = gatekeeper.enrolment.issue_code(f"another-{number}")
        assert desk.enrol(each, code).status_code == 201
        assert desk.accept(each).status_code == 200
    return made


@contextmanager
def stalled(chain: EmbeddedChain) -> Iterator[ThreadPoolExecutor]:
    """A chain that mines nothing until the block ends, and threads for all who call meanwhile."""
    with ThreadPoolExecutor(2 * THREADS) as pool, chain.mining_paused():
        yield pool


def revoking(
    pool: ThreadPoolExecutor, desk: Desk, patients: Iterable[LocalSigner], each: int
) -> Answers:
    """Hand in so many revocations of each patient at once, none like another."""

    def revoke(patient: LocalSigner) -> httpx.Response:
        action = actions.revoke(desk.contracts, patient=patient.address, consent_id=salt())
        return desk.relay(action, patient)

    return [pool.submit(revoke, patient) for patient in patients for _ in range(each)]


def answered(answers: Answers, count: int) -> list[httpx.Response]:
    """The first so many, in the order they came."""
    found: list[httpx.Response] = []
    while len(found) < count:
        done, _ = wait(answers, timeout=LIMIT, return_when=FIRST_COMPLETED)
        assert done, f"{len(found)} of {count} were answered"
        answers = [each for each in answers if each not in done]
        found += [each.result() for each in done]
    return found


def statuses(answers: Answers) -> list[int]:
    return sorted(each.result(LIMIT).status_code for each in answers)


def test_routes_answer_when_more_wait_for_blocks_than_there_are_threads(
    desk: Desk, chain: EmbeddedChain, patient: LocalSigner, others: list[LocalSigner]
) -> None:
    patients = [patient, *others]
    each = THREADS // len(patients) + 2
    surplus = len(patients) * each - MAX_WAITS
    headers = desk.sign_in(patient)
    with stalled(chain) as pool:
        answers = revoking(pool, desk, patients, each)
        early = answered(answers, surplus)
        assert desk.http.get("/ready", timeout=LIMIT).status_code == 200
        assert desk.http.get("/requests", headers=headers, timeout=LIMIT).status_code == 200
        assert desk.get("Observation", headers, patient).status_code == 200
        assert {answer.status_code for answer in early} == {202}
        assert sum(not answer.done() for answer in answers) == MAX_WAITS
    assert statuses(answers) == [200] * MAX_WAITS + [202] * surplus


def test_surplus_is_obeyed_and_sent_when_there_is_no_place_to_wait(
    desk: Desk, chain: EmbeddedChain, contracts: Contracts, patient: LocalSigner
) -> None:
    with stalled(chain) as pool:
        answers = revoking(pool, desk, [patient], MAX_WAITS_AN_ACCOUNT + 1)
        (answer,) = answered(answers, 1)
        body = answer.json()
        assert (answer.status_code, body["obeyed"]) == (202, True)
        assert (body["block"], body["gasUsed"]) == (None, None)
    receipt = contracts.network.web3.eth.get_transaction_receipt(body["transaction"])
    assert receipt["status"] == 1


def test_places_are_left_for_others_when_one_account_has_its_share(
    desk: Desk, chain: EmbeddedChain, patient: LocalSigner, others: list[LocalSigner]
) -> None:
    share, more = MAX_WAITS_AN_ACCOUNT, MAX_WAITS
    with stalled(chain) as pool:
        answers = revoking(pool, desk, [patient], share + more)
        assert {answer.status_code for answer in answered(answers, more)} == {202}
        theirs = revoking(pool, desk, others[:1], share + 1)
        assert [answer.status_code for answer in answered(theirs, 1)] == [202]
        assert sum(not answer.done() for answer in answers + theirs) == 2 * share
    assert statuses(answers) == [200] * share + [202] * more
    assert statuses(theirs) == [200] * share + [202]


def test_enrolment_is_answered_before_it_is_mined_when_relays_took_every_place(
    desk: Desk,
    gatekeeper: Gatekeeper,
    chain: EmbeddedChain,
    contracts: Contracts,
    others: list[LocalSigner],
    stranger: LocalSigner,
) -> None:
    code = gatekeeper.enrolment.issue_code("newcomer")
    with stalled(chain) as pool:
        answers = revoking(pool, desk, others, MAX_WAITS_AN_ACCOUNT + 1)
        answered(answers, len(others))
        answer = desk.enrol(stranger, code)
        assert answer.status_code == 202
        body = answer.json()
        transaction = body.pop("transaction")
        assert body == {"steward": desk.steward, "patient": stranger.address, "round": 1}
    receipt = contracts.network.web3.eth.get_transaction_receipt(transaction)
    assert receipt["status"] == 1
    assert desk.accept(stranger).status_code == 200


def test_enrolment_takes_places_of_the_account_when_it_waits(
    desk: Desk, gatekeeper: Gatekeeper, chain: EmbeddedChain, stranger: LocalSigner
) -> None:
    code = gatekeeper.enrolment.issue_code("newcomer")
    times = MAX_WAITS_AN_ACCOUNT + 1
    with stalled(chain) as pool:
        answers = [pool.submit(desk.enrol, stranger, code) for _ in range(times)]
        assert [answer.status_code for answer in answered(answers, 1)] == [202]
        assert sum(not answer.done() for answer in answers) == MAX_WAITS_AN_ACCOUNT
    assert statuses(answers) == [201] * MAX_WAITS_AN_ACCOUNT + [202]
    assert len({answer.result().content for answer in answers}) == 1


def test_places_are_given_back_when_what_was_waited_for_is_mined(
    desk: Desk, chain: EmbeddedChain, patient: LocalSigner
) -> None:
    for _ in range(2):
        with stalled(chain) as pool:
            answers = revoking(pool, desk, [patient], MAX_WAITS_AN_ACCOUNT + 1)
            answered(answers, 1)
        assert statuses(answers) == [200] * MAX_WAITS_AN_ACCOUNT + [202]


def test_place_is_given_back_when_it_was_not_mined_in_time(
    chain: EmbeddedChain, contracts: Contracts, patient: LocalSigner
) -> None:
    waits = BlockWaits()
    impatient = Sender(contracts.network, chain.funded_signer(), timeout=timedelta(milliseconds=1))
    action = actions.revoke(contracts, patient=patient.address, consent_id=salt())
    with chain.mining_paused():
        pending = actions.submit(impatient, actions.signed(action, patient), wait=False)
        for _ in range(MAX_WAITS_AN_ACCOUNT + 1):
            with pytest.raises(TransportError, match=hex_digest(pending.transaction)):
                waits.receipt(patient.address, pending)
    receipt = waits.receipt(patient.address, pending)
    assert receipt is not None
    assert receipt.transaction == pending.transaction


def test_place_is_given_back_when_a_contract_refused(
    chain: EmbeddedChain, contracts: Contracts, sender: Sender, patient: LocalSigner
) -> None:
    waits = BlockWaits()
    second = Sender(contracts.network, chain.funded_signer())
    action = actions.revoke(contracts, patient=patient.address, consent_id=salt())
    signed = actions.signed(action, patient)
    with chain.mining_paused():
        first = actions.submit(sender, signed, wait=False)
        late = actions.submit(second, signed, wait=False)
    for _ in range(MAX_WAITS_AN_ACCOUNT + 1):
        with pytest.raises(ConsentRevokedAlready):
            waits.receipt(patient.address, late)
    assert waits.receipt(patient.address, first) is not None
