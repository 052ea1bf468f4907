"""Denying and cancelling requests: each by its own side alone, once, and never after an answer."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest

from medaccord.chain import Contracts, Power, Sender
from medaccord.chain.embedded import EmbeddedChain
from medaccord.core.identifiers import hex_digest
from medaccord.core.refusals import Refusal
from medaccord.core.requests import AccessRequest
from medaccord.gatekeeper.inbox import MAX_REQUESTS
from medaccord.keys import LocalSigner
from tests.integration.gatekeeper.conftest import delegate
from tests.integration.gatekeeper.desk import Desk, assert_refused


@pytest.fixture
def request_left(desk: Desk, patient: LocalSigner, clinician: LocalSigner) -> AccessRequest:
    """A request of the clinic's in the patient's inbox."""
    request = desk.request(clinician, patient)
    assert desk.ask(request, clinician).status_code == 201
    return request


@pytest.fixture
def digest(request_left: AccessRequest, contracts: Contracts) -> str:
    return hex_digest(request_left.digest(contracts.off_chain_domain))


def close(desk: Desk, signer: LocalSigner, digest: str, how: str) -> httpx.Response:
    return desk.http.post(f"/requests/{digest}/{how}", headers=desk.sign_in(signer))


def states(desk: Desk, signer: LocalSigner, path: str = "/requests") -> list[str]:
    answer = desk.http.get(path, headers=desk.sign_in(signer))
    assert answer.status_code == 200, answer.text
    return [each["state"] for each in answer.json()["requests"]]


def test_request_is_denied_when_its_patient_says_so(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner, digest: str
) -> None:
    answer = close(desk, patient, digest, "deny")
    assert (answer.status_code, answer.json()["state"]) == (200, "denied")
    assert states(desk, patient) == ["denied"]
    assert states(desk, clinician, "/requests/sent") == ["denied"]


def test_request_is_cancelled_when_its_requester_says_so(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner, digest: str
) -> None:
    answer = close(desk, clinician, digest, "cancel")
    assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")
    assert states(desk, patient) == ["cancelled"]
    assert states(desk, clinician, "/requests/sent") == ["cancelled"]


@pytest.mark.parametrize("how", ["deny", "cancel"])
def test_request_stays_closed_when_it_is_closed_again(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner, digest: str, how: str
) -> None:
    signer = patient if how == "deny" else clinician
    first = close(desk, signer, digest, how)
    assert close(desk, signer, digest, how).json() == first.json()


def test_request_cannot_be_cancelled_when_it_was_denied(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner, digest: str
) -> None:
    close(desk, patient, digest, "deny")
    assert_refused(close(desk, clinician, digest, "cancel"), 409, "Conflict")
    assert states(desk, patient) == ["denied"]


def test_request_cannot_be_denied_when_it_was_cancelled(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner, digest: str
) -> None:
    close(desk, clinician, digest, "cancel")
    assert_refused(close(desk, patient, digest, "deny"), 409, "Conflict")
    assert states(desk, patient) == ["cancelled"]


def test_request_cannot_be_denied_when_it_was_granted(
    desk: Desk,
    contracts: Contracts,
    patient: LocalSigner,
    clinician: LocalSigner,
    request_left: AccessRequest,
    digest: str,
) -> None:
    named = request_left.digest(contracts.off_chain_domain)
    consent = desk.consent(patient, clinician, request_left.terms, request=named)
    assert desk.relay(consent, patient, terms=request_left.terms).status_code == 200
    assert_refused(close(desk, patient, digest, "deny"), 409, "Conflict")
    assert states(desk, clinician, "/requests/sent") == ["granted"]


def test_request_cannot_be_denied_when_the_time_asked_for_is_over(
    desk: Desk, chain: EmbeddedChain, patient: LocalSigner, digest: str
) -> None:
    chain.advance(timedelta(days=31))
    assert_refused(close(desk, patient, digest, "deny"), 409, "Conflict")


@pytest.mark.parametrize("how", ["deny", "cancel"])
def test_request_of_others_is_not_there_for_anybody_else(
    desk: Desk, hospital: LocalSigner, digest: str, how: str
) -> None:
    assert_refused(close(desk, hospital, digest, how), 404, "NotFound")


def test_request_cannot_be_denied_by_whoever_asked(
    desk: Desk, clinician: LocalSigner, digest: str
) -> None:
    assert_refused(close(desk, clinician, digest, "deny"), 404, "NotFound")


def test_request_cannot_be_cancelled_by_its_patient(
    desk: Desk, patient: LocalSigner, digest: str
) -> None:
    assert_refused(close(desk, patient, digest, "cancel"), 404, "NotFound")


def test_request_cannot_be_denied_by_a_carer_who_may_not_answer(
    desk: Desk, contracts: Contracts, sender: Sender, patient: LocalSigner, digest: str
) -> None:
    carer = LocalSigner.create()
    delegate(contracts, sender, patient, carer, Power.READ)
    headers = desk.sign_in(carer, account=patient.address)
    answer = desk.http.post(f"/requests/{digest}/deny", headers=headers)
    assert_refused(answer, 403, Refusal.MAY_NOT_ASK)
    assert states(desk, patient) == ["open"]


def test_request_is_denied_by_a_carer_who_may_answer(
    desk: Desk, contracts: Contracts, sender: Sender, patient: LocalSigner, digest: str
) -> None:
    carer = LocalSigner.create()
    delegate(contracts, sender, patient, carer, Power.READ | Power.GRANT)
    headers = desk.sign_in(carer, account=patient.address)
    assert desk.http.post(f"/requests/{digest}/deny", headers=headers).status_code == 200


@pytest.mark.parametrize("how", ["deny", "cancel"])
def test_request_is_not_closed_when_nobody_is_signed_in(desk: Desk, digest: str, how: str) -> None:
    assert_refused(desk.http.post(f"/requests/{digest}/{how}"), 401, Refusal.NOT_SIGNED_IN)


@pytest.mark.parametrize("named", ["0x00", "all", "0x" + 64 * "g"])
def test_request_is_refused_when_its_digest_is_malformed(
    desk: Desk, patient: LocalSigner, named: str
) -> None:
    assert_refused(close(desk, patient, named, "deny"), 400, "InvalidIdentifier")


def test_denied_requests_count_when_an_organisation_leaves_more(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner, contracts: Contracts
) -> None:
    """Else a request could be left and taken back for ever, with a notice each."""
    for _ in range(MAX_REQUESTS):
        request = desk.request(clinician, patient)
        assert desk.ask(request, clinician).status_code == 201
        close(desk, clinician, hex_digest(request.digest(contracts.off_chain_domain)), "cancel")
    assert_refused(desk.ask(desk.request(clinician, patient), clinician), 409, "Conflict")


# --- What an organisation left ---


def sent(desk: Desk, signer: LocalSigner, **parameters: str) -> dict[str, Any]:
    answer = desk.http.get("/requests/sent", headers=desk.sign_in(signer), params=parameters)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_sent_requests_come_in_pages_each_once(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner
) -> None:
    left = [
        desk.ask(desk.request(clinician, patient), clinician).json()["digest"] for _ in range(5)
    ]
    pages, after = [], None
    while True:
        page = sent(desk, clinician, count="2", **({} if after is None else {"after": after}))
        pages.append([each["digest"] for each in page["requests"]])
        after = page["next"]
        if after is None:
            break
    assert [len(page) for page in pages] == [2, 2, 1]
    assert sorted(each for page in pages for each in page) == sorted(left)


def test_sent_requests_are_those_of_the_account_alone(
    desk: Desk, hospital: LocalSigner, digest: str
) -> None:
    assert sent(desk, hospital) == {"requests": [], "next": None}


def test_sent_requests_are_refused_when_after_is_somebody_elses(
    desk: Desk, hospital: LocalSigner, digest: str
) -> None:
    answer = desk.http.get(
        "/requests/sent", headers=desk.sign_in(hospital), params={"after": digest}
    )
    assert_refused(answer, 400, "InvalidRequest")


def test_sent_requests_are_refused_when_nobody_is_signed_in(desk: Desk) -> None:
    assert_refused(desk.http.get("/requests/sent"), 401, Refusal.NOT_SIGNED_IN)
