"""Every action of the table, signed by the key that acts and relayed as JSON by somebody else."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from medaccord.chain import Sender, actions, events, reverts
from medaccord.chain.actions import Action, SignedAction
from medaccord.chain.values import seconds
from medaccord.core.errors import InvalidInput, SignatureMismatch
from medaccord.keys import LocalSigner
from tests.integration.conftest import KEY, Setting
from tests.integration.every_action import (
    CASES,
    World,
    delegate,
    open_emergency,
    proposed,
    undelegate,
)

# An action whose time has come, who acts, and what is reported.
Ready = tuple[Action, LocalSigner, type[events.Event]]


@pytest.fixture
def world(setting: Setting, patient: LocalSigner, stranger: LocalSigner) -> World:
    return World(setting, patient, stranger)


def test_cases_cover_every_action() -> None:
    assert CASES.keys() == actions.FORMS.keys()


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest, world: World) -> Ready:
    before, make, signer, event = CASES[request.param]
    before(world)
    return make(world), signer(world), event


def test_action_happens_when_relayed(world: World, case: Ready) -> None:
    action, signer, event = case
    reported = world.relay(action, signer)
    assert [type(each) for each in reported] == [event]
    assert getattr(reported[0], "by") == signer.address  # noqa: B009  # each event has it, Event not


def test_action_happens_when_the_key_that_acts_sends_it(world: World, case: Ready) -> None:
    action, signer, event = case
    world.chain.fund(signer.address)
    receipt = actions.submit(Sender(world.contracts.network, signer), action)
    assert [type(each) for each in receipt.events] == [event]


def test_action_is_refused_when_another_key_sends_it_unsigned(world: World, case: Ready) -> None:
    action, signer, _ = case
    with pytest.raises(InvalidInput, match=f"{signer.address} does this"):
        actions.submit(world.sender, action)


def test_contract_refuses_when_another_key_signed(world: World, case: Ready) -> None:
    action, signer, _ = case
    forged = SignedAction(action=action, signature=LocalSigner.create().sign(action.typed))
    with pytest.raises(reverts.InvalidSignature) as caught:
        actions.submit(world.sender, forged)
    assert (caught.value.by, caught.value.digest) == (signer.address, action.digest)


def test_json_form_is_read_back_the_same(world: World, case: Ready) -> None:
    action, signer, _ = case
    signed = actions.signed(action, signer)
    parsed = SignedAction.parse(world.contracts, json.dumps(signed.to_document()))
    assert parsed == signed
    parsed.check_signature()


# --- Signing ---


def test_signing_is_refused_when_another_key_acts(world: World) -> None:
    with pytest.raises(InvalidInput, match=world.patient.address):
        actions.signed(world.grant(), world.stranger)


def test_check_of_signature_fails_when_another_key_signed(world: World) -> None:
    action = world.grant()
    forged = SignedAction(action=action, signature=world.stranger.sign(action.typed))
    with pytest.raises(SignatureMismatch, match=world.stranger.address):
        forged.check_signature()


def test_check_of_signature_fails_when_an_argument_was_changed(world: World) -> None:
    document = actions.signed(world.grant(), world.patient).to_document()
    document["arguments"]["consent"]["grantee"] = world.stranger.address
    with pytest.raises(SignatureMismatch):
        SignedAction.parse(world.contracts, document).check_signature()


def test_delegate_acts_for_the_account_when_it_holds_the_power(world: World) -> None:
    world.relay(delegate(world), world.patient)
    now = world.contracts.network.clock()
    action = actions.grant(
        world.contracts,
        patient=world.patient.address,
        by=world.stranger.address,
        grantee=world.clinician.address,
        terms=KEY,
        valid_from=now,
        valid_until=now + timedelta(days=1),
    )
    (granted,) = world.relay(action, world.stranger)
    assert isinstance(granted, events.ConsentGranted)
    assert (granted.patient, granted.by) == (world.patient.address, world.stranger.address)


def test_id_of_a_consent_is_the_digest_that_is_signed(world: World) -> None:
    action = world.grant()
    consent = action.invocation().arguments["consent"]
    assert world.contracts.call("Consents", "hashConsent", consent) == action.digest


# --- What is read from the chain ---


def test_epoch_is_the_one_of_the_chain_when_not_given(world: World) -> None:
    world.relay(actions.revoke_all(world.contracts, account=world.patient.address), world.patient)
    assert world.grant().typed.message["epoch"] == 1


def test_nonce_is_the_next_one_when_not_given(world: World) -> None:
    first = CASES["publish"][1](world)
    world.relay(first, world.clinician)
    second = CASES["publish"][1](world)
    assert first.typed.message["nonce"] == 1  # its admission took 0
    assert second.typed.message["nonce"] == 2


def test_deadline_is_in_an_hour_when_not_given(world: World) -> None:
    now = world.contracts.network.clock()
    assert open_emergency(world).typed.message["deadline"] == seconds(now) + 3600


def test_head_is_the_one_of_the_chain_when_not_given(world: World) -> None:
    (first,) = world.relay(CASES["append"][1](world), world.patient)
    assert isinstance(first, events.Anchored)
    assert CASES["append"][1](world).typed.message["previous"] == first.head


def test_undelegating_kills_a_delegation_that_was_signed_and_withheld(world: World) -> None:
    withheld = actions.signed(delegate(world), world.patient)
    world.relay(undelegate(world), world.patient)
    with pytest.raises(reverts.StaleSerial) as caught:
        actions.submit(world.sender, withheld)
    assert (caught.value.serial, caught.value.stored) == (1, 1)


def test_forbidding_kills_an_allowance_that_was_signed_and_withheld(world: World) -> None:
    patient = world.patient
    allowance = actions.allow_emergency(world.contracts, patient=patient.address)
    withheld = actions.signed(allowance, patient)
    world.relay(actions.forbid_emergency(world.contracts, patient=patient.address), patient)
    with pytest.raises(reverts.StaleSerial) as caught:
        actions.submit(world.sender, withheld)
    assert (caught.value.serial, caught.value.stored) == (1, 1)


def test_a_relationship_is_proposed_anew_in_the_next_round(world: World) -> None:
    proposed(world)
    world.relay(world.step(actions.decline, world.patient), world.patient)
    assert world.step(actions.propose, world.patient).typed.message["round"] == 2
