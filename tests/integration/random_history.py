"""A long random history on real contracts, and whether a projection agrees with their views."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeAlias, TypeVar

from medaccord.chain import GuardianCircle, Power, Role, actions, events
from medaccord.chain.actions import Action, Invocation
from medaccord.chain.values import moment
from medaccord.core.errors import ContractReverted
from medaccord.core.identifiers import Address, Digest, address, digest
from medaccord.keys import LocalSigner
from tests.integration.conftest import KEY, PROFILE, Setting

T = TypeVar("T")
Move: TypeAlias = "Callable[[RandomHistory], Action | Invocation]"
NOBODY = address("0x" + "00" * 20)


@dataclass(slots=True)
class RandomHistory:
    """Two patients, two stewards and a stranger, doing whatever comes to mind.

    What a contract refuses is left out; what it takes is counted by the name of its event.
    """

    setting: Setting
    dice: random.Random
    patients: list[Address] = field(default_factory=list)
    keys: dict[Address, LocalSigner] = field(default_factory=dict)
    controllers: dict[Address, Address] = field(default_factory=dict)
    consents: list[tuple[Address, Digest]] = field(default_factory=list)
    topics: list[Digest] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    taken: Counter[Move] = field(default_factory=Counter)
    motions: int = 0

    def __post_init__(self) -> None:
        signers = [LocalSigner.create() for _ in range(3)]
        self.patients = [signer.address for signer in signers[:2]]
        for signer in (*signers, self.setting.hospital, self.setting.clinician):
            self.keys[signer.address] = signer
        self.topics = [digest(bytes([number]) * 32) for number in (1, 2)]

    @property
    def stewards(self) -> list[Address]:
        return [self.setting.hospital.address, self.setting.clinician.address]

    @property
    def accounts(self) -> list[Address]:
        return [*self.patients, *self.stewards]

    @property
    def circle(self) -> GuardianCircle:
        return GuardianCircle(salts={self.stewards[0]: KEY, self.stewards[1]: PROFILE}, threshold=1)

    def take(self, steps: int) -> None:
        """Go on until the contracts took this many actions more."""
        target = sum(self.done.values()) + steps
        for _ in range(20 * steps):
            if sum(self.done.values()) >= target:
                return
            # Of three, what succeeded least often so far: nothing stays untried.
            self._try(min(self.dice.sample(_MOVES, 3), key=lambda move: self.taken[move]))
        raise AssertionError(f"of {20 * steps} actions tried, fewer than {steps} were taken")

    def _try(self, move: Move) -> None:
        try:
            made = move(self)
            signed = actions.signed(made, self.keys[made.by]) if isinstance(made, Action) else made
            receipt = actions.submit(self.setting.sender, signed)
        except ContractReverted:
            return
        self.taken[move] += 1
        for event in receipt.events:
            name = type(event).__name__
            self.done[name] += 1
            if isinstance(event, events.ConsentGranted | events.ConsentRevoked):
                self.consents.append((event.patient, event.consent_id))
            if isinstance(event, events.ControllerRotated | events.RecoveryCompleted):
                self.controllers[event.account] = event.new_controller

    # --- Choices ---

    def patient(self) -> Address:
        return self.dice.choice(self.patients)

    def steward(self) -> Address:
        return self.dice.choice(self.stewards)

    def by(self, account: Address) -> Address:
        """Mostly the controller, else anybody."""
        controller = self.controllers.get(account, account)
        return controller if self.dice.random() < 0.85 else self.dice.choice(list(self.keys))

    def word(self) -> Digest:
        return digest(self.dice.randbytes(32))

    def serial(self) -> int | None:
        return self.dice.choice([None, None, None, self.dice.randrange(6)])

    def hours(self, most: int) -> timedelta:
        return timedelta(seconds=self.dice.randrange(1, most * 3600))

    def passes(self) -> None:
        self.setting.chain.advance(self.hours(30))


def _step(make: Callable[..., Action]) -> Callable[[RandomHistory], Action]:
    def move(world: RandomHistory) -> Action:
        patient, steward = world.patient(), world.steward()
        account = world.dice.choice([patient, steward])
        return make(
            world.setting.contracts,
            patient=patient,
            steward=steward,
            account=account,
            by=world.by(account),
        )

    return move


def _grant(world: RandomHistory) -> Action:
    patient = world.patient()
    start = world.setting.network.clock() + world.hours(20) - timedelta(hours=12)
    return actions.grant(
        world.setting.contracts,
        patient=patient,
        grantee=world.steward(),
        terms=world.word(),
        valid_from=start,
        valid_until=start + world.hours(120),
        by=world.by(patient),
    )


def _revoke(world: RandomHistory) -> Action:
    patient, consent_id = world.dice.choice([*world.consents, (world.patient(), world.word())])
    return actions.revoke(
        world.setting.contracts, patient=patient, consent_id=consent_id, by=world.by(patient)
    )


def _revoke_all(world: RandomHistory) -> Action:
    account = world.dice.choice(world.accounts)
    return actions.revoke_all(world.setting.contracts, account=account, by=world.by(account))


def _rotate(world: RandomHistory) -> Action:
    account, fresh = world.patient(), LocalSigner.create()
    world.keys[fresh.address] = fresh
    return actions.rotate(
        world.setting.contracts,
        account=account,
        new_controller=fresh.address,
        by=world.by(account),
    )


def _delegate(world: RandomHistory) -> Action:
    account = world.dice.choice(world.accounts)
    end = world.setting.network.clock() + world.hours(60)
    return actions.delegate(
        world.setting.contracts,
        account=account,
        delegate=world.dice.choice(list(world.keys)),
        powers=Power(world.dice.randrange(1, 256)),
        until=end if world.dice.random() < 0.8 else moment(2**40 - 1),
        by=world.by(account),
    )


def _undelegate(world: RandomHistory) -> Action:
    account = world.dice.choice(world.accounts)
    return actions.undelegate(
        world.setting.contracts,
        account=account,
        delegate=world.dice.choice(list(world.keys)),
        by=world.by(account),
    )


def _set_guardians(world: RandomHistory) -> Action:
    account = world.patient()
    return actions.set_guardians(
        world.setting.contracts,
        account=account,
        commitment=world.circle.commitment,
        by=world.by(account),
    )


def _start_recovery(world: RandomHistory) -> Invocation:
    account, fresh, guardian = world.patient(), LocalSigner.create(), world.stewards[0]
    world.keys[fresh.address] = fresh
    deadline = world.setting.network.clock() + timedelta(hours=1)
    approval = actions.recovery_approval(
        world.setting.contracts,
        account=account,
        guardian=guardian,
        new_controller=fresh.address,
        deadline=deadline,
    )
    signature = world.keys[guardian].sign(approval)
    return actions.start_recovery(
        world.setting.contracts,
        account=account,
        new_controller=fresh.address,
        deadline=deadline,
        circle=world.circle,
        approvals=[world.circle.approval(guardian, signature)],
    )


def _cancel_recovery(world: RandomHistory) -> Action:
    account, guardian = world.patient(), world.stewards[1]
    contracts = world.setting.contracts
    cancellation = actions.cancellation(contracts, account=account, guardian=guardian)
    approval = world.circle.approval(guardian, world.keys[guardian].sign(cancellation))
    return actions.cancel_recovery(
        contracts,
        account=account,
        circle=world.circle,
        approval=approval,
        by=world.by(account),
    )


def _complete_recovery(world: RandomHistory) -> Invocation:
    account = world.patient()
    _, _, ready_at, _ = world.setting.contracts.call("Registry", "recoveryOf", account)
    wait = moment(ready_at) - world.setting.network.clock()
    if ready_at and wait > timedelta():
        world.setting.chain.advance(wait)
    return actions.complete_recovery(world.setting.contracts, account=account)


def _open(world: RandomHistory) -> Action:
    grantee = world.steward()
    return actions.open_emergency(
        world.setting.contracts,
        patient=world.patient(),
        grantee=grantee,
        reason=world.word(),
        valid_until=world.setting.network.clock() + world.hours(20),
        by=world.by(grantee),
    )


def _close(world: RandomHistory) -> Action:
    patient = world.patient()
    return actions.close_emergency(
        world.setting.contracts,
        patient=patient,
        grantee=world.steward(),
        by=world.by(patient),
        serial=world.serial(),
    )


def _forbid(world: RandomHistory) -> Action:
    patient = world.patient()
    return actions.forbid_emergency(
        world.setting.contracts, patient=patient, by=world.by(patient), serial=world.serial()
    )


def _allow(world: RandomHistory) -> Action:
    patient = world.patient()
    return actions.allow_emergency(
        world.setting.contracts,
        patient=patient,
        grantee=world.dice.choice([NOBODY, *world.stewards]),
        by=world.by(patient),
        serial=world.serial(),
    )


def _vote(world: RandomHistory) -> Invocation:
    """The hospital, the only member, votes on the clinic or on itself."""
    world.motions += 1
    kind = world.dice.choice([actions.Kind.SUSPEND, actions.Kind.REINSTATE, actions.Kind.SET_ROLES])
    is_roles = kind is actions.Kind.SET_ROLES
    account = world.steward()
    motion = actions.Motion(
        kind=kind,
        account=account,
        roles=Role(world.dice.choice([7, 7, 7, 3, 5, 6])) if is_roles else Role(0),
        nonce=world.motions,
        deadline=world.setting.network.clock() + timedelta(hours=1),
    )
    member = world.stewards[0]
    approval = actions.approve(world.setting.contracts, motion=motion, member=member)
    actions.submit(world.setting.sender, actions.signed(approval, world.keys[member]))
    return actions.execute(world.setting.contracts, motion=motion, approvers=[member])


def _publish(world: RandomHistory) -> Action:
    account = world.steward()
    return actions.publish(
        world.setting.contracts,
        account=account,
        key=world.word(),
        profile=world.word(),
        by=world.by(account),
    )


def _append(world: RandomHistory) -> Action:
    account = world.dice.choice(world.accounts)
    return actions.append(
        world.setting.contracts,
        account=account,
        topic=world.dice.choice(world.topics),
        root=world.word(),
        by=world.by(account),
    )


def _after_a_while(
    move: Callable[[RandomHistory], Action | Invocation],
) -> Callable[[RandomHistory], Action | Invocation]:
    def later(world: RandomHistory) -> Action | Invocation:
        world.passes()
        return move(world)

    return later


_MOVES: list[Move] = [
    _step(actions.propose),
    _step(actions.accept),
    _step(actions.decline),
    _step(actions.end),
    _grant,
    _revoke,
    _revoke_all,
    _rotate,
    _delegate,
    _undelegate,
    _set_guardians,
    _start_recovery,
    _cancel_recovery,
    _complete_recovery,
    _after_a_while(_grant),
    _open,
    _close,
    _forbid,
    _allow,
    _vote,
    _publish,
    _append,
]
