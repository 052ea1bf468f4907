"""Asking what is allowed through the clients: typed, of one state, and never believed blindly."""

from __future__ import annotations

from dataclasses import replace

import pytest

from medaccord.client import AccessCheck, Patient, Provider
from medaccord.core.consistency import ConsistencyToken
from medaccord.core.decision import Basis
from medaccord.core.errors import AccessRefused, InvalidRequest, TransportError
from medaccord.core.purposes import Purpose
from medaccord.core.refusals import Refusal
from medaccord.demo.stage import Stage
from tests.integration.client.conftest import LABORATORY, World
from tests.integration.client.middle import Middle, at, edited


@pytest.fixture
def asked(patient: Patient) -> AccessCheck:
    """Searching the patient's Observations, for treatment."""
    return AccessCheck(patient=patient.account, interaction="s", resource_type="Observation")


def test_check_tells_consent_and_block_when_it_is_allowed(
    clinician: Provider, asked: AccessCheck, world: World, stage: Stage
) -> None:
    verdict = clinician.access.check(asked)
    assert (verdict.allowed, verdict.code, verdict.basis) == (True, "permitted", Basis.CONSENT)
    assert verdict.rests_on == (world.consent,)
    assert verdict.token == ConsistencyToken.of(stage.network.head())
    assert verdict.expires_at is not None
    assert verdict.expires_at > stage.network.clock()


def test_check_tells_the_reason_when_it_is_not_allowed(
    clinician: Provider, asked: AccessCheck
) -> None:
    verdict = clinician.access.check(replace(asked, purpose=Purpose.HRESCH))
    assert (verdict.allowed, verdict.code, verdict.basis) == (False, "purpose-not-covered", None)
    assert (verdict.rests_on, verdict.expires_at) == ((), None)


def test_check_of_one_record_looks_no_further_than_the_consent(
    clinician: Provider, patient: Patient, laboratory: list[str]
) -> None:
    def allowed(record: str) -> bool:
        return clinician.access.check(AccessCheck(patient=patient.account, record=record)).allowed

    assert allowed(laboratory[0])
    assert not allowed("Observation/not-there")


def test_check_all_answers_in_order_and_at_one_block(
    clinician: Provider, neighbour: Patient, asked: AccessCheck
) -> None:
    verdicts = clinician.access.check_all(
        [asked, replace(asked, resource_type="Claim"), replace(asked, patient=neighbour.account)]
    )
    assert [each.allowed for each in verdicts] == [True, False, True]
    assert len({each.token for each in verdicts}) == 1


def test_check_all_is_refused_when_there_are_too_many(
    clinician: Provider, asked: AccessCheck
) -> None:
    with pytest.raises(InvalidRequest):
        clinician.access.check_all([asked] * 51)


def test_check_is_refused_when_it_is_about_another_organisation(
    clinician: Provider, asked: AccessCheck, stage: Stage
) -> None:
    with pytest.raises(AccessRefused) as refused:
        clinician.access.check(replace(asked, requester=stage.c.account))
    assert refused.value.reason is Refusal.MAY_NOT_ASK


def test_check_is_no_older_than_the_block_of_a_revocation(
    clinician: Provider, patient: Patient, asked: AccessCheck, world: World, stage: Stage
) -> None:
    assert clinician.access.check(asked).allowed
    patient.consents.revoke(world.consent)
    token = ConsistencyToken.of(stage.network.head())
    verdict = clinician.access.check(asked, at_least=token)
    assert (verdict.allowed, verdict.code) == (False, "consent-revoked")
    assert verdict.token.number >= token.number


def test_check_is_refused_when_the_block_is_still_to_come(
    clinician: Provider, asked: AccessCheck
) -> None:
    token = clinician.access.check(asked, latest=True).token
    ahead = replace(token, number=token.number + 100)
    with pytest.raises(AccessRefused) as refused:
        clinician.access.check(asked, at_least=ahead)
    assert refused.value.reason is Refusal.LEDGER_BEHIND


def test_who_can_names_the_organisation_and_its_consent(
    patient: Patient, world: World, stage: Stage
) -> None:
    found = patient.access.who_can("Observation")
    (reader,) = found.readers
    assert (reader.organisation, reader.basis) == (stage.b.account, Basis.CONSENT)
    assert (reader.rests_on, reader.scopes) == (world.consent, (LABORATORY,))


def test_what_can_tells_patient_and_organisation_the_same(
    patient: Patient, clinician: Provider, world: World, stage: Stage
) -> None:
    own = clinician.access.what_can(patient=patient.account)
    (way,) = own.ways
    assert (way.rests_on, way.scopes, way.purposes) == (
        *(world.consent, (LABORATORY,)),
        (Purpose.TREAT,),
    )
    assert (way.period, way.include_undated, way.excluded_labels) == (None, True, ())
    assert patient.access.what_can(organisation=stage.b.account) == own


def test_what_can_tells_why_when_it_is_nothing(ambulance: Provider, patient: Patient) -> None:
    found = ambulance.access.what_can(patient=patient.account)
    assert (found.ways, found.code) == ((), "no-consent")


def test_check_is_refused_when_the_answer_is_malformed(
    clinician: Provider, asked: AccessCheck, middle: Middle
) -> None:
    middle.alter = at("/access/check", edited(lambda answer: answer.update(allowed="yes")))
    with pytest.raises(TransportError, match="allowed of the answer is not true or false"):
        clinician.access.check(asked)


def test_check_all_is_refused_when_an_answer_is_missing(
    clinician: Provider, asked: AccessCheck, middle: Middle
) -> None:
    middle.alter = at("/access/check/batch", edited(lambda answer: answer["answers"].pop()))
    with pytest.raises(TransportError, match="not as many answers as checks"):
        clinician.access.check_all([asked, asked])
