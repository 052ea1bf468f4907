"""Relationships as both sides see them, and what it takes to begin one."""

from __future__ import annotations

import pytest

from medaccord.chain import Contracts, Sender, reverts
from medaccord.chain.events import RelationshipDeclined, RelationshipEnded, RelationshipProposed
from medaccord.client import Patient, Provider, Relationship, RelationshipState
from medaccord.core.errors import InvalidRequest
from medaccord.demo.stage import Hospital, Stage
from medaccord.keys import LocalSigner
from tests.integration.client.conftest import Visit, World


@pytest.fixture
def steward(hospital: Hospital, stage: Stage, visit: Visit) -> Provider:
    """Hospital A, at its own gatekeeper."""
    made: Provider = visit(Provider, stage.a.signer)
    return made


def states(side: Patient | Provider) -> list[tuple[RelationshipState, int]]:
    return [(each.state, each.round) for each in side.relationships.list()]


def test_patient_sees_with_whom_it_is_and_since_when(patient: Patient, stage: Stage) -> None:
    (found,) = patient.relationships.list()
    assert found == Relationship(
        patient=patient.account,
        steward=stage.a.account,
        state=RelationshipState.ACTIVE,
        proposed_by=stage.a.account,
        round=1,
        since=found.since,
    )
    assert found.since is not None
    assert found.since < stage.network.clock()


def test_steward_sees_every_patient_it_keeps_records_for(
    steward: Provider, patient: Patient, neighbour: Patient
) -> None:
    found = steward.relationships.list()
    assert [each.patient for each in found] == [patient.account, neighbour.account]
    assert steward.relationships.list(RelationshipState.ENDED) == ()
    steward.relationships.end(patient.account)
    (ended,) = steward.relationships.list(RelationshipState.ENDED)
    assert ended.patient == patient.account


def test_account_of_nobody_has_no_relationship(visit: Visit, stranger: LocalSigner) -> None:
    newcomer: Patient = visit(Patient, stranger)
    assert newcomer.relationships.list() == ()


def test_patient_proposes_when_somebody_pays(
    contracts: Contracts, hospital: Hospital, stage: Stage, steward: Provider, stranger: LocalSigner
) -> None:
    payer = Sender(stage.network, stage.chain.funded_signer())
    with Patient(stranger, contracts, hospital.url, sender=payer) as newcomer:
        proposed = newcomer.relationships.propose().event(RelationshipProposed)
        assert (proposed.account, proposed.steward) == (newcomer.account, stage.a.account)
        steward.relationships.accept(newcomer.account)
        assert states(newcomer) == [(RelationshipState.ACTIVE, 1)]
        (found,) = newcomer.relationships.list()
        assert found.proposed_by == newcomer.account


def test_proposal_of_a_patient_is_refused_when_nobody_pays(
    visit: Visit, stranger: LocalSigner
) -> None:
    newcomer: Patient = visit(Patient, stranger)
    with pytest.raises(InvalidRequest, match="name a sender that pays for it"):
        newcomer.relationships.propose()


def test_steward_declines_what_a_patient_proposed(
    contracts: Contracts, hospital: Hospital, stage: Stage, steward: Provider, stranger: LocalSigner
) -> None:
    payer = Sender(stage.network, stage.chain.funded_signer())
    with Patient(stranger, contracts, hospital.url, sender=payer) as newcomer:
        newcomer.relationships.propose()
        done = steward.relationships.decline(newcomer.account)
        assert done.event(RelationshipDeclined).account == steward.account
        assert states(newcomer) == [(RelationshipState.ENDED, 1)]


def test_steward_ends_and_proposes_again(steward: Provider, patient: Patient, world: World) -> None:
    ended = steward.relationships.end(patient.account)
    assert ended.event(RelationshipEnded).account == steward.account
    steward.relationships.propose(patient.account)
    assert states(patient) == [(RelationshipState.PROPOSED, 2)]
    patient.relationships.accept()
    assert states(patient) == [(RelationshipState.ACTIVE, 2)]


def test_proposal_is_refused_when_there_is_a_relationship(
    steward: Provider, patient: Patient
) -> None:
    with pytest.raises(reverts.WrongState):
        steward.relationships.propose(patient.account)
