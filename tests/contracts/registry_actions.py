"""The Registry's actions, each by the account's own key unless `by` says otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from eth_account.signers.local import LocalAccount

from tests.contracts.action import Action
from tests.contracts.deployed import Deployed
from tests.contracts.keys import Key
from tests.contracts.periods import FOREVER


@dataclass(frozen=True, slots=True)
class RegistryActions:
    """Makes actions; sends none."""

    registry: Deployed
    relayer: LocalAccount

    def rotation(
        self,
        account: Key,
        new_controller: str,
        *,
        by: Key | None = None,
        nonce: int = 0,
        deadline: int = FOREVER,
    ) -> Action:
        by = by or account
        return self._action(
            "rotate",
            (account.address, by.address, new_controller, nonce, deadline),
            "Rotation",
            {
                "account": account.address,
                "newController": new_controller,
                "nonce": nonce,
                "deadline": deadline,
            },
            by,
        )

    def revoke_all(self, account: Key, *, by: Key | None = None, epoch: int = 0) -> Action:
        by = by or account
        return self._action(
            "revokeAll",
            (account.address, by.address, epoch),
            "RevokeAll",
            {"account": account.address, "epoch": epoch},
            by,
        )

    def delegation(
        self,
        account: Key,
        delegate: str,
        powers: int,
        *,
        by: Key | None = None,
        until: int = FOREVER,
        epoch: int = 0,
        serial: int = 1,
        deadline: int = FOREVER,
    ) -> Action:
        by = by or account
        message = {
            "account": account.address,
            "delegate": delegate,
            "powers": powers,
            "until": until,
            "epoch": epoch,
            "serial": serial,
            "deadline": deadline,
        }
        arguments = (tuple(message.values()), by.address)
        return self._action("delegate", arguments, "Delegation", message, by)

    def undelegation(
        self, account: Key, delegate: str, *, by: Key | None = None, serial: int = 1
    ) -> Action:
        by = by or account
        return self._action(
            "undelegate",
            (account.address, by.address, delegate, serial),
            "Undelegation",
            {"account": account.address, "delegate": delegate, "serial": serial},
            by,
        )

    def guardians_change(
        self,
        account: Key,
        commitment: bytes,
        *,
        by: Key | None = None,
        nonce: int = 0,
        deadline: int = FOREVER,
    ) -> Action:
        by = by or account
        return self._action(
            "setGuardians",
            (account.address, by.address, commitment, nonce, deadline),
            "GuardiansChange",
            {
                "account": account.address,
                "commitment": commitment,
                "nonce": nonce,
                "deadline": deadline,
            },
            by,
        )

    def publication(
        self,
        account: Key,
        key: bytes,
        profile: bytes,
        *,
        by: Key | None = None,
        nonce: int = 1,
        deadline: int = FOREVER,
    ) -> Action:
        """Publish; the nonce 0 went with the admission."""
        by = by or account
        return self._action(
            "publish",
            (account.address, by.address, key, profile, nonce, deadline),
            "Publication",
            {
                "account": account.address,
                "key": key,
                "profile": profile,
                "nonce": nonce,
                "deadline": deadline,
            },
            by,
        )

    def _action(
        self,
        function: str,
        arguments: tuple[Any, ...],
        struct: str,
        message: dict[str, Any],
        by: Key,
    ) -> Action:
        return Action(
            contract=self.registry,
            function=function,
            arguments=arguments,
            struct=struct,
            message=message,
            by=by,
            relayer=self.relayer,
        )
