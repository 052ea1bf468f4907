"""Restrictions that a patient signed and the chain does not show yet: obeyed all the same."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Row,
    bindparam,
    insert,
    or_,
    select,
    update,
)

from medaccord.core.errors import InvalidRequest
from medaccord.core.identifiers import Address, ConsentId, Digest, address, digest, hex_digest
from medaccord.core.typed_data import TypedData
from medaccord.ledger.projection import Projection
from medaccord.ledger.state import ConsentStatus
from medaccord.ledger.views import is_emergency_standing, status_of
from medaccord.store import reading, writing
from medaccord.store.tables import pending_revocation

K = TypeVar("K")

__all__ = [
    "Overlay",
    "PendingRestrictions",
    "Restriction",
    "RestrictionKind",
    "check_number",
    "ended_by",
    "is_shown",
]


class RestrictionKind(StrEnum):
    """What is held until the chain shows it."""

    REVOCATION = "revocation"
    REVOKE_ALL = "revoke-all"
    CLOSURE = "closure"
    BAN = "ban"
    ENDED = "ended"
    """One opening that a held closure or ban ended, whatever is allowed afterwards."""


_KINDS = {
    "Revocation": RestrictionKind.REVOCATION,
    "RevokeAll": RestrictionKind.REVOKE_ALL,
    "EmergencyClosure": RestrictionKind.CLOSURE,
    "EmergencyBan": RestrictionKind.BAN,
}

_MAX_STEP = 2**32 - 1
"""How far a serial may be above the one before it, as the contracts have it."""

_IDS_AT_ONCE = 500

_HELD = pending_revocation.c.settled_at.is_(None)
_OBEYED = (
    select(pending_revocation.c.id)
    .where(or_(_HELD, pending_revocation.c.shown_at > bindparam("final")))
    .order_by(pending_revocation.c.id)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Restriction:
    """One restriction, checked by whoever holds it: this class checks no signature.

    Attributes:
        kind: what it does.
        account: the patient's account.
        subject: consent id or emergency id in hex, or the grantee's address; empty where the
            account alone says it.
        number: the epoch that ends, or the serial; 0 where there is neither.
        document: the signed action as JSON, to be sent again after a restart.
    """

    kind: RestrictionKind
    account: Address
    subject: str = ""
    number: int = 0
    document: str = ""

    @classmethod
    def of(cls, message: TypedData, document: str) -> Restriction | None:
        """The restriction that a signed message asks for; None where it asks for something else.

        Args:
            message: what was signed, its signature and authority checked already.
            document: the signed action as JSON.
        """
        kind = _KINDS.get(message.primary_type)
        fields = message.message
        if kind is RestrictionKind.REVOKE_ALL:
            account = address(str(fields["account"]))
            number = int(fields["epoch"])
            return cls(kind=kind, account=account, number=number, document=document)
        if kind is None:
            return None
        account = address(str(fields["patient"]))
        if kind is RestrictionKind.REVOCATION:
            subject = hex_digest(_bytes(fields["consentId"]))
            return cls(kind=kind, account=account, subject=subject, document=document)
        subject = "" if kind is RestrictionKind.BAN else address(str(fields["grantee"]))
        number = int(fields["serial"])
        return cls(kind=kind, account=account, subject=subject, number=number, document=document)


class Overlay:
    """What the restrictions held come to. Immutable once made; cheap to ask."""

    def __init__(self, restrictions: tuple[Restriction, ...] = ()) -> None:
        self._consents: set[tuple[Address, Digest]] = set()
        self._ended: set[tuple[Address, Digest]] = set()
        self._epochs: dict[Address, int] = {}
        self._closures: dict[tuple[Address, Address], int] = {}
        self._bans: dict[Address, int] = {}
        for each in restrictions:
            match each.kind:
                case RestrictionKind.REVOCATION:
                    self._consents.add((each.account, digest(each.subject)))
                case RestrictionKind.ENDED:
                    self._ended.add((each.account, digest(each.subject)))
                case RestrictionKind.REVOKE_ALL:
                    _raise(self._epochs, each.account, each.number)
                case RestrictionKind.CLOSURE:
                    _raise(self._closures, (each.account, address(each.subject)), each.number)
                case RestrictionKind.BAN:
                    _raise(self._bans, each.account, each.number)

    def revokes(self, patient: Address, consent_id: ConsentId) -> bool:
        """Whether one consent is revoked."""
        return (patient, consent_id) in self._consents

    def ends_epoch(self, account: Address, epoch: int) -> bool:
        """Whether everything granted or delegated in this epoch of an account is over."""
        return epoch <= self._epochs.get(account, -1)

    def ends_emergency(
        self, state: Projection, patient: Address, grantee: Address, emergency_id: Digest
    ) -> bool:
        """Whether an opening is closed or forbidden.

        A closure or ban counts while the chain would still take it: an allowance of a higher
        serial, which the patient signed later, lifts it there and here.
        """
        return (patient, emergency_id) in self._ended or self.bars(state, patient, grantee)

    def bars(self, state: Projection, patient: Address, grantee: Address) -> bool:
        """Whether a patient closed the pair or forbade emergency access; see `ends_emergency`."""
        closure = self._closures.get((patient, grantee), -1)
        ban = self._bans.get(patient, -1)
        return (
            closure >= state.emergency(patient, grantee).serial or ban >= state.ban(patient).serial
        )


class PendingRestrictions:
    """The restrictions held, in the database, where every process on it finds them.

    Any number of threads may share it.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._made: tuple[tuple[int, ...], Overlay] = ((), Overlay())

    def overlay(self, final: int, connection: Connection | None = None) -> Overlay:
        """What the restrictions come to that are to be obeyed here.

        Those that the chain does not show as final, and those that another process, further along
        the chain, found there: their blocks are not known here yet.

        Args:
            final: height of the newest block that is known here and final; -1 where none is.
            connection: a transaction that began after whatever is to be known; one of its own
                unless given.
        """
        with reading(self._engine) if connection is None else nullcontext(connection) as asked:
            ids, made = self._made
            if tuple(asked.execute(_OBEYED, {"final": final}).scalars()) == ids:
                return made  # an id stands for one restriction for good
            obeyed = or_(_HELD, pending_revocation.c.shown_at > final)
            found = _found(asked, obeyed)
        overlay = Overlay(tuple(found.values()))
        self._made = tuple(found), overlay
        return overlay

    def held(self) -> dict[int, Restriction]:
        """What the chain does not show as final yet, each by its id, oldest first."""
        with reading(self._engine) as connection:
            return _found(connection, _HELD)

    def settled(self) -> dict[int, Restriction]:
        """What was held once, each by its id, oldest first."""
        with reading(self._engine) as connection:
            return _found(connection, ~_HELD)

    def hold(self, restrictions: Iterable[Restriction], *, at: datetime) -> None:
        """Hold restrictions: durable, and obeyed by every process, once this returns.

        Holding one again changes nothing but which signature is sent again: the newer.

        Args:
            restrictions: one that is signed, its signature, authority and number checked already,
                and what it ends besides.
            at: now.
        """
        with writing(self._engine) as connection:
            for each in restrictions:
                _store(connection, each, at)

    def settle(self, ids: Sequence[int], *, shown_at: int, at: datetime) -> None:
        """Let go of what the final state of the chain shows by itself.

        Args:
            ids: of what it shows.
            shown_at: height of the newest block of that state.
            at: now.
        """
        self._change(ids, settled_at=at, shown_at=shown_at)

    def reopen(self, ids: Sequence[int]) -> None:
        """Hold again what was let go of: the chain shows it no more."""
        self._change(ids, settled_at=None, shown_at=None)

    def _change(self, ids: Sequence[int], **values: object) -> None:
        if not ids:
            return
        with writing(self._engine) as connection:
            for first in range(0, len(ids), _IDS_AT_ONCE):
                these = pending_revocation.c.id.in_(ids[first : first + _IDS_AT_ONCE])
                connection.execute(update(pending_revocation).where(these).values(**values))


def _found(connection: Connection, which: ColumnElement[bool]) -> dict[int, Restriction]:
    query = select(pending_revocation).where(which).order_by(pending_revocation.c.id)
    return {int(row.id): _restriction(row) for row in connection.execute(query)}


def _restriction(row: Row[Any]) -> Restriction:
    return Restriction(
        kind=RestrictionKind(row.kind),
        account=Address(row.account),
        subject=row.subject,
        number=int(row.number),
        document=row.document,
    )


def check_number(restriction: Restriction, state: Projection) -> None:
    """Check the epoch or the serial of a restriction.

    Args:
        restriction: to be held.
        state: the newest state of the chain.

    Raises:
        InvalidRequest: it revokes everything of an epoch that the account has not reached, or
            closes or forbids under a serial that a later word of the patient has outdated: an old
            closure, handed in again, must not end what was allowed since. Or under one so far ahead
            that the chain never takes it: it would be obeyed here for ever.
    """
    account, number = restriction.account, restriction.number
    epoch = state.control(account).epoch
    if restriction.kind is RestrictionKind.REVOKE_ALL and number > epoch:
        raise InvalidRequest(
            f"the account is in epoch {epoch}: sign to revoke that one, not epoch {number}"
        )
    if restriction.kind is RestrictionKind.CLOSURE:
        serial = state.emergency(account, address(restriction.subject)).serial
    elif restriction.kind is RestrictionKind.BAN:
        serial = state.ban(account).serial
    else:
        return
    if number < serial:
        raise InvalidRequest(f"serial {number} is outdated: the patient's last is {serial}")
    if number > serial + _MAX_STEP:
        raise InvalidRequest(
            f"serial {number} is too far ahead: sign one of at most {serial + _MAX_STEP}"
        )


def _store(connection: Connection, restriction: Restriction, at: datetime) -> None:
    row = {
        "kind": restriction.kind.value,
        "account": restriction.account,
        "subject": restriction.subject,
        "number": str(restriction.number),
    }
    same = [pending_revocation.c[name] == value for name, value in row.items()]
    known = connection.execute(select(pending_revocation.c.id).where(*same)).scalar_one_or_none()
    if known is None:
        new = insert(pending_revocation).values(
            **row, document=restriction.document, received_at=at
        )
        connection.execute(new)
        return
    # Should the chain have shown it once, a reorganisation may have taken it back since.
    # And of two signatures the newer is sent again: the key of the older may have lost its power.
    again = update(pending_revocation).where(pending_revocation.c.id == known)
    connection.execute(again.values(settled_at=None, shown_at=None, document=restriction.document))


def ended_by(restriction: Restriction, state: Projection) -> tuple[Restriction, ...]:
    """The openings that a closure or a ban ends for good, whatever is allowed afterwards."""
    patient = restriction.account
    if restriction.kind is RestrictionKind.CLOSURE:
        grantees = {address(restriction.subject)}
    elif restriction.kind is RestrictionKind.BAN:
        grantees = {opened.grantee for opened in state.openings.get(patient)}
    else:
        return ()
    emergencies = (state.emergency(patient, grantee) for grantee in sorted(grantees))
    return tuple(
        Restriction(
            kind=RestrictionKind.ENDED, account=patient, subject=hex_digest(each.emergency_id)
        )
        for each in emergencies
        if each.emergency_id is not None and is_emergency_standing(state, patient, each)
    )


def is_shown(restriction: Restriction, final: Projection) -> bool:
    """Whether a state of the chain shows by itself what a restriction does."""
    patient = restriction.account
    match restriction.kind:
        case RestrictionKind.REVOCATION:
            consent = final.consents.get((patient, digest(restriction.subject)))
            return status_of(consent) is ConsentStatus.REVOKED
        case RestrictionKind.REVOKE_ALL:
            return final.control(patient).epoch > restriction.number
        case RestrictionKind.CLOSURE:
            pair = final.emergency(patient, address(restriction.subject))
            return pair.serial > restriction.number or (
                pair.barred and pair.serial == restriction.number
            )
        case RestrictionKind.BAN:
            ban = final.ban(patient)
            return ban.serial > restriction.number or (
                ban.forbidden and ban.serial == restriction.number
            )
        case RestrictionKind.ENDED:
            emergency_id = digest(restriction.subject)
            openings = {
                opened.grantee
                for opened in final.openings.get(patient)
                if opened.emergency_id == emergency_id
            }
            return any(
                pair.emergency_id != emergency_id or not is_emergency_standing(final, patient, pair)
                for pair in (final.emergency(patient, grantee) for grantee in openings)
            )


def _raise(numbers: dict[K, int], key: K, number: int) -> None:
    numbers[key] = max(numbers.get(key, -1), number)


def _bytes(value: object) -> Digest:
    return digest(value) if isinstance(value, bytes) else digest(str(value))
