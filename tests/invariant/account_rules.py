"""What controllers and guardians do at the Registry, rightly and wrongly."""

from __future__ import annotations

from typing import Any

from eth_account.signers.local import LocalAccount
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.contracts.guardian_circle import GuardianCircle
from tests.contracts.periods import DAY
from tests.invariant.machine import (
    DEADLINE_OFFSETS,
    KEY_NAMES,
    NONCE_OFFSETS,
    WAYS,
    WHICH,
    ContractMachine,
    Sent,
    Way,
)
from tests.invariant.model_registry import (
    EMPTY,
    GUARDIANS,
    MAX_STEP,
    NOBODY,
    RECOVERY,
    ROTATE,
    Word,
)
from tests.invariant.outcome import Refusal
from tests.invariant.world import FAMILY, KEYS, RELAYER, STRANGER

NAMES_OF_ACCOUNTS = ("patient", "hospital")
ACCOUNTS = st.sampled_from(NAMES_OF_ACCOUNTS)
NAMES = st.sampled_from(list(KEYS))
CIRCLES = st.sampled_from(["the right one"] * 12 + ["family", "thieves"])
POWERS = st.sampled_from([1, 2, 3, 8, 16, 32, 0xFF, 0xFF, 0xFF, 0])
EPOCH_OFFSETS = st.sampled_from([0] * 12 + [-1, 1])
SERIAL_OFFSETS = st.sampled_from([1] * 10 + [2, 0, -1, MAX_STEP, MAX_STEP + 1])
GUARDIAN_KEYS = {"sister": FAMILY[0], "neighbour": FAMILY[1], "doctor": FAMILY[2], **KEYS}
GUARDIANS_BY_ADDRESS: dict[str, LocalAccount] = {key.address: key for key in GUARDIAN_KEYS.values()}
WORDS: st.SearchStrategy[list[str] | None] = st.sampled_from(
    [None] * 12
    + [["neighbour", "sister"], ["sister", "neighbour"], ["sister", "doctor"]]
    + [["sister"], ["doctor", "doctor"], ["sister", "thief"], ["thief"], []]
)
"""The guardians who approve; None for just enough of the right ones, in the right order."""


def not_below_zero(number: int) -> int:
    return max(number, 0)


class AccountRules(ContractMachine):
    """Rotating, revoking all, delegating; guardians and recoveries."""

    @rule(
        name=ACCOUNTS,
        by_name=KEY_NAMES,
        new=st.sampled_from([*KEYS] * 3 + [NOBODY]),
        nonce_offset=NONCE_OFFSETS,
        deadline_offset=DEADLINE_OFFSETS,
        way=WAYS,
    )
    def rotate(
        self,
        name: str,
        by_name: str,
        new: str,
        nonce_offset: int,
        deadline_offset: int,
        way: Way,
    ) -> None:
        account = KEYS[name]
        by = self.key(by_name, account.address)
        new_controller = NOBODY if new == NOBODY else KEYS[new].address
        current = self.model.account(account.address).nonces[ROTATE]
        nonce, deadline = not_below_zero(current + nonce_offset), self.at + deadline_offset
        self.attempt(
            self.world.accounts.rotation(
                account, new_controller, by=by, nonce=nonce, deadline=deadline
            ),
            way,
            lambda now: self.model.rotate(
                now, account.address, by.address, new_controller, nonce, deadline
            ),
        )

    @rule(name=ACCOUNTS, by_name=KEY_NAMES, epoch_offset=EPOCH_OFFSETS, way=WAYS)
    def revoke_all(self, name: str, by_name: str, epoch_offset: int, way: Way) -> None:
        account = KEYS[name]
        by = self.key(by_name, account.address)
        epoch = not_below_zero(self.model.account(account.address).epoch + epoch_offset)
        self.attempt(
            self.world.accounts.revoke_all(account, by=by, epoch=epoch),
            way,
            lambda now: self.model.revoke_all(now, account.address, by.address, epoch),
        )

    @rule(
        name=ACCOUNTS,
        by_name=KEY_NAMES,
        delegate=st.sampled_from([*KEYS] * 3 + [NOBODY]),
        powers=POWERS,
        span=st.sampled_from([DAY, 10 * DAY, 300 * DAY] * 4 + [1, 0, -1]),
        epoch_offset=EPOCH_OFFSETS,
        serial_offset=SERIAL_OFFSETS,
        deadline_offset=DEADLINE_OFFSETS,
        way=WAYS,
    )
    def delegate(
        self,
        name: str,
        by_name: str,
        delegate: str,
        powers: int,
        span: int,
        epoch_offset: int,
        serial_offset: int,
        deadline_offset: int,
        way: Way,
    ) -> None:
        account = KEYS[name]
        state = self.model.account(account.address)
        by = self.key(by_name, account.address)
        delegatee = NOBODY if delegate == NOBODY else KEYS[delegate].address
        fields: dict[str, Any] = {
            "until": self.at + span,
            "epoch": not_below_zero(state.epoch + epoch_offset),
            "serial": not_below_zero(state.delegations[delegatee].serial + serial_offset),
            "deadline": self.at + deadline_offset,
        }
        self.attempt(
            self.world.accounts.delegation(account, delegatee, powers, by=by, **fields),
            way,
            lambda now: self.model.delegate(
                now, account.address, by.address, delegatee, powers, **fields
            ),
        )

    @rule(name=ACCOUNTS, by_name=KEY_NAMES, delegate=NAMES, offset=SERIAL_OFFSETS, way=WAYS)
    def undelegate(self, name: str, by_name: str, delegate: str, offset: int, way: Way) -> None:
        account, delegatee = KEYS[name], KEYS[delegate].address
        by = self.key(by_name, account.address)
        held = self.model.account(account.address).delegations[delegatee]
        serial = not_below_zero(held.serial + offset)
        self.attempt(
            self.world.accounts.undelegation(account, delegatee, by=by, serial=serial),
            way,
            lambda now: self.model.undelegate(account.address, by.address, delegatee, serial),
        )

    @rule(
        name=ACCOUNTS,
        by_name=KEY_NAMES,
        circle=st.sampled_from(["family", "family", "thieves", "none"]),
        nonce_offset=NONCE_OFFSETS,
        deadline_offset=DEADLINE_OFFSETS,
        way=WAYS,
    )
    def set_guardians(
        self,
        name: str,
        by_name: str,
        circle: str,
        nonce_offset: int,
        deadline_offset: int,
        way: Way,
    ) -> None:
        account = KEYS[name]
        by = self.key(by_name, account.address)
        commitment = EMPTY if circle == "none" else self.world.circles[circle].commitment
        current = self.model.account(account.address).nonces[GUARDIANS]
        nonce, deadline = not_below_zero(current + nonce_offset), self.at + deadline_offset
        self.attempt(
            self.world.accounts.guardians_change(
                account, commitment, by=by, nonce=nonce, deadline=deadline
            ),
            way,
            lambda now: self.model.set_guardians(
                now, account.address, by.address, commitment, nonce, deadline
            ),
        )

    @precondition(lambda self: self.guarded())
    @rule(
        which=WHICH,
        new=st.sampled_from(["phone"] * 3 + ["thief", NOBODY]),
        circle=CIRCLES,
        guardians=WORDS,
        nonce_offset=NONCE_OFFSETS,
        deadline_offset=DEADLINE_OFFSETS,
        forged=st.sampled_from([False] * 12 + [True]),
    )
    def start_recovery(
        self,
        which: int,
        new: str,
        circle: str,
        guardians: list[str] | None,
        nonce_offset: int,
        deadline_offset: int,
        forged: bool,
    ) -> None:
        account = KEYS[self.choose(which, self.guarded(), NAMES_OF_ACCOUNTS)].address
        new_controller = NOBODY if new == NOBODY else KEYS[new].address
        current = self.model.account(account).nonces[RECOVERY]
        nonce, deadline = not_below_zero(current + nonce_offset), self.at + deadline_offset
        ring = self._ring(circle, self.model.account(account).guardians_at(self.at)[0])
        if guardians is None:
            keys = [GUARDIANS_BY_ADDRESS[address] for address in ring.guardians[: ring.threshold]]
        else:
            keys = [GUARDIAN_KEYS[guardian] for guardian in guardians]
        words, approvals = [], []
        for key in keys:
            message = {
                "account": account,
                "guardian": key.address,
                "newController": new_controller,
                "nonce": nonce,
                "deadline": deadline,
            }
            words.append(self._word(ring, key.address, "RecoveryApproval", message, not forged))
            signer = STRANGER if forged else key
            signature = self.world.registry.sign(signer, "RecoveryApproval", message)
            approvals.append(ring.word(key.address, signature))
        recovery = (account, new_controller, nonce, deadline)
        self.send(
            Sent(
                self.world.registry,
                RELAYER,
                "startRecovery",
                (recovery, ring.root, ring.threshold, approvals),
                (),
                lambda now: self.model.start_recovery(
                    now,
                    account,
                    new_controller,
                    nonce,
                    deadline,
                    ring.commitment,
                    ring.threshold,
                    words,
                ),
            )
        )

    @precondition(lambda self: self.recovering())
    @rule(
        which=WHICH,
        by_name=KEY_NAMES,
        circle=CIRCLES,
        guardian=st.sampled_from(["sister", "doctor"] * 3 + ["thief", "patient"]),
        nonce_offset=NONCE_OFFSETS,
        forged=st.sampled_from([None] * 12 + ["controller", "guardian"]),
    )
    def cancel_recovery(
        self,
        which: int,
        by_name: str,
        circle: str,
        guardian: str,
        nonce_offset: int,
        forged: str | None,
    ) -> None:
        account = KEYS[self.choose(which, self.recovering(), NAMES_OF_ACCOUNTS)].address
        by, key = self.key(by_name, account), GUARDIAN_KEYS[guardian]
        pending = self.model.account(account).pending
        nonce = not_below_zero((pending.nonce if pending else 0) + nonce_offset)
        ring = self._ring(circle, pending.guardians if pending else EMPTY)
        registry = self.world.registry
        ours = {"account": account, "signer": by.address, "nonce": nonce}
        theirs = {**ours, "signer": key.address}
        word = self._word(ring, key.address, "Cancellation", theirs, forged != "guardian")
        signature = registry.sign(STRANGER if forged == "controller" else by, "Cancellation", ours)
        approval = ring.word(
            key.address,
            registry.sign(STRANGER if forged == "guardian" else key, "Cancellation", theirs),
        )
        proof: tuple[Refusal, ...] = ()
        if forged == "controller":
            digest = registry.digest("Cancellation", ours)
            proof = (("InvalidSignature", {"by": by.address, "digest": digest}),)
        self.send(
            Sent(
                registry,
                RELAYER,
                "cancelRecovery",
                (account, by.address, nonce, ring.root, ring.threshold, approval, signature),
                proof,
                lambda now: self.model.cancel_recovery(
                    account, by.address, nonce, ring.commitment, word
                ),
            )
        )

    @precondition(lambda self: self.recovering())
    @rule(which=WHICH, patience=st.sampled_from([0, 0, 1, -1]))
    def complete_recovery(self, which: int, patience: int) -> None:
        """Tries when the delay has run, or a second before."""
        account = KEYS[self.choose(which, self.recovering(), NAMES_OF_ACCOUNTS)].address
        pending = self.model.account(account).pending
        if pending and self.at < pending.ready_at + patience:
            self.world.evm.travel_to(pending.ready_at + patience - 1)
        self.send(
            Sent(
                self.world.registry,
                RELAYER,
                "completeRecovery",
                (account,),
                (),
                lambda now: self.model.complete_recovery(now, account),
            )
        )

    # Who can be recovered

    def guarded(self) -> list[str]:
        """The accounts with guardians in force."""
        accounts = {name: self.model.account(KEYS[name].address) for name in NAMES_OF_ACCOUNTS}
        return [name for name, state in accounts.items() if state.guardians_at(self.at)[0] != EMPTY]

    def recovering(self) -> list[str]:
        """The accounts whose recovery is pending."""
        accounts = {name: self.model.account(KEYS[name].address) for name in NAMES_OF_ACCOUNTS}
        return [name for name, state in accounts.items() if state.pending]

    def _ring(self, circle: str, commitment: bytes) -> GuardianCircle:
        """The circle of this name; "the right one" is the one committed to."""
        rings = self.world.circles
        right = [name for name, ring in rings.items() if ring.commitment == commitment]
        return rings[(right or ["family"])[0] if circle == "the right one" else circle]

    def _word(
        self,
        ring: GuardianCircle,
        guardian: str,
        struct: str,
        message: dict[str, Any],
        signed: bool,
    ) -> Word:
        digest = self.world.registry.digest(struct, message)
        return Word(guardian, guardian in ring.guardians, signed, digest)
