"""What a patient can do with their account, and what it does to others' reading at once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from medaccord.chain import Power, reverts
from medaccord.chain.events import RelationshipProposed
from medaccord.client import Patient, Provider, ReceivedRequest
from medaccord.core.emergency import EmergencyCode
from medaccord.core.errors import (
    AccessRefused,
    CommitmentMismatch,
    InvalidRequest,
    TransportError,
)
from medaccord.core.identifiers import ZERO_DIGEST
from medaccord.core.purposes import Purpose
from medaccord.core.refusals import Refusal
from medaccord.demo.stage import Hospital, Stage
from medaccord.keys import LocalSigner
from tests.integration.client.conftest import (
    EVERYTHING,
    LABORATORY,
    MEDICATION,
    Visit,
    World,
    terms,
)
from tests.integration.client.middle import Middle

HOUR = timedelta(hours=1)


def assert_refused(reason: Refusal, reader: Provider, patient: Patient, kind: str) -> None:
    purpose = Purpose.BTG if reason.value.startswith("emergency") else Purpose.TREAT
    with pytest.raises(AccessRefused) as refused:
        reader.records.search(kind, patient.account, purpose=purpose)
    assert refused.value.reason is reason


# --- granting


@pytest.fixture
def received(clinician: Provider, patient: Patient, stage: Stage) -> ReceivedRequest:
    """Hospital B's request for laboratory Observations and MedicationRequests, for 10 days."""
    clinician.requests.send(
        patient.account,
        terms(stage, LABORATORY, MEDICATION),
        valid_until=stage.network.clock().replace(microsecond=0) + timedelta(days=10),
    )
    (found,) = patient.inbox.list()
    return found


def test_grant_lets_read_what_was_asked_for(
    patient: Patient, clinician: Provider, received: ReceivedRequest
) -> None:
    patient.consents.grant(received)
    answer = clinician.records.search("MedicationRequest", patient.account)
    assert {record.name.partition("/")[0] for record in answer} == {"MedicationRequest"}


def test_grant_of_less_lets_read_less(
    patient: Patient, clinician: Provider, world: World, received: ReceivedRequest
) -> None:
    patient.consents.revoke(world.consent)
    patient.consents.grant(received, scopes=[MEDICATION])
    assert list(clinician.records.search("MedicationRequest", patient.account))
    assert_refused(Refusal.SCOPE_NOT_COVERED, clinician, patient, "Observation")


def test_grant_may_end_earlier_than_asked_for(
    patient: Patient, clinician: Provider, stage: Stage, received: ReceivedRequest
) -> None:
    until = received.request.valid_until - timedelta(days=9)
    patient.consents.grant(received, valid_until=until)
    assert list(patient.consents.history())[-1].expires == until
    stage.chain.advance(timedelta(days=1, seconds=1))
    assert_refused(Refusal.SCOPE_NOT_COVERED, clinician, patient, "MedicationRequest")


def test_grant_of_a_wider_scope_is_refused(patient: Patient, received: ReceivedRequest) -> None:
    before = list(patient.consents.history())
    with pytest.raises(InvalidRequest, match="more than was asked for"):
        patient.consents.grant(received, scopes=[EVERYTHING])
    assert list(patient.consents.history()) == before


def test_grant_for_another_purpose_is_refused(patient: Patient, received: ReceivedRequest) -> None:
    with pytest.raises(InvalidRequest, match="more than was asked for"):
        patient.consents.grant(received, purposes=[Purpose.TREAT, Purpose.HRESCH])


def test_grant_that_ends_a_second_later_is_refused(
    patient: Patient, received: ReceivedRequest
) -> None:
    later = received.request.valid_until + timedelta(seconds=1)
    with pytest.raises(InvalidRequest, match="longer than was asked for"):
        patient.consents.grant(received, valid_until=later)


def test_grant_without_a_request_lets_read(
    patient: Patient, clinician: Provider, stage: Stage
) -> None:
    now = stage.network.clock().replace(microsecond=0)
    patient.consents.offer(
        clinician.account, terms(stage, MEDICATION), valid_from=now, valid_until=now + HOUR
    )
    assert list(clinician.records.search("MedicationRequest", patient.account))


# --- taking back


def test_consents_tell_what_became_of_each(
    patient: Patient, clinician: Provider, world: World, received: ReceivedRequest
) -> None:
    granted = patient.consents.grant(received)
    patient.consents.revoke(world.consent)
    first, second = patient.consents.history()
    assert (first.consent_id, first.grantee) == (world.consent, clinician.account)
    assert (first.active, first.revoked) == (False, True)
    assert (second.consent_id, second.grantee) == (granted.id, clinician.account)
    assert (second.active, second.revoked) == (True, False)
    assert second.valid_from == received.request.valid_from
    assert second.expires == received.request.valid_until


def test_revoke_ends_reading(patient: Patient, clinician: Provider, world: World) -> None:
    assert list(clinician.records.search("Observation", patient.account))
    assert patient.consents.revoke(world.consent).obeyed
    assert_refused(Refusal.CONSENT_REVOKED, clinician, patient, "Observation")


def test_revoke_of_what_is_revoked_already_is_refused_by_the_chain(
    patient: Patient, world: World
) -> None:
    patient.consents.revoke(world.consent)
    with pytest.raises(reverts.ConsentRevokedAlready) as refused:
        patient.consents.revoke(world.consent)
    assert refused.value.consent_id == world.consent


def test_revoke_all_ends_every_consent(
    patient: Patient, clinician: Provider, received: ReceivedRequest
) -> None:
    patient.consents.grant(received)
    patient.consents.revoke_all()
    assert [(each.active, each.revoked) for each in patient.consents.history()] == [
        (False, False)
    ] * 2
    assert_refused(Refusal.CONSENT_EPOCH_ENDED, clinician, patient, "Observation")
    assert_refused(Refusal.CONSENT_EPOCH_ENDED, clinician, patient, "MedicationRequest")


def test_end_of_the_relationship_ends_reading_for_everybody(
    patient: Patient, clinician: Provider
) -> None:
    patient.relationships.end()
    assert_refused(Refusal.NO_RELATIONSHIP, clinician, patient, "Observation")
    with pytest.raises(AccessRefused) as refused:
        patient.records.search("Observation")
    assert refused.value.reason is Refusal.NO_RELATIONSHIP


def test_decline_leaves_no_relationship_and_can_be_proposed_again(
    hospital: Hospital, visit: Visit, stranger: LocalSigner
) -> None:
    newcomer = visit(Patient, stranger)
    first = newcomer.relationships.enrol(hospital.gatekeeper.enrolment.issue_code("somebody-new"))
    newcomer.relationships.decline()
    with pytest.raises(AccessRefused) as refused:
        newcomer.records.search("Observation")
    assert refused.value.reason is Refusal.NO_RELATIONSHIP
    with pytest.raises(reverts.Reverted):
        newcomer.relationships.accept()
    assert first.event(RelationshipProposed).round == 1


# --- emergencies


def open_emergency(ambulance: Provider, patient: Patient, stage: Stage) -> None:
    ambulance.emergency.open(patient.account, EmergencyCode.UNCONSCIOUS, HOUR)


def test_emergencies_tell_who_and_when_and_whether_still_open(
    patient: Patient, ambulance: Provider, stage: Stage
) -> None:
    assert patient.emergency.list() == ()
    open_emergency(ambulance, patient, stage)
    (seen,) = patient.emergency.list()
    assert (seen.grantee, seen.open) == (ambulance.account, True)
    assert seen.opened_at == stage.network.head().timestamp
    assert timedelta() < seen.expires - seen.opened_at <= HOUR
    assert patient.emergency.reason_of(seen).code is EmergencyCode.UNCONSCIOUS
    forged = replace(seen, reason=ZERO_DIGEST)
    with pytest.raises(CommitmentMismatch, match="not the reason that was committed to"):
        patient.emergency.reason_of(forged)
    untold = replace(seen, emergency_id=ZERO_DIGEST)
    with pytest.raises(InvalidRequest, match="the reason was not told"):
        patient.emergency.reason_of(untold)
    stage.chain.advance(HOUR)
    assert [each.open for each in patient.emergency.list()] == [False]
    assert_refused(Refusal.EMERGENCY_ENDED, ambulance, patient, "Condition")


def test_close_ends_emergency_reading_until_allowed_again(
    patient: Patient, ambulance: Provider, stage: Stage
) -> None:
    open_emergency(ambulance, patient, stage)
    assert list(ambulance.records.search("Condition", patient.account, purpose=Purpose.BTG))
    patient.emergency.close(ambulance.account)
    assert_refused(Refusal.EMERGENCY_CLOSED, ambulance, patient, "Condition")
    with pytest.raises(reverts.EmergencyBarred):
        open_emergency(ambulance, patient, stage)
    patient.emergency.allow(ambulance.account)
    open_emergency(ambulance, patient, stage)
    assert list(ambulance.records.search("Condition", patient.account, purpose=Purpose.BTG))
    assert [each.open for each in patient.emergency.list()] == [False, True]


def test_forbid_keeps_everybody_from_opening_until_allowed_again(
    patient: Patient, ambulance: Provider, stage: Stage
) -> None:
    patient.emergency.forbid()
    with pytest.raises(reverts.EmergencyForbiddenBy) as refused:
        open_emergency(ambulance, patient, stage)
    assert refused.value.patient == patient.account
    patient.emergency.allow()
    open_emergency(ambulance, patient, stage)
    assert [each.open for each in patient.emergency.list()] == [True]


def test_forbid_ends_what_is_open(patient: Patient, ambulance: Provider, stage: Stage) -> None:
    open_emergency(ambulance, patient, stage)
    patient.emergency.forbid()
    assert [each.open for each in patient.emergency.list()] == [False]
    with pytest.raises(AccessRefused):
        ambulance.records.search("Condition", patient.account, purpose=Purpose.BTG)


def test_emergency_reads_nothing_before_its_reason_is_told(
    patient: Patient, ambulance: Provider, stage: Stage, middle: Middle
) -> None:
    middle.cut.add("/openings/emergency")
    with pytest.raises(TransportError, match="no gatekeeper answers"):
        open_emergency(ambulance, patient, stage)
    assert_refused(Refusal.EMERGENCY_REASON_MISSING, ambulance, patient, "Condition")
    middle.cut.clear()
    ambulance.emergency.disclose(ambulance.emergency.undisclosed[patient.account])
    assert ambulance.emergency.undisclosed == {}
    assert list(ambulance.records.search("Condition", patient.account, purpose=Purpose.BTG))


# --- carers


@pytest.fixture
def carer() -> LocalSigner:
    """A key the patient trusts."""
    return LocalSigner.create()


def delegate(patient: Patient, carer: LocalSigner, powers: Power, stage: Stage) -> None:
    end = stage.network.clock().replace(microsecond=0) + timedelta(days=20)
    patient.delegates.add(carer.address, powers, until=end)


def test_carer_reads_and_grants_for_the_patient(
    patient: Patient,
    clinician: Provider,
    carer: LocalSigner,
    stage: Stage,
    visit: Visit,
    received: ReceivedRequest,
) -> None:
    delegate(patient, carer, Power.GRANT | Power.READ, stage)
    acting = visit(Patient, carer, patient.account)
    assert list(acting.records.search("Observation"))
    (seen,) = acting.inbox.list()
    assert seen == received
    acting.consents.grant(seen)
    assert list(clinician.records.search("MedicationRequest", patient.account))
    log = patient.audit.verify()
    own = [entry for entry in log.entries if entry.requester == patient.account]
    assert [entry.by for entry in own] == [carer.address]


def test_carer_cannot_take_back_without_that_power(
    patient: Patient, carer: LocalSigner, stage: Stage, visit: Visit, world: World
) -> None:
    delegate(patient, carer, Power.GRANT | Power.READ, stage)
    acting = visit(Patient, carer, patient.account)
    with pytest.raises(reverts.Reverted):
        acting.consents.revoke(world.consent)
    assert next(patient.consents.history()).active


def test_carer_cannot_sign_in_without_the_power_to_read(
    patient: Patient, carer: LocalSigner, stage: Stage, visit: Visit
) -> None:
    delegate(patient, carer, Power.GRANT, stage)
    with pytest.raises(AccessRefused) as refused:
        visit(Patient, carer, patient.account).inbox.list()
    assert refused.value.reason is Refusal.NOT_SIGNED_IN


def test_carer_is_signed_out_once_removed(
    patient: Patient, carer: LocalSigner, stage: Stage, visit: Visit
) -> None:
    delegate(patient, carer, Power.READ, stage)
    acting = visit(Patient, carer, patient.account)
    assert acting.inbox.list() == ()
    patient.delegates.remove(carer.address)
    with pytest.raises(AccessRefused) as refused:
        acting.inbox.list()
    assert refused.value.reason is Refusal.NOT_SIGNED_IN


def test_carers_grant_cannot_outlive_the_delegation(
    patient: Patient, clinician: Provider, carer: LocalSigner, stage: Stage, visit: Visit
) -> None:
    delegate(patient, carer, Power.GRANT, stage)
    now = stage.network.clock().replace(microsecond=0)
    with pytest.raises(reverts.OutlivesDelegation):
        visit(Patient, carer, patient.account).consents.offer(
            clinician.account,
            terms(stage, MEDICATION),
            valid_from=now,
            valid_until=now + timedelta(days=21),
        )
