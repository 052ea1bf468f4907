"""The steward's standing: needed to begin, never to decline or end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount

from tests.contracts.care.relationships.situations import (
    ENDED,
)
from tests.contracts.care_actions import RelationshipActions
from tests.contracts.deployed import Deployed, expect_revert
from tests.contracts.evm import Receipt
from tests.contracts.keys import Key, key_of
from tests.contracts.masks import STEWARD


def test_propose_is_refused_when_the_steward_is_unknown(
    relationships: Deployed,
    relayer: LocalAccount,
    patient: LocalAccount,
    stranger: LocalAccount,
) -> None:
    unknown = RelationshipActions(relationships, relayer, patient, stranger)
    with expect_revert("NotSteward", steward=stranger.address):
        unknown.make("propose", stranger).relay()


def test_propose_is_refused_when_the_organisation_is_no_steward(
    relationships: Deployed,
    relayer: LocalAccount,
    patient: LocalAccount,
    clinician: LocalAccount,
) -> None:
    practice = RelationshipActions(relationships, relayer, patient, clinician)
    with expect_revert("NotSteward", steward=clinician.address):
        practice.make("propose", patient).relay()


@pytest.fixture
def archive(
    relationships: Deployed,
    relayer: LocalAccount,
    patient: LocalAccount,
    admit: Callable[[Key, int], Receipt],
) -> RelationshipActions:
    """The patient and a steward that the hospital can suspend."""
    steward = key_of("archive")
    admit(steward, STEWARD)
    return RelationshipActions(relationships, relayer, patient, steward)


@pytest.mark.parametrize("name", ["patient", "steward"])
def test_propose_is_refused_while_the_steward_is_suspended(
    name: str, archive: RelationshipActions, suspend: Callable[[Key], Receipt]
) -> None:
    suspend(archive.steward)
    with expect_revert("NotSteward", steward=archive.steward.address):
        archive.make("propose", getattr(archive, name)).relay()


def test_accept_is_refused_to_the_patient_while_the_steward_is_suspended(
    archive: RelationshipActions, suspend: Callable[[Key], Receipt]
) -> None:
    archive.make("propose", archive.steward).relay()
    suspend(archive.steward)
    with expect_revert("NotSteward", steward=archive.steward.address):
        archive.make("accept", archive.patient).relay()


def test_accept_is_refused_to_the_steward_while_it_is_suspended(
    archive: RelationshipActions, suspend: Callable[[Key], Receipt]
) -> None:
    archive.make("propose", archive.patient).relay()
    suspend(archive.steward)
    with expect_revert("NotSteward", steward=archive.steward.address):
        archive.make("accept", archive.steward).relay()


def test_accept_is_refused_when_the_steward_lost_the_role(
    archive: RelationshipActions, motions: Any, hospital: LocalAccount
) -> None:
    archive.make("propose", archive.steward).relay()
    motions.set_roles(archive.steward, 0, members=[hospital])
    with expect_revert("NotSteward", steward=archive.steward.address):
        archive.make("accept", archive.patient).relay()


@pytest.mark.parametrize(
    ("proposer", "function", "actor"),
    [
        ("steward", "decline", "patient"),
        ("patient", "decline", "steward"),
        ("patient", "end", "patient"),
        ("steward", "end", "steward"),
    ],
)
def test_proposal_can_be_declined_and_withdrawn_while_the_steward_is_suspended(
    proposer: str,
    function: str,
    actor: str,
    archive: RelationshipActions,
    suspend: Callable[[Key], Receipt],
    relationships: Deployed,
) -> None:
    archive.make("propose", getattr(archive, proposer)).relay()
    suspend(archive.steward)
    archive.make(function, getattr(archive, actor)).relay()
    stored = relationships.call("relationshipOf", archive.patient.address, archive.steward.address)
    assert stored["state"] == ENDED


@pytest.mark.parametrize("actor", ["patient", "steward"])
def test_relationship_can_be_ended_while_the_steward_is_suspended(
    actor: str,
    archive: RelationshipActions,
    suspend: Callable[[Key], Receipt],
    relationships: Deployed,
) -> None:
    archive.make("propose", archive.steward).relay()
    archive.make("accept", archive.patient).relay()
    suspend(archive.steward)
    archive.make("end", getattr(archive, actor)).relay()
    assert relationships.call("isActive", archive.patient.address, archive.steward.address) is False


def test_proposal_can_be_accepted_when_the_steward_is_reinstated(
    archive: RelationshipActions,
    suspend: Callable[[Key], Receipt],
    reinstate: Callable[[Key], Receipt],
    relationships: Deployed,
) -> None:
    archive.make("propose", archive.steward).relay()
    suspend(archive.steward)
    reinstate(archive.steward)
    archive.make("accept", archive.patient).relay()
    assert relationships.call("isActive", archive.patient.address, archive.steward.address) is True


def test_relationship_ended_during_suspension_stays_ended_when_the_steward_is_reinstated(
    archive: RelationshipActions,
    suspend: Callable[[Key], Receipt],
    reinstate: Callable[[Key], Receipt],
    relationships: Deployed,
) -> None:
    archive.make("propose", archive.steward).relay()
    archive.make("accept", archive.patient).relay()
    suspend(archive.steward)
    archive.make("end", archive.patient).relay()
    reinstate(archive.steward)
    assert relationships.call("isActive", archive.patient.address, archive.steward.address) is False


def test_relationship_stands_when_nobody_ended_it_during_suspension(
    archive: RelationshipActions,
    suspend: Callable[[Key], Receipt],
    relationships: Deployed,
) -> None:
    archive.make("propose", archive.steward).relay()
    archive.make("accept", archive.patient).relay()
    suspend(archive.steward)
    assert relationships.call("isActive", archive.patient.address, archive.steward.address) is True


def test_pairs_are_apart_when_one_ends(
    act: RelationshipActions,
    reach: Callable[[str], None],
    archive: RelationshipActions,
    relationships: Deployed,
    patient: LocalAccount,
) -> None:
    reach("active")
    archive.make("propose", archive.steward).relay()
    archive.make("accept", archive.patient).relay()
    act.make("end", patient).relay()
    assert relationships.call("isActive", patient.address, archive.steward.address) is True
