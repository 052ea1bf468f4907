"""What patients, stewards and grantees do at Relationships, Consents and Anchors.

Each action is the named account's own key's, unless `by` says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak

from tests.contracts.action import Action
from tests.contracts.deployed import Deployed
from tests.contracts.keys import Key
from tests.contracts.periods import DAY, FOREVER

NOBODY = "0x" + "00" * 20

MAX_STEP = 2**32 - 1
"""How far at most a serial goes beyond the one before."""


@dataclass(frozen=True, slots=True)
class ConsentActions:
    """Makes consents and revocations; sends none."""

    consents: Deployed
    relayer: LocalAccount

    def consent(self, patient: Key, grantee: Key, **instead: Any) -> dict[str, Any]:
        """A consent from now on for thirty days, as the fields of the struct."""
        now = self.consents.evm.now
        return {
            "patient": patient.address,
            "grantee": grantee.address,
            "terms": keccak(text="terms"),
            "validFrom": now,
            "validUntil": now + 30 * DAY,
            "request": keccak(text="request"),
            "epoch": 0,
        } | instead

    def grant(self, consent: Mapping[str, Any], by: Key) -> Action:
        return Action(
            contract=self.consents,
            function="grant",
            arguments=(tuple(consent.values()), by.address),
            struct="Consent",
            message=consent,
            by=by,
            relayer=self.relayer,
        )

    def revoke(self, patient: Key, consent_id: bytes, *, by: Key | None = None) -> Action:
        by = by or patient
        return Action(
            contract=self.consents,
            function="revoke",
            arguments=(patient.address, by.address, consent_id),
            struct="Revocation",
            message={"patient": patient.address, "consentId": consent_id},
            by=by,
            relayer=self.relayer,
        )


@dataclass(frozen=True, slots=True)
class EmergencyActions:
    """Makes openings, closures, bans and allowances; sends none."""

    consents: Deployed
    relayer: LocalAccount

    def opening(self, patient: Key, grantee: Key, **instead: Any) -> dict[str, Any]:
        """An opening for an hour, as the fields of the struct."""
        return {
            "patient": patient.address,
            "grantee": grantee.address,
            "reason": keccak(text="reason"),
            "validUntil": self.consents.evm.now + 3600,
            "nonce": 0,
            "deadline": FOREVER,
        } | instead

    def open(self, opening: Mapping[str, Any], by: Key) -> Action:
        return self._action(
            "openEmergency",
            (tuple(opening.values()), by.address),
            "EmergencyOpening",
            opening,
            by,
        )

    def close(
        self, patient: Key, grantee: Key, serial: int = 0, *, by: Key | None = None
    ) -> Action:
        by = by or patient
        return self._action(
            "closeEmergency",
            (patient.address, by.address, grantee.address, serial),
            "EmergencyClosure",
            {"patient": patient.address, "grantee": grantee.address, "serial": serial},
            by,
        )

    def forbid(self, patient: Key, serial: int = 0, *, by: Key | None = None) -> Action:
        by = by or patient
        return self._action(
            "forbidEmergency",
            (patient.address, by.address, serial),
            "EmergencyBan",
            {"patient": patient.address, "serial": serial},
            by,
        )

    def allow(
        self,
        patient: Key,
        grantee: str = NOBODY,
        serial: int = 1,
        *,
        deadline: int = FOREVER,
        by: Key | None = None,
    ) -> Action:
        by = by or patient
        return self._action(
            "allowEmergency",
            (patient.address, by.address, grantee, serial, deadline),
            "EmergencyAllowance",
            {
                "patient": patient.address,
                "grantee": grantee,
                "serial": serial,
                "deadline": deadline,
            },
            by,
        )

    def _action(
        self,
        function: str,
        arguments: tuple[Any, ...],
        struct: str,
        message: Mapping[str, Any],
        by: Key,
    ) -> Action:
        return Action(
            contract=self.consents,
            function=function,
            arguments=arguments,
            struct=struct,
            message=message,
            by=by,
            relayer=self.relayer,
        )


STRUCT_OF = {
    "propose": "Proposal",
    "accept": "Acceptance",
    "decline": "Decline",
    "end": "Ending",
}


@dataclass(frozen=True, slots=True)
class RelationshipActions:
    """Makes what either side of one patient and one steward does; sends nothing."""

    relationships: Deployed
    relayer: LocalAccount
    patient: Key
    steward: Key

    def make(
        self, function: str, account: Key, round_number: int = 1, *, by: Key | None = None
    ) -> Action:
        """One of the functions in `STRUCT_OF`, for the side `account`."""
        by = by or account
        message = {
            "patient": self.patient.address,
            "steward": self.steward.address,
            "account": account.address,
            "round": round_number,
        }
        return Action(
            contract=self.relationships,
            function=function,
            arguments=(
                self.patient.address,
                self.steward.address,
                account.address,
                by.address,
                round_number,
            ),
            struct=STRUCT_OF[function],
            message=message,
            by=by,
            relayer=self.relayer,
        )


@dataclass(frozen=True, slots=True)
class AnchorActions:
    """Makes appends; sends none."""

    anchors: Deployed
    relayer: LocalAccount

    def append(
        self,
        account: Key,
        topic: bytes,
        root: bytes,
        *,
        previous: bytes = bytes(32),
        by: Key | None = None,
    ) -> Action:
        by = by or account
        message = {
            "account": account.address,
            "topic": topic,
            "previous": previous,
            "root": root,
        }
        return Action(
            contract=self.anchors,
            function="append",
            arguments=(account.address, by.address, topic, previous, root),
            struct="Append",
            message=message,
            by=by,
            relayer=self.relayer,
        )
