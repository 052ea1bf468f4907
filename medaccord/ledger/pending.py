"""Restrictions that a patient signed and the chain does not show yet: obeyed all the same."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from sqlalchemy import Connection, Engine, insert, select, update

from medaccord.core.errors import InvalidRequest
from medaccord.core.identifiers import Address, ConsentId, Digest, address, digest, hex_digest
from medaccord.core.typed_data import TypedData
from medaccord.ledger.projection import Projection
from medaccord.ledger.state import ConsentStatus
from medaccord.ledger.views import is_emergency_standing, status_of
from medaccord.store import reading, writing
from medaccord.store.tables import pending_revocation

K = TypeVar("K")

__all__ = ["Overlay", "PendingRestrictions", "Restriction", "RestrictionKind"]


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
        if (patient, emergency_id) in self._ended:
            return True
        closure = self._closures.get((patient, grantee), -1)
        ban = self._bans.get(patient, -1)
        return (
            closure >= state.emergency(patient, grantee).serial or ban >= state.ban(patient).serial
        )


class PendingRestrictions:
    """The restrictions held, in the database and, for deciding, in memory.

    Not safe for two threads at once: the ledger holds its lock.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._held: dict[int, Restriction] = {}
        self.reload()

    def reload(self) -> None:
        """Take in what other processes hold or let go of."""
        with reading(self._engine) as connection:
            rows = connection.execute(
                select(pending_revocation)
                .where(pending_revocation.c.settled_at.is_(None))
                .order_by(pending_revocation.c.id)
            ).all()
        self._held = {
            int(row.id): Restriction(
                kind=RestrictionKind(row.kind),
                account=Address(row.account),
                subject=row.subject,
                number=int(row.number),
                document=row.document,
            )
            for row in rows
        }
        self.overlay = Overlay(tuple(self._held.values()))

    def held(self) -> tuple[Restriction, ...]:
        """What the patients signed and the chain does not show as final yet, oldest first."""
        return tuple(each for each in self._held.values() if each.document)

    def hold(self, restriction: Restriction, state: Projection, *, at: datetime) -> None:
        """Hold a restriction: durable, and obeyed, once this returns.

        Holding it again changes nothing but which signature is sent again: the newer.

        Args:
            restriction: its signature and its key's authority checked already.
            state: the newest state of the chain.
            at: now.

        Raises:
            InvalidRequest: it revokes everything of an epoch that the account has not reached, or
                closes or forbids under a serial that a later word of the patient has outdated: an
                old closure, handed in again, must not end what was allowed since. Or under one so
                far ahead that the chain never takes it: it would be obeyed here for ever.
        """
        _check_number(restriction, state)
        with writing(self._engine) as connection:
            newly = {
                _store(connection, each, at): each
                for each in (restriction, *_ended_by(restriction, state))
            }
        self._held |= newly
        self.overlay = Overlay(tuple(self._held.values()))

    def settle(self, final: Projection, *, at: datetime) -> None:
        """Let go of what the final state of the chain shows by itself."""
        self.reload()
        settled = [key for key, each in self._held.items() if _is_shown(each, final)]
        if not settled:
            return
        with writing(self._engine) as connection:
            connection.execute(
                update(pending_revocation)
                .where(pending_revocation.c.id.in_(settled))
                .values(settled_at=at)
            )
        for key in settled:
            del self._held[key]
        self.overlay = Overlay(tuple(self._held.values()))


def _check_number(restriction: Restriction, state: Projection) -> None:
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


def _store(connection: Connection, restriction: Restriction, at: datetime) -> int:
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
        return int(connection.execute(new.returning(pending_revocation.c.id)).scalar_one())
    # Should the chain have shown it once, a reorganisation may have taken it back since.
    # And of two signatures the newer is sent again: the key of the older may have lost its power.
    again = update(pending_revocation).where(pending_revocation.c.id == known)
    connection.execute(again.values(settled_at=None, document=restriction.document))
    return int(known)


def _ended_by(restriction: Restriction, state: Projection) -> tuple[Restriction, ...]:
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


def _is_shown(restriction: Restriction, final: Projection) -> bool:
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
