"""Requests from the draft to the answer: by the inbox, and by a file, a link or a QR code."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

import pytest

from medaccord.chain import Power, actions
from medaccord.chain.actions import Kind
from medaccord.client import Consortium, Patient, Provider, ReceivedRequest, SentRequest
from medaccord.core.consent_status import ConsentStatus
from medaccord.core.errors import (
    AccessRefused,
    InvalidRequest,
    SignatureMismatch,
    TransportError,
    VerificationFailed,
)
from medaccord.core.identifiers import ConsentId
from medaccord.core.purposes import Purpose
from medaccord.core.refusals import Refusal
from medaccord.core.request_carriers import SignedRequest
from medaccord.demo.stage import Stage
from medaccord.keys import LocalSigner
from tests.integration.client.conftest import LABORATORY, MEDICATION, Visit
from tests.integration.client.middle import Middle, at, edited


@pytest.fixture
def drafted(clinician: Provider, patient: Patient, stage: Stage) -> SignedRequest:
    """Hospital B's request for MedicationRequests, not handed over yet."""
    terms = clinician.requests.terms(MEDICATION, include_undated=True)
    until = stage.network.clock() + timedelta(days=30)
    return clinician.requests.draft(patient.account, terms, valid_until=until)


@pytest.fixture
def sent(clinician: Provider, drafted: SignedRequest) -> SentRequest:
    """The same in the inbox."""
    return clinician.requests.leave(drafted)


def received_from(patient: Patient) -> ReceivedRequest:
    (found,) = patient.inbox.list()
    return found


# --- whichever way it comes


@pytest.mark.parametrize(
    "carry", [SignedRequest.to_file, SignedRequest.to_link, SignedRequest.to_qr]
)
def test_request_is_the_same_whichever_way_it_comes(
    patient: Patient,
    clinician: Provider,
    drafted: SignedRequest,
    carry: Callable[[SignedRequest], bytes | str],
) -> None:
    received = patient.inbox.receive(carry(drafted))
    assert patient.inbox.list() == ()
    clinician.requests.leave(drafted)
    assert received == received_from(patient)


def test_request_that_was_handed_over_is_granted_like_any_other(
    patient: Patient, clinician: Provider, drafted: SignedRequest
) -> None:
    received = patient.inbox.receive(drafted.to_link())
    patient.consents.grant(received)
    assert list(clinician.records.search("MedicationRequest", patient.account))
    assert next(patient.consents.history(newest_first=True)).request == received.digest


def test_request_is_not_granted_twice_when_it_comes_again(
    patient: Patient, drafted: SignedRequest
) -> None:
    consent = patient.consents.grant(patient.inbox.receive(drafted.to_file()))
    again = patient.inbox.receive(drafted.to_link())
    assert again.status is ConsentStatus.ACTIVE
    with pytest.raises(InvalidRequest, match="waits for no answer any more: it is active"):
        patient.consents.grant(again)
    patient.consents.revoke(ConsentId(consent.id))
    assert patient.inbox.receive(drafted.to_link()).status is ConsentStatus.PROPOSED


def test_request_says_who_asks_whom_for_what_and_how_long(
    patient: Patient, clinician: Provider, drafted: SignedRequest, stage: Stage
) -> None:
    received = patient.inbox.receive(drafted.to_file())
    assert (received.requestor, received.resource_owner) == (clinician.account, patient.account)
    assert (received.purposes, received.status) == ((Purpose.TREAT,), ConsentStatus.PROPOSED)
    assert received.expires - received.issued == timedelta(days=30)
    assert received.issued <= stage.network.clock()


def test_request_is_refused_when_it_was_made_to_somebody_else(
    neighbour: Patient, drafted: SignedRequest
) -> None:
    with pytest.raises(VerificationFailed, match="this request is made to "):
        neighbour.inbox.receive(drafted.to_file())


def test_request_is_refused_when_what_it_asks_for_was_changed(
    patient: Patient, drafted: SignedRequest
) -> None:
    document = json.loads(drafted.to_file())
    document["request"]["terms"]["includeUndated"] = False
    with pytest.raises(SignatureMismatch):
        patient.inbox.receive(json.dumps(document))


def test_request_is_refused_when_its_organisation_is_suspended(
    patient: Patient, clinician: Provider, drafted: SignedRequest, members: list[Consortium]
) -> None:
    motion = members[0].propose(Kind.SUSPEND, clinician.account)
    for member in members:
        member.approve(motion)
    members[0].execute(motion)
    with pytest.raises(VerificationFailed, match="is no active organisation"):
        patient.inbox.receive(drafted.to_file())


def test_request_is_refused_when_the_time_asked_for_is_over(
    patient: Patient, drafted: SignedRequest, stage: Stage
) -> None:
    stage.chain.advance(timedelta(days=30))
    with pytest.raises(InvalidRequest, match="the time asked for was over at"):
        patient.inbox.receive(drafted.to_file())


def test_request_is_refused_when_it_is_for_records_of_another_steward(
    patient: Patient, stage: Stage, drafted: SignedRequest, visit: Visit, middle: Middle
) -> None:
    middle.alter = at("/health", edited(lambda said: said.update({"steward": stage.b.account})))
    elsewhere: Patient = visit(Patient, LocalSigner.create(), patient.account)
    with pytest.raises(InvalidRequest) as refused:
        elsewhere.inbox.receive(drafted.to_file())
    assert refused.value.problem == (
        f"this asks for records of {stage.contracts.account_id(stage.a.account)}: answer it at "
        "the gatekeeper of that steward"
    )


def test_text_that_is_no_request_is_refused(patient: Patient) -> None:
    with pytest.raises(InvalidRequest, match="this is no signed request"):
        patient.inbox.receive("https://hospital.example/request/7")


# --- from there to the answer


def test_request_is_proposed_until_it_is_answered(
    clinician: Provider, patient: Patient, sent: SentRequest
) -> None:
    assert clinician.requests.list() == (sent,)
    assert sent.status is ConsentStatus.PROPOSED
    patient.consents.grant(received_from(patient))
    (answered,) = clinician.requests.list()
    assert (answered.digest, answered.status) == (sent.digest, ConsentStatus.ACTIVE)
    assert clinician.requests.list(ConsentStatus.PROPOSED) == ()


def test_request_is_rejected_when_the_patient_denies_it(
    clinician: Provider, patient: Patient, sent: SentRequest
) -> None:
    patient.inbox.deny(received_from(patient))
    assert patient.inbox.list() == ()
    assert [each.status for each in patient.inbox.list(None)] == [ConsentStatus.REJECTED]
    assert [each.digest for each in patient.inbox.list(ConsentStatus.REJECTED)] == [sent.digest]
    assert [each.status for each in clinician.requests.list()] == [ConsentStatus.REJECTED]


def test_request_is_inactive_when_it_was_cancelled(
    clinician: Provider, patient: Patient, sent: SentRequest
) -> None:
    for _ in range(2):  # one that was taken back stays so
        clinician.requests.cancel(sent)
    assert patient.inbox.list() == ()
    assert [each.status for each in clinician.requests.list()] == [ConsentStatus.INACTIVE]


def test_cancelling_is_refused_when_it_was_denied_before(
    clinician: Provider, patient: Patient, sent: SentRequest
) -> None:
    patient.inbox.deny(received_from(patient))
    with pytest.raises(InvalidRequest, match="the request is denied"):
        clinician.requests.cancel(sent)


def test_denial_is_refused_when_it_was_cancelled_before(
    clinician: Provider, patient: Patient, sent: SentRequest
) -> None:
    received = received_from(patient)
    clinician.requests.cancel(sent)
    with pytest.raises(InvalidRequest, match="the request is cancelled"):
        patient.inbox.deny(received)


def test_denial_is_refused_when_the_request_came_another_way(
    patient: Patient, drafted: SignedRequest
) -> None:
    received = patient.inbox.receive(drafted.to_file())
    with pytest.raises(InvalidRequest, match="no request of that digest lies here"):
        patient.inbox.deny(received)


def test_denial_is_refused_by_a_carer_who_may_not_answer(
    patient: Patient, sent: SentRequest, visit: Visit, stage: Stage
) -> None:
    carer = LocalSigner.create()
    until = stage.network.clock() + timedelta(days=1)
    patient.delegates.add(carer.address, Power.READ, until=until)
    acting: Patient = visit(Patient, carer, patient.account)
    with pytest.raises(AccessRefused) as refused:
        acting.inbox.deny(received_from(acting))
    assert refused.value.reason is Refusal.MAY_NOT_ASK


def test_sent_requests_of_somebody_else_are_not_shown_as_ones_own(
    clinician: Provider, sent: SentRequest, stage: Stage, middle: Middle
) -> None:
    named = str(stage.contracts.account_id(stage.c.account))
    change = edited(lambda said: said["requests"][0]["request"].update({"requester": named}))
    middle.alter = at("/requests/sent", change)
    with pytest.raises(TransportError, match="was shown as one's own"):
        clinician.requests.list()


def test_pages_of_sent_requests_are_not_followed_in_a_circle(
    clinician: Provider, sent: SentRequest, middle: Middle
) -> None:
    again = edited(lambda said: said.update({"next": "0x" + sent.digest.hex()}))
    middle.alter = at("/requests/sent", again)
    with pytest.raises(TransportError, match="run in a circle"):
        clinician.requests.list()


def test_terms_have_everything_that_was_named_and_a_salt_of_their_own(
    clinician: Provider, stage: Stage
) -> None:
    made, again = (
        clinician.requests.terms(
            LABORATORY,
            purposes=[Purpose.HRESCH],
            excluded_labels=["PSY"],
            records=["Observation/1"],
        )
        for _ in range(2)
    )
    assert made.stewards == (stage.contracts.account_id(stage.a.account),)
    assert (made.scopes, made.purposes) == ((LABORATORY,), (Purpose.HRESCH,))
    assert (made.excluded_labels, made.records) == (("PSY",), ("Observation/1",))
    assert made.salt != again.salt


def test_request_of_a_delegate_is_left_for_its_organisation(
    stage: Stage, visit: Visit, patient: Patient
) -> None:
    desk = LocalSigner.create()
    named = actions.delegate(
        stage.contracts,
        account=stage.b.account,
        delegate=desk.address,
        powers=Power.REQUEST | Power.READ,
        until=stage.network.clock() + timedelta(days=1),
    )
    actions.submit(stage.b.sender, named)
    acting: Provider = visit(Provider, desk, stage.b.account)
    until = stage.network.clock() + timedelta(days=1)
    sent = acting.requests.send(
        patient.account, acting.requests.terms(MEDICATION), valid_until=until
    )
    assert sent.requestor == stage.b.account
    acting.requests.cancel(sent)
    assert [each.status for each in acting.requests.list()] == [ConsentStatus.INACTIVE]
