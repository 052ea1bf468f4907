"""Consents and emergency access against their model, while the Registry changes beneath them."""

from __future__ import annotations

from typing import Any

from eth_utils.crypto import keccak
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from tests.contracts.care_actions import ConsentActions, EmergencyActions
from tests.contracts.deployed import Event
from tests.contracts.masks import EMERGENCY, GRANT
from tests.contracts.periods import DAY, MAX_EMERGENCY, MAX_SPAN
from tests.invariant.calls import ask
from tests.invariant.disturbances import Disturbances
from tests.invariant.machine import DEADLINE_OFFSETS, NONCE_OFFSETS, WAYS, Sent, Way
from tests.invariant.model_consents import ConsentsModel
from tests.invariant.model_registry import EMPTY, MAX_STEP, NOBODY
from tests.invariant.stepping import run
from tests.invariant.world import KEYS, RELAYER

PATIENTS = st.sampled_from(["patient", "patient", "hospital"])
GRANTEES = st.sampled_from(["clinician", "department"] * 5 + ["hospital", "thief"])
DEPARTMENTS = st.sampled_from(["department", "hospital"] * 5 + ["clinician", "thief"])
ACTORS = st.sampled_from(["controller"] * 20 + ["carer"] * 3 + ["phone", "patient", "thief"])
STARTS = st.sampled_from([0] * 10 + [-DAY, 100, 100, MAX_SPAN, MAX_SPAN + 1])
LENGTHS = st.sampled_from([DAY, 5 * DAY, 30 * DAY, 1000] * 4 + [MAX_SPAN, MAX_SPAN + 1, 0, -1])
EPOCH_OFFSETS = st.sampled_from([0] * 12 + [1, -1])
SERIAL_OFFSETS = st.sampled_from([0, 1] * 6 + [-1, 5, MAX_STEP, MAX_STEP + 1])
ALLOWING_OFFSETS = st.sampled_from([1] * 12 + [0, -1, MAX_STEP, MAX_STEP + 1])
OPEN_FOR = st.sampled_from([100, 3600] * 6 + [MAX_EMERGENCY, MAX_EMERGENCY + 1, 1, 0])
REASONS = st.sampled_from([keccak(text="reason")] * 12 + [EMPTY])


class ConsentsMachine(Disturbances):
    """All of Consents."""

    def __init__(self) -> None:
        super().__init__()
        self.consents = ConsentsModel(self.model)
        self.consenting = ConsentActions(self.world.consents, RELAYER)
        self.emergencies = EmergencyActions(self.world.consents, RELAYER)
        self.signed: list[dict[str, Any]] = []
        self.granted: dict[bytes, dict[str, Any]] = {}
        self.dead: set[bytes] = set()
        self.open_until: dict[tuple[str, str], int] = {}
        self.barred: set[tuple[str, str]] = set()
        self.forbidden: set[str] = set()

    @initialize()
    def begin(self) -> None:
        self.settle()

    def bounds(self) -> set[int]:
        return super().bounds() | self.consents.bounds()

    # Consents

    @rule(
        patient=PATIENTS,
        grantee=GRANTEES,
        start=STARTS,
        length=LENGTHS,
        epoch_offset=EPOCH_OFFSETS,
        by_name=ACTORS,
        way=WAYS,
        withheld=st.sampled_from([False, False, True]),
    )
    def sign(
        self,
        patient: str,
        grantee: str,
        start: int,
        length: int,
        epoch_offset: int,
        by_name: str,
        way: Way,
        withheld: bool,
    ) -> None:
        """Signs a consent; it is sent at once, or withheld for `grant`."""
        account, number = KEYS[patient], len(self.signed)
        consent = self.consenting.consent(
            account,
            KEYS[grantee],
            terms=keccak(text=f"terms {number}"),
            validFrom=self.at + start,
            validUntil=self.at + start + length,
            epoch=max(self.model.account(account.address).epoch + epoch_offset, 0),
        )
        self.signed.append(consent)
        if not withheld:
            self.grant(number, by_name, way)

    @rule(
        patient=PATIENTS,
        days=st.sampled_from([1, 20]),
        offset=st.sampled_from([-1, 0, 1]),
        way=WAYS,
    )
    def sign_as_a_carer(self, patient: str, days: int, offset: int, way: Way) -> None:
        """Grants for as long as the delegation, a second less or a second more."""
        account, carer = KEYS[patient].address, KEYS["carer"].address
        if not self.model.until(self.at, account, carer, GRANT):
            self._delegate(patient, "carer", GRANT, days * DAY)
        length = self.model.account(account).delegations[carer].until + offset - self.at
        self.sign(patient, "clinician", 0, length, 0, "carer", way, False)

    @precondition(lambda self: self.signed)
    @rule(which=st.integers(0, 99), by_name=ACTORS, way=WAYS)
    def grant(self, which: int, by_name: str, way: Way) -> None:
        """Sends any consent ever signed, granted or revoked as it may be."""
        consent = self.signed[which % len(self.signed)]
        by = self.key(by_name, consent["patient"])
        action = self.consenting.grant(consent, by)
        consent_id = action.digest()
        self.attempt(
            action, way, lambda now: self.consents.grant(now, consent, consent_id, by.address)
        )

    @precondition(lambda self: self.signed)
    @rule(which=st.integers(0, 99), by_name=ACTORS, way=WAYS, misplaced=st.booleans())
    def revoke(self, which: int, by_name: str, way: Way, misplaced: bool) -> None:
        """Revokes any consent ever signed, sent or not; perhaps under another's account."""
        consent = self.signed[which % len(self.signed)]
        consent_id = self.world.consents.digest("Consent", consent)
        account = KEYS["thief" if misplaced and which % 4 == 0 else self._name(consent)]
        by = self.key(by_name, account.address)
        self.attempt(
            self.consenting.revoke(account, consent_id, by=by),
            way,
            lambda now: self.consents.revoke(now, account.address, by.address, consent_id),
        )

    # Emergency access

    @rule(
        patient=PATIENTS,
        grantee=DEPARTMENTS,
        length=OPEN_FOR,
        reason=REASONS,
        nonce_offset=NONCE_OFFSETS,
        deadline_offset=DEADLINE_OFFSETS,
        by_name=ACTORS,
        way=WAYS,
    )
    def open(
        self,
        patient: str,
        grantee: str,
        length: int,
        reason: bytes,
        nonce_offset: int,
        deadline_offset: int,
        by_name: str,
        way: Way,
    ) -> None:
        account, organisation = KEYS[patient], KEYS[grantee]
        current = self.consents.nonces[organisation.address, account.address]
        opening = self.emergencies.opening(
            account,
            organisation,
            reason=reason,
            validUntil=self.at + length,
            nonce=max(current + nonce_offset, 0),
            deadline=self.at + deadline_offset,
        )
        by = self.key(by_name, organisation.address)
        action = self.emergencies.open(opening, by)
        digest = action.digest()
        self.attempt(action, way, lambda now: self.consents.open(now, opening, digest, by.address))

    @rule(patient=PATIENTS, grantee=DEPARTMENTS, offset=SERIAL_OFFSETS, by_name=ACTORS, way=WAYS)
    def close(self, patient: str, grantee: str, offset: int, by_name: str, way: Way) -> None:
        account, organisation = KEYS[patient], KEYS[grantee]
        by = self.key(by_name, account.address)
        stored = self.consents.accesses[account.address, organisation.address].serial
        serial = max(stored + offset, 0)
        self.attempt(
            self.emergencies.close(account, organisation, serial, by=by),
            way,
            lambda now: self.consents.close(
                now, account.address, by.address, organisation.address, serial
            ),
        )

    @rule(patient=PATIENTS, offset=SERIAL_OFFSETS, by_name=ACTORS, way=WAYS)
    def forbid(self, patient: str, offset: int, by_name: str, way: Way) -> None:
        account = KEYS[patient]
        by = self.key(by_name, account.address)
        serial = max(self.consents.bans[account.address].serial + offset, 0)
        self.attempt(
            self.emergencies.forbid(account, serial, by=by),
            way,
            lambda now: self.consents.forbid(now, account.address, by.address, serial),
        )

    @rule(
        patient=PATIENTS,
        grantee=st.one_of(st.none(), DEPARTMENTS),
        offset=ALLOWING_OFFSETS,
        deadline_offset=DEADLINE_OFFSETS,
        by_name=ACTORS,
        way=WAYS,
    )
    def allow(
        self,
        patient: str,
        grantee: str | None,
        offset: int,
        deadline_offset: int,
        by_name: str,
        way: Way,
    ) -> None:
        account = KEYS[patient]
        by, deadline = self.key(by_name, account.address), self.at + deadline_offset
        whom = KEYS[grantee].address if grantee else NOBODY
        ban, access = self.consents.bans[account.address], self.consents.accesses
        stored = access[account.address, whom].serial if grantee else ban.serial
        serial = max(stored + offset, 0)
        self.attempt(
            self.emergencies.allow(account, whom, serial, deadline=deadline, by=by),
            way,
            lambda now: self.consents.allow(
                now, account.address, by.address, whom, serial, deadline
            ),
        )

    # Forbidden transitions, without asking the model

    def watch(self, sent: Sent, event: Event) -> None:
        values = event.values
        pair = (values.get("patient", ""), values.get("grantee", ""))
        if event.name == "ConsentGranted":
            consent_id = values["consentId"]
            assert consent_id not in self.granted, "granted twice"
            assert consent_id not in self.dead, "granted after its end"
            assert self.may(values["patient"], values["by"], GRANT), "granted by another"
            self.granted[consent_id] = dict(values)
        elif event.name == "ConsentRevoked":
            # Under another's account it touches nothing; consent ids carry their patient.
            if self.granted.get(values["consentId"], values)["patient"] == values["patient"]:
                self.dead.add(values["consentId"])
        elif event.name in ("AllRevoked", "RecoveryCompleted"):
            self.end_everything(values["account"])
        elif event.name == "EmergencyOpened":
            assert pair not in self.barred, "opened although closed by the patient"
            assert pair[0] not in self.forbidden, "opened although forbidden"
            assert self.open_until.get(pair, 0) <= self.world.evm.now, "two open at once"
            assert self.may(pair[1], values["by"], EMERGENCY), "opened by another"
            self.open_until[pair] = values["validUntil"]
        elif event.name == "EmergencyClosed":
            self.barred.add(pair)
            self.open_until.pop(pair, None)
        elif event.name == "EmergencyForbidden":
            self.forbidden.add(pair[0])
            self.close_all(pair[0])
        elif event.name == "EmergencyAllowed":
            self.barred.discard(pair)
            self.forbidden -= {pair[0]} if pair[1] == NOBODY else set()

    def end_everything(self, patient: str) -> None:
        self.dead |= {key for key, value in self.granted.items() if value["patient"] == patient}
        self.close_all(patient)

    def close_all(self, patient: str) -> None:
        self.open_until = {k: v for k, v in self.open_until.items() if k[0] != patient}

    def may(self, account: str, by: str, power: int) -> bool:
        answer: bool = ask(self.world.registry, "isAuthorised", account, by, power)
        return answer

    # The contract's answers against the model's and against what was watched

    def look(self, turn: int) -> None:
        if turn % 3 and self.signed:
            consent = self.signed[-1 - turn // 3 % len(self.signed)]
            self.look_at_consent(consent, stored=turn % 3 == 2)
        else:
            names = ("department", "hospital", "clinician")
            patient = ("patient", "hospital")[turn // 3 % 2]
            self.look_at_emergency(patient, names[turn // 6 % 3], turn // 18 % 3)

    def look_at_consent(self, consent: dict[str, Any], *, stored: bool) -> None:
        contract, now, patient = self.world.consents, self.world.evm.now, consent["patient"]
        consent_id = contract.digest("Consent", consent)
        if stored:
            known = self.consents.known[patient, consent_id]
            assert ask(contract, "consentOf", patient, consent_id) == (
                known.status,
                known.grantee,
                known.valid_from,
                known.valid_until,
                known.epoch,
            )
            return
        active = ask(contract, "isActive", patient, consent_id)
        assert active is self.consents.is_active(now, patient, consent_id)
        if active:
            assert consent_id in self.granted, "active but never granted"
            assert consent_id not in self.dead, "active after its end"
            assert consent["validFrom"] <= now < consent["validUntil"], "active out of time"

    def look_at_emergency(self, patient: str, grantee: str, question: int) -> None:
        contract, now = self.world.consents, self.world.evm.now
        pair = (KEYS[patient].address, KEYS[grantee].address)
        if question == 1:
            ban = self.consents.bans[pair[0]]
            assert ask(contract, "emergencyBanOf", pair[0]) == (ban.serial, ban.forbidden)
        elif question == 2:
            access = self.consents.accesses[pair]
            assert ask(contract, "emergencyOf", *pair) == (
                access.opened_at,
                access.valid_until,
                access.epoch,
                access.serial,
                access.barred,
            )
        else:
            active = ask(contract, "isEmergencyActive", *pair)
            assert active is self.consents.is_emergency_active(now, *pair)
            assert not active or now < self.open_until.get(pair, 0), "active after its end"

    def look_at_everything(self) -> None:
        for consent in self.signed:
            self.look_at_consent(consent, stored=False)
        for patient in ("patient", "hospital"):
            for grantee in ("department", "hospital"):
                for question in range(3):
                    self.look_at_emergency(patient, grantee, question)

    @staticmethod
    def _name(consent: dict[str, Any]) -> str:
        return next(name for name, key in KEYS.items() if key.address == consent["patient"])


def test_consents_do_what_the_model_does() -> None:
    run(
        ConsentsMachine,
        must_happen=[
            "ConsentGranted",
            "ConsentRevoked",
            "ConsentKnown",
            "ConsentRevokedAlready",
            "OutlivesDelegation",
            "NotActiveOrganisation",
            "WrongEpoch",
            "EmergencyOpened",
            "EmergencyOpenAlready",
            "EmergencyClosed",
            "EmergencyBarred",
            "EmergencyForbidden",
            "EmergencyForbiddenBy",
            "EmergencyAllowed",
            "NothingToAllow",
            "AllRevoked",
            "RecoveryCompleted",
        ],
    )
