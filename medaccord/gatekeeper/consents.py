"""A patient's own consents and the emergency accesses opened, as this gatekeeper obeys them now.

What permits counts here from when it is final, what restricts from when it was handed in: as in
every decision. So a patient sees at once that a revocation is obeyed, mined or not.
"""

from datetime import datetime
from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel

from medaccord.core.decision import ConsentState, EmergencyState
from medaccord.core.identifiers import AccountId, hex_digest
from medaccord.gatekeeper.foundation import Foundation
from medaccord.gatekeeper.openapi import REFUSALS, SIGNED_IN, Tag
from medaccord.gatekeeper.openings import Openings
from medaccord.gatekeeper.sign_in import SignIn
from medaccord.gatekeeper.tokens import Session
from medaccord.gatekeeper.wire import time_text

State = Literal["active", "pending", "not-started", "ended", "revoked"]
"""How a consent stands: pending until its grant is final; ended when its time is over, or when all
that was given before was revoked at once."""


class ConsentShown(BaseModel):
    """A consent as its patient sees it; `termsKnown`: its terms were handed in here."""

    consent: str
    grantee: str
    validFrom: str
    validUntil: str
    state: State
    termsKnown: bool


class EmergencyShown(BaseModel):
    """The last emergency access of an organisation; `reasonKnown`: its reason was handed in."""

    emergency: str
    grantee: str
    openedAt: str
    validUntil: str
    state: Literal["open", "closed"]
    reasonKnown: bool


class ConsentsShown(BaseModel):
    """All of them, in the order of their beginnings."""

    consents: list[ConsentShown]
    emergencies: list[EmergencyShown]


class Consents:
    """Shows each patient its own."""

    def __init__(self, base: Foundation, *, openings: Openings) -> None:
        self._steward = base.steward
        self._chain_id = base.network.chain_id
        self._accounts = base.accounts
        self._ledger = base.ledger
        self._clock = base.clock
        self._openings = openings

    def of(self, session: Session) -> ConsentsShown:
        """The consents of the patient that is signed in, and the emergencies.

        Raises:
            AccessRefused: UNKNOWN_PATIENT, whoever is signed in is no patient here.
        """
        patient, owner = session.account, self._accounts.owner_of(session.account)
        terms, reasons = (
            self._openings.terms_of(patient, owner),
            self._openings.reasons_of(patient, owner),
        )
        now = self._clock()
        facts = self._ledger.facts_of(
            (), everybody_at=[patient], steward=self._steward, now=now
        ).values()
        consents = [state for each in facts for state, _ in each.consents]
        emergencies = [each.emergency for each in facts if each.emergency is not None]
        return ConsentsShown(
            consents=[
                ConsentShown(
                    consent=hex_digest(each.consent_id),
                    grantee=str(AccountId(chain_id=self._chain_id, address=each.grantee)),
                    validFrom=time_text(each.valid_from),
                    validUntil=time_text(each.valid_until),
                    state=_state(each, now),
                    termsKnown=each.consent_id in terms,
                )
                for each in sorted(consents, key=lambda state: (state.valid_from, state.consent_id))
            ],
            emergencies=[
                EmergencyShown(
                    emergency=hex_digest(each.emergency_id),
                    grantee=str(AccountId(chain_id=self._chain_id, address=each.grantee)),
                    openedAt=time_text(each.opened_at),
                    validUntil=time_text(each.valid_until),
                    state="open" if _is_open(each, now) else "closed",
                    reasonKnown=each.emergency_id in reasons,
                )
                for each in sorted(emergencies, key=lambda state: (state.opened_at, state.grantee))
            ],
        )


def routes(consents: Consents, sign_in: SignIn) -> APIRouter:
    """GET /consents."""
    router = APIRouter(tags=[Tag.PATIENTS], responses=REFUSALS)

    @router.get(
        "/consents",
        summary="The patient's consents, as they are obeyed now",
        openapi_extra=SIGNED_IN,
    )
    def show(request: Request) -> ConsentsShown:
        return consents.of(sign_in.fresh_session(request))

    return router


def _state(consent: ConsentState, now: datetime) -> State:
    if consent.revoked:
        return "revoked"
    if not consent.epoch_current or now >= consent.valid_until:
        return "ended"
    if not consent.granted:
        return "pending"
    return "active" if now >= consent.valid_from else "not-started"


def _is_open(emergency: EmergencyState, now: datetime) -> bool:
    return emergency.open and now < emergency.valid_until
