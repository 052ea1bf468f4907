"""Openings: the terms behind a consent and the reason behind an emergency, checked, then kept.

The chain holds only commitments. Without the opening a consent cannot be read and nothing is
released under it; with one that does not fit, nothing either.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Final, TypeVar

from fastapi import APIRouter, Request
from pydantic import BaseModel
from sqlalchemy import Column, Connection, Row, bindparam, insert, select

from medaccord.core.canonical import document_bytes
from medaccord.core.emergency import EmergencyReason
from medaccord.core.errors import AccessRefused, CommitmentMismatch, DecryptionFailed, KeyMissing
from medaccord.core.identifiers import Address, ConsentId, Digest, digest, hex_digest
from medaccord.core.refusals import Refusal
from medaccord.core.terms import Terms
from medaccord.gatekeeper.foundation import Foundation
from medaccord.gatekeeper.openapi import SIGNED_IN, Tag, refusals
from medaccord.gatekeeper.sign_in import SignIn
from medaccord.gatekeeper.tokens import Session
from medaccord.gatekeeper.wire import AddressField, DigestField, Form
from medaccord.records import Owner
from medaccord.records.opened_rows import OpenedRows
from medaccord.records.sealer import row_context
from medaccord.store import reading, writing
from medaccord.store.tables import reason_opening, terms_opening

T = TypeVar("T")

_OPENED_BYTES: Final = 16 * 2**20
"""Of openings kept open, sealed, of either kind; opened, each takes some five times as much."""

_KEPT: Final = {
    key.table.name: select(key.table).where(key.in_(bindparam("these", expanding=True)))
    for key in (terms_opening.c.consent, reason_opening.c.emergency)
}
_AT_ONCE: Final = 500  # keys that one query names: databases bound its parameters


class Openings:
    """Takes openings in, and hands them to decisions."""

    def __init__(self, base: Foundation) -> None:
        self._engine = base.engine
        self._accounts = base.accounts
        self._ledger = base.ledger
        self._standing = base.standing
        self._sealer = base.sealer
        self._clock = base.clock
        self._terms: OpenedRows[Terms] = OpenedRows(base.sealer, most_bytes=_OPENED_BYTES)
        self._reasons: OpenedRows[EmergencyReason] = OpenedRows(
            base.sealer, most_bytes=_OPENED_BYTES
        )

    def take_terms(
        self, session: Session, patient: Address, consent_id: ConsentId, document: Mapping[str, Any]
    ) -> None:
        """Keep the terms of a consent that stands on the chain.

        Raises:
            AccessRefused: UNKNOWN_PATIENT; NO_CONSENT where the asker is neither its patient nor
                its grantee, or there is none: the two are not told apart; CHAIN_UNREACHABLE.
            CommitmentMismatch: these are not the terms that were consented to.
            InvalidTerms: they are malformed.
        """
        terms = Terms.parse(document)
        consent = self._ledger.consent(patient, consent_id)
        if consent is None or consent.grant is None:
            self._standing.ask_now()  # it may have come since the chain was last asked
            consent = self._ledger.consent(patient, consent_id)
        if (
            consent is None
            or consent.grant is None
            or session.account not in (patient, consent.grant.grantee)
        ):
            raise AccessRefused(Refusal.NO_CONSENT, "the chain has no such consent of yours")
        if terms.commitment != consent.grant.terms:
            raise CommitmentMismatch("these are not the terms of that consent: send its own")
        # Not before: whether the patient is one here is told to who has to do with it alone.
        self.keep_terms(patient, self._accounts.owner_of(patient), consent_id, terms)

    def keep_terms(
        self, patient: Address, owner: Owner, consent_id: ConsentId, terms: Terms
    ) -> None:
        """Keep terms that were checked against the consent's commitment already."""
        self._keep(
            terms_opening.c.consent, patient, owner, consent_id, document_bytes(terms.document())
        )

    def take_reason(
        self, session: Session, patient: Address, emergency: Digest, document: Mapping[str, Any]
    ) -> None:
        """Keep the reason of an emergency access that stands on the chain.

        Raises:
            AccessRefused: UNKNOWN_PATIENT; EMERGENCY_CLOSED where the asker opened no such access;
                CHAIN_UNREACHABLE.
            CommitmentMismatch: this is not the reason that was committed to.
            InvalidInput: it is malformed.
        """
        reason = EmergencyReason.parse(document)
        opened = self._emergencies_of(session.account, patient)
        if emergency not in opened:
            self._standing.ask_now()  # it may have come since the chain was last asked
            opened = self._emergencies_of(session.account, patient)
        if emergency not in opened:
            raise AccessRefused(
                Refusal.EMERGENCY_CLOSED, "you have opened no such emergency access"
            )
        if reason.commitment != opened[emergency]:
            raise CommitmentMismatch("this is not the reason of that opening: send its own")
        owner = self._accounts.owner_of(patient)  # not before: see `take_terms`
        self._keep(
            reason_opening.c.emergency, patient, owner, emergency, document_bytes(reason.document())
        )

    def terms_of(self, patient: Address, owner: Owner) -> dict[ConsentId, Terms]:
        """The terms kept for a patient's consents; what does not open counts as missing."""
        found: dict[ConsentId, Terms] = {}
        for key, document in self._kept(terms_opening.c.consent, patient, owner):
            found[key] = Terms.parse(document)
        return found

    def reasons_of(self, patient: Address, owner: Owner) -> dict[Digest, EmergencyReason]:
        """The reasons kept for emergency access to a patient's records."""
        kept = self._kept(reason_opening.c.emergency, patient, owner)
        return {key: EmergencyReason.parse(document) for key, document in kept}

    def terms_for(
        self, connection: Connection, consents: Mapping[ConsentId, Owner]
    ) -> dict[ConsentId, Terms]:
        """The terms kept for some consents, each with the patient that gave it."""
        return dict(
            self._kept_for(connection, terms_opening.c.consent, consents, self._terms, Terms.parse)
        )

    def reasons_for(
        self, connection: Connection, emergencies: Mapping[Digest, Owner]
    ) -> dict[Digest, EmergencyReason]:
        """The reasons kept for some emergency accesses, each with its patient."""
        key, parse = reason_opening.c.emergency, EmergencyReason.parse
        return dict(self._kept_for(connection, key, emergencies, self._reasons, parse))

    def show(self, session: Session) -> dict[str, Any]:
        """Every opening kept for the patient that is signed in: nothing is lost with a device.

        Raises:
            AccessRefused: UNKNOWN_PATIENT, whoever is signed in is no patient here.
        """
        patient, owner = session.account, self._accounts.owner_of(session.account)
        return {
            "consents": {
                hex_digest(consent): terms.document()
                for consent, terms in self.terms_of(patient, owner).items()
            },
            "emergencies": {
                hex_digest(emergency): reason.document()
                for emergency, reason in self.reasons_of(patient, owner).items()
            },
        }

    def _emergencies_of(self, organisation: Address, patient: Address) -> dict[Digest, Digest]:
        """Commitments to the reasons of what an organisation opened, by emergency access."""
        return {
            each.emergency_id: each.reason
            for each in self._ledger.emergencies_of(patient)
            if each.grantee == organisation
        }

    def _keep(
        self, key: Column[Any], patient: Address, owner: Owner, value: Digest, document: bytes
    ) -> None:
        with writing(self._engine) as connection:
            if connection.scalar(select(key).where(key == value)) is not None:
                return  # only one opening fits a commitment
            connection.execute(
                insert(key.table).values(
                    {
                        key.name: value,
                        "patient": patient,
                        "received_at": self._clock(),
                        **self._sealer.seal(owner, document, row_context(key.table.name, value)),
                    }
                )
            )

    def _kept(
        self, key: Column[Any], patient: Address, owner: Owner
    ) -> Iterator[tuple[Digest, bytes]]:
        with reading(self._engine) as connection:
            rows = connection.execute(select(key.table).where(key.table.c.patient == patient)).all()
        for row in rows:
            yield from self._opened(key, row, owner)

    def _kept_for(
        self,
        connection: Connection,
        key: Column[Any],
        wanted: Mapping[Digest, Owner],
        opened: OpenedRows[T],
        parse: Callable[[bytes], T],
    ) -> Iterator[tuple[Digest, T]]:
        values = list(wanted)
        for first in range(0, len(values), _AT_ONCE):
            these = {"these": values[first : first + _AT_ONCE]}
            for row in connection.execute(_KEPT[key.table.name], these).all():
                value = digest(row._mapping[key])
                with suppress(DecryptionFailed, KeyMissing):
                    context = row_context(key.table.name, value)
                    yield value, opened.open(wanted[value], row._mapping, context, parse)

    def _opened(
        self, key: Column[Any], row: Row[Any], owner: Owner
    ) -> Iterator[tuple[Digest, bytes]]:
        value = digest(row._mapping[key])
        with suppress(DecryptionFailed, KeyMissing):
            context = row_context(key.table.name, value)
            yield value, self._sealer.open(owner, row._mapping, context)


class TermsForm(Form):
    """Body of POST /openings."""

    patient: AddressField
    consent: DigestField
    terms: dict[str, Any]


class ReasonForm(Form):
    """Body of POST /openings/emergency."""

    patient: AddressField
    emergency: DigestField
    reason: dict[str, Any]


class Shown(BaseModel):
    """Every opening about a patient, by the id of what it opens."""

    consents: dict[str, dict[str, Any]]
    emergencies: dict[str, dict[str, Any]]


class TermsKept(BaseModel):
    """Whose terms were kept."""

    consent: str


class ReasonKept(BaseModel):
    """Whose reason was kept."""

    emergency: str


def routes(openings: Openings, sign_in: SignIn) -> APIRouter:
    """GET and POST /openings, and POST /openings/emergency."""
    router = APIRouter(tags=[Tag.PATIENTS], responses=refusals(409))

    @router.get(
        "/openings",
        summary="What the consents and emergencies about the patient cover",
        response_model=Shown,
        openapi_extra=SIGNED_IN,
    )
    def show(request: Request) -> dict[str, Any]:
        return openings.show(sign_in.fresh_session(request))

    @router.post(
        "/openings",
        status_code=201,
        summary="Show the terms that a consent was given under",
        response_model=TermsKept,
        openapi_extra=SIGNED_IN,
    )
    def terms(form: TermsForm, request: Request) -> dict[str, str]:
        session = sign_in.fresh_session(request)
        openings.take_terms(session, form.patient, form.consent, form.terms)
        return {"consent": hex_digest(form.consent)}

    @router.post(
        "/openings/emergency",
        status_code=201,
        summary="Show the reason that emergency access was opened for",
        response_model=ReasonKept,
        openapi_extra=SIGNED_IN,
    )
    def reason(form: ReasonForm, request: Request) -> dict[str, str]:
        session = sign_in.fresh_session(request)
        openings.take_reason(session, form.patient, form.emergency, form.reason)
        return {"emergency": hex_digest(form.emergency)}

    return router
