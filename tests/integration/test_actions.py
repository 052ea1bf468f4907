"""Every action of the table, signed by the key that acts and relayed as JSON by somebody else."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from medaccord.chain import Power, Role, Sender, actions, events, reverts
from medaccord.chain.actions import Action, Invocation, SignedAction
from medaccord.chain.guardians import GuardianCircle
from medaccord.chain.values import FOREVER, seconds
from medaccord.core.errors import InvalidInput, SignatureMismatch
from medaccord.core.identifiers import Address, digest
from medaccord.keys import LocalSigner
from tests.integration.conftest import KEY, PROFILE, Setting, admit

TOPIC = digest(b"\x44" * 32)
REASON = digest(b"\x55" * 32)
ROOT = digest(b"\x66" * 32)


class World:
    """What the table below makes its actions from."""

    def __init__(self, setting: Setting, patient: LocalSigner, stranger: LocalSigner) -> None:
        self.contracts = setting.contracts
        self.sender = setting.sender
        self.chain = setting.chain
        self.patient = patient
        self.clinician = setting.clinician
        self.hospital = setting.hospital
        self.stranger = stranger
        self.circle = GuardianCircle(
            salts={setting.hospital.address: KEY, setting.clinician.address: PROFILE}, threshold=2
        )

    def relay(self, action: Action, signer: LocalSigner) -> tuple[events.Event, ...]:
        """Sign, write as JSON, read it, and send it from a key without any power."""
        document = json.dumps(actions.signed(action, signer).to_document())
        parsed = SignedAction.parse(self.contracts, document)
        return actions.submit(self.sender, parsed).events

    def step(self, make: Callable[..., Action], signer: LocalSigner) -> Action:
        """One step of the relationship of the patient and the clinic."""
        return make(
            self.contracts,
            patient=self.patient.address,
            steward=self.clinician.address,
            account=signer.address,
        )

    def grant(self) -> Action:
        now = self.contracts.network.clock()
        return actions.grant(
            self.contracts,
            patient=self.patient.address,
            grantee=self.clinician.address,
            terms=KEY,
            valid_from=now,
            valid_until=now + timedelta(days=30),
        )

    def start_recovery(self) -> Invocation:
        deadline = self.contracts.network.clock() + timedelta(hours=1)
        signers = (self.hospital, self.clinician)
        approvals = [
            self.circle.approval(
                guardian.address,
                guardian.sign(
                    actions.recovery_approval(
                        self.contracts,
                        account=self.patient.address,
                        guardian=guardian.address,
                        new_controller=self.stranger.address,
                        deadline=deadline,
                    )
                ),
            )
            for guardian in signers
        ]
        return actions.start_recovery(
            self.contracts,
            account=self.patient.address,
            new_controller=self.stranger.address,
            deadline=deadline,
            circle=self.circle,
            approvals=approvals,
        )

    def set_guardians(self) -> Action:
        return actions.set_guardians(
            self.contracts, account=self.patient.address, commitment=self.circle.commitment
        )

    def recover(self) -> None:
        """Leave a recovery pending."""
        self.relay(self.set_guardians(), self.patient)
        actions.submit(self.sender, self.start_recovery())

    def cancel_recovery(self) -> Action:
        cancellation = actions.cancellation(
            self.contracts, account=self.patient.address, guardian=self.hospital.address
        )
        return actions.cancel_recovery(
            self.contracts,
            account=self.patient.address,
            circle=self.circle,
            approval=self.circle.approval(self.hospital.address, self.hospital.sign(cancellation)),
        )

    def motion(self) -> actions.Motion:
        return actions.Motion(
            kind=actions.Kind.SUSPEND,
            account=self.clinician.address,
            nonce=2**200,
            deadline=self.contracts.network.clock() + timedelta(hours=1),
        )


@pytest.fixture
def world(setting: Setting, patient: LocalSigner, stranger: LocalSigner) -> World:
    return World(setting, patient, stranger)


def open_emergency(world: World) -> Action:
    return actions.open_emergency(
        world.contracts,
        patient=world.patient.address,
        grantee=world.clinician.address,
        reason=REASON,
        valid_until=world.contracts.network.clock() + timedelta(hours=2),
    )


def delegate(world: World, *, serial: int | None = None) -> Action:
    return actions.delegate(
        world.contracts,
        account=world.patient.address,
        delegate=world.stranger.address,
        powers=Power.GRANT | Power.READ,
        until=FOREVER,
        serial=serial,
    )


def undelegate(world: World) -> Action:
    return actions.undelegate(
        world.contracts, account=world.patient.address, delegate=world.stranger.address
    )


def proposed(world: World) -> None:
    world.relay(world.step(actions.propose, world.clinician), world.clinician)


def approved(world: World) -> None:
    motion = world.motion()
    approval = actions.approve(world.contracts, motion=motion, member=world.hospital.address)
    world.relay(approval, world.hospital)


def nothing(world: World) -> None:
    """What must have happened before: nothing."""


Case = tuple[
    Callable[[World], None],
    Callable[[World], Action],
    Callable[[World], LocalSigner],
    type[events.Event],
]


def by_patient(world: World) -> LocalSigner:
    return world.patient


def by_clinician(world: World) -> LocalSigner:
    return world.clinician


def by_hospital(world: World) -> LocalSigner:
    return world.hospital


# function: what must have happened, the action, who signs it, what is reported
CASES: dict[str, Case] = {
    "rotate": (
        nothing,
        lambda world: actions.rotate(
            world.contracts,
            account=world.patient.address,
            new_controller=world.stranger.address,
        ),
        by_patient,
        events.ControllerRotated,
    ),
    "revokeAll": (
        nothing,
        lambda world: actions.revoke_all(world.contracts, account=world.patient.address),
        by_patient,
        events.AllRevoked,
    ),
    "delegate": (nothing, delegate, by_patient, events.DelegateSet),
    "undelegate": (nothing, undelegate, by_patient, events.DelegateRemoved),
    "setGuardians": (nothing, World.set_guardians, by_patient, events.GuardiansSet),
    "cancelRecovery": (
        World.recover,
        World.cancel_recovery,
        by_patient,
        events.RecoveryCancelled,
    ),
    "publish": (
        nothing,
        lambda world: actions.publish(
            world.contracts, account=world.clinician.address, key=PROFILE, profile=KEY
        ),
        by_clinician,
        events.OrganisationPublished,
    ),
    "propose": (
        nothing,
        lambda world: world.step(actions.propose, world.clinician),
        by_clinician,
        events.RelationshipProposed,
    ),
    "accept": (
        proposed,
        lambda world: world.step(actions.accept, world.patient),
        by_patient,
        events.RelationshipAccepted,
    ),
    "decline": (
        proposed,
        lambda world: world.step(actions.decline, world.patient),
        by_patient,
        events.RelationshipDeclined,
    ),
    "end": (
        proposed,
        lambda world: world.step(actions.end, world.clinician),
        by_clinician,
        events.RelationshipEnded,
    ),
    "grant": (nothing, World.grant, by_patient, events.ConsentGranted),
    "revoke": (
        nothing,
        lambda world: actions.revoke(
            world.contracts, patient=world.patient.address, consent_id=ROOT
        ),
        by_patient,
        events.ConsentRevoked,
    ),
    "openEmergency": (nothing, open_emergency, by_clinician, events.EmergencyOpened),
    "closeEmergency": (
        nothing,
        lambda world: actions.close_emergency(
            world.contracts, patient=world.patient.address, grantee=world.clinician.address
        ),
        by_patient,
        events.EmergencyClosed,
    ),
    "forbidEmergency": (
        nothing,
        lambda world: actions.forbid_emergency(world.contracts, patient=world.patient.address),
        by_patient,
        events.EmergencyForbidden,
    ),
    "allowEmergency": (
        nothing,
        lambda world: actions.allow_emergency(
            world.contracts, patient=world.patient.address, grantee=world.clinician.address
        ),
        by_patient,
        events.EmergencyAllowed,
    ),
    "append": (
        nothing,
        lambda world: actions.append(
            world.contracts, account=world.patient.address, topic=TOPIC, root=ROOT
        ),
        by_patient,
        events.Anchored,
    ),
    "approve": (
        nothing,
        lambda world: actions.approve(
            world.contracts, motion=world.motion(), member=world.hospital.address
        ),
        by_hospital,
        events.MotionApproved,
    ),
    "withdraw": (
        approved,
        lambda world: actions.withdraw(
            world.contracts, motion_id=world.motion().id, member=world.hospital.address
        ),
        by_hospital,
        events.ApprovalWithdrawn,
    ),
}


def test_cases_cover_every_action() -> None:
    assert CASES.keys() == actions.FORMS.keys()


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest, world: World) -> tuple[Action, LocalSigner, Any]:
    before, make, signer, event = CASES[request.param]
    before(world)
    return make(world), signer(world), event


def test_action_happens_once_when_relayed(
    world: World, case: tuple[Action, LocalSigner, type[events.Event]]
) -> None:
    action, signer, event = case
    reported = world.relay(action, signer)
    assert [type(each) for each in reported] == [event]
    assert getattr(reported[0], "by") == signer.address  # noqa: B009  # each event has it, Event not


def test_action_happens_when_the_key_that_acts_sends_it(
    world: World, case: tuple[Action, LocalSigner, type[events.Event]]
) -> None:
    action, signer, event = case
    world.chain.fund(signer.address)
    receipt = actions.submit(Sender(world.contracts.network, signer), action)
    assert [type(each) for each in receipt.events] == [event]


def test_action_is_refused_when_another_key_sends_it_unsigned(
    world: World, case: tuple[Action, LocalSigner, type[events.Event]]
) -> None:
    action, signer, _ = case
    with pytest.raises(InvalidInput, match=f"{signer.address} does this"):
        actions.submit(world.sender, action)


def test_contract_refuses_when_another_key_signed(
    world: World, case: tuple[Action, LocalSigner, type[events.Event]]
) -> None:
    action, signer, _ = case
    forged = SignedAction(action=action, signature=LocalSigner.create().sign(action.typed))
    with pytest.raises(reverts.InvalidSignature) as caught:
        actions.submit(world.sender, forged)
    assert (caught.value.by, caught.value.digest) == (signer.address, action.digest)


def test_json_form_is_read_back_the_same(
    world: World, case: tuple[Action, LocalSigner, type[events.Event]]
) -> None:
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


# --- What anybody may send ---


def test_recovery_hands_the_account_over_when_the_delay_has_run(world: World) -> None:
    world.recover()
    world.chain.advance(timedelta(days=7))
    completion = actions.complete_recovery(world.contracts, account=world.patient.address)
    (completed,) = actions.submit(world.sender, completion).events
    assert isinstance(completed, events.RecoveryCompleted)
    assert completed.new_controller == world.stranger.address


def test_call_open_to_all_is_read_back_the_same(world: World) -> None:
    invocation = world.start_recovery()
    document = json.dumps(invocation.to_document())
    assert Invocation.parse(world.contracts, document) == invocation


def test_id_of_a_motion_is_the_one_the_contract_makes(world: World) -> None:
    motion = world.motion()
    assert world.contracts.call("Consortium", "motionId", motion.fields()) == motion.id


def test_motion_is_carried_out_with_approvers_in_any_order(world: World) -> None:
    third = world.stranger
    admit(world.contracts, world.sender, world.hospital, third, Role.MEMBER)
    motion = world.motion()
    members = (world.hospital, third)
    for member in members:
        approval = actions.approve(world.contracts, motion=motion, member=member.address)
        world.relay(approval, member)
    for order in (members, members[::-1]):
        execution = actions.execute(
            world.contracts, motion=motion, approvers=[member.address for member in order]
        )
        approvers = execution.arguments["approvers"]
        assert approvers == tuple(sorted(approvers, key=lambda each: int(each, 16)))
    executed, suspended = actions.submit(world.sender, execution).events
    assert isinstance(executed, events.MotionExecuted)
    assert isinstance(suspended, events.OrganisationSuspended)
    assert executed.approvals == 2


def admission(world: World, account: Address, roles: Role = Role.STEWARD) -> actions.Motion:
    return actions.Motion(
        kind=actions.Kind.ADMIT,
        account=account,
        roles=roles,
        key=KEY,
        profile=PROFILE,
        deadline=world.contracts.network.clock() + timedelta(hours=1),
    )


def test_execution_is_refused_when_an_admission_lacks_the_publication(world: World) -> None:
    motion = admission(world, world.stranger.address)
    with pytest.raises(InvalidInput, match="signs its publication"):
        actions.execute(world.contracts, motion=motion, approvers=[world.hospital.address])


@pytest.mark.parametrize("name", ["account", "key", "profile", "deadline"])
def test_execution_is_refused_when_the_publication_is_of_another(world: World, name: str) -> None:
    motion = admission(world, world.stranger.address)
    signer = world.patient if name == "account" else world.stranger
    late = timedelta(seconds=1) if name == "deadline" else timedelta()
    publication = actions.publish(
        world.contracts,
        account=signer.address,
        key=PROFILE if name == "key" else KEY,
        profile=KEY if name == "profile" else PROFILE,
        deadline=motion.deadline + late,
    )
    with pytest.raises(InvalidInput, match=f"the {name} of the publication"):
        actions.execute(
            world.contracts,
            motion=motion,
            approvers=[world.hospital.address],
            publication=actions.signed(publication, signer),
        )


def test_execution_is_refused_when_a_suspension_carries_a_publication(world: World) -> None:
    publication = actions.signed(CASES["publish"][1](world), world.clinician)
    with pytest.raises(InvalidInput, match="only a motion to admit"):
        actions.execute(
            world.contracts,
            motion=world.motion(),
            approvers=[world.hospital.address],
            publication=publication,
        )
