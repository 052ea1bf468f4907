"""What the consortium and organisations do at the Registry, rightly and wrongly."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.contracts.masks import EMERGENCY_ROLE, MEMBER, STEWARD
from tests.contracts.periods import FOREVER
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
from tests.invariant.model_registry import EMPTY, PUBLISH
from tests.invariant.outcome import Outcome
from tests.invariant.world import CONSORTIUM, KEYS, STRANGER

ORGANISATIONS = ("hospital", "clinician", "department")
ROLES = st.sampled_from([MEMBER, MEMBER | STEWARD, 0, EMERGENCY_ROLE, MEMBER | EMERGENCY_ROLE])
USURPED = st.sampled_from([False] * 12 + [True])
"""Whether a stranger sends what only the consortium may."""

CONTENTS = st.sampled_from([b"\x11" * 32, b"\x22" * 32, b"\x33" * 32])
ENCRYPTION_KEYS = st.sampled_from([b"\x11" * 32, b"\x22" * 32] * 6 + [EMPTY])


class OrganisationRules(ContractMachine):
    """Admitting, publishing, suspending, reinstating, giving roles."""

    @precondition(lambda self: self.organised(None))
    @rule(
        which=WHICH,
        by_name=KEY_NAMES,
        usurped=USURPED,
        roles=ROLES,
        key=ENCRYPTION_KEYS,
        profile=CONTENTS,
        deadline_offset=DEADLINE_OFFSETS,
        forged=st.sampled_from([False] * 12 + [True]),
    )
    def admit(
        self,
        which: int,
        by_name: str,
        usurped: bool,
        roles: int,
        key: bytes,
        profile: bytes,
        deadline_offset: int,
        forged: bool,
    ) -> None:
        name = self.choose(which, self.organised(None), ORGANISATIONS)
        deadline = self.at + deadline_offset
        self.admit_as(name, by_name, roles, key, profile, deadline, usurped, forged)

    def admit_as(
        self,
        name: str,
        by_name: str,
        roles: int,
        key: bytes = b"\x11" * 32,
        profile: bytes = b"\x22" * 32,
        deadline: int = FOREVER,
        usurped: bool = False,
        forged: bool = False,
    ) -> None:
        """Admit an organisation, rightly unless said otherwise."""
        sender = STRANGER if usurped else CONSORTIUM
        account = KEYS[name].address
        by = self.key(by_name, account)
        state = self.model.account(account)
        signed_nonce = state.nonces[PUBLISH]
        message = {"account": account, "key": key, "profile": profile, "deadline": deadline}
        signer = STRANGER if forged else by
        signature = self.world.registry.sign(
            signer, "Publication", {**message, "nonce": signed_nonce}
        )

        def expected(now: int) -> Outcome:
            outcome = self.organisations.admit(
                now, sender.address, account, by.address, roles, key, profile, deadline
            )
            nonce = state.nonces[PUBLISH]
            digest = self.world.registry.digest("Publication", {**message, "nonce": nonce})
            outcome.require(
                not forged and nonce == signed_nonce,
                "InvalidSignature",
                by=by.address,
                digest=digest,
            )
            return outcome

        arguments = (account, by.address, roles, key, profile, deadline, signature)
        self.send(Sent(self.world.registry, sender, "admit", arguments, (), expected))

    @rule(
        which=WHICH,
        by_name=KEY_NAMES,
        key=ENCRYPTION_KEYS,
        profile=CONTENTS,
        nonce_offset=NONCE_OFFSETS,
        deadline_offset=DEADLINE_OFFSETS,
        way=WAYS,
    )
    def publish(
        self,
        which: int,
        by_name: str,
        key: bytes,
        profile: bytes,
        nonce_offset: int,
        deadline_offset: int,
        way: Way,
    ) -> None:
        eligible = self.organised(False) + self.organised(True)
        account = KEYS[self.choose(which, eligible, ORGANISATIONS)]
        by = self.key(by_name, account.address)
        current = self.model.account(account.address).nonces[PUBLISH]
        nonce, deadline = max(current + nonce_offset, 0), self.at + deadline_offset
        self.attempt(
            self.world.accounts.publication(
                account, key, profile, by=by, nonce=nonce, deadline=deadline
            ),
            way,
            lambda now: self.organisations.publish(
                now, account.address, by.address, key, profile, nonce, deadline
            ),
        )

    @rule(which=WHICH, usurped=USURPED)
    def suspend(self, which: int, usurped: bool) -> None:
        sender = STRANGER if usurped else CONSORTIUM
        eligible = self.organised(False)
        account = KEYS[self.choose(which, eligible, ORGANISATIONS)].address

        def expected(now: int) -> Outcome:
            return self.organisations.suspend(sender.address, account)

        self.send(Sent(self.world.registry, sender, "suspend", (account,), (), expected))

    @precondition(lambda self: self.organised(True))
    @rule(which=WHICH, usurped=USURPED)
    def reinstate(self, which: int, usurped: bool) -> None:
        sender = STRANGER if usurped else CONSORTIUM
        eligible = self.organised(True)
        account = KEYS[self.choose(which, eligible, ORGANISATIONS)].address

        def expected(now: int) -> Outcome:
            return self.organisations.reinstate(sender.address, account)

        self.send(Sent(self.world.registry, sender, "reinstate", (account,), (), expected))

    @rule(which=WHICH, roles=ROLES, usurped=USURPED)
    def set_roles(self, which: int, roles: int, usurped: bool) -> None:
        sender = STRANGER if usurped else CONSORTIUM
        eligible = self.organised(False) + self.organised(True)
        account = KEYS[self.choose(which, eligible, ORGANISATIONS)].address

        def expected(now: int) -> Outcome:
            return self.organisations.set_roles(now, sender.address, account, roles)

        self.send(Sent(self.world.registry, sender, "setRoles", (account, roles), (), expected))

    def organised(self, suspended: bool | None) -> list[str]:
        """The organisations that are suspended or not; None for those not admitted."""
        states = {
            name: self.model.account(KEYS[name].address).organisation for name in ORGANISATIONS
        }
        return [
            name
            for name, organisation in states.items()
            if (organisation.suspended if organisation else None) is suspended
        ]
