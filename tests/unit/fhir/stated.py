"""Consents of every kind, to be written in FHIR."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import strategies as st

from medaccord.core.consent_status import ConsentStatus
from medaccord.core.identifiers import AccountId, Digest, address
from medaccord.core.labels import LABELS
from medaccord.core.purposes import Purpose
from medaccord.core.scopes import Scope
from medaccord.core.terms import Terms
from medaccord.fhir.consent import StatedConsent
from tests.unit.core.test_terms import any_terms


def account(digits: str, chain_id: int = 1337) -> AccountId:
    return AccountId(chain_id=chain_id, address=address("0x" + digits * 20))


PATIENT = account("99")
CLINIC = account("b1")
HOSPITAL = account("a0")
CONTRACT = account("c0")
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
CONSENT_ID = Digest(b"\x07" * 32)
REQUEST = Digest(b"\x08" * 32)

STATED = StatedConsent(
    terms=Terms(
        stewards=(HOSPITAL,),
        scopes=(Scope.parse("patient/Observation.rs?category=laboratory"),),
        purposes=(Purpose.TREAT,),
        salt=Digest(b"\x05" * 32),
    ),
    patient=PATIENT,
    grantee=CLINIC,
    valid_from=NOON,
    valid_until=NOON + timedelta(days=30),
    issued_at=NOON - timedelta(microseconds=1),
    status=ConsentStatus.ACTIVE,
    contract=CONTRACT,
    consent_id=CONSENT_ID,
)


MORE_SCOPES = tuple(
    Scope.parse(text)
    for text in (
        "patient/*.r?code=http://snomed.info/sct|44054006",
        "patient/Condition.rs?category=problem-list-item&code=44054006,73211009",
    )
)


def with_terms(**changes: Any) -> StatedConsent:
    return replace(STATED, terms=replace(STATED.terms, **changes))


def times() -> st.SearchStrategy[datetime]:
    return st.datetimes(
        min_value=datetime(1970, 1, 2),
        max_value=datetime(9998, 12, 31),
        timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))]),
    )


@st.composite
def any_stated(draw: st.DrawFn) -> StatedConsent:
    terms = draw(any_terms())
    labels = draw(st.sets(st.sampled_from(sorted(LABELS)), max_size=4))
    scopes = draw(st.sets(st.sampled_from(MORE_SCOPES)))
    records = draw(st.sets(st.sampled_from(["Observation/1", "Condition/1", "Binary/a.b-c"])))
    start, end = sorted(
        draw(st.lists(times(), min_size=2, max_size=2, unique_by=lambda at: int(at.timestamp())))
    )
    named = draw(st.sampled_from(["consent", "request", "nothing"]))
    given = {"contract": CONTRACT, "consent_id": draw(st.binary(min_size=32, max_size=32))}
    asked = {"request": draw(st.binary(min_size=32, max_size=32))}
    names: Any = {"consent": given, "request": asked, "nothing": {}}[named]
    return StatedConsent(
        terms=replace(
            terms,
            scopes=(*terms.scopes, *scopes),
            excluded_labels=tuple(labels),
            records=tuple(records),
        ),
        patient=PATIENT,
        grantee=CLINIC,
        valid_from=start.replace(microsecond=0),
        valid_until=end.replace(microsecond=0),
        issued_at=draw(times()),
        status=draw(st.sampled_from(ConsentStatus)),
        **names,
    )
