"""What happens on the chain to the patients of a steward, told to them and to whom it concerns.

| Event                         | Kind       | Subject            | Told beside the patient       |
|-------------------------------|------------|--------------------|-------------------------------|
| ConsentGranted                | grant      | consent            | the grantee                   |
| ConsentRevoked                | revocation | consent            | the grantee, if it was given  |
| AllRevoked, RecoveryCompleted | revocation | account/new epoch  | grantees who lose a consent   |
| RecoveryStarted               | recovery   | account/its number | nobody                        |
| EmergencyOpened               | emergency  | opening            | nobody                        |

Told is what happened since the patient's account was enrolled here, and in the last thirty days: so
neither a first sync nor a ledger made anew floods anybody. An event that is mined again after a
reorganisation is told already.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Final, TypeAlias

from sqlalchemy import Connection, select

from medaccord.chain.events import (
    AllRevoked,
    ConsentGranted,
    ConsentRevoked,
    EmergencyOpened,
    Event,
    RecoveryCompleted,
    RecoveryStarted,
)
from medaccord.core.identifiers import Address, ConsentId, hex_digest
from medaccord.core.notices import NoticeKind
from medaccord.gatekeeper.notices import Notices
from medaccord.ledger import Projection
from medaccord.store.tables import patient_account

_OfAccount: TypeAlias = AllRevoked | RecoveryStarted | RecoveryCompleted
_Told: TypeAlias = ConsentGranted | ConsentRevoked | EmergencyOpened | _OfAccount

_AT_ONCE: Final = 500
"""Accounts asked for in one query."""


class ChainNotices:
    """Writes notices of events as the ledger takes them in; `tell` is its `TakenIn`."""

    def __init__(self, notices: Notices) -> None:
        self._notices = notices

    def tell(self, connection: Connection, events: Sequence[Event], before: Projection) -> None:
        """Tell of what concerns patients enrolled here; see `medaccord.ledger.TakenIn`."""
        floor = self._notices.floor
        recent = [
            event for event in events if isinstance(event, _Told) and event.block.timestamp >= floor
        ]
        enrolled = _enrolled(connection, {_patient_of(event) for event in recent})
        consents = _Consents(before)
        for event in recent:
            since = enrolled.get(_patient_of(event))
            # Blocks tell whole seconds.
            if since is not None and event.block.timestamp >= since.replace(microsecond=0):
                self._tell(connection, event, consents)

    def _tell(self, connection: Connection, event: _Told, consents: "_Consents") -> None:
        patient = _patient_of(event)
        match event:
            case ConsentGranted():
                consents.granted(event)
                told: set[Address] = {event.grantee}
                kind, subject, actor = NoticeKind.GRANT, hex_digest(event.consent_id), patient
            case ConsentRevoked():
                told = consents.ended_by_revoking(patient, event.consent_id)
                kind, subject, actor = NoticeKind.REVOCATION, hex_digest(event.consent_id), patient
            case AllRevoked() | RecoveryCompleted():
                told = consents.ended_by_epoch(event)
                kind, subject, actor = NoticeKind.REVOCATION, f"{patient}/{event.epoch}", patient
            case RecoveryStarted():
                told = set()
                kind, subject = NoticeKind.RECOVERY, f"{patient}/{event.nonce}"
                actor = event.new_controller
            case EmergencyOpened():
                told = set()
                kind, subject = NoticeKind.EMERGENCY, hex_digest(event.emergency_id)
                actor = event.grantee
        for account in (patient, *sorted(told - {patient})):
            self._notices.add(
                connection,
                account=account,
                kind=kind,
                subject=subject,
                actor=actor,
                at=event.block.timestamp,
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Given:
    grantee: Address
    epoch: int
    valid_until: int


class _Consents:
    """To whom consents were given: as the ledger knew before, and by the events since."""

    def __init__(self, before: Projection) -> None:
        self._before = before
        self._since: dict[tuple[Address, ConsentId], _Given] = {}
        self._revoked: set[tuple[Address, ConsentId]] = set()

    def granted(self, event: ConsentGranted) -> None:
        """Take in a consent."""
        self._since[event.patient, event.consent_id] = _Given(
            grantee=event.grantee, epoch=event.epoch, valid_until=event.valid_until
        )

    def ended_by_revoking(self, patient: Address, consent_id: ConsentId) -> set[Address]:
        """Who loses one consent; nobody where it was never granted."""
        self._revoked.add((patient, consent_id))
        given = self._given(patient, consent_id)
        return set() if given is None else {given.grantee}

    def ended_by_epoch(self, event: AllRevoked | RecoveryCompleted) -> set[Address]:
        """Who loses a consent as an account's epoch is raised."""
        patient, at = event.account, event.block.timestamp.timestamp()
        known = set(self._before.consents_by_patient.get(patient))
        known |= {consent_id for account, consent_id in self._since if account == patient}
        given = (self._given(patient, each) for each in known if not self._over(patient, each))
        return {
            each.grantee
            for each in given
            if each is not None and each.epoch == event.epoch - 1 and at < each.valid_until
        }

    def _given(self, patient: Address, consent_id: ConsentId) -> _Given | None:
        known = self._before.consents.get((patient, consent_id))
        if known is None or known.grant is None:
            return self._since.get((patient, consent_id))
        grant = known.grant
        return _Given(grantee=grant.grantee, epoch=grant.epoch, valid_until=grant.valid_until)

    def _over(self, patient: Address, consent_id: ConsentId) -> bool:
        known = self._before.consents.get((patient, consent_id))
        is_revoked = known is not None and known.revoked is not None
        return is_revoked or (patient, consent_id) in self._revoked


def _patient_of(event: _Told) -> Address:
    return event.account if isinstance(event, _OfAccount) else event.patient


def _enrolled(connection: Connection, accounts: Iterable[Address]) -> dict[Address, datetime]:
    """Since when those of the accounts stand for patients that do."""
    found: dict[Address, datetime] = {}
    for some in _chunks(accounts):
        query = select(patient_account.c.account, patient_account.c.enrolled_at)
        rows = connection.execute(query.where(patient_account.c.account.in_(some)))
        found |= {Address(row.account): row.enrolled_at for row in rows}
    return found


def _chunks(accounts: Iterable[Address]) -> Iterator[list[Address]]:
    left = iter(accounts)
    while some := list(islice(left, _AT_ONCE)):
        yield some
