"""Every action of the table with what it needs: for tests that hold for all of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

from medaccord.chain import Power, actions, events
from medaccord.chain.actions import Action, Invocation, SignedAction
from medaccord.chain.guardians import GuardianCircle
from medaccord.chain.values import FOREVER
from medaccord.core.identifiers import digest
from medaccord.keys import LocalSigner
from tests.integration.conftest import KEY, PROFILE, Setting

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


def open_emergency(world: World) -> Action:
    return actions.open_emergency(
        world.contracts,
        patient=world.patient.address,
        grantee=world.clinician.address,
        reason=REASON,
        valid_until=world.contracts.network.clock() + timedelta(hours=2),
    )


def close_emergency(world: World) -> Action:
    return actions.close_emergency(
        world.contracts, patient=world.patient.address, grantee=world.clinician.address
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


def closed(world: World) -> None:
    world.relay(close_emergency(world), world.patient)


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
    "closeEmergency": (nothing, close_emergency, by_patient, events.EmergencyClosed),
    "forbidEmergency": (
        nothing,
        lambda world: actions.forbid_emergency(world.contracts, patient=world.patient.address),
        by_patient,
        events.EmergencyForbidden,
    ),
    "allowEmergency": (
        closed,
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
