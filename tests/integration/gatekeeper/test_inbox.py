"""The inbox: signed requests of active organisations, seen by their patient alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from sqlalchemy import Engine, func, select

from medaccord.chain import Contracts, Power, Sender
from medaccord.chain.embedded import EmbeddedChain
from medaccord.core.identifiers import hex_digest
from medaccord.core.refusals import Refusal
from medaccord.core.requests import AccessRequest
from medaccord.gatekeeper.inbox import MAX_AGE, MAX_AHEAD, MAX_REQUESTS
from medaccord.keys import LocalSigner
from medaccord.store import reading, tables
from tests.integration.gatekeeper.conftest import World, delegate
from tests.integration.gatekeeper.desk import Desk, assert_refused
from tests.integration.gatekeeper.organisations import suspend


def test_request_lies_in_the_inbox_of_its_patient_when_signed(
    desk: Desk, contracts: Contracts, patient: LocalSigner, clinician: LocalSigner
) -> None:
    request = desk.request(clinician, patient)
    answer = desk.ask(request, clinician)
    digest = hex_digest(request.digest(contracts.off_chain_domain))
    assert (answer.status_code, answer.json()) == (201, {"digest": digest})
    inbox = desk.http.get("/requests", headers=desk.sign_in(patient), params={"state": "open"})
    assert inbox.status_code == 200
    (received,) = inbox.json()["requests"]
    assert set(received) == {"digest", "request", "by", "signature", "receivedAt", "state"}
    assert AccessRequest.parse(received["request"]) == request
    assert (received["digest"], received["by"], received["state"]) == (
        digest,
        clinician.address,
        "open",
    )


def test_request_is_kept_once_when_handed_in_twice(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner
) -> None:
    request = desk.request(clinician, patient)
    assert desk.ask(request, clinician).status_code == 201
    assert desk.ask(request, clinician).status_code == 201
    inbox = desk.http.get("/requests", headers=desk.sign_in(patient))
    assert len(inbox.json()["requests"]) == 1


def test_request_is_granted_when_a_consent_names_it(
    desk: Desk, contracts: Contracts, patient: LocalSigner, clinician: LocalSigner
) -> None:
    request = desk.request(clinician, patient)
    desk.ask(request, clinician)
    digest = request.digest(contracts.off_chain_domain)
    consent = desk.consent(patient, clinician, request.terms, request=digest)
    assert desk.relay(consent, patient, terms=request.terms).status_code == 200
    headers = desk.sign_in(patient)
    assert desk.http.get("/requests", headers=headers, params={"state": "open"}).json() == {
        "requests": []
    }
    (received,) = desk.http.get("/requests", headers=headers).json()["requests"]
    assert received["state"] == "granted"


def test_request_is_expired_when_the_time_asked_for_is_over(
    desk: Desk, chain: EmbeddedChain, patient: LocalSigner, clinician: LocalSigner
) -> None:
    desk.ask(desk.request(clinician, patient), clinician)
    chain.advance(timedelta(days=31))
    (received,) = desk.http.get("/requests", headers=desk.sign_in(patient)).json()["requests"]
    assert received["state"] == "expired"


def test_request_is_refused_when_signed_by_another_key(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner, stranger: LocalSigner
) -> None:
    answer = desk.ask(desk.request(clinician, patient), stranger, by=clinician.address)
    assert_refused(answer, 400, "SignatureMismatch")


def test_request_is_refused_when_the_signer_may_not_ask_for_the_organisation(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner, stranger: LocalSigner
) -> None:
    answer = desk.ask(desk.request(clinician, patient), stranger)
    assert_refused(answer, 401, Refusal.NOT_SIGNED_IN)


def test_request_is_taken_when_signed_by_a_delegate_with_the_power(
    desk: Desk, contracts: Contracts, sender: Sender, patient: LocalSigner, clinician: LocalSigner
) -> None:
    key = LocalSigner.create()
    delegate(contracts, sender, clinician, key, Power.REQUEST)
    assert desk.ask(desk.request(clinician, patient), key).status_code == 201


def test_request_is_refused_when_the_asker_is_no_organisation(
    desk: Desk, patient: LocalSigner, stranger: LocalSigner
) -> None:
    answer = desk.ask(desk.request(stranger, patient), stranger)
    assert_refused(answer, 403, Refusal.NOT_AN_ORGANISATION)
    of_nobody = desk.ask(desk.request(stranger, LocalSigner.create()), stranger)
    assert of_nobody.content == answer.content  # whose patients there are is not told to anybody


def test_request_is_refused_when_the_organisation_is_suspended(
    desk: Desk, world: World, patient: LocalSigner, clinician: LocalSigner
) -> None:
    suspend(world, clinician)
    answer = desk.ask(desk.request(clinician, patient), clinician)
    assert_refused(answer, 403, Refusal.SUSPENDED)


def test_request_is_refused_and_logged_with_the_steward_when_the_patient_is_unknown(
    desk: Desk, database: Engine, clinician: LocalSigner, stranger: LocalSigner
) -> None:
    answer = desk.ask(desk.request(clinician, stranger), clinician)
    assert_refused(answer, 403, Refusal.UNKNOWN_PATIENT)
    with reading(database) as connection:
        query = select(func.count()).select_from(tables.audit_entry)
        assert connection.execute(query).scalar_one() == 1


def test_request_is_logged_with_its_patient_when_refused(
    desk: Desk, contracts: Contracts, patient: LocalSigner, stranger: LocalSigner
) -> None:
    request = desk.request(stranger, patient)
    assert desk.ask(request, stranger).status_code == 403
    (entry,) = desk.audit(patient)["entries"]
    assert (entry["action"], entry["outcome"]) == ("request", "refused")
    assert (entry["requester"], entry["reason"]) == (
        stranger.address,
        Refusal.NOT_AN_ORGANISATION.value,
    )
    assert entry["query"] == hex_digest(request.digest(contracts.off_chain_domain))


def test_request_is_logged_under_no_name_when_the_signer_may_not_ask_for_it(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner, stranger: LocalSigner
) -> None:
    answer = desk.ask(desk.request(clinician, patient), stranger)
    assert_refused(answer, 401, Refusal.NOT_SIGNED_IN)
    (entry,) = desk.audit(patient)["entries"]
    assert (entry["requester"], entry["by"]) == (None, stranger.address)


def test_request_is_refused_when_it_is_for_another_steward(
    desk: Desk, contracts: Contracts, patient: LocalSigner, clinician: LocalSigner
) -> None:
    elsewhere = contracts.account_id(clinician.address)
    terms = replace(desk.terms("patient/*.rs"), stewards=(elsewhere,))
    request = desk.request(clinician, patient, steward=elsewhere, terms=terms)
    assert_refused(desk.ask(request, clinician), 400, "InvalidRequest")


def test_request_is_taken_when_as_old_as_it_may_be(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner
) -> None:
    request = desk.request(clinician, patient, issued_at=desk.now() - MAX_AGE)
    assert desk.ask(request, clinician).status_code == 201


def test_request_is_refused_when_a_second_too_old(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner
) -> None:
    issued_at = desk.now() - MAX_AGE - timedelta(seconds=1)
    request = desk.request(clinician, patient, issued_at=issued_at)
    assert_refused(desk.ask(request, clinician), 400, "InvalidRequest")


def test_request_is_refused_when_a_second_too_far_ahead(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner
) -> None:
    issued_at = desk.now() + MAX_AHEAD + timedelta(seconds=1)
    request = desk.request(clinician, patient, issued_at=issued_at)
    assert_refused(desk.ask(request, clinician), 400, "InvalidRequest")


def test_request_is_refused_when_it_asks_for_the_past(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner
) -> None:
    now = desk.now()
    request = desk.request(clinician, patient, valid_from=now - timedelta(days=2), valid_until=now)
    assert_refused(desk.ask(request, clinician), 400, "InvalidRequest")


def test_request_conflicts_when_the_organisation_left_too_many(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner
) -> None:
    for _ in range(MAX_REQUESTS):
        assert desk.ask(desk.request(clinician, patient), clinician).status_code == 201
    assert_refused(desk.ask(desk.request(clinician, patient), clinician), 409, "Conflict")


def test_request_is_refused_when_malformed(desk: Desk, clinician: LocalSigner) -> None:
    body = {"request": {"profile": "?"}, "by": clinician.address, "signature": "0x00"}
    assert_refused(desk.http.post("/requests", json=body), 400, "InvalidRequest")


def test_inbox_is_refused_when_nobody_is_signed_in(desk: Desk) -> None:
    assert_refused(desk.http.get("/requests"), 401, Refusal.NOT_SIGNED_IN)


def test_inbox_is_refused_when_no_patient_is_signed_in(desk: Desk, clinician: LocalSigner) -> None:
    answer = desk.http.get("/requests", headers=desk.sign_in(clinician))
    assert_refused(answer, 403, Refusal.UNKNOWN_PATIENT)


def test_inbox_is_refused_when_the_state_is_unknown(desk: Desk, patient: LocalSigner) -> None:
    answer = desk.http.get("/requests", headers=desk.sign_in(patient), params={"state": "lost"})
    assert_refused(answer, 400, "InvalidRequest")
