"""What a FHIR request says beside its path: who asks, whose records, what for, in which form."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import parse_qsl

from fastapi import Request

from medaccord.core.consistency import ConsistencyToken
from medaccord.core.envelopes import MEDIA_TYPE
from medaccord.core.errors import InvalidRequest
from medaccord.core.identifiers import AccountId, Address
from medaccord.core.purposes import Purpose
from medaccord.gatekeeper.errors import NotAcceptable, WrongMediaType
from medaccord.gatekeeper.foundation import Foundation
from medaccord.gatekeeper.freshness import AT_LEAST_HEADER, FRESHNESS_HEADER
from medaccord.gatekeeper.reading import Question
from medaccord.gatekeeper.refusals import FHIR_JSON
from medaccord.gatekeeper.sign_in import SignIn
from medaccord.gatekeeper.tokens import Session
from medaccord.gatekeeper.whose import Whose

PURPOSE_HEADER: Final = "Purpose-Of-Use"
"""A code of v3-ActReason; where it is sent, it is the one that the token was given for."""

JSON: Final = "application/json"
FORM: Final = "application/x-www-form-urlencoded"
ENVELOPES: Final = MEDIA_TYPE
"""Asks for records that stay sealed, wrapped to the key that the asker has in the Registry."""

FORMAT: Final = "_format"

PATIENT_PARAMETERS: Final = ("patient", "subject", "patient.identifier", "subject.identifier")
"""Parameters that name the patient, whatever else is asked for."""

_FORMATS: Final = {
    "json": FHIR_JSON,
    "text/json": FHIR_JSON,
    "application/json": JSON,
    "application/fhir+json": FHIR_JSON,
    ENVELOPES: ENVELOPES,
}
_ANY: Final = frozenset({"*/*", "application/*"})
_WEIGHT = re.compile(r"q=([01](?:\.[0-9]{0,3})?)", re.ASCII)
_MAX_FIELDS: Final = 200

Pairs = list[tuple[str, str]]


class Handling(StrEnum):
    """What becomes of a search parameter that is not known. Source: FHIR R4, section 3.1.1.3."""

    STRICT = "strict"
    LENIENT = "lenient"


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """How a request names its patient.

    Attributes:
        patient: an account, or ``Patient/<id>``; None where it names nobody.
        record: name of the record that is asked for, where it may tell whose it is.
    """

    patient: AccountId | str | None
    record: str | None = None


class FhirRequests:
    """Reads requests into questions."""

    def __init__(self, base: Foundation, *, sign_in: SignIn, whose: Whose) -> None:
        self._chain_id = base.network.chain_id
        self._ledger = base.ledger
        self._sign_in = sign_in
        self._whose = whose

    def session(self, request: Request) -> Session:
        """Who asks.

        Raises:
            AccessRefused: NOT_SIGNED_IN.
        """
        return self._sign_in.session(request)

    def question(
        self, request: Request, session: Session, naming: Naming, pairs: Pairs
    ) -> Question:
        """What is asked, but for the record or the search itself.

        Args:
            request: with its headers.
            session: who asks.
            naming: whose records.
            pairs: its parameters, `_format` among them.

        Raises:
            InvalidRequest: nobody is named, or somebody of another chain; or a header makes no
                sense, or does not go with the token.
            NotAcceptable: the form asked for is not to be had, or not by this asker.
        """
        media = media_type(request, pairs)
        receiver = self._receiver(session) if media == ENVELOPES else None
        patients, told = self._patients(session, naming)
        return Question(
            session=session,
            patients=patients,
            told=told,
            purpose=_purpose(request, session, own=patients == (session.account,)),
            latest=_latest(request),
            at_least=_at_least(request),
            receiver=receiver,
        )

    def _patients(self, session: Session, naming: Naming) -> tuple[tuple[Address, ...], bool]:
        named = naming.patient
        if isinstance(named, AccountId):
            if named.chain_id != self._chain_id:
                raise self._nobody()
            return (named.address,), True
        if named is not None:
            return self._whose.patient(session, named.partition("/")[2]), True
        if naming.record is None:
            raise self._nobody()
        if self._whose.is_patient(session):
            return (session.account,), True
        return self._whose.record(session, naming.record), False

    def _nobody(self) -> InvalidRequest:
        return InvalidRequest(f"name the patient: patient=eip155:{self._chain_id}:0x…")

    def _receiver(self, session: Session) -> bytes:
        organisation = self._ledger.organisation(session.account)
        if organisation is None:
            raise NotAcceptable(
                f"envelopes are wrapped to the key of an organisation in the Registry, and "
                f"{session.account} has none: ask for {FHIR_JSON}"
            )
        return organisation.key


def media_type(request: Request, pairs: Iterable[tuple[str, str]]) -> str:
    """The media type of the answer: `FHIR_JSON` unless another one was asked for.

    Raises:
        NotAcceptable: none of those asked for is to be had.
    """
    asked = [value for name, value in pairs if name == FORMAT]
    if asked:  # it outranks the header; a plus sign that was not escaped arrives as a space
        wanted = [asked[0].strip().replace(" ", "+")]
    else:
        wanted = _accepted(request.headers.get("accept", "*/*"))
    for name in wanted:
        if name in _FORMATS:
            return _FORMATS[name]
        if name in _ANY:
            return FHIR_JSON
    raise NotAcceptable(f"ask for {FHIR_JSON}, {JSON} or, as an organisation, {ENVELOPES}")


def handling(request: Request) -> Handling:
    """How unknown search parameters are taken: strictly, unless the client prefers leniency.

    Raises:
        InvalidRequest: it prefers what there is not.
    """
    for preference in ",".join(request.headers.getlist("prefer")).split(","):
        name, _, value = preference.strip().partition("=")
        if name.strip().lower() == "handling":
            try:
                return Handling(value.strip().strip('"').lower())
            except ValueError as error:
                raise InvalidRequest("Prefer: handling is strict or lenient") from error
    return Handling.STRICT


def patient_only(pairs: Pairs) -> Pairs:
    """The parameters of a request for one record, which may name the patient and a form.

    Raises:
        InvalidRequest: there is another one.
    """
    known = (*PATIENT_PARAMETERS, FORMAT)
    if unknown := [name for name, _ in pairs if name not in known]:
        raise InvalidRequest(f"reading one record takes no parameter {unknown[0]!r}")
    return without_format(pairs)


def without_format(pairs: Pairs) -> Pairs:
    """Parameters without `_format`, which `media_type` has read."""
    return [pair for pair in pairs if pair[0] != FORMAT]


def form_pairs(request: Request, body: bytes) -> Pairs:
    """The parameters of a search by POST: those of its form and those of its address.

    Raises:
        WrongMediaType: the body is no form.
        InvalidRequest: it is malformed, or no UTF-8.

    Source: FHIR R4, section 3.1.0.8 (search by POST).
    """
    check_media_type(request, FORM)
    try:
        sent = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(body),
            errors="strict",
            max_num_fields=_MAX_FIELDS,
        )
    except ValueError as error:
        raise InvalidRequest("the form is malformed: write it as name=value&name=value") from error
    return sent + request.query_params.multi_items()


def check_media_type(request: Request, *taken: str) -> None:
    """Check of which type a body is.

    Raises:
        WrongMediaType: of none that is taken here.
    """
    sent = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if sent not in taken:
        raise WrongMediaType(f"send {' or '.join(taken)}, not {sent or 'a body without a type'}")


def _accepted(header: str) -> list[str]:
    """The media types of an Accept header, the most wanted first. Source: RFC 9110, 12.5.1."""
    found: list[tuple[float, str]] = []
    for part in header.split(","):
        name, *parameters = (each.strip().lower() for each in part.split(";"))
        weights = [match[1] for each in parameters if (match := _WEIGHT.fullmatch(each))]
        found.append((float(weights[0]) if weights else 1.0, name))
    return [name for weight, name in sorted(found, key=lambda each: -each[0]) if weight]


def _purpose(request: Request, session: Session, *, own: bool) -> Purpose:
    sent = request.headers.get(PURPOSE_HEADER)
    if sent is not None:
        try:
            named = Purpose(sent)
        except ValueError as error:
            raise InvalidRequest(f"{PURPOSE_HEADER} is one of {', '.join(Purpose)}") from error
        if named is not session.purpose and not (own and named is Purpose.PATRQT):
            raise InvalidRequest(
                f"you signed in for {session.purpose}: sign in for {named} to ask for that"
            )
    return Purpose.PATRQT if own else session.purpose


def _latest(request: Request) -> bool:
    wanted = request.headers.get(FRESHNESS_HEADER, "bounded")
    if wanted not in ("bounded", "latest"):
        raise InvalidRequest(f"{FRESHNESS_HEADER} is bounded or latest")
    return wanted == "latest"


def _at_least(request: Request) -> ConsistencyToken | None:
    sent = request.headers.get(AT_LEAST_HEADER)
    return None if sent is None else ConsistencyToken.parse(sent)
