"""Each action is known again on the chain by what it reports, whoever sent it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from medaccord.chain.actions import FORMS
from medaccord.client.effects import EVENT_OF, Effect
from medaccord.keys import LocalSigner
from tests.integration.conftest import Setting
from tests.integration.every_action import CASES, World


@pytest.fixture
def world(setting: Setting, patient: LocalSigner, stranger: LocalSigner) -> World:
    return World(setting, patient, stranger)


def test_every_action_has_its_event() -> None:
    assert EVENT_OF.keys() == FORMS.keys()


@pytest.mark.parametrize("function", CASES)
def test_effect_is_shown_by_what_the_action_reports(world: World, function: str) -> None:
    prepare, make, by, _ = CASES[function]
    prepare(world)
    action = make(world)
    effect = Effect.of(action)
    reported = world.relay(action, by(world))
    assert [event for event in reported if effect.is_shown_by(event)] == [reported[0]]


@pytest.mark.parametrize("function", CASES)
def test_effect_is_not_shown_by_the_same_for_another_account(world: World, function: str) -> None:
    prepare, make, by, _ = CASES[function]
    prepare(world)
    action = make(world)
    effect = Effect.of(action)
    (event,) = (each for each in world.relay(action, by(world)) if effect.is_shown_by(each))
    whose = next(name for name in ("member", "patient", "account") if hasattr(event, name))
    changed: Any = {whose: LocalSigner.create().address}
    assert not effect.is_shown_by(replace(event, **changed))
