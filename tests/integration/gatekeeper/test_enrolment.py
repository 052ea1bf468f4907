"""Enrolling: a code works once, in time, for one account, and nothing tells a bad one's reason."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine, func, select

from medaccord.chain import actions
from medaccord.chain.embedded import EmbeddedChain
from medaccord.core.refusals import Refusal
from medaccord.gatekeeper import Gatekeeper, enrolment
from medaccord.gatekeeper.enrolment import ATTEMPT_SPAN, ATTEMPTS_AN_ACCOUNT
from medaccord.keys import LocalSigner
from medaccord.ledger import RelationshipState
from medaccord.store import reading, tables
from tests.databases import stored_bytes
from tests.integration.gatekeeper.cable import Cable
from tests.integration.gatekeeper.desk import Desk, assert_refused

WRONG = "0000-0000-0000-0000"


@pytest.fixture
def code(gatekeeper: Gatekeeper) -> str:
    return gatekeeper.enrolment.issue_code("patient-2", timedelta(days=1))


@pytest.fixture
def newcomer() -> LocalSigner:
    """Somebody who was given a code and made a fresh account for it."""
    return LocalSigner.create()


def test_enrolment_proposes_the_relationship_when_the_code_is_good(
    desk: Desk, gatekeeper: Gatekeeper, newcomer: LocalSigner, code: str
) -> None:
    answer = desk.enrol(newcomer, code)
    assert answer.status_code == 201
    body = answer.json()
    transaction = body.pop("transaction")
    assert body == {"steward": desk.steward, "patient": newcomer.address, "round": 1}
    assert len(bytes.fromhex(transaction[2:])) == 32
    gatekeeper.ledger.sync()
    relationship = gatekeeper.ledger.relationship(newcomer.address, desk.steward)
    assert (relationship.state, relationship.by_patient) == (RelationshipState.PROPOSED, False)


def test_enrolment_is_refused_when_the_code_is_wrong(desk: Desk, newcomer: LocalSigner) -> None:
    assert_refused(desk.enrol(newcomer, WRONG), 403, "EnrolmentRefused")


def test_enrolment_is_refused_when_the_code_was_used(
    desk: Desk, newcomer: LocalSigner, stranger: LocalSigner, code: str
) -> None:
    assert desk.enrol(newcomer, code).status_code == 201
    assert_refused(desk.enrol(stranger, code), 403, "EnrolmentRefused")


def test_enrolment_works_when_the_code_ends_a_second_later(
    desk: Desk, chain: EmbeddedChain, newcomer: LocalSigner, code: str
) -> None:
    chain.advance(timedelta(days=1) - timedelta(seconds=1))
    assert desk.enrol(newcomer, code).status_code == 201


def test_enrolment_is_refused_when_the_code_ended(
    desk: Desk, chain: EmbeddedChain, newcomer: LocalSigner, code: str
) -> None:
    chain.advance(timedelta(days=1))
    assert_refused(desk.enrol(newcomer, code), 403, "EnrolmentRefused")


def test_refusals_read_alike_when_a_code_is_wrong_used_or_over(
    desk: Desk, gatekeeper: Gatekeeper, chain: EmbeddedChain, stranger: LocalSigner, code: str
) -> None:
    over = gatekeeper.enrolment.issue_code("patient-3", timedelta(seconds=1))
    assert desk.enrol(LocalSigner.create(), code).status_code == 201
    chain.advance(timedelta(seconds=2))
    answers = {desk.enrol(stranger, each).content for each in (WRONG, code, over)}
    assert len(answers) == 1


def test_enrolment_is_refused_when_the_account_tried_too_many_codes(
    desk: Desk, newcomer: LocalSigner, code: str
) -> None:
    for _ in range(ATTEMPTS_AN_ACCOUNT):
        assert_refused(desk.enrol(newcomer, WRONG), 403, "EnrolmentRefused")
    assert_refused(desk.enrol(newcomer, code), 403, "EnrolmentRefused")


def test_enrolment_works_when_everybody_else_tried_too_many_codes(
    desk: Desk,
    database: Engine,
    newcomer: LocalSigner,
    code: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(enrolment, "ATTEMPTS_NOTED", 3)
    for _ in range(5):
        assert_refused(desk.enrol(LocalSigner.create(), WRONG), 403, "EnrolmentRefused")
    with reading(database) as connection:
        query = select(func.count()).select_from(tables.enrolment_attempt)
        assert connection.execute(query).scalar_one() == 3
    assert desk.enrol(newcomer, code).status_code == 201


def test_enrolment_works_again_when_the_attempts_lie_back(
    desk: Desk, chain: EmbeddedChain, newcomer: LocalSigner, code: str
) -> None:
    for _ in range(ATTEMPTS_AN_ACCOUNT):
        desk.enrol(newcomer, WRONG)
    chain.advance(ATTEMPT_SPAN)
    assert desk.enrol(newcomer, code).status_code == 201


def test_enrolment_is_refused_when_signed_by_another_key(
    desk: Desk, newcomer: LocalSigner, stranger: LocalSigner, code: str
) -> None:
    answer = desk.enrol(newcomer, code, by=stranger)
    assert_refused(answer, 400, "InvalidRequest")


def test_enrolment_is_refused_when_signed_for_another_steward(
    desk: Desk, newcomer: LocalSigner, clinician: LocalSigner, code: str
) -> None:
    answer = desk.enrol(newcomer, code, steward=clinician.address)
    assert_refused(answer, 400, "SignatureMismatch")


def test_enrolment_works_when_handed_in_at_its_deadline(
    desk: Desk, newcomer: LocalSigner, code: str
) -> None:
    assert desk.enrol(newcomer, code, deadline=desk.now()).status_code == 201


def test_enrolment_is_refused_when_its_deadline_is_over(
    desk: Desk, newcomer: LocalSigner, code: str
) -> None:
    answer = desk.enrol(newcomer, code, deadline=desk.now() - timedelta(seconds=1))
    assert_refused(answer, 400, "InvalidRequest")


def test_enrolment_conflicts_when_the_relationship_is_proposed_already(
    desk: Desk, gatekeeper: Gatekeeper, newcomer: LocalSigner, code: str
) -> None:
    assert desk.enrol(newcomer, code).status_code == 201
    again = gatekeeper.enrolment.issue_code("patient-2")
    assert_refused(desk.enrol(newcomer, again), 409, "Conflict")


def test_enrolment_is_refused_when_the_account_stands_for_another_patient(
    desk: Desk, gatekeeper: Gatekeeper, newcomer: LocalSigner, code: str
) -> None:
    assert desk.enrol(newcomer, code).status_code == 201
    other = gatekeeper.enrolment.issue_code("patient-3")
    desk.relay(_decline(desk, newcomer), newcomer)
    assert_refused(desk.enrol(newcomer, other), 400, "InvalidRequest")


def test_enrolment_proposes_the_next_round_when_the_patient_declined(
    desk: Desk, gatekeeper: Gatekeeper, newcomer: LocalSigner, code: str
) -> None:
    assert desk.enrol(newcomer, code).status_code == 201
    assert desk.relay(_decline(desk, newcomer), newcomer).status_code == 200
    again = gatekeeper.enrolment.issue_code("patient-2")
    assert desk.enrol(newcomer, again).json()["round"] == 2


def test_code_stays_good_when_the_chain_was_out_of_reach(
    desk: Desk, cable: Cable, chain: EmbeddedChain, newcomer: LocalSigner, code: str
) -> None:
    cable.is_cut = True
    answer = desk.enrol(newcomer, code)
    assert answer.status_code == 503
    cable.is_cut = False
    assert desk.enrol(newcomer, code).status_code == 201


def test_code_enrols_no_second_account_when_the_answer_of_the_chain_was_lost(
    desk: Desk, cable: Cable, newcomer: LocalSigner, code: str
) -> None:
    cable.cut_after = "eth_sendRawTransaction"
    assert desk.enrol(newcomer, code).status_code == 503
    cable.mend()
    assert_refused(desk.enrol(LocalSigner.create(), code), 403, "EnrolmentRefused")
    assert_refused(desk.enrol(newcomer, code), 409, "Conflict")  # it was proposed all the same


def test_enrolment_is_refused_when_the_code_is_overlong(desk: Desk, newcomer: LocalSigner) -> None:
    assert_refused(desk.enrol(newcomer, "0" * 65), 400, "InvalidRequest")


def test_enrolment_is_refused_when_a_field_is_missing(desk: Desk) -> None:
    assert_refused(desk.http.post("/enrolments", json={}), 400, "InvalidRequest")


def test_code_is_not_in_the_database_when_issued(code: str, database_url: str) -> None:
    stored = b"".join(stored_bytes(database_url).values())
    assert code.encode() not in stored


def test_records_are_refused_when_the_patient_has_not_accepted_yet(
    desk: Desk, newcomer: LocalSigner, code: str
) -> None:
    assert desk.enrol(newcomer, code).status_code == 201
    answer = desk.get("Observation", desk.sign_in(newcomer), newcomer)
    assert_refused(answer, 403, Refusal.NO_RELATIONSHIP)


def _decline(desk: Desk, patient: LocalSigner) -> actions.Action:
    return actions.decline(
        desk.contracts, patient=patient.address, steward=desk.steward, account=patient.address
    )
