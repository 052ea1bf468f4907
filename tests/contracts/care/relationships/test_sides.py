"""Who acts for a side: its controller, or a delegate holding RELATE."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount

from tests.contracts.care.relationships.situations import (
    ACTIVE,
    ENDED,
)
from tests.contracts.care_actions import RelationshipActions
from tests.contracts.deployed import Deployed, Event, expect_revert
from tests.contracts.evm import Evm
from tests.contracts.guardian_circle import GuardianCircle
from tests.contracts.keys import Key, key_of
from tests.contracts.masks import ANCHOR, GRANT, RELATE, RESTRICT
from tests.contracts.registry_actions import RegistryActions

FUNCTIONS = ("propose", "accept", "decline", "end")


@pytest.mark.parametrize("function", FUNCTIONS)
def test_action_is_refused_when_account_is_no_side(
    function: str,
    act: RelationshipActions,
    reach: Callable[[str], None],
    stranger: LocalAccount,
) -> None:
    reach("proposed by the steward")
    with expect_revert("NotParty", account=stranger.address):
        act.make(function, stranger).relay()


def test_propose_is_refused_when_both_sides_are_one_account(
    relationships: Deployed, relayer: LocalAccount, hospital: LocalAccount
) -> None:
    alone = RelationshipActions(relationships, relayer, hospital, hospital)
    with expect_revert("SameParty", account=hospital.address):
        alone.make("propose", hospital).relay()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_action_is_refused_when_a_stranger_signs_for_a_side(
    function: str, act: RelationshipActions, side: Key, stranger: LocalAccount
) -> None:
    with expect_revert("NotAuthorised", account=side.address, by=stranger.address, power=RELATE):
        act.make(function, side, by=stranger).relay()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_action_is_refused_when_the_other_side_signs(
    function: str, act: RelationshipActions, patient: LocalAccount, hospital: LocalAccount
) -> None:
    with expect_revert("NotAuthorised", account=patient.address, by=hospital.address, power=RELATE):
        act.make(function, patient, by=hospital).relay()


def test_accept_names_the_delegate_when_a_carer_with_the_power_accepts(
    act: RelationshipActions,
    reach: Callable[[str], None],
    accounts: RegistryActions,
    relationships: Deployed,
    patient: LocalAccount,
    hospital: LocalAccount,
) -> None:
    carer = key_of("carer")
    accounts.delegation(patient, carer.address, RELATE).relay()
    reach("proposed by the steward")
    receipt = act.make("accept", patient, by=carer).relay()
    assert relationships.events(receipt) == [
        Event(
            "RelationshipAccepted",
            {
                "patient": patient.address,
                "steward": hospital.address,
                "by": carer.address,
                "account": patient.address,
                "round": 1,
            },
        )
    ]


def test_accept_is_refused_when_the_delegate_has_every_power_but_relate(
    act: RelationshipActions,
    reach: Callable[[str], None],
    accounts: RegistryActions,
    patient: LocalAccount,
) -> None:
    carer = key_of("carer")
    accounts.delegation(patient, carer.address, 0xFFFF - RELATE).relay()
    reach("proposed by the steward")
    with expect_revert("NotAuthorised", account=patient.address, by=carer.address, power=RELATE):
        act.make("accept", patient, by=carer).relay()


@pytest.mark.parametrize("seconds", [-1, 0, 1])
def test_accept_by_a_delegate_works_until_the_delegation_ends(
    seconds: int,
    act: RelationshipActions,
    reach: Callable[[str], None],
    stored: Callable[[], Any],
    accounts: RegistryActions,
    evm: Evm,
    patient: LocalAccount,
) -> None:
    carer, until = key_of("carer"), evm.now + 1000
    accounts.delegation(patient, carer.address, RELATE | GRANT, until=until).relay()
    reach("proposed by the steward")
    acceptance = act.make("accept", patient, by=carer)
    if seconds < 0:
        acceptance.relay(at=until + seconds)
        assert stored()["state"] == ACTIVE
        return
    with expect_revert("NotAuthorised", account=patient.address, by=carer.address, power=RELATE):
        acceptance.relay(at=until + seconds)


def test_accept_by_a_delegate_is_refused_when_its_epoch_is_over(
    act: RelationshipActions,
    reach: Callable[[str], None],
    accounts: RegistryActions,
    patient: LocalAccount,
) -> None:
    carer = key_of("carer")
    accounts.delegation(patient, carer.address, RELATE).relay()
    reach("proposed by the steward")
    acceptance = act.make("accept", patient, by=carer)
    accounts.revoke_all(patient).relay()
    with expect_revert("NotAuthorised", account=patient.address, by=carer.address, power=RELATE):
        acceptance.relay()


def test_end_is_refused_while_a_recovery_of_the_patient_is_pending(
    act: RelationshipActions,
    reach: Callable[[str], None],
    accounts: RegistryActions,
    circle: GuardianCircle,
    guardians: list[LocalAccount],
    relayer: LocalAccount,
    patient: LocalAccount,
) -> None:
    accounts.guardians_change(patient, circle.commitment).relay()
    reach("active")
    circle.start(relayer, patient.address, key_of("new phone").address, guardians[:2])
    with expect_revert("NotAuthorised", account=patient.address, by=patient.address, power=RELATE):
        act.make("end", patient).relay()


def test_end_works_for_the_patient_after_revoking_all(
    act: RelationshipActions,
    reach: Callable[[str], None],
    stored: Callable[[], Any],
    accounts: RegistryActions,
    patient: LocalAccount,
) -> None:
    reach("active")
    accounts.revoke_all(patient).relay()
    assert stored()["state"] == ACTIVE
    act.make("end", patient).relay()
    assert stored()["state"] == ENDED


def test_delegation_without_relate_gives_no_side_a_voice(
    act: RelationshipActions, accounts: RegistryActions, hospital: LocalAccount
) -> None:
    server = key_of("server")
    accounts.delegation(hospital, server.address, ANCHOR | RESTRICT).relay()
    with expect_revert("NotAuthorised", account=hospital.address, by=server.address, power=RELATE):
        act.make("propose", hospital, by=server).relay()
