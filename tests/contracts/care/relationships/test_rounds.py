"""Rounds: a signature serves one of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from eth_account.signers.local import LocalAccount

from tests.contracts.care_actions import RelationshipActions
from tests.contracts.deployed import expect_revert


@pytest.mark.parametrize("number", [0, 2])
def test_propose_is_refused_when_the_first_round_is_not_one(
    number: int, act: RelationshipActions, hospital: LocalAccount
) -> None:
    with expect_revert("WrongRound", round=number, expected=1):
        act.make("propose", hospital, number).relay()


@pytest.mark.parametrize("number", [0, 1, 3])
def test_propose_is_refused_when_the_round_does_not_follow_the_last(
    number: int, act: RelationshipActions, reach: Callable[[str], None], patient: LocalAccount
) -> None:
    reach("ended")
    with expect_revert("WrongRound", round=number, expected=2):
        act.make("propose", patient, number).relay()


@pytest.mark.parametrize("function", ["accept", "decline"])
@pytest.mark.parametrize("number", [0, 2])
def test_answer_is_refused_when_it_is_for_another_round(
    function: str,
    number: int,
    act: RelationshipActions,
    reach: Callable[[str], None],
    patient: LocalAccount,
) -> None:
    reach("proposed by the steward")
    with expect_revert("WrongRound", round=number, expected=1):
        act.make(function, patient, number).relay()


@pytest.mark.parametrize("situation", ["proposed by the patient", "active"])
@pytest.mark.parametrize("number", [0, 2])
def test_end_is_refused_when_it_is_for_another_round(
    situation: str,
    number: int,
    act: RelationshipActions,
    reach: Callable[[str], None],
    patient: LocalAccount,
) -> None:
    reach(situation)
    with expect_revert("WrongRound", round=number, expected=1):
        act.make("end", patient, number).relay()


@pytest.mark.parametrize("function", ["accept", "decline", "end"])
def test_signature_of_one_round_is_refused_in_the_next(
    function: str,
    act: RelationshipActions,
    reach: Callable[[str], None],
    patient: LocalAccount,
    hospital: LocalAccount,
) -> None:
    old = act.make(function, patient)
    reach("ended")
    act.make("propose", hospital, 2).relay()
    if function == "end":
        act.make("accept", patient, 2).relay()
    with expect_revert("WrongRound", round=1, expected=2):
        old.relay()


def test_withheld_proposal_is_dead_when_its_round_was_proposed_and_ended(
    act: RelationshipActions, patient: LocalAccount
) -> None:
    withheld = act.make("propose", patient)
    act.make("propose", patient).relay()
    act.make("end", patient).relay()
    with expect_revert("WrongRound", round=1, expected=2):
        withheld.relay()
