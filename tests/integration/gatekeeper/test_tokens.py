"""Tokens: good for minutes, and no longer than the key that signed in has its power."""

from __future__ import annotations

from datetime import timedelta

import pytest

from medaccord.chain import Contracts, Power, Sender, actions
from medaccord.chain.embedded import EmbeddedChain
from medaccord.core.refusals import Refusal
from medaccord.keys import LocalSigner
from tests.integration.gatekeeper.conftest import (
    World,
    delegate,
)
from tests.integration.gatekeeper.desk import Desk, assert_refused
from tests.integration.gatekeeper.organisations import suspend
from tests.integration.gatekeeper.recovering import start_recovery


@pytest.fixture
def carer(contracts: Contracts, sender: Sender, patient: LocalSigner) -> LocalSigner:
    """A key with the patient's power to read."""
    key = LocalSigner.create()
    delegate(contracts, sender, patient, key, Power.READ)
    return key


def test_token_works_when_used_a_second_before_its_end(
    desk: Desk, chain: EmbeddedChain, patient: LocalSigner
) -> None:
    headers = desk.sign_in(patient)
    chain.advance(timedelta(minutes=10) - timedelta(seconds=1))
    assert desk.get("Observation", headers, patient).status_code == 200


def test_token_is_refused_when_used_at_its_end(
    desk: Desk, chain: EmbeddedChain, patient: LocalSigner
) -> None:
    headers = desk.sign_in(patient)
    chain.advance(timedelta(minutes=10))
    assert_refused(desk.get("Observation", headers, patient), 401, Refusal.NOT_SIGNED_IN)


def test_token_is_refused_when_made_up(desk: Desk, patient: LocalSigner) -> None:
    headers = {"Authorization": "Bearer " + "A" * 43}
    answer = desk.get("Observation", headers, patient)
    assert_refused(answer, 401, Refusal.NOT_SIGNED_IN)
    assert answer.headers["www-authenticate"] == "Bearer"


def test_token_of_a_delegate_reads_when_delegated(
    desk: Desk, patient: LocalSigner, carer: LocalSigner
) -> None:
    headers = desk.sign_in(carer, patient.address)
    assert desk.get("Observation", headers, patient).status_code == 200


def test_token_of_a_delegate_is_refused_when_undelegated_meanwhile(
    desk: Desk,
    contracts: Contracts,
    sender: Sender,
    patient: LocalSigner,
    carer: LocalSigner,
) -> None:
    headers = desk.sign_in(carer, patient.address)
    action = actions.undelegate(contracts, account=patient.address, delegate=carer.address)
    actions.submit(sender, actions.signed(action, patient))
    assert_refused(desk.get("Observation", headers, patient), 401, Refusal.NOT_SIGNED_IN)


def test_token_of_a_controller_is_refused_when_the_account_was_rotated_meanwhile(
    desk: Desk,
    contracts: Contracts,
    sender: Sender,
    patient: LocalSigner,
    stranger: LocalSigner,
) -> None:
    headers = desk.sign_in(patient)
    action = actions.rotate(contracts, account=patient.address, new_controller=stranger.address)
    actions.submit(sender, actions.signed(action, patient))
    assert_refused(desk.get("Observation", headers, patient), 401, Refusal.NOT_SIGNED_IN)


def test_token_of_a_delegate_is_refused_when_the_delegation_ran_out(
    desk: Desk,
    chain: EmbeddedChain,
    contracts: Contracts,
    sender: Sender,
    patient: LocalSigner,
    stranger: LocalSigner,
) -> None:
    action = actions.delegate(
        contracts,
        account=patient.address,
        delegate=stranger.address,
        powers=Power.READ,
        until=desk.now() + timedelta(minutes=5),
    )
    actions.submit(sender, actions.signed(action, patient))
    headers = desk.sign_in(stranger, patient.address)
    assert desk.get("Observation", headers, patient).status_code == 200
    chain.advance(timedelta(minutes=5))
    assert_refused(desk.get("Observation", headers, patient), 401, Refusal.NOT_SIGNED_IN)


def test_token_of_a_delegate_is_refused_when_everything_was_revoked(
    desk: Desk, contracts: Contracts, patient: LocalSigner, carer: LocalSigner
) -> None:
    headers = desk.sign_in(carer, patient.address)
    revoked = desk.relay(actions.revoke_all(contracts, account=patient.address), patient)
    assert revoked.status_code == 200
    assert_refused(desk.get("Observation", headers, patient), 401, Refusal.NOT_SIGNED_IN)


def test_token_is_refused_when_a_recovery_is_pending(
    desk: Desk, contracts: Contracts, sender: Sender, patient: LocalSigner, stranger: LocalSigner
) -> None:
    headers = desk.sign_in(patient)
    start_recovery(
        contracts, sender, patient, guardian=LocalSigner.create(), new_controller=stranger
    )
    assert_refused(desk.get("Observation", headers, patient), 401, Refusal.NOT_SIGNED_IN)


def test_token_reads_nothing_when_the_organisation_was_suspended(
    world: World, desk: Desk, patient: LocalSigner, clinician: LocalSigner
) -> None:
    desk.grant(patient, clinician, "patient/*.rs")
    headers = desk.sign_in(clinician)
    assert desk.get("Observation", headers, patient).status_code == 200
    suspend(world, clinician)
    assert_refused(desk.get("Observation", headers, patient), 403, Refusal.SUSPENDED)
