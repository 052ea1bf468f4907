"""A signed restriction is obeyed from the moment it is held, on the chain or not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from medaccord.chain import Power, actions, reverts
from medaccord.chain.actions import Action, SignedAction
from medaccord.core.errors import InvalidRequest
from medaccord.core.facts import EmergencyState
from medaccord.keys import LocalSigner
from medaccord.ledger import Ledger, Restriction
from tests.integration.conftest import Setting
from tests.integration.ledger_setting import Story, restriction


@pytest.fixture
def ledger(setting: Setting, engine: Engine) -> Ledger:
    return Ledger(setting.network, setting.contracts, engine)


@pytest.fixture
def story(setting: Setting, patient: LocalSigner) -> Story:
    story = Story(setting, patient)
    story.relate()
    story.grant()
    return story


def closing(story: Story, serial: int | None = None) -> Action:
    return actions.close_emergency(
        story.setting.contracts,
        patient=story.patient.address,
        grantee=story.clinician.address,
        serial=serial,
    )


def ban(story: Story, serial: int | None = None) -> Action:
    return actions.forbid_emergency(
        story.setting.contracts, patient=story.patient.address, serial=serial
    )


def emergency(story: Story, ledger: Ledger) -> EmergencyState:
    ledger.sync()
    found = story.facts(ledger).emergency
    assert found is not None
    return found


def test_revocation_is_obeyed_when_it_is_held_and_not_mined(story: Story, ledger: Ledger) -> None:
    ledger.sync()
    assert not story.facts(ledger).consents[0][0].revoked
    ledger.hold(restriction(story.revocation(), story.patient))
    assert story.facts(ledger).consents[0][0].revoked


def test_revocation_ends_that_consent_alone(story: Story, ledger: Ledger) -> None:
    ledger.hold(restriction(story.revocation(), story.patient))
    story.grant(days=20)
    ledger.sync()
    revoked = [consent.revoked for consent, _ in story.facts(ledger).consents]
    assert revoked == [True, False]


def test_revocation_is_obeyed_when_the_process_was_restarted(
    story: Story, ledger: Ledger, engine: Engine
) -> None:
    held = restriction(story.revocation(), story.patient)
    ledger.hold(held)
    restarted = Ledger(story.setting.network, story.setting.contracts, engine)
    restarted.sync()
    assert story.facts(restarted).consents[0][0].revoked
    assert restarted.held() == (held,)


def test_revocation_is_obeyed_when_another_process_holds_it(
    story: Story, ledger: Ledger, engine: Engine
) -> None:
    other = Ledger(story.setting.network, story.setting.contracts, engine)
    other.sync()
    ledger.hold(restriction(story.revocation(), story.patient))
    other.sync()
    assert story.facts(other).consents[0][0].revoked


def test_held_document_can_be_sent_again_when_it_was_never_mined(
    story: Story, ledger: Ledger
) -> None:
    ledger.hold(restriction(story.revocation(), story.patient))
    (held,) = ledger.held()
    again = SignedAction.parse(story.setting.contracts, held.document)
    actions.submit(story.setting.sender, again)
    ledger.sync()
    assert ledger.held() == ()
    assert story.facts(ledger).consents[0][0].revoked


def test_restriction_is_held_until_it_is_final(story: Story, engine: Engine) -> None:
    network = story.setting.chain.network(confirmations=2)
    ledger = Ledger(network, story.setting.contracts, engine)
    ledger.hold(restriction(story.revocation(), story.patient))
    story.do(story.revocation(), story.patient)
    counts = []
    for _ in range(3):
        ledger.sync()
        counts.append(len(ledger.held()))
        story.setting.chain.mine()
    assert counts == [1, 1, 0]


def test_holding_twice_changes_nothing(story: Story, ledger: Ledger) -> None:
    held = restriction(story.revocation(), story.patient)
    ledger.hold(held)
    ledger.hold(held)
    assert ledger.held() == (held,)


def test_revoke_all_ends_consents_emergencies_and_delegates_when_held(
    story: Story, ledger: Ledger, stranger: LocalSigner
) -> None:
    contracts, account = story.setting.contracts, story.patient.address
    now = story.setting.network.clock()
    delegation = actions.delegate(
        contracts,
        account=account,
        delegate=stranger.address,
        powers=Power.READ,
        until=now + timedelta(days=1),
    )
    story.do(delegation, story.patient)
    story.open_emergency()
    assert emergency(story, ledger).open
    assert ledger.is_authorised(account, stranger.address, Power.READ, now=now)

    ledger.hold(restriction(actions.revoke_all(contracts, account=account), story.patient))

    facts = story.facts(ledger)
    assert not facts.consents[0][0].epoch_current
    assert facts.emergency is not None
    assert not facts.emergency.open
    assert not ledger.is_authorised(account, stranger.address, Power.READ, now=now)
    assert ledger.is_authorised(account, account, Power.READ, now=now)


def test_revoke_all_ends_nothing_of_the_next_epoch(story: Story, ledger: Ledger) -> None:
    revoke_all = actions.revoke_all(story.setting.contracts, account=story.patient.address)
    ledger.hold(restriction(revoke_all, story.patient))
    story.do(revoke_all, story.patient)
    story.grant(days=10)
    ledger.sync()
    current = [consent.epoch_current for consent, _ in story.facts(ledger).consents]
    assert current == [False, True]


def test_revoke_all_is_refused_when_its_epoch_is_still_to_come(
    story: Story, ledger: Ledger
) -> None:
    ledger.sync()
    future = actions.revoke_all(story.setting.contracts, account=story.patient.address, epoch=3)
    with pytest.raises(InvalidRequest) as caught:
        ledger.hold(restriction(future, story.patient))
    assert caught.value.problem == (
        "the account is in epoch 0: sign to revoke that one, not epoch 3"
    )
    assert ledger.held() == ()


@pytest.mark.parametrize("make", [closing, ban])
def test_emergency_is_closed_when_its_closing_is_held(
    story: Story, ledger: Ledger, make: Callable[..., Action]
) -> None:
    story.open_emergency()
    assert emergency(story, ledger).open
    ledger.hold(restriction(make(story), story.patient))
    assert not emergency(story, ledger).open


@pytest.mark.parametrize("make", [closing, ban])
def test_emergency_stays_closed_when_it_is_opened_after_its_closing_was_held(
    story: Story, ledger: Ledger, make: Callable[..., Action]
) -> None:
    ledger.hold(restriction(make(story), story.patient))
    story.open_emergency()
    assert not emergency(story, ledger).open


@pytest.mark.parametrize("make", [closing, ban])
def test_emergency_opened_before_stays_closed_when_the_patient_allows_the_next(
    story: Story, ledger: Ledger, make: Callable[..., Action]
) -> None:
    story.open_emergency()
    ledger.sync()
    held = make(story)
    ledger.hold(restriction(held, story.patient))
    # The closing never reaches the chain; a later one does, and what allows again makes both void.
    story.do(make(story, serial=4), story.patient)
    allowance = actions.allow_emergency(
        story.setting.contracts,
        patient=story.patient.address,
        grantee=actions.NOBODY if make is ban else story.clinician.address,
        serial=5,
    )
    story.do(allowance, story.patient)
    assert not emergency(story, ledger).open
    story.setting.chain.advance(timedelta(hours=7))
    story.open_emergency()
    assert emergency(story, ledger).open


@pytest.mark.parametrize("make", [closing, ban])
def test_closing_is_held_when_its_serial_is_the_furthest_the_chain_takes(
    story: Story, ledger: Ledger, make: Callable[..., Action]
) -> None:
    story.open_emergency()
    story.do(make(story, serial=7), story.patient)
    ledger.sync()
    held = restriction(make(story, serial=7 + 2**32 - 1), story.patient)
    ledger.hold(held)
    assert ledger.held() == (held,)
    story.do(make(story, serial=7 + 2**32 - 1), story.patient)


@pytest.mark.parametrize("make", [closing, ban])
def test_closing_is_refused_when_its_serial_is_further_than_the_chain_ever_takes(
    story: Story, ledger: Ledger, make: Callable[..., Action]
) -> None:
    story.open_emergency()
    story.do(make(story, serial=7), story.patient)
    ledger.sync()
    with pytest.raises(InvalidRequest) as caught:
        ledger.hold(restriction(make(story, serial=7 + 2**32), story.patient))
    assert caught.value.problem == (
        "serial 4294967303 is too far ahead: sign one of at most 4294967302"
    )
    assert ledger.held() == ()
    with pytest.raises(reverts.SerialTooFar) as refused:
        story.do(make(story, serial=7 + 2**32), story.patient)
    assert (refused.value.serial, refused.value.latest) == (7 + 2**32, 7 + 2**32 - 1)


def test_nothing_is_held_of_an_action_that_restricts_nothing(story: Story) -> None:
    accept = actions.rotate(
        story.setting.contracts,
        account=story.patient.address,
        new_controller=story.clinician.address,
    )
    assert Restriction.of(accept.typed, "{}") is None
