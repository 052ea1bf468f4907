"""The Registry in Python, as the design states it: plain dictionaries and no cleverness."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.contracts.deployed import Event
from tests.contracts.masks import ANCHOR, EMERGENCY_ROLE, MEMBER, RESTRICT
from tests.contracts.periods import FOREVER, RECOVERY_DELAY
from tests.invariant.outcome import Outcome

NOBODY = "0x" + "00" * 20
EMPTY = bytes(32)
MAX_STEP = 2**32 - 1
ROTATE, GUARDIANS, RECOVERY, PUBLISH = 1, 2, 3, 4


@dataclass(slots=True)
class Delegation:
    powers: int = 0
    until: int = 0
    epoch: int = 0
    serial: int = 0


@dataclass(slots=True)
class Pending:
    """A recovery that was started."""

    new_controller: str
    nonce: int
    ready_at: int
    guardians: bytes


@dataclass(slots=True)
class Organisation:
    roles: int
    key: bytes
    profile: bytes
    emergency_from: int
    suspended: bool = False


@dataclass(slots=True)
class Account:
    address: str
    controller: str
    epoch: int = 0
    pending: Pending | None = None
    guardians: bytes = EMPTY
    next_guardians: bytes = EMPTY
    next_from: int = 0
    delegations: dict[str, Delegation] = field(default_factory=lambda: defaultdict(Delegation))
    nonces: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    organisation: Organisation | None = None

    def guardians_at(self, now: int) -> tuple[bytes, bytes, int]:
        """Those in force, those that follow, and from when; zero for none."""
        if self.next_from and now >= self.next_from:
            return self.next_guardians, EMPTY, 0
        return self.guardians, self.next_guardians, self.next_from


@dataclass(frozen=True, slots=True)
class Word:
    """What a guardian said: whether it is under the root handed in, and signed what it should."""

    guardian: str
    member: bool
    signed: bool
    digest: bytes


def require_serial(outcome: Outcome, serial: int, stored: int, *, permits: bool) -> None:
    """What permits goes beyond the last serial, what restricts reaches it; neither runs away."""
    fresh = serial > stored if permits else serial >= stored
    outcome.require(fresh, "StaleSerial", serial=serial, stored=stored)
    latest = stored + MAX_STEP
    outcome.require(serial <= latest, "SerialTooFar", serial=serial, latest=latest)


class RegistryModel:
    """Accounts and organisations. Every action takes `now`, the second of its block."""

    def __init__(self) -> None:
        self._accounts: dict[str, Account] = {}

    def account(self, address: str) -> Account:
        return self._accounts.setdefault(address, Account(address, address))

    # Questions

    def until(self, now: int, account: str, by: str, power: int) -> int:
        """The exclusive end of what lets `by` use the power now; 0 when nothing does."""
        state = self.account(account)
        if state.pending and power & ~(RESTRICT | ANCHOR):
            return 0
        if by == state.controller:
            return FOREVER
        if state.pending and power == RESTRICT and by == state.pending.new_controller:
            return FOREVER
        held = state.delegations[by]
        holds = held.powers & power == power and held.epoch == state.epoch and now < held.until
        return held.until if holds else 0

    def require_authority(
        self, outcome: Outcome, now: int, account: str, by: str, power: int
    ) -> None:
        outcome.require(
            self.until(now, account, by, power) > 0,
            "NotAuthorised",
            account=account,
            by=by,
            power=power,
        )

    def is_active_organisation(self, address: str) -> bool:
        organisation = self.account(address).organisation
        return organisation is not None and not organisation.suspended

    def has_role(self, now: int, address: str, role: int) -> bool:
        organisation = self.account(address).organisation
        if organisation is None or organisation.suspended or not role:
            return False
        waits = role & EMERGENCY_ROLE and now < organisation.emergency_from
        return not waits and organisation.roles & role == role

    def active_members(self) -> int:
        return sum(self._is_member(account) for account in self._accounts.values())

    def bounds(self) -> set[int]:
        """Every second at which something of an account begins or ends."""
        found = set()
        for state in self._accounts.values():
            found |= {held.until for held in state.delegations.values()} | {state.next_from}
            if state.pending:
                found.add(state.pending.ready_at)
            if state.organisation:
                found.add(state.organisation.emergency_from)
        return found

    # By the controller

    def rotate(
        self, now: int, account: str, by: str, new_controller: str, nonce: int, deadline: int
    ) -> Outcome:
        state, outcome = self.account(account), Outcome()
        self._require_controller(outcome, state, by)
        outcome.require(now <= deadline, "DeadlinePassed", deadline=deadline)
        outcome.require(new_controller != NOBODY, "ZeroController", account=account)
        self._require_nonce(outcome, state, ROTATE, nonce)

        def effect() -> Event:
            state.nonces[ROTATE] += 1
            state.controller = new_controller
            values = {"account": account, "newController": new_controller, "by": by}
            return Event("ControllerRotated", values)

        outcome.effect = effect
        return outcome

    def revoke_all(self, now: int, account: str, by: str, epoch: int) -> Outcome:
        state, outcome = self.account(account), Outcome()
        self.require_authority(outcome, now, account, by, RESTRICT)
        self._require_epoch(outcome, state, epoch)

        def effect() -> Event:
            state.epoch += 1
            return Event("AllRevoked", {"account": account, "by": by, "epoch": state.epoch})

        outcome.effect = effect
        return outcome

    def delegate(
        self,
        now: int,
        account: str,
        by: str,
        delegate: str,
        powers: int,
        until: int,
        epoch: int,
        serial: int,
        deadline: int,
    ) -> Outcome:
        state, outcome = self.account(account), Outcome()
        held = state.delegations[delegate]
        self._require_controller(outcome, state, by)
        self._require_epoch(outcome, state, epoch)
        outcome.require(now <= deadline, "DeadlinePassed", deadline=deadline)
        outcome.require(now < until, "DelegationEnded", until=until)
        require_serial(outcome, serial, held.serial, permits=True)
        outcome.require(
            powers != 0 and delegate not in (NOBODY, account),
            "InvalidDelegation",
            delegate=delegate,
            powers=powers,
        )

        def effect() -> Event:
            state.delegations[delegate] = Delegation(powers, until, epoch, serial)
            values = {"account": account, "delegate": delegate, "by": by, "powers": powers}
            times = {"until": until, "epoch": epoch, "serial": serial}
            return Event("DelegateSet", {**values, **times})

        outcome.effect = effect
        return outcome

    def undelegate(self, account: str, by: str, delegate: str, serial: int) -> Outcome:
        state, outcome = self.account(account), Outcome()
        held = state.delegations[delegate]
        outcome.require(by == state.controller, "NotController", account=account, by=by)
        require_serial(outcome, serial, held.serial, permits=False)

        def effect() -> Event:
            state.delegations[delegate] = Delegation(serial=serial)
            values = {"account": account, "delegate": delegate, "by": by, "serial": serial}
            return Event("DelegateRemoved", values)

        outcome.effect = effect
        return outcome

    def set_guardians(
        self, now: int, account: str, by: str, commitment: bytes, nonce: int, deadline: int
    ) -> Outcome:
        state, outcome = self.account(account), Outcome()
        self._require_controller(outcome, state, by)
        outcome.require(now <= deadline, "DeadlinePassed", deadline=deadline)
        self._require_nonce(outcome, state, GUARDIANS, nonce)

        def effect() -> Event:
            state.nonces[GUARDIANS] += 1
            state.guardians, state.next_guardians, state.next_from = state.guardians_at(now)
            effective = now
            if state.guardians == EMPTY:
                state.guardians = commitment
            else:
                effective = now + RECOVERY_DELAY
                state.next_guardians, state.next_from = commitment, effective
            values = {"account": account, "by": by, "commitment": commitment}
            return Event("GuardiansSet", {**values, "effectiveFrom": effective})

        outcome.effect = effect
        return outcome

    # Recovery

    def start_recovery(
        self,
        now: int,
        account: str,
        new_controller: str,
        nonce: int,
        deadline: int,
        commitment: bytes,
        threshold: int,
        words: Sequence[Word],
    ) -> Outcome:
        state, outcome = self.account(account), Outcome()
        expected = state.guardians_at(now)[0]
        outcome.require(now <= deadline, "DeadlinePassed", deadline=deadline)
        outcome.require(state.pending is None, "RecoveryPending", account=account)
        outcome.require(new_controller != NOBODY, "ZeroController", account=account)
        self._require_nonce(outcome, state, RECOVERY, nonce)
        outcome.require(
            commitment == expected,
            "WrongGuardians",
            account=account,
            commitment=commitment,
            expected=expected,
        )
        outcome.require(
            len(words) >= threshold,
            "TooFewGuardians",
            account=account,
            approvals=len(words),
            threshold=threshold,
        )
        previous = NOBODY
        for word in words:
            ascends = int(word.guardian, 16) > int(previous, 16)
            outcome.require(ascends, "GuardiansOutOfOrder", previous=previous, next=word.guardian)
            self._require_word(outcome, account, word)
            previous = word.guardian

        def effect() -> Event:
            state.nonces[RECOVERY] += 1
            state.guardians, state.next_guardians, state.next_from = state.guardians_at(now)
            ready_at = now + RECOVERY_DELAY
            state.pending = Pending(new_controller, nonce, ready_at, expected)
            values = {"account": account, "newController": new_controller, "nonce": nonce}
            return Event("RecoveryStarted", {**values, "readyAt": ready_at})

        outcome.effect = effect
        return outcome

    def cancel_recovery(
        self, account: str, by: str, nonce: int, commitment: bytes, word: Word
    ) -> Outcome:
        state, outcome = self.account(account), Outcome()
        pending = state.pending
        if pending is None:
            outcome.require(False, "NoRecovery", account=account)
            return outcome
        outcome.require(
            nonce == pending.nonce,
            "WrongRecovery",
            account=account,
            nonce=nonce,
            pending=pending.nonce,
        )
        outcome.require(by == state.controller, "NotController", account=account, by=by)
        outcome.require(
            commitment == pending.guardians,
            "WrongGuardians",
            account=account,
            commitment=commitment,
            expected=pending.guardians,
        )
        outcome.require(
            word.guardian not in (by, account),
            "GuardianIsController",
            account=account,
            guardian=word.guardian,
        )
        self._require_word(outcome, account, word)

        def effect() -> Event:
            state.pending = None
            values = {"account": account, "by": by, "guardian": word.guardian, "nonce": nonce}
            return Event("RecoveryCancelled", values)

        outcome.effect = effect
        return outcome

    def complete_recovery(self, now: int, account: str) -> Outcome:
        state, outcome = self.account(account), Outcome()
        pending = state.pending
        if pending is None:
            outcome.require(False, "NoRecovery", account=account)
            return outcome
        ready_at = pending.ready_at
        outcome.require(now >= ready_at, "RecoveryNotReady", account=account, readyAt=ready_at)

        def effect() -> Event:
            state.controller, state.pending = pending.new_controller, None
            state.epoch += 1
            state.guardians, state.next_guardians, state.next_from = pending.guardians, EMPTY, 0
            values = {"account": account, "newController": state.controller, "epoch": state.epoch}
            return Event("RecoveryCompleted", values)

        outcome.effect = effect
        return outcome

    # Requirements

    @staticmethod
    def _require_controller(outcome: Outcome, state: Account, by: str) -> None:
        """`by` controls the account, and no recovery is pending."""
        outcome.require(by == state.controller, "NotController", account=state.address, by=by)
        outcome.require(state.pending is None, "RecoveryPending", account=state.address)

    @staticmethod
    def _require_epoch(outcome: Outcome, state: Account, epoch: int) -> None:
        outcome.require(
            epoch == state.epoch,
            "WrongEpoch",
            account=state.address,
            epoch=epoch,
            current=state.epoch,
        )

    @staticmethod
    def _require_nonce(outcome: Outcome, state: Account, key: int, nonce: int) -> None:
        current = state.nonces[key]
        outcome.require(
            nonce == current,
            "InvalidAccountNonce",
            account=state.address,
            currentNonce=key << 64 | current,
        )

    @staticmethod
    def _require_word(outcome: Outcome, account: str, word: Word) -> None:
        outcome.require(word.member, "NotGuardian", account=account, guardian=word.guardian)
        outcome.require(word.signed, "InvalidSignature", by=word.guardian, digest=word.digest)

    @staticmethod
    def _is_member(state: Account) -> bool:
        organisation = state.organisation
        if organisation is None or organisation.suspended:
            return False
        return bool(organisation.roles & MEMBER)
