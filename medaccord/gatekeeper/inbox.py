"""The patients' inboxes: signed requests for access, until the patient deals with them.

A request lies here because the chain is no place for it: one refused would stand there for ever.
"""

import json
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from sqlalchemy import Column, RowMapping, and_, func, insert, or_, select, update

from medaccord.chain.powers import Power
from medaccord.core.canonical import document_bytes
from medaccord.core.errors import AccessRefused, InvalidRequest, KeyMissing
from medaccord.core.identifiers import Address, Digest, address, digest, hex_digest
from medaccord.core.notices import NoticeKind
from medaccord.core.refusals import Refusal
from medaccord.core.requests import AccessRequest
from medaccord.gatekeeper.audit_log import Event
from medaccord.gatekeeper.errors import Conflict, NotFound
from medaccord.gatekeeper.foundation import Foundation
from medaccord.gatekeeper.refusal_tallies import RefusalTallies
from medaccord.gatekeeper.tokens import Session
from medaccord.records import Owner
from medaccord.records.sealer import row_context
from medaccord.store import reading, writing
from medaccord.store.tables import request_inbox

MAX_REQUESTS: Final = 20
"""Requests that one organisation may leave with one patient within `REQUESTS_SPAN`, inclusive."""

REQUESTS_SPAN: Final = timedelta(days=30)

MAX_AGE: Final = timedelta(days=1)
"""How long after it was issued a request may be handed in, inclusive."""

MAX_AHEAD: Final = timedelta(minutes=5)
"""How far ahead of our clock a request may say it was issued, inclusive."""

_KIND: Final = "request_inbox"

State = Literal["open", "granted", "denied", "cancelled", "expired"]

_Closing = Literal["denied", "cancelled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One request in an inbox.

    Attributes:
        digest: EIP-712 digest of the request; a consent that answers it names it.
        request: the request.
        by: the key that signed it for the requester.
        signature: its signature.
        received_at: when it came in.
        state: granted once the chain has a consent that names it; denied once its patient denied
            it; cancelled once its requester took it back; expired once the time asked for is over;
            open before all of them.
    """

    digest: Digest
    request: AccessRequest
    by: Address
    signature: bytes
    received_at: datetime
    state: State


class Inbox:
    """Takes requests in, and shows each patient its own."""

    def __init__(self, base: Foundation) -> None:
        self._engine = base.engine
        self._steward = base.contracts.account_id(base.steward)
        self._domain = base.contracts.off_chain_domain
        self._accounts = base.accounts
        self._standing = base.standing
        self._ledger = base.ledger
        self._sealer = base.sealer
        self._log = base.log
        self._tallies = RefusalTallies(base)
        self._notices = base.notices

    def take(self, document: Mapping[str, Any], by: Address, signature: bytes) -> Digest:
        """Lay a request in the inbox of its patient. The same again changes nothing.

        One that is signed and refused all the same is logged: with its patient, or, where it is
        about nobody here, with the steward; and under the requester's name only where `by` may
        ask for it.

        Returns:
            Its digest.

        Raises:
            InvalidRequest: it is malformed, for another steward or chain, too old, ahead of the
                clock, or asks for a time that is over.
            SignatureMismatch: `by` did not sign it.
            AccessRefused: NOT_AN_ORGANISATION, SUSPENDED; NOT_SIGNED_IN where `by` may not ask for
                the requester; UNKNOWN_PATIENT; CHAIN_UNREACHABLE and its like.
            Conflict: the requester left as many requests with this patient lately as it may.
        """
        request = AccessRequest.parse(document)
        if request.steward != self._steward:
            raise InvalidRequest(f"this is the gatekeeper of {self._steward}")
        self._check_times(request)
        message = request.typed(self._domain)
        self._standing.check_typed(by, message, signature)
        found = message.digest()
        requester, patient = request.requester.address, request.patient.address
        subject = self._log.own()
        with suppress(AccessRefused):
            subject = self._log.subject(patient, self._accounts.owner_of(patient))
        try:
            self._standing.require_fresh()
            self._check_requester(requester, by)
            # Only now: whether the patient is one here is not told to anybody who made a key.
            owner = self._accounts.owner_of(patient)
        except AccessRefused as refusal:
            proven = self._standing.authorised(requester, by, Power.REQUEST)
            named = requester if proven else None  # anybody can write an organisation's name
            self._tallies.append(subject, _refused(named, by, found, refusal))
            raise
        now = self._standing.clock()
        content = {"request": request.document(), "by": by, "signature": "0x" + signature.hex()}
        with writing(self._engine) as connection:
            if connection.scalar(
                select(request_inbox.c.digest).where(request_inbox.c.digest == found)
            ):
                return found
            lying = connection.scalar(
                select(func.count())
                .select_from(request_inbox)
                .where(
                    request_inbox.c.patient == patient,
                    request_inbox.c.requester == requester,
                    request_inbox.c.received_at > now - REQUESTS_SPAN,
                )
            )
            if lying is not None and lying >= MAX_REQUESTS:
                raise Conflict(
                    f"you left {MAX_REQUESTS} requests with this patient in "
                    f"{REQUESTS_SPAN.days} days: wait"
                )
            # In here: a key that is erased or retired meanwhile is not sealed to.
            sealed = self._sealer.seal(owner, document_bytes(content), row_context(_KIND, found))
            connection.execute(
                insert(request_inbox).values(
                    digest=found,
                    patient=patient,
                    requester=requester,
                    received_at=now,
                    **sealed,
                )
            )
            self._notices.add(
                connection,
                account=patient,
                kind=NoticeKind.REQUEST,
                subject=hex_digest(found),
                actor=requester,
                at=now,
            )
        return found

    def of(self, session: Session) -> tuple[Received, ...]:
        """The requests lying with the patient that is signed in, oldest first.

        Raises:
            AccessRefused: UNKNOWN_PATIENT, whoever is signed in is no patient here.
        """
        owner = self._accounts.owner_of(session.account)
        with reading(self._engine) as connection:
            rows = connection.execute(
                select(request_inbox)
                .where(request_inbox.c.patient == session.account)
                .order_by(request_inbox.c.received_at, request_inbox.c.digest)
            ).all()
        answered = self._answered(session.account)
        received = []
        for row in rows:
            with suppress(KeyMissing):  # a backup's, sealed to a key that was retired since
                received.append(self._received(owner, row._mapping, answered))
        return tuple(received)

    def sent(
        self, session: Session, *, after: Digest | None, count: int
    ) -> tuple[tuple[Received, ...], Digest | None]:
        """What the account that is signed in left with patients here, oldest first.

        Args:
            session: who is signed in.
            after: the last one that is not wanted; None from the beginning.
            count: how many at most, 1 or more.

        Returns:
            The requests, and the last that was looked at where there are more.

        Raises:
            InvalidRequest: `after` is none of them.
        """
        table = request_inbox
        mine = table.c.requester == session.account
        query = select(table).where(mine).order_by(table.c.received_at, table.c.digest)
        with reading(self._engine) as connection:
            if after is not None:
                last = connection.execute(
                    select(table.c.received_at).where(mine, table.c.digest == after)
                ).scalar_one_or_none()
                if last is None:
                    raise InvalidRequest("you left no request of that digest here")
                query = query.where(
                    or_(
                        table.c.received_at > last,
                        and_(table.c.received_at == last, table.c.digest > after),
                    )
                )
            rows = connection.execute(query.limit(count + 1)).all()
        shown, found = rows[:count], []
        answered = {patient: self._answered(patient) for patient in {row.patient for row in shown}}
        for row in shown:
            with suppress(AccessRefused, KeyMissing):  # erased meanwhile, or a backup's
                owner = self._accounts.owner_of(row.patient)
                found.append(self._received(owner, row._mapping, answered[row.patient]))
        return tuple(found), digest(shown[-1].digest) if len(rows) > count else None

    def deny(self, session: Session, wanted: Digest) -> Received:
        """Close a request as its patient, who will not answer it. The same again changes nothing.

        Raises:
            NotFound: no request of that digest lies with the patient that is signed in.
            AccessRefused: MAY_NOT_ASK, the key may not answer for the account.
            Conflict: it was answered or cancelled before, or is over.
        """
        self._check_power(session, Power.GRANT)
        return self._close(session, wanted, request_inbox.c.patient, "denied")

    def cancel(self, session: Session, wanted: Digest) -> Received:
        """Close a request as whoever asked. The same again changes nothing.

        Raises:
            NotFound: the account that is signed in left no request of that digest here.
            AccessRefused: MAY_NOT_ASK, the key may not ask for the account.
            Conflict: it was answered before, or is over.
        """
        self._check_power(session, Power.REQUEST)
        return self._close(session, wanted, request_inbox.c.requester, "cancelled")

    def _check_power(self, session: Session, power: Power) -> None:
        # A key of a profile reads and nothing else: what is signed is signed by an Ethereum key.
        if session.key is None and self._standing.authorised(session.account, session.by, power):
            return
        raise AccessRefused(
            Refusal.MAY_NOT_ASK, f"This key has not the power {power.name} of the account."
        )

    def _close(
        self, session: Session, wanted: Digest, side: Column[Any], closing: _Closing
    ) -> Received:
        its = request_inbox.c.digest == wanted, side == session.account
        with writing(self._engine) as connection:
            row = connection.execute(select(request_inbox).where(*its)).first()
            if row is None:
                raise NotFound("no request of that digest lies here for you")
            owner = self._accounts.owner_of(row.patient)
            found = self._received(owner, row._mapping, self._answered(row.patient))
            if found.state not in ("open", closing):
                raise Conflict(f"the request is {found.state}: it cannot be {closing} any more")
            connection.execute(
                update(request_inbox)
                .where(*its, request_inbox.c.closed_as.is_(None))
                .values(closed_as=closing)
            )
        return replace(found, state=closing)

    def _answered(self, patient: Address) -> frozenset[Digest]:
        """Digests of the requests that a patient granted."""
        return frozenset(
            consent.grant.request
            for consent in self._ledger.consents_of(patient)
            if consent.grant is not None
        )

    def _check_times(self, request: AccessRequest) -> None:
        now = self._standing.clock()
        if not now - MAX_AGE <= request.issued_at <= now + MAX_AHEAD:
            raise InvalidRequest("the request is too old, or ahead of the clock: issue it anew")
        if request.valid_until <= now:
            raise InvalidRequest("the time asked for is over")

    def _check_requester(self, requester: Address, by: Address) -> None:
        organisation = self._ledger.standing(requester, now=self._standing.clock())
        if organisation is None:
            raise AccessRefused(
                Refusal.NOT_AN_ORGANISATION, f"the consortium has not admitted {requester}"
            )
        if not organisation.active:
            raise AccessRefused(Refusal.SUSPENDED, f"the consortium suspended {requester}")
        if not self._standing.authorised(requester, by, Power.REQUEST):
            raise AccessRefused(Refusal.NOT_SIGNED_IN, f"{by} may not ask for {requester}")

    def _received(self, owner: Owner, row: RowMapping, answered: Collection[Digest]) -> Received:
        found = digest(row["digest"])
        content = json.loads(self._sealer.open(owner, row, row_context(_KIND, found)))
        request = AccessRequest.parse(content["request"])
        state: State = "open"
        if found in answered:
            state = "granted"
        elif row["closed_as"] is not None:
            state = row["closed_as"]
        elif request.valid_until <= self._standing.clock():
            state = "expired"
        return Received(
            digest=found,
            request=request,
            by=address(content["by"]),
            signature=bytes.fromhex(content["signature"][2:]),
            received_at=row["received_at"],
            state=state,
        )


def _refused(
    requester: Address | None, by: Address, found: Digest, refusal: AccessRefused
) -> Event:
    return Event(
        requester=requester,
        by=by,
        action="request",
        query=hex_digest(found),
        outcome="refused",
        reason=refusal.reason.value,
        block=None,
    )
