"""What goes on at the Registry while consents and anchors are used: all of it rightful."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.contracts.masks import EMERGENCY_ROLE, GRANT, MEMBER, RESTRICT, STEWARD
from tests.contracts.periods import DAY, EMERGENCY_DELAY, FOREVER
from tests.contracts.registry_actions import RegistryActions
from tests.invariant.machine import ContractMachine, Sent, Way
from tests.invariant.model_registry import EMPTY, RECOVERY, ROTATE, Word
from tests.invariant.outcome import Outcome
from tests.invariant.world import CONSORTIUM, FAMILY, KEYS, RELAYER

ALL_POWERS = 0xFF
KINDS = (
    *["delegate everything"] * 3,
    "delegate granting",
    "delegate restricting",
    "undelegate",
    "rotate",
    "revoke all",
    "recover",
    *["complete"] * 4,
    "suspend",
    *["reinstate"] * 3,
    "take the role",
    *["give the role"] * 2,
)


class Disturbances(ContractMachine):
    """Patients and organisations whose standing changes while they act."""

    def settle(self) -> None:
        """The organisations belong, their roles are in effect, and patients have guardians."""
        self._admit("hospital", MEMBER | STEWARD | EMERGENCY_ROLE)
        self._admit("clinician", 0)
        self._admit("department", EMERGENCY_ROLE)
        ring = self.world.circles["family"]
        for name in ("patient", "hospital"):
            account = KEYS[name]
            self.attempt(
                self.world.accounts.guardians_change(account, ring.commitment),
                Way.RELAYED,
                lambda now, account=account: self.model.set_guardians(  # type: ignore[misc]  # the default binds the loop's account
                    now, account.address, account.address, ring.commitment, 0, FOREVER
                ),
            )
        self.world.evm.travel_to(self.world.evm.now + EMERGENCY_DELAY)
        self.prepared = True

    @rule(
        kind=st.sampled_from(KINDS),
        name=st.sampled_from(["patient", "patient", "hospital"]),
        delegate=st.sampled_from(["carer", "carer", "phone"]),
        organisation=st.sampled_from(["clinician", "department"]),
        days=st.sampled_from([1, 20, 400]),
    )
    def disturb(self, kind: str, name: str, delegate: str, organisation: str, days: int) -> None:
        """Changes who may act, or who belongs."""
        powers = {"delegate granting": GRANT, "delegate restricting": RESTRICT}
        recovering = [
            name
            for name in ("patient", "hospital")
            if self.model.account(KEYS[name].address).pending
        ]
        if kind == "complete" and not recovering:
            kind = "delegate everything"
        if kind.startswith("delegate"):
            self._delegate(name, delegate, powers.get(kind, ALL_POWERS), days * DAY)
        elif kind in ("suspend", "reinstate", "take the role", "give the role"):
            self._govern(kind, organisation)
        else:
            steps: dict[str, Callable[[], None]] = {
                "undelegate": lambda: self._undelegate(name, delegate),
                "rotate": lambda: self._rotate(name),
                "revoke all": lambda: self._revoke_all(name),
                "recover": lambda: self._start_recovery(name),
                "complete": lambda: self._complete_recovery(recovering[0]),
            }
            steps[kind]()

    @property
    def accounts(self) -> RegistryActions:
        return self.world.accounts

    def _admit(self, name: str, roles: int) -> None:
        account = KEYS[name]
        key, profile = b"\x11" * 32, b"\x22" * 32
        publication = self.accounts.publication(account, key, profile, nonce=0)
        arguments = (account.address, account.address, roles, key, profile, FOREVER)

        def expected(now: int) -> Outcome:
            return self.organisations.admit(now, CONSORTIUM.address, *arguments)

        signed = (*arguments, publication.signature())
        self.send(Sent(self.world.registry, CONSORTIUM, "admit", signed, (), expected))

    def _govern(self, kind: str, organisation: str) -> None:
        registry, sender = self.world.registry, CONSORTIUM.address
        account = KEYS[organisation].address
        if kind in ("suspend", "reinstate"):
            do = self.organisations.suspend if kind == "suspend" else self.organisations.reinstate
            self.send(
                Sent(registry, CONSORTIUM, kind, (account,), (), lambda now: do(sender, account))
            )
            return
        roles = EMERGENCY_ROLE if kind == "give the role" else 0

        def expected(now: int) -> Outcome:
            return self.organisations.set_roles(now, sender, account, roles)

        self.send(Sent(registry, CONSORTIUM, "setRoles", (account, roles), (), expected))

    def _delegate(self, name: str, delegate: str, powers: int, span: int) -> None:
        account, delegatee = KEYS[name], KEYS[delegate].address
        state, by = self.model.account(account.address), self.key("controller", KEYS[name].address)
        until, epoch = self.at + span, state.epoch
        serial = state.delegations[delegatee].serial + 1
        self.attempt(
            self.accounts.delegation(
                account, delegatee, powers, by=by, until=until, epoch=epoch, serial=serial
            ),
            Way.RELAYED,
            lambda now: self.model.delegate(
                now,
                account.address,
                by.address,
                delegatee,
                powers,
                until,
                epoch,
                serial,
                FOREVER,
            ),
        )

    def _undelegate(self, name: str, delegate: str) -> None:
        account, delegatee = KEYS[name], KEYS[delegate].address
        by = self.key("controller", account.address)
        serial = self.model.account(account.address).delegations[delegatee].serial
        self.attempt(
            self.accounts.undelegation(account, delegatee, by=by, serial=serial),
            Way.RELAYED,
            lambda now: self.model.undelegate(account.address, by.address, delegatee, serial),
        )

    def _rotate(self, name: str) -> None:
        account = KEYS[name]
        by = self.key("controller", account.address)
        nonce = self.model.account(account.address).nonces[ROTATE]
        new = account.address if by.address != account.address else KEYS["phone"].address
        self.attempt(
            self.accounts.rotation(account, new, by=by, nonce=nonce),
            Way.RELAYED,
            lambda now: self.model.rotate(now, account.address, by.address, new, nonce, FOREVER),
        )

    def _revoke_all(self, name: str) -> None:
        account = KEYS[name]
        by = self.key("controller", account.address)
        epoch = self.model.account(account.address).epoch
        self.attempt(
            self.accounts.revoke_all(account, by=by, epoch=epoch),
            Way.RELAYED,
            lambda now: self.model.revoke_all(now, account.address, by.address, epoch),
        )

    def _start_recovery(self, name: str) -> None:
        account, new = KEYS[name].address, KEYS["phone"].address
        ring, nonce = self.world.circles["family"], self.model.account(account).nonces[RECOVERY]
        guardians = FAMILY[: ring.threshold]
        approvals = [ring.approval(key, account, new, nonce=nonce) for key in guardians]
        words = [Word(key.address, True, True, EMPTY) for key in guardians]
        recovery = (account, new, nonce, FOREVER)

        def expected(now: int) -> Outcome:
            return self.model.start_recovery(now, *recovery, ring.commitment, ring.threshold, words)

        arguments = (recovery, ring.root, ring.threshold, approvals)
        self.send(Sent(self.world.registry, RELAYER, "startRecovery", arguments, (), expected))

    def _complete_recovery(self, name: str) -> None:
        account = KEYS[name].address
        pending = self.model.account(account).pending
        if pending and self.at < pending.ready_at:
            self.world.evm.travel_to(pending.ready_at - 1)

        def expected(now: int) -> Outcome:
            return self.model.complete_recovery(now, account)

        self.send(Sent(self.world.registry, RELAYER, "completeRecovery", (account,), (), expected))
