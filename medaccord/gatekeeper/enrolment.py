"""Enrolment: a one-time code, given to a patient in person, ties a fresh account to a Patient.

The code is worth something to one account, until it expires: the first that signs for it, which may
ask again when an answer was lost. It stands in the database only as a keyed hash. The relationship
is then proposed on the chain; nothing is released before the patient accepts it there.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

from eth_utils.crypto import keccak
from fastapi import APIRouter
from pydantic import BaseModel, Field
from sqlalchemy import delete, func, insert, select, update
from starlette.responses import JSONResponse

from medaccord.chain import actions
from medaccord.chain.values import seconds
from medaccord.core.errors import InvalidRequest
from medaccord.core.identifiers import Address, Digest, digest, hex_digest
from medaccord.core.typed_data import typed
from medaccord.gatekeeper.errors import Conflict, EnrolmentRefused
from medaccord.gatekeeper.foundation import Foundation
from medaccord.gatekeeper.openapi import Tag, refusals
from medaccord.gatekeeper.relay_limits import RelayLimits
from medaccord.gatekeeper.wire import AddressField, Form, SignatureField, TimeField
from medaccord.ledger import RelationshipState
from medaccord.records import Owner
from medaccord.store import writing
from medaccord.store.tables import enrolment_attempt, enrolment_code

MAX_CODE_LENGTH: Final = 64
"""Longest code looked at, in characters."""

ATTEMPT_SPAN: Final = timedelta(minutes=10)
ATTEMPTS_AN_ACCOUNT: Final = 5
"""Wrong codes an account may try within `ATTEMPT_SPAN`."""
ATTEMPTS_NOTED: Final = 100
"""Wrong codes noted within it, of everybody together: accounts cost nothing, the disk does. More
than that stops nobody who holds a good code; at 80 bits a code, trying guesses nothing."""

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's: no I, L, O, U to misread
_CODE_CHARACTERS: Final = 16
_GROUP: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposed:
    """A relationship that was proposed to a patient.

    Attributes:
        round: its round, from 1.
        transaction: hash of the transaction that proposes it.
        is_mined: whether it is mined, so that the patient can accept.
    """

    round: int
    transaction: Digest
    is_mined: bool


class Enrolment:
    """Issues codes, and lets accounts in with them."""

    def __init__(self, base: Foundation, *, secret: bytes) -> None:
        self._engine = base.engine
        self._steward = base.steward
        self._secret = secret
        self._pseudonyms = base.names
        self._accounts = base.accounts
        self._standing = base.standing
        self._contracts = base.contracts
        self._ledger = base.ledger
        self._sender = base.sender
        self._waits = base.waits
        self._limits = RelayLimits(base)

    def issue_code(self, patient_id: str, valid_for: timedelta = timedelta(days=7)) -> str:
        """Make a code for a patient of the steward.

        Args:
            patient_id: ``Patient.id`` in the steward's records.
            valid_for: how long it is good; its end is excluded.

        Returns:
            80 random bits as `XXXX-XXXX-XXXX-XXXX`, to be handed to the patient and kept nowhere.
        """
        text = "".join(secrets.choice(_ALPHABET) for _ in range(_CODE_CHARACTERS))
        code = "-".join(text[at : at + _GROUP] for at in range(0, len(text), _GROUP))
        now = self._standing.clock()
        with writing(self._engine) as connection:
            connection.execute(
                insert(enrolment_code).values(
                    code=self._hash(code),
                    patient_ref=self._pseudonyms.patient(patient_id),
                    issued_at=now,
                    expires_at=now + valid_for,
                )
            )
        return code

    def enrol(
        self, *, account: Address, by: Address, code: str, deadline: datetime, signature: bytes
    ) -> Proposed:
        """Tie an account to the patient a code was issued for, and propose the relationship.

        Returns:
            What was proposed, once it is mined; at once where too many wait for that already
            (`BlockWaits`).

        Raises:
            EnrolmentRefused: the code opens nothing, or the account tried too many wrong ones.
            SignatureMismatch: `by` did not sign this code for this steward.
            InvalidRequest: the deadline is over, `by` does not control the account, or the account
                stands for another patient.
            Conflict: the relationship is proposed or active already.
            TooManyRequests: the account has had its share of the day (`relay_limits`); the code
                stays good for it.
            TransportError: the chain is out of reach; the code stays good for this account.
        """
        if self._standing.clock() > deadline:
            raise InvalidRequest("the deadline of the enrolment is over: sign a new one")
        message = typed(
            self._contracts.off_chain_domain,
            "Enrolment",
            account=account,
            steward=self._steward,
            code=digest(keccak(text=code)),
            deadline=seconds(deadline),
        )
        self._standing.check_typed(by, message, signature)
        self._standing.require_fresh()
        if self._ledger.controller(account) != by:
            raise InvalidRequest(f"{by} does not control {account}: its controller must sign")
        relationship = self._ledger.relationship(account, self._steward)
        if relationship.state in (RelationshipState.PROPOSED, RelationshipState.ACTIVE):
            raise Conflict("this account is enrolled already: accept or end that relationship")
        self._redeem(account, code)
        # From here on the code is this account's: what was sent may be mined, whatever is heard.
        upcoming = relationship.round + 1
        action = actions.propose(
            self._contracts,
            patient=account,
            steward=self._steward,
            account=self._steward,
            by=self._sender.address,
            round=upcoming,
        )
        purpose = f"propose:{account}:{upcoming}"
        with self._limits.spending(account, purpose):  # who declines may ask again, and again
            pending = actions.submit(self._sender, action, wait=False, purpose=purpose)
        receipt = self._waits.receipt(account, pending)
        sent = pending if receipt is None else receipt
        return Proposed(round=upcoming, transaction=sent.transaction, is_mined=receipt is not None)

    def _redeem(self, account: Address, code: str) -> None:
        """Let an account in by a code, or note that it tried; of both all or nothing."""
        now = self._standing.clock()
        with writing(self._engine) as connection:
            connection.execute(
                delete(enrolment_attempt).where(enrolment_attempt.c.at <= now - ATTEMPT_SPAN)
            )
            tried = select(func.count()).select_from(enrolment_attempt)
            own = tried.where(enrolment_attempt.c.account == account)
            blocked = connection.execute(own).scalar_one() >= ATTEMPTS_AN_ACCOUNT
            row = connection.execute(
                select(enrolment_code).where(enrolment_code.c.code == self._hash(code))
            ).first()
            patient = self._accounts.owners_of((account,), connection).get(account)
            good = (
                row is not None
                and now < row.expires_at
                and (row.used_at is None or row.patient_ref == patient)
            )
            if row is not None and good and not blocked:
                connection.execute(
                    update(enrolment_code)
                    .where(enrolment_code.c.code == row.code)
                    .values(used_at=now)
                )
                # In here: the same account may be asking twice at once, and both are let in.
                self._accounts.enrol_within(connection, account, Owner(row.patient_ref), at=now)
                return
            if not blocked and connection.execute(tried).scalar_one() < ATTEMPTS_NOTED:
                connection.execute(insert(enrolment_attempt).values(account=account, at=now))
        raise EnrolmentRefused("this code enrols nobody: ask the steward for a new one")

    def _hash(self, code: str) -> Digest:
        message = b"medaccord/enrolment/1:" + code.encode()
        return digest(hmac.digest(self._secret, message, hashlib.sha256))


class EnrolmentForm(Form):
    """Body of POST /enrolments."""

    account: AddressField
    by: AddressField
    code: Annotated[str, Field(min_length=1, max_length=MAX_CODE_LENGTH)]
    deadline: TimeField
    signature: SignatureField


class Enrolled(BaseModel):
    """A relationship that was proposed, for the patient to accept."""

    steward: str
    patient: str
    round: int
    transaction: str


def routes(enrolment: Enrolment, steward: Address) -> APIRouter:
    """POST /enrolments."""
    router = APIRouter(tags=[Tag.PATIENTS], responses=refusals(409, 422))

    @router.post(
        "/enrolments",
        status_code=201,
        summary="Enrol an account with a one-time code",
        response_model=Enrolled,
        responses={
            202: {
                "model": Enrolled,
                "description": "Proposed, and not mined yet, since many wait already. It can be "
                "accepted once the transaction is mined.",
            }
        },
    )
    def enrol(form: EnrolmentForm) -> JSONResponse:
        proposed = enrolment.enrol(
            account=form.account,
            by=form.by,
            code=form.code,
            deadline=form.deadline,
            signature=form.signature,
        )
        body: dict[str, Any] = {
            "steward": str(steward),
            "patient": str(form.account),
            "round": proposed.round,
            "transaction": hex_digest(proposed.transaction),
        }
        return JSONResponse(body, status_code=201 if proposed.is_mined else 202)

    return router
