"""Legal holds: what must not be erased, since when, and why.

| A hold on     | blocks the erasure of                        |
|---------------|----------------------------------------------|
| a patient     | the patient, and each of its records         |
| one record    | that record, and the patient                 |

A hold that is lifted blocks nothing, and stays on the list until what it was on is erased. The
reason, and the record's name, are sealed to the steward's own key: they are the steward's word, not
the patient's. Placing and erasing take the same lock, so that nothing is erased that was put under
hold before.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Engine, Row, func, insert, select, update

from medaccord.core.errors import ErasureRefused, InvalidRequest
from medaccord.core.identifiers import Digest
from medaccord.records.pseudonyms import Owner, Pseudonyms
from medaccord.records.sealed_rows import HOLDS
from medaccord.records.sealer import Sealer
from medaccord.store import reading, writing
from medaccord.store.locks import exclusive
from medaccord.store.tables import legal_hold, patient_account, record_version

__all__ = ["ERASING", "Hold", "Holds", "refuse_if_held"]

ERASING: Final = "erasing"
"""Name of the lock under which things are erased and put under hold."""

_IDS: Final = 2**63

MAX_REASON: Final = 4000
"""Longest reason, in characters, inclusive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """One legal hold.

    Attributes:
        id: names it, to lift it.
        owner: pseudonym of the patient.
        record: ``Type/id`` of the record; None where it is on all of the patient's.
        reason: why, in the words of whoever placed it.
        placed_at: since when.
        lifted_at: until when; None while it is on.
    """

    id: int
    owner: Owner
    record: str | None
    reason: str
    placed_at: datetime
    lifted_at: datetime | None


class Holds:
    """The legal holds of a steward."""

    def __init__(self, engine: Engine, sealer: Sealer, pseudonyms: Pseudonyms) -> None:
        self._engine = engine
        self._sealer = sealer
        self._names = pseudonyms

    def place(self, owner: Owner, record: str | None, reason: str, *, at: datetime) -> Hold:
        """Forbid to erase.

        Args:
            owner: the patient.
            record: ``Type/id`` of one record; None for all of the patient's.
            reason: why; not empty, at most `MAX_REASON` characters.
            at: now.

        Raises:
            InvalidRequest: the reason is empty or too long, or there is nothing to hold: a name
                mistyped would protect nothing.
            KeyMissing: the steward's own key is not in the key store.
            StoreFailed: an erasure is under way for too long.
        """
        if not reason.strip() or len(reason) > MAX_REASON:
            raise InvalidRequest(f"a legal hold needs a reason of 1 to {MAX_REASON} characters")
        digest = None if record is None else self._names.record(record)
        content = json.dumps({"record": record, "reason": reason}).encode()
        with exclusive(self._engine, ERASING), writing(self._engine) as connection:
            self._require_something(connection, owner, record, digest)
            row: dict[str, Any] = {"owner": owner, "record": digest, "placed_at": at}
            unsealed = {"ciphertext": b"", "wrapped_key": b""}
            made = insert(legal_hold).values(row | unsealed).returning(legal_hold.c.id)
            hold_id = connection.execute(made).scalar_one()
            context = HOLDS.context({"id": hold_id})  # the id is in the seal: no two trade reasons
            sealed = self._sealer.seal(self._names.steward, content, context)
            changed = update(legal_hold).where(legal_hold.c.id == hold_id)
            connection.execute(changed.values(**sealed))
        return Hold(
            id=hold_id, owner=owner, record=record, reason=reason, placed_at=at, lifted_at=None
        )

    def lift(self, hold_id: int, *, at: datetime) -> Hold:
        """Allow to erase again, as far as no other hold forbids it.

        Raises:
            InvalidRequest: there is no such hold, or it was lifted already.
            KeyMissing: the steward's own key is not in the key store.
        """
        with exclusive(self._engine, ERASING), writing(self._engine) as connection:
            hold = self._get(connection, hold_id)
            if hold.lifted_at is not None:
                raise InvalidRequest(f"hold {hold_id} was lifted on {_day(hold.lifted_at)}")
            changed = update(legal_hold).where(legal_hold.c.id == hold_id)
            connection.execute(changed.values(lifted_at=at))
            return self._get(connection, hold_id)

    def get(self, hold_id: int) -> Hold:
        """One hold.

        Raises:
            InvalidRequest: there is none with this id.
        """
        with reading(self._engine) as connection:
            return self._get(connection, hold_id)

    def list(self, owner: Owner | None = None, *, lifted: bool = False) -> tuple[Hold, ...]:
        """The holds that are on, oldest first.

        Args:
            owner: only those of one patient.
            lifted: also those that were lifted.

        Raises:
            KeyMissing: the steward's own key is not in the key store.
            DecryptionFailed: a hold was changed.
        """
        query = select(legal_hold).order_by(legal_hold.c.id)
        if owner is not None:
            query = query.where(legal_hold.c.owner == owner)
        if not lifted:
            query = query.where(legal_hold.c.lifted_at.is_(None))
        with reading(self._engine) as connection:
            return tuple(self._hold(row) for row in connection.execute(query))

    def _get(self, connection: Connection, hold_id: int) -> Hold:
        wanted = select(legal_hold).where(legal_hold.c.id == hold_id)
        # A number that no column can hold is no fault of the database.
        row = connection.execute(wanted).first() if 0 < hold_id < _IDS else None
        if row is None:
            raise InvalidRequest(f"there is no hold {hold_id}")
        return self._hold(row)

    def _hold(self, row: Row[Any]) -> Hold:
        context = HOLDS.context(row._mapping)
        content = json.loads(self._sealer.open(self._names.steward, row._mapping, context))
        return Hold(
            id=row.id,
            owner=Owner(row.owner),
            record=content["record"],
            reason=content["reason"],
            placed_at=row.placed_at,
            lifted_at=row.lifted_at,
        )

    def _require_something(
        self, connection: Connection, owner: Owner, record: str | None, digest: Digest | None
    ) -> None:
        versions = select(record_version.c.id).where(record_version.c.owner == owner)
        if digest is not None:
            if (
                connection.execute(versions.where(record_version.c.record == digest)).first()
                is None
            ):
                raise InvalidRequest(f"this patient has no record {record} here")
            return
        accounts = select(patient_account.c.account).where(patient_account.c.patient_ref == owner)
        if all(connection.execute(each).first() is None for each in (versions, accounts)):
            raise InvalidRequest("there is no such patient here")


def refuse_if_held(connection: Connection, owner: Owner, record: Digest | None) -> None:
    """Refuse to erase what is under hold.

    Args:
        connection: a transaction.
        owner: the patient.
        record: pseudonym of the record to be erased; None for all of the patient's.

    Raises:
        ErasureRefused: a hold is on it. It says since when, and nothing else.
    """
    on = legal_hold.c.lifted_at.is_(None) & (legal_hold.c.owner == owner)
    if record is not None:
        on &= legal_hold.c.record.is_(None) | (legal_hold.c.record == record)
    since = connection.execute(select(func.min(legal_hold.c.placed_at)).where(on)).scalar_one()
    if since is not None:
        raise ErasureRefused(f"a legal hold is on it since {_day(since)}: nothing was erased")


def _day(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
