"""Consents and emergency access in Python, as the design states them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.contracts.deployed import Event
from tests.contracts.masks import EMERGENCY, EMERGENCY_ROLE, GRANT, RESTRICT
from tests.contracts.periods import MAX_EMERGENCY, MAX_SPAN
from tests.invariant.model_registry import EMPTY, NOBODY, RegistryModel, require_serial
from tests.invariant.outcome import Outcome

NONE, GRANTED, REVOKED = range(3)


@dataclass(slots=True)
class Known:
    """What is known of a consent."""

    status: int = NONE
    grantee: str = NOBODY
    valid_from: int = 0
    valid_until: int = 0
    epoch: int = 0


@dataclass(slots=True)
class Access:
    """The last opening of a pair, whether a ban ended it, and the pair's bar."""

    opened_at: int = 0
    valid_until: int = 0
    epoch: int = 0
    banned: bool = False
    serial: int = 0
    barred: bool = False


@dataclass(slots=True)
class Ban:
    serial: int = 0
    forbidden: bool = False


class ConsentsModel:
    """Every action takes `now`, the second of its block."""

    def __init__(self, registry: RegistryModel) -> None:
        self.registry = registry
        self.known: dict[tuple[str, bytes], Known] = defaultdict(Known)
        self.accesses: dict[tuple[str, str], Access] = defaultdict(Access)
        self.bans: dict[str, Ban] = defaultdict(Ban)
        self.nonces: dict[tuple[str, str], int] = defaultdict(int)

    # Questions

    def is_active(self, now: int, patient: str, consent_id: bytes) -> bool:
        known = self.known[patient, consent_id]
        return (
            known.status == GRANTED
            and known.valid_from <= now < known.valid_until
            and known.epoch == self.registry.account(patient).epoch
            and self.registry.is_active_organisation(known.grantee)
        )

    def is_emergency_active(self, now: int, patient: str, grantee: str) -> bool:
        has_role = self.registry.has_role(now, grantee, EMERGENCY_ROLE)
        return has_role and self._stands(now, patient, grantee)

    def _stands(self, now: int, patient: str, grantee: str) -> bool:
        access = self.accesses[patient, grantee]
        epoch = self.registry.account(patient).epoch
        return now < access.valid_until and not access.banned and access.epoch == epoch

    def bounds(self) -> set[int]:
        """Every second at which a consent or an emergency begins or ends."""
        found = {access.valid_until for access in self.accesses.values()}
        for known in self.known.values():
            found |= {known.valid_from, known.valid_until}
        return found

    # Consents

    def grant(self, now: int, consent: Mapping[str, Any], consent_id: bytes, by: str) -> Outcome:
        outcome = Outcome()
        patient, grantee = consent["patient"], consent["grantee"]
        start, end = consent["validFrom"], consent["validUntil"]
        epoch, known = self.registry.account(patient).epoch, self.known[patient, consent_id]
        self.registry.require_authority(outcome, now, patient, by, GRANT)
        outcome.require(
            consent["epoch"] == epoch,
            "WrongEpoch",
            account=patient,
            epoch=consent["epoch"],
            current=epoch,
        )
        window = {"validFrom": start, "validUntil": end}
        outcome.require(start < end and now < end, "InvalidWindow", **window)
        outcome.require(
            end - start <= MAX_SPAN and start <= now + MAX_SPAN,
            "ConsentTooLong",
            **window,
            maxSpan=MAX_SPAN,
        )
        until = self.registry.until(now, patient, by, GRANT)
        outcome.require(end <= until, "OutlivesDelegation", validUntil=end, until=until)
        outcome.require(
            known.status == NONE, "ConsentKnown", consentId=consent_id, status=known.status
        )
        outcome.require(grantee != patient, "GranteeIsPatient", patient=patient)
        active = self.registry.is_active_organisation(grantee)
        outcome.require(active, "NotActiveOrganisation", grantee=grantee)

        def effect() -> Event:
            self.known[patient, consent_id] = Known(GRANTED, grantee, start, end, epoch)
            return Event("ConsentGranted", {**consent, "consentId": consent_id, "by": by})

        outcome.effect = effect
        return outcome

    def revoke(self, now: int, patient: str, by: str, consent_id: bytes) -> Outcome:
        outcome, known = Outcome(), self.known[patient, consent_id]
        self.registry.require_authority(outcome, now, patient, by, RESTRICT)
        outcome.require(known.status != REVOKED, "ConsentRevokedAlready", consentId=consent_id)

        def effect() -> Event:
            known.status, known.valid_from, known.valid_until = REVOKED, now, now
            values = {"patient": patient, "consentId": consent_id, "by": by}
            return Event("ConsentRevoked", values)

        outcome.effect = effect
        return outcome

    # Emergency access

    def open(self, now: int, opening: Mapping[str, Any], digest: bytes, by: str) -> Outcome:
        outcome = Outcome()
        patient, grantee, end = opening["patient"], opening["grantee"], opening["validUntil"]
        access, epoch = self.accesses[patient, grantee], self.registry.account(patient).epoch
        pair = {"patient": patient, "grantee": grantee}
        self.registry.require_authority(outcome, now, grantee, by, EMERGENCY)
        deadline, latest = opening["deadline"], now + MAX_EMERGENCY
        outcome.require(now <= deadline, "DeadlinePassed", deadline=deadline)
        nonce = self.nonces[grantee, patient]
        outcome.require(
            opening["nonce"] == nonce,
            "InvalidAccountNonce",
            account=grantee,
            currentNonce=int(patient, 16) << 64 | nonce,
        )
        outcome.require(opening["reason"] != EMPTY, "ZeroReason")
        outcome.require(
            now < end <= latest, "InvalidEmergencyWindow", validUntil=end, latest=latest
        )
        has_role = self.registry.has_role(now, grantee, EMERGENCY_ROLE)
        outcome.require(has_role, "NoEmergencyRole", grantee=grantee)
        forbidden = self.bans[patient].forbidden
        outcome.require(not forbidden, "EmergencyForbiddenBy", patient=patient)
        outcome.require(not access.barred, "EmergencyBarred", **pair)
        outcome.require(
            not self._stands(now, patient, grantee),
            "EmergencyOpenAlready",
            **pair,
            validUntil=access.valid_until,
        )

        def effect() -> Event:
            self.nonces[grantee, patient] += 1
            access.opened_at, access.valid_until = now, end
            access.epoch, access.banned = epoch, False
            values = {"emergencyId": digest, "by": by, "reason": opening["reason"]}
            return Event("EmergencyOpened", {**pair, **values, "validUntil": end, "epoch": epoch})

        outcome.effect = effect
        return outcome

    def close(self, now: int, patient: str, by: str, grantee: str, serial: int) -> Outcome:
        outcome, access = Outcome(), self.accesses[patient, grantee]
        self.registry.require_authority(outcome, now, patient, by, RESTRICT)
        require_serial(outcome, serial, access.serial, permits=False)

        def effect() -> Event:
            access.valid_until = min(access.valid_until, now)
            access.serial, access.barred = serial, True
            values = {"patient": patient, "grantee": grantee, "by": by, "serial": serial}
            return Event("EmergencyClosed", values)

        outcome.effect = effect
        return outcome

    def forbid(self, now: int, patient: str, by: str, serial: int) -> Outcome:
        outcome, ban = Outcome(), self.bans[patient]
        self.registry.require_authority(outcome, now, patient, by, RESTRICT)
        require_serial(outcome, serial, ban.serial, permits=False)

        def effect() -> Event:
            ban.serial, ban.forbidden = serial, True
            for (whose, _), access in self.accesses.items():
                access.banned = access.banned or whose == patient
            return Event("EmergencyForbidden", {"patient": patient, "by": by, "serial": serial})

        outcome.effect = effect
        return outcome

    def allow(
        self, now: int, patient: str, by: str, grantee: str, serial: int, deadline: int
    ) -> Outcome:
        outcome, ban = Outcome(), self.bans[patient]
        access = self.accesses[patient, grantee]
        stored = ban.serial if grantee == NOBODY else access.serial
        self.registry.require_authority(outcome, now, patient, by, GRANT)
        outcome.require(now <= deadline, "DeadlinePassed", deadline=deadline)
        restricted = ban.forbidden if grantee == NOBODY else access.barred
        outcome.require(restricted, "NothingToAllow", patient=patient, grantee=grantee)
        require_serial(outcome, serial, stored, permits=True)

        def effect() -> Event:
            if grantee == NOBODY:
                ban.serial, ban.forbidden = serial, False
            else:
                access.serial, access.barred = serial, False
            values = {"patient": patient, "grantee": grantee, "by": by, "serial": serial}
            return Event("EmergencyAllowed", values)

        outcome.effect = effect
        return outcome
