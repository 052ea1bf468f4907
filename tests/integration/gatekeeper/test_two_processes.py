"""Two gatekeepers on one database, as two processes of one: what one is told, both obey at once.

They share the database, the keys and the chain, and nothing in memory. Each asks the chain but once
an hour, so that whatever the second knows of the first it has from the database.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from medaccord.chain import Contracts, Power, Sender, actions
from medaccord.chain.actions import Action
from medaccord.core.consistency import ConsistencyToken
from medaccord.core.identifiers import Digest
from medaccord.core.refusals import Refusal
from medaccord.gatekeeper.freshness import AT_LEAST_HEADER, BLOCK_HEADER
from medaccord.keys import LocalSigner
from tests.integration.gatekeeper.conftest import Opener, Visit, World, delegate
from tests.integration.gatekeeper.desk import Desk, assert_refused, ids_of

OBSERVATIONS = "patient/Observation.rs"


@pytest.fixture
def desks(opened: Opener, visit: Visit) -> tuple[Desk, Desk]:
    """At two processes of the hospital's gatekeeper."""
    return (
        visit(opened(poll_interval=timedelta(hours=1))),
        visit(opened(poll_interval=timedelta(hours=1))),
    )


@pytest.fixture
def consent(desks: tuple[Desk, Desk], patient: LocalSigner, clinician: LocalSigner) -> Digest:
    """A consent that both know, and read by."""
    consent = desks[0].grant(patient, clinician, OBSERVATIONS)
    for desk in desks:
        headers = desk.sign_in(clinician) | {"Medaccord-Freshness": "latest"}
        assert ids_of(desk.get("Observation", headers, patient))
    return consent


def revoking(world: World, consent: Digest) -> Action:
    return actions.revoke(world.contracts, patient=world.patient.address, consent_id=consent)


def revoking_all(world: World, consent: Digest) -> Action:
    return actions.revoke_all(world.contracts, account=world.patient.address)


@pytest.mark.parametrize(
    ("make", "code"),
    [(revoking, Refusal.CONSENT_REVOKED), (revoking_all, Refusal.CONSENT_EPOCH_ENDED)],
)
def test_restriction_handed_to_one_process_is_obeyed_by_the_other_at_its_next_request(
    desks: tuple[Desk, Desk],
    world: World,
    patient: LocalSigner,
    clinician: LocalSigner,
    consent: Digest,
    make: Callable[[World, Digest], Action],
    code: Refusal,
) -> None:
    first, second = desks
    headers = second.sign_in(clinician)
    assert first.relay(make(world, consent), patient, wait=False).status_code == 202
    assert_refused(second.get("Observation", headers, patient), 403, code)


def test_restriction_stays_obeyed_by_the_other_when_it_is_mined_and_the_other_is_behind(
    desks: tuple[Desk, Desk],
    world: World,
    patient: LocalSigner,
    clinician: LocalSigner,
    consent: Digest,
) -> None:
    first, second = desks
    headers = second.sign_in(clinician)
    assert first.relay(revoking(world, consent), patient).status_code == 200
    latest = first.sign_in(clinician) | {"Medaccord-Freshness": "latest"}
    assert_refused(first.get("Observation", latest, patient), 403, Refusal.CONSENT_REVOKED)
    assert_refused(second.get("Observation", headers, patient), 403, Refusal.CONSENT_REVOKED)


def test_key_that_lost_its_power_at_one_process_is_signed_out_at_the_other(
    desks: tuple[Desk, Desk],
    contracts: Contracts,
    sender: Sender,
    patient: LocalSigner,
    stranger: LocalSigner,
) -> None:
    first, second = desks
    delegate(contracts, sender, patient, stranger, Power.READ)
    for desk in desks:  # both learn of the delegation
        latest = desk.sign_in(patient) | {"Medaccord-Freshness": "latest"}
        assert desk.get("Patient", latest, patient).status_code == 200
    headers = second.sign_in(stranger, patient.address)
    revoke_all = actions.revoke_all(contracts, account=patient.address)
    assert first.relay(revoke_all, patient, wait=False).status_code == 202
    answer = second.get("Patient", headers, patient)
    assert_refused(answer, 401, Refusal.NOT_SIGNED_IN)


def test_answer_is_no_older_than_the_other_process_was_when_its_token_is_sent_along(
    desks: tuple[Desk, Desk], patient: LocalSigner, clinician: LocalSigner, consent: Digest
) -> None:
    first, second = desks
    first.grant(patient, clinician, "patient/Condition.rs")
    latest = first.sign_in(clinician) | {"Medaccord-Freshness": "latest"}
    token = first.get("Condition", latest, patient).headers[BLOCK_HEADER]
    headers = second.sign_in(clinician)
    before = second.get("Condition", headers, patient)
    assert_refused(before, 403, Refusal.SCOPE_NOT_COVERED)
    assert before.headers[BLOCK_HEADER] != token
    after = second.get("Condition", headers | {AT_LEAST_HEADER: token}, patient)
    assert ids_of(after)
    assert after.headers[BLOCK_HEADER] == token


def test_read_is_refused_and_logged_when_the_block_it_must_know_is_still_to_come(
    desks: tuple[Desk, Desk], patient: LocalSigner, clinician: LocalSigner, consent: Digest
) -> None:
    first, _ = desks
    head = first.contracts.network.head()
    token = ConsistencyToken(chain_id=head.chain_id, number=head.number + 9, hash=head.hash)
    headers = first.sign_in(clinician) | {AT_LEAST_HEADER: str(token)}
    answer = first.get("Observation", headers, patient)
    assert_refused(answer, 503, Refusal.LEDGER_BEHIND)
    assert "medaccord-receipt" in answer.headers


def test_read_is_refused_when_its_token_is_of_another_chain(
    desks: tuple[Desk, Desk], patient: LocalSigner, clinician: LocalSigner, consent: Digest
) -> None:
    first, _ = desks
    head = first.contracts.network.head()
    token = ConsistencyToken(chain_id=1, number=head.number, hash=head.hash)
    headers = first.sign_in(clinician) | {AT_LEAST_HEADER: str(token)}
    assert_refused(first.get("Observation", headers, patient), 400, "InvalidRequest")
