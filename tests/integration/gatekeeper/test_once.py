"""What is signed to sign in counts once, whatever database and however many processes."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import Engine, func, select

from medaccord.chain import Contracts, Network, Sender
from medaccord.chain.embedded import EmbeddedChain
from medaccord.core.errors import AccessRefused
from medaccord.core.refusals import Refusal
from medaccord.gatekeeper.sign_in import SignIn
from medaccord.keys import LocalSigner
from medaccord.store import reading
from medaccord.store.tables import metadata
from tests.databases import stored_bytes
from tests.integration.gatekeeper.backend_system import BackendSystem
from tests.integration.gatekeeper.cable import Cable
from tests.integration.gatekeeper.conftest import Opener
from tests.integration.gatekeeper.desk import Desk, assert_refused


def test_sign_in_is_refused_when_the_message_was_used_before(
    desk: Desk, patient: LocalSigner
) -> None:
    message = desk.challenge(patient)
    signature = patient.sign_text(message)
    assert desk.redeem(message, signature).status_code == 200
    assert_refused(desk.redeem(message, signature), 401, Refusal.NOT_SIGNED_IN)


def test_nothing_in_the_database_is_a_token_when_somebody_signed_in(
    desk: Desk, patient: LocalSigner, database_url: str
) -> None:
    bearer = desk.sign_in(patient)["Authorization"].removeprefix("Bearer ")
    stored = b"".join(stored_bytes(database_url).values())
    assert bearer.encode() not in stored


def test_challenge_leaves_nothing_in_the_database_when_asked_for(
    desk: Desk, patient: LocalSigner, database: Engine
) -> None:
    def rows() -> dict[str, int]:
        with reading(database) as connection:
            return {
                each.name: connection.scalar(select(func.count()).select_from(each)) or 0
                for each in metadata.sorted_tables
            }

    desk.challenge(patient)  # takes in the head, if that is new
    before = rows()
    for _ in range(3):
        desk.challenge(patient)
    assert rows() == before
    assert before["ledger_event"]


def test_message_gives_one_token_when_handed_in_many_times_at_once_to_two_processes(
    opened: Opener, contracts: Contracts, hospital: LocalSigner, patient: LocalSigner
) -> None:
    url = "https://records.hospital.example"
    servers = [opened().serve(url=url) for _ in range(2)]
    desks = [Desk(url=each.url, contracts=contracts, steward=hospital.address) for each in servers]
    message = desks[0].challenge(patient)
    signature, ready = patient.sign_text(message), threading.Barrier(6)

    def hand_in(number: int) -> int:
        ready.wait()
        return desks[number % 2].redeem(message, signature).status_code

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(hand_in, range(6))) == [200, *[401] * 5]
    for each in desks:
        each.http.close()


def test_assertion_gives_one_token_when_handed_in_many_times_at_once(
    desk: Desk, contracts: Contracts, sender: Sender, clinician: LocalSigner
) -> None:
    system = BackendSystem(desk=desk, contracts=contracts, sender=sender, organisation=clinician)
    system.publish(system.profile())
    assertion, ready = system.assertion(), threading.Barrier(6)

    def hand_in(_: int) -> int:
        ready.wait()
        return system.ask(assertion).status_code

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(hand_in, range(6))) == [200, *[401] * 5]


def test_message_is_refused_when_it_was_used_and_another_process_is_ahead_of_the_clock(
    opened: Opener, cable: Cable, chain: EmbeddedChain, contracts: Contracts, patient: LocalSigner
) -> None:
    ahead = Network(
        cable.network().web3,
        confirmations=0,
        clock=lambda: chain.clock() + timedelta(seconds=20),
    )
    ours, theirs = (
        opened(network=network).sign_in("https://records.hospital.example")
        for network in (cable.network(), ahead)
    )

    def sign(desk: SignIn) -> tuple[str, bytes]:
        message = desk.challenge(patient.address, patient.address)
        return message, patient.sign_text(message)

    used = sign(ours)
    ours.redeem(*used)
    chain.advance(timedelta(minutes=4, seconds=50))
    theirs.redeem(*sign(theirs))  # to it, the used one is over, and need not be remembered
    with pytest.raises(AccessRefused) as refused:
        ours.redeem(*used)
    assert refused.value.reason is Refusal.NOT_SIGNED_IN
    assert "was used before" in refused.value.detail
