"""Who may act for an account that is being recovered: the ledger says what the Registry says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from medaccord.chain import Power, actions
from medaccord.core.identifiers import Address
from medaccord.keys import LocalSigner
from medaccord.ledger import Ledger
from tests.integration.conftest import Setting
from tests.integration.every_action import World
from tests.integration.ledger_setting import restriction

CAN_RESTRICT = {Power.RESTRICT}
WHILE_RECOVERING = {Power.RESTRICT, Power.ANCHOR, Power.RESTRICT | Power.ANCHOR}
ASKED = (Power(0), *Power, Power.RESTRICT | Power.ANCHOR, Power.RESTRICT | Power.GRANT)


@pytest.fixture
def ledger(setting: Setting, engine: Engine) -> Ledger:
    return Ledger(setting.network, setting.contracts, engine)


@pytest.fixture
def new_device(stranger: LocalSigner) -> LocalSigner:
    """The key that the guardians hand the patient's account to."""
    return stranger


@pytest.fixture
def world(setting: Setting, patient: LocalSigner, new_device: LocalSigner) -> World:
    return World(setting, patient, new_device)


@pytest.fixture
def powers(ledger: Ledger, setting: Setting, patient: LocalSigner) -> Callable[..., set[Power]]:
    """What a key may use by the ledger, having asked the Registry whether it says the same."""

    def ask(by: LocalSigner) -> set[Power]:
        ledger.sync()
        account, now = patient.address, setting.network.clock()
        held = {
            power for power in ASKED if ledger.is_authorised(account, by.address, power, now=now)
        }
        registry = {power for power in ASKED if on_chain(setting, account, by.address, power)}
        assert held == registry
        return held

    return ask


def on_chain(setting: Setting, account: Address, by: Address, power: Power) -> bool:
    answer: bool = setting.contracts.call("Registry", "isAuthorised", account, by, int(power))
    return answer


def test_new_device_may_restrict_and_nothing_else_while_the_recovery_is_pending(
    world: World,
    powers: Callable[[LocalSigner], set[Power]],
    patient: LocalSigner,
    new_device: LocalSigner,
) -> None:
    assert powers(new_device) == set()
    world.recover()
    assert powers(new_device) == CAN_RESTRICT
    assert powers(patient) == WHILE_RECOVERING


def test_new_device_may_still_restrict_when_the_thief_revokes_all(
    world: World,
    powers: Callable[[LocalSigner], set[Power]],
    patient: LocalSigner,
    new_device: LocalSigner,
) -> None:
    world.recover()
    world.relay(actions.revoke_all(world.contracts, account=patient.address), patient)
    assert powers(new_device) == CAN_RESTRICT


def test_new_device_may_nothing_when_the_recovery_was_cancelled(
    world: World, powers: Callable[[LocalSigner], set[Power]], patient: LocalSigner
) -> None:
    world.recover()
    world.relay(world.cancel_recovery(), patient)
    assert powers(world.stranger) == set()
    assert powers(patient) == set(ASKED) - {Power(0)}


def test_new_device_may_everything_when_the_recovery_was_completed(
    world: World,
    powers: Callable[[LocalSigner], set[Power]],
    patient: LocalSigner,
    new_device: LocalSigner,
) -> None:
    world.recover()
    world.chain.advance(timedelta(days=30))
    completion = actions.complete_recovery(world.contracts, account=patient.address)
    actions.submit(world.sender, completion)
    assert powers(new_device) == set(ASKED) - {Power(0)}
    assert powers(patient) == set()


def test_new_device_keeps_what_it_was_delegated_when_it_may_restrict_besides(
    world: World,
    powers: Callable[[LocalSigner], set[Power]],
    patient: LocalSigner,
    new_device: LocalSigner,
) -> None:
    delegation = actions.delegate(
        world.contracts,
        account=patient.address,
        delegate=new_device.address,
        powers=Power.ANCHOR | Power.READ,
        until=world.contracts.network.clock() + timedelta(days=1),
    )
    world.relay(delegation, patient)
    world.recover()
    assert powers(new_device) == {Power.RESTRICT, Power.ANCHOR}


def test_held_revoke_all_leaves_the_new_device_its_restricting_alone(
    world: World,
    ledger: Ledger,
    setting: Setting,
    patient: LocalSigner,
    new_device: LocalSigner,
) -> None:
    delegation = actions.delegate(
        world.contracts,
        account=patient.address,
        delegate=new_device.address,
        powers=Power.ANCHOR,
        until=world.contracts.network.clock() + timedelta(days=1),
    )
    world.relay(delegation, patient)
    world.recover()
    ledger.sync()
    revoke_all = actions.revoke_all(world.contracts, account=patient.address)
    ledger.hold(restriction(revoke_all, patient))
    now = setting.network.clock()
    held = {
        power
        for power in ASKED
        if ledger.is_authorised(patient.address, new_device.address, power, now=now)
    }
    assert held == CAN_RESTRICT


def test_new_device_may_restrict_from_first_sight_of_the_recovery(
    world: World, setting: Setting, engine: Engine, patient: LocalSigner, new_device: LocalSigner
) -> None:
    patient_ledger = Ledger(setting.chain.network(confirmations=2), setting.contracts, engine)
    world.recover()
    patient_ledger.sync()
    assert patient_ledger.is_authorised(
        patient.address, new_device.address, Power.RESTRICT, now=setting.network.clock()
    )
