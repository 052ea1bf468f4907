"""The Registry against its model, under every action, order and time that Hypothesis finds."""

from __future__ import annotations

from typing import Any

from hypothesis.stateful import initialize

from tests.contracts.deployed import Event
from tests.contracts.masks import ANCHOR, EMERGENCY_ROLE, MEMBER, POWERS, RESTRICT, STEWARD
from tests.contracts.periods import RECOVERY_DELAY
from tests.invariant.account_rules import AccountRules
from tests.invariant.calls import ask
from tests.invariant.machine import Sent, Way
from tests.invariant.model_registry import EMPTY, NOBODY
from tests.invariant.organisation_rules import OrganisationRules
from tests.invariant.stepping import run
from tests.invariant.world import KEYS

ONCE = {"rotate", "revokeAll", "delegate", "setGuardians", "startRecovery", "publish", "admit"}
"""Functions whose nonce, epoch or serial lets the same call succeed only once."""

WHILE_RECOVERING = {
    "AllRevoked",
    "DelegateRemoved",
    "RecoveryCancelled",
    "RecoveryCompleted",
    "OrganisationAdmitted",
    "OrganisationSuspended",
    "OrganisationReinstated",
    "RolesChanged",
}
"""What may happen to an account while its recovery is pending."""


class RegistryMachine(AccountRules, OrganisationRules):
    """All of the Registry."""

    def __init__(self) -> None:
        super().__init__()
        self.succeeded: set[str] = set()
        self.epochs: dict[str, int] = {}
        self.serials: dict[tuple[str, str], int] = {}
        self.ready: dict[str, int] = {}

    @initialize()
    def found(self) -> None:
        """Two members, of whom one is the last; a patient with guardians; the rest is left open."""
        self.admit_as("hospital", "controller", MEMBER | STEWARD)
        self.admit_as("clinician", "controller", MEMBER)
        self.set_guardians("patient", "controller", "family", 0, 1000, Way.RELAYED)
        self.prepared = True

    # Forbidden transitions, without asking the model

    def watch(self, sent: Sent, event: Event) -> None:
        account = event.values["account"]
        if sent.function in ONCE:
            call = f"{sent.function}{sent.arguments}"
            assert call not in self.succeeded, "the same call succeeded twice"
            self.succeeded.add(call)
        if account in self.ready:
            assert event.name in WHILE_RECOVERING, "more than restricting while recovering"
        if event.name in ("AllRevoked", "RecoveryCompleted"):
            assert event.values["epoch"] == self.epochs.get(account, 0) + 1
            self.epochs[account] = event.values["epoch"]
        if event.name == "RecoveryStarted":
            self.ready[account] = self.world.evm.now + RECOVERY_DELAY
        if event.name in ("RecoveryCancelled", "RecoveryCompleted"):
            ready = self.ready.pop(account)
            assert event.name == "RecoveryCancelled" or self.world.evm.now >= ready
        if event.name in ("DelegateSet", "DelegateRemoved"):
            pair, serial = (account, event.values["delegate"]), event.values["serial"]
            last = self.serials.get(pair, 0)
            assert serial > last or (serial == last and event.name == "DelegateRemoved")
            self.serials[pair] = serial
        if event.name in ("OrganisationSuspended", "RolesChanged"):
            assert ask(self.world.registry, "activeMembers") >= 1, "nobody is left to govern"

    # The contract's answers against the model's

    def look(self, turn: int) -> None:
        addresses = [key.address for key in KEYS.values()]
        account, other = addresses[turn % 4], addresses[turn % len(addresses)]
        power = POWERS[turn // 3 % len(POWERS)]
        answers = self.answers(account, other, power)
        self.compare(*answers[turn % len(answers)])

    def compare(self, question: tuple[Any, ...], expected: Any) -> None:
        assert ask(self.world.registry, *question) == expected, question

    def answers(
        self, account: str, other: str, power: int
    ) -> tuple[tuple[tuple[Any, ...], Any], ...]:
        """What the views have to answer about an account, and another key's power over it."""
        state, now = self.model.account(account), self.world.evm.now
        pending, held = state.pending, state.delegations[other]
        recovery = (
            (pending.new_controller, pending.nonce, pending.ready_at, pending.guardians)
            if pending
            else (NOBODY, 0, 0, EMPTY)
        )
        organisation = state.organisation
        authorised = self.model.until(now, account, other, power) > 0
        return (
            (("isAuthorised", account, other, power), authorised),
            (("controllerOf", account), state.controller),
            (("isAuthorised", account, state.controller, power), self.holds(account, power)),
            (("epochOf", account), state.epoch),
            (("guardiansOf", account), state.guardians_at(now)),
            (("recoveryOf", account), recovery),
            (
                ("delegationOf", account, other),
                (held.powers, held.until, held.epoch, held.serial),
            ),
            (("activeMembers",), self.model.active_members()),
            (("hasRole", account, MEMBER), self.model.has_role(now, account, MEMBER)),
            (
                ("hasRole", account, EMERGENCY_ROLE),
                self.model.has_role(now, account, EMERGENCY_ROLE),
            ),
            (
                ("organisationOf", account),
                (
                    organisation.roles,
                    True,
                    organisation.suspended,
                    organisation.emergency_from,
                    organisation.key,
                    organisation.profile,
                )
                if organisation
                else (0, False, False, 0, EMPTY, EMPTY),
            ),
        )

    def holds(self, account: str, power: int) -> bool:
        """Whether the controller holds the power, whatever delegations there are."""
        pending = self.model.account(account).pending
        return pending is None or power in (RESTRICT, ANCHOR)

    def look_at_everything(self) -> None:
        for number, name in enumerate(("patient", "hospital", "clinician", "department")):
            key = list(KEYS.values())[self.turn % len(KEYS)]
            for question, expected in self.answers(KEYS[name].address, key.address, POWERS[number]):
                self.compare(question, expected)


def test_registry_does_what_the_model_does() -> None:
    run(
        RegistryMachine,
        must_happen=[
            "ControllerRotated",
            "AllRevoked",
            "DelegateSet",
            "DelegateRemoved",
            "GuardiansSet",
            "RecoveryStarted",
            "RecoveryCancelled",
            "RecoveryCompleted",
            "RecoveryPending",
            "OrganisationAdmitted",
            "OrganisationPublished",
            "OrganisationSuspended",
            "OrganisationReinstated",
            "RolesChanged",
            "LastMember",
        ],
    )
