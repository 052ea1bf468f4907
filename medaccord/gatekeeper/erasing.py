"""Erasing, legal holds and new keys, on the steward's side: logged first, then done.

| What                            | in whose log          | sealed to the key of             |
|---------------------------------|-----------------------|----------------------------------|
| a record is erased, held, or no | the patient's, a line | the patient: it names the record |
| longer held                     | for each account      | and goes with the patient        |
| a patient is erased, held, or   | the patient's, a line | the steward: it names no record, |
| no longer held; a key renewed   | for each account      | and shows later what was done    |
| erased again, after a restore   | the steward's own     | the steward                      |

The log may over-report: a line is on the disk before anything is done. What a legal hold refused is
logged as refused.
"""

import logging
from dataclasses import dataclass
from typing import Final

from medaccord.core.errors import ErasureRefused, TransportError
from medaccord.core.identifiers import Address
from medaccord.gatekeeper.audit_log import Event
from medaccord.gatekeeper.foundation import Foundation
from medaccord.gatekeeper.importing import Importing
from medaccord.records import Owner
from medaccord.records.deleting import forget_settled
from medaccord.records.erasure import Erased, Erasure
from medaccord.records.erasure_list import ErasureList
from medaccord.records.holds import Hold, Holds
from medaccord.records.patients import accounts_of
from medaccord.records.restoring import Restored, apply, unfinished
from medaccord.records.rotation import Progress, Rotated, Rotation
from medaccord.store import reading

LEGAL_HOLD: Final = "legal-hold"
"""Reason of a refused erasure in the log."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureReport:
    """What an erasure came to.

    Attributes:
        versions: how many versions of records were deleted.
        anchored: whether the chain says already that the record is no more; False where it is out
            of reach, and the next turn of the background does it. True where nothing is to be told.
        rotated: what retiring the patient's older keys came to; None where that was not asked for.
        overwritten: whether nothing of it is left in SQLite's file and log.
    """

    versions: int
    anchored: bool
    rotated: Rotated | None
    overwritten: bool


class Erasing:
    """Erases, holds, and renews keys, for one steward."""

    def __init__(self, base: Foundation, *, erasures: ErasureList, importing: Importing) -> None:
        self._engine = base.engine
        self._steward = base.steward
        self._sealer = base.sealer
        self._names = base.names
        self._list = erasures
        self._accounts = base.accounts
        self._log = base.log
        self._ledger = base.ledger
        self._importing = importing
        self._clock = base.clock
        self._erasure = Erasure(base.engine, base.sealer, base.names, erasures)
        self._holds = Holds(base.engine, base.sealer, base.names)
        self._rotation = Rotation(base.engine, base.sealer, base.names.steward)

    # --- Who is meant ---

    def patient(self, patient_id: str) -> Owner:
        """The pseudonym of the patient with this `Patient.id`, whether there is one or not."""
        return self._names.patient(patient_id)

    def patient_of(self, account: Address) -> Owner:
        """The patient that an account stands for.

        Raises:
            AccessRefused: UNKNOWN_PATIENT: nobody enrolled with this account.
        """
        return self._accounts.owner_of(account)

    @property
    def steward(self) -> Owner:
        """The steward itself, to renew its own key."""
        return self._names.steward

    # --- Erasing ---

    def erase_record(
        self, patient: Owner, name: str, *, and_retire_key: bool = False
    ) -> ErasureReport:
        """Erase every version of one record, for good.

        Args:
            patient: whose.
            name: ``Type/id``.
            and_retire_key: renew the patient's key after it and destroy the older ones. Then what
                backups and the database's own past hold of the record can never be opened; nor can
                anything else of this patient in backups made before. Where it is stopped after the
                record is erased, `rotate` with `destroy_old` does the rest.

        Raises:
            ErasureRefused: a legal hold is on the record or on the patient; it says since when.
            InvalidRequest: there is no such record.
            KeyStoreFailed: the key store is not there; nothing was changed.
            StoreFailed: the database or the list failed; what was decided is finished at the next
                start.
        """
        erased = self._erase(patient, name)
        rotated = self._rotation.rotate(patient, destroy_old=True) if and_retire_key else None
        return ErasureReport(
            versions=erased.versions,
            anchored=erased.batch is None or self._anchored(),
            rotated=rotated,
            overwritten=erased.overwritten,
        )

    def erase_patient(self, patient: Owner) -> ErasureReport:
        """Erase all of a patient, keys included; the patient may enrol anew.

        Raises:
            ErasureRefused: a legal hold is on the patient or on a record; it says since when.
            InvalidRequest: there is no such patient.
            KeyStoreFailed: the key store is not there; nothing was changed.
            StoreFailed: as in `erase_record`.
        """
        erased = self._erase(patient, None)
        return ErasureReport(
            versions=erased.versions, anchored=True, rotated=None, overwritten=erased.overwritten
        )

    def restore(self) -> Restored:
        """Apply the erasure list to the database; called before anything is served, and at turns.

        Raises:
            KeyStoreFailed: the key store is not there.
            InvalidDocument: the list was changed.
            StoreFailed: the list or the database failed.
        """
        found = unfinished(self._engine, self._sealer.keys, self._list)
        if found:
            event = self._event("apply-erasures", str(len(found)))
            self._log.append(self._log.own(), event)
        return apply(self._engine, self._sealer, self._names, self._list, at=self._clock())

    # --- Legal holds ---

    def place_hold(self, patient: Owner, record: str | None, reason: str) -> Hold:
        """Forbid to erase a record, or all of a patient's; see `Holds.place`.

        Raises:
            InvalidRequest: the reason is empty or too long, or there is nothing of the kind.
            KeyStoreFailed: the key store is not there.
        """
        self.restore()  # what is decided is erased first: a hold on it would be none
        self._note(patient, "place-hold", record)
        return self._holds.place(patient, record, reason, at=self._clock())

    def lift_hold(self, hold_id: int) -> Hold:
        """Lift a legal hold; see `Holds.lift`.

        Raises:
            InvalidRequest: there is none, or it was lifted already.
            KeyStoreFailed: the key store is not there.
        """
        hold = self._holds.get(hold_id)
        if hold.lifted_at is None:
            self._note(hold.owner, "lift-hold", hold.record)
        return self._holds.lift(hold_id, at=self._clock())

    def holds(self, patient: Owner | None = None, *, lifted: bool = False) -> tuple[Hold, ...]:
        """The legal holds that are on; see `Holds.list`."""
        return self._holds.list(patient, lifted=lifted)

    # --- Keys ---

    def rotate(
        self, who: Owner, *, destroy_old: bool = False, progress: Progress | None = None
    ) -> Rotated:
        """Renew the key of a patient or of the steward; see `Rotation.rotate`.

        Raises:
            KeyMissing: there is no such key; nothing was changed.
            KeyStoreFailed: the key store is not there; nothing was changed.
            StoreFailed: the database failed; the background carries on.
        """
        self._sealer.keys.public(who)
        self._note(who, "rotate-key-and-destroy-old" if destroy_old else "rotate-key", None)
        return self._rotation.rotate(who, destroy_old=destroy_old, progress=progress)

    def carry_on(self) -> tuple[Rotated, ...]:
        """Finish what was stopped: erasures first, then rotations. Called in the background."""
        self.restore()
        forget_settled(self._engine)
        return self._rotation.carry_on_all()

    # --- How ---

    def _erase(self, patient: Owner, name: str | None) -> Erased:
        self.restore()
        action = "erase-patient" if name is None else "erase-record"
        try:
            self._erasure.check(patient, name)
            self._note(patient, action, name)
            if name is None:
                return self._erasure.erase_patient(patient, at=self._clock())
            return self._erasure.erase_record(patient, name, at=self._clock())
        except ErasureRefused:
            self._note(patient, action, name, refused=LEGAL_HOLD)
            raise

    def _anchored(self) -> bool:
        try:
            self._importing.finish()
        except TransportError as error:
            _log.warning("the chain still names an erased record, until it can be told: %s", error)
            return False
        return True

    def _note(self, patient: Owner, action: str, name: str | None, *, refused: str = "") -> None:
        with reading(self._engine) as connection:
            accounts = accounts_of(connection, patient)
        if not accounts:  # about nobody enrolled, or about the steward: nothing is named
            self._log.append(self._log.own(), self._event(action, "", refused))
        for account in accounts:
            subject = self._log.subject(account, patient if name else self._names.steward)
            self._log.append(subject, self._event(action, name or "", refused))

    def _event(self, action: str, query: str, refused: str = "") -> Event:
        return Event.by_steward(
            self._steward,
            action,
            query=query,
            outcome="refused" if refused else "done",
            reason=refused,
            block=self._ledger.tip,
        )
