"""What was given to whom: read from the chain, by status, by organisation, from either end."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from medaccord.chain import events
from medaccord.client import GivenConsent, Patient, Provider, ReceivedRequest
from medaccord.core.consent_status import ConsentStatus
from medaccord.core.errors import CommitmentMismatch, InvalidRequest, InvalidTerms
from medaccord.core.identifiers import ZERO_DIGEST, ConsentId
from medaccord.core.purposes import Purpose
from medaccord.core.terms import DatePeriod
from medaccord.demo.stage import Stage
from tests.integration.client.conftest import LABORATORY, MEDICATION, World, terms

DAY = timedelta(days=1)


@pytest.fixture
def later(patient: Patient, clinician: Provider, ambulance: Provider, stage: Stage) -> ConsentId:
    """A consent for C, after that for B; and another one for B that ends at once."""
    now = stage.network.clock()
    for grantee, span in ((clinician, timedelta(minutes=1)), (ambulance, DAY)):
        given = patient.consents.offer(
            grantee.account, terms(stage, MEDICATION), valid_until=now + span
        )
    stage.chain.advance(timedelta(minutes=1))
    return given.id


def ids(found: list[GivenConsent]) -> list[ConsentId]:
    return [each.consent_id for each in found]


def test_history_has_ended_ones_too_from_either_end(
    patient: Patient, world: World, later: ConsentId
) -> None:
    found = list(patient.consents.history())
    assert (len(found), found[0].consent_id, found[2].consent_id) == (3, world.consent, later)
    assert list(patient.consents.history(newest_first=True)) == found[::-1]


def test_history_shows_those_of_a_status(patient: Patient, world: World, later: ConsentId) -> None:
    active = list(patient.consents.history(status=ConsentStatus.ACTIVE))
    assert ids(active) == [world.consent, later]
    (ended,) = patient.consents.history(status=ConsentStatus.INACTIVE)
    assert (ended.active, ended.revoked) == (False, False)


def test_history_shows_those_for_an_organisation(
    patient: Patient, ambulance: Provider, later: ConsentId
) -> None:
    assert ids(list(patient.consents.history(grantee=ambulance.account))) == [later]


def test_history_is_whole_from_either_end_when_it_is_read_in_pages(
    patient: Patient, later: ConsentId, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "MAX_RANGE", 1)
    assert ids(list(patient.consents.history()))[-1] == later
    newest = patient.consents.history(newest_first=True)
    assert next(newest).consent_id == later


def test_organisation_sees_the_consents_that_name_it(
    clinician: Provider, patient: Patient, neighbour: Patient, later: ConsentId
) -> None:
    found = list(clinician.consents.history())
    assert [each.resource_owner for each in found] == [
        *(patient.account, neighbour.account),
        patient.account,
    ]
    assert list(clinician.consents.history(newest_first=True)) == found[::-1]
    (active,) = clinician.consents.history(patient=patient.account, status=ConsentStatus.ACTIVE)
    assert active == found[0]


def test_consent_tells_what_the_chain_has_of_it(
    patient: Patient, clinician: Provider, world: World, stage: Stage
) -> None:
    found = patient.consents.get(world.consent)
    assert (found.consent_id, found.grantee) == (world.consent, clinician.account)
    assert (found.resource_owner, found.by) == (patient.account, patient.account)
    assert found.expires - found.valid_from == timedelta(days=30)
    assert found.valid_from <= found.issued < stage.network.clock()
    assert (found.status, found.request) == (ConsentStatus.ACTIVE, None)


def test_consent_is_not_there_when_another_gave_it(neighbour: Patient, world: World) -> None:
    with pytest.raises(InvalidRequest, match=f"gave no consent 0x{world.consent.hex()}"):
        neighbour.consents.get(world.consent)


def test_terms_are_those_that_were_committed_to(patient: Patient, world: World) -> None:
    found = patient.consents.get(world.consent)
    assert patient.consents.terms_of(found).scopes == (LABORATORY,)


def test_terms_are_refused_when_they_are_others_than_committed_to(
    patient: Patient, world: World
) -> None:
    found = replace(patient.consents.get(world.consent), terms=ZERO_DIGEST)
    with pytest.raises(CommitmentMismatch, match="not the terms that were committed to"):
        patient.consents.terms_of(found)


def test_terms_are_not_told_when_nobody_handed_them_in(patient: Patient, world: World) -> None:
    found = replace(patient.consents.get(world.consent), consent_id=ZERO_DIGEST)
    with pytest.raises(InvalidRequest, match="the terms were not told to this gatekeeper"):
        patient.consents.terms_of(found)


# --- narrowed by keyword


@pytest.fixture
def received(clinician: Provider, patient: Patient, stage: Stage) -> ReceivedRequest:
    """For laboratory Observations and MedicationRequests, but not those labelled HIV."""
    wanted = clinician.requests.terms(
        LABORATORY, MEDICATION, include_undated=True, excluded_labels=["HIV"]
    )
    until = stage.network.clock() + 10 * DAY
    clinician.requests.send(patient.account, wanted, valid_until=until)
    (found,) = patient.inbox.list()
    return found


def test_grant_as_asked_has_a_salt_of_its_own(patient: Patient, received: ReceivedRequest) -> None:
    """Else the request would tell who the account is that stands on the chain."""
    given = patient.consents.get(patient.consents.grant(received).id)
    asked = received.request.terms
    assert given.terms != asked.commitment
    assert replace(patient.consents.terms_of(given), salt=asked.salt) == asked


def test_grant_names_what_it_is_narrowed_to(
    patient: Patient, received: ReceivedRequest, stage: Stage
) -> None:
    start = received.request.valid_from + DAY
    period = DatePeriod(start=stage.network.clock().date())
    granted = patient.consents.grant(
        received,
        scopes=[MEDICATION],
        period=period,
        include_undated=False,
        excluded_labels=["PSY"],
        records=["MedicationRequest/1"],
        valid_from=start,
        valid_until=start + DAY,
    )
    given = patient.consents.get(granted.id)
    narrowed = patient.consents.terms_of(given)
    assert (narrowed.scopes, narrowed.records) == ((MEDICATION,), ("MedicationRequest/1",))
    assert (narrowed.period, narrowed.include_undated) == (period, False)
    assert narrowed.excluded_labels == ("HIV", "PSY")  # what was left out anyway stays out
    assert (given.valid_from, given.expires) == (start, start + DAY)
    assert given.status is ConsentStatus.INACTIVE  # not begun yet


def test_grant_that_starts_a_second_earlier_is_refused(
    patient: Patient, received: ReceivedRequest
) -> None:
    earlier = received.request.valid_from - timedelta(seconds=1)
    with pytest.raises(InvalidRequest, match="longer than was asked for"):
        patient.consents.grant(received, valid_from=earlier)


def test_narrowing_to_other_records_is_refused_when_they_have_no_such_form(
    received: ReceivedRequest,
) -> None:
    with pytest.raises(InvalidTerms, match="a single record is named Type/id"):
        received.narrowed(records=["Observation"])


def test_narrowing_is_refused_when_it_is_wider(received: ReceivedRequest) -> None:
    with pytest.raises(InvalidRequest, match="more than was asked for"):
        received.narrowed(purposes=[Purpose.HRESCH])


def test_offer_has_a_fresh_salt_however_often_the_terms_are_used(
    patient: Patient, clinician: Provider, stage: Stage
) -> None:
    made = patient.consents.terms(MEDICATION)
    until = stage.network.clock() + DAY
    given = [
        patient.consents.get(patient.consents.offer(clinician.account, made, valid_until=until).id)
        for _ in range(2)
    ]
    assert len({each.terms for each in given} | {made.commitment}) == 3
