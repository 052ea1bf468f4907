"""The Registry's organisations in Python; the consortium is one key here."""

from __future__ import annotations

from dataclasses import dataclass

from tests.contracts.deployed import Event
from tests.contracts.masks import EMERGENCY_ROLE, MEMBER
from tests.contracts.periods import EMERGENCY_DELAY
from tests.invariant.model_registry import (
    EMPTY,
    PUBLISH,
    Account,
    Organisation,
    RegistryModel,
)
from tests.invariant.outcome import Outcome


@dataclass(frozen=True, slots=True)
class OrganisationsModel:
    """What the consortium and organisations do.

    Attributes:
        registry: the accounts behind the organisations.
        consortium: the address that alone governs.
    """

    registry: RegistryModel
    consortium: str

    def admit(
        self,
        now: int,
        sender: str,
        account: str,
        by: str,
        roles: int,
        key: bytes,
        profile: bytes,
        deadline: int,
    ) -> Outcome:
        state, outcome = self.registry.account(account), Outcome()
        self._require_consortium(outcome, sender)
        outcome.require(state.organisation is None, "AlreadyAdmitted", account=account)
        self._require_publication(outcome, now, state, by, key, deadline)

        def effect() -> Event:
            state.nonces[PUBLISH] += 1
            since = now + EMERGENCY_DELAY if roles & EMERGENCY_ROLE else 0
            state.organisation = Organisation(roles, key, profile, since)
            values = {"account": account, "by": by, "roles": roles, "key": key}
            more = {"profile": profile, "emergencyFrom": since}
            return Event("OrganisationAdmitted", {**values, **more})

        outcome.effect = effect
        return outcome

    def publish(
        self,
        now: int,
        account: str,
        by: str,
        key: bytes,
        profile: bytes,
        nonce: int,
        deadline: int,
    ) -> Outcome:
        state, outcome = self.registry.account(account), Outcome()
        organisation = state.organisation
        if organisation is None:
            outcome.require(False, "NotAdmitted", account=account)
            return outcome
        self._require_publication(outcome, now, state, by, key, deadline)
        outcome.require(
            nonce == state.nonces[PUBLISH],
            "InvalidAccountNonce",
            account=account,
            currentNonce=PUBLISH << 64 | state.nonces[PUBLISH],
        )

        def effect() -> Event:
            state.nonces[PUBLISH] += 1
            organisation.key, organisation.profile = key, profile
            values = {"account": account, "by": by, "key": key, "profile": profile}
            return Event("OrganisationPublished", values)

        outcome.effect = effect
        return outcome

    def suspend(self, sender: str, account: str) -> Outcome:
        outcome = Outcome()
        self._require_consortium(outcome, sender)
        organisation = self.registry.account(account).organisation
        if organisation is None:
            outcome.require(False, "NotAdmitted", account=account)
            return outcome
        outcome.require(not organisation.suspended, "AlreadySuspended", account=account)
        self._require_not_last(outcome, account)

        def effect() -> Event:
            organisation.suspended = True
            return Event("OrganisationSuspended", {"account": account})

        outcome.effect = effect
        return outcome

    def reinstate(self, sender: str, account: str) -> Outcome:
        outcome = Outcome()
        self._require_consortium(outcome, sender)
        organisation = self.registry.account(account).organisation
        if organisation is None:
            outcome.require(False, "NotAdmitted", account=account)
            return outcome
        outcome.require(organisation.suspended, "NotSuspended", account=account)

        def effect() -> Event:
            organisation.suspended = False
            return Event("OrganisationReinstated", {"account": account})

        outcome.effect = effect
        return outcome

    def set_roles(self, now: int, sender: str, account: str, roles: int) -> Outcome:
        outcome = Outcome()
        self._require_consortium(outcome, sender)
        organisation = self.registry.account(account).organisation
        if organisation is None:
            outcome.require(False, "NotAdmitted", account=account)
            return outcome
        if not roles & MEMBER:
            self._require_not_last(outcome, account)

        def effect() -> Event:
            if not roles & EMERGENCY_ROLE:
                organisation.emergency_from = 0
            elif not organisation.roles & EMERGENCY_ROLE:
                organisation.emergency_from = now + EMERGENCY_DELAY
            organisation.roles = roles
            values = {"account": account, "roles": roles}
            return Event("RolesChanged", {**values, "emergencyFrom": organisation.emergency_from})

        outcome.effect = effect
        return outcome

    # Requirements

    def _require_consortium(self, outcome: Outcome, sender: str) -> None:
        outcome.require(sender == self.consortium, "NotConsortium", sender=sender)

    def _require_not_last(self, outcome: Outcome, account: str) -> None:
        members = self.registry.active_members()
        last = members == 1 and self.registry.has_role(0, account, MEMBER)
        outcome.require(not last, "LastMember", account=account)

    @staticmethod
    def _require_publication(
        outcome: Outcome, now: int, state: Account, by: str, key: bytes, deadline: int
    ) -> None:
        account = state.address
        outcome.require(now <= deadline, "DeadlinePassed", deadline=deadline)
        outcome.require(by == state.controller, "NotController", account=account, by=by)
        outcome.require(state.pending is None, "RecoveryPending", account=account)
        outcome.require(key != EMPTY, "ZeroKey", account=account)
