"""What a gatekeeper says is allowed is read exactly, or refused."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest

from medaccord.client.access_answers import read_verdict, read_what_can, read_who_can, token_of
from medaccord.core.consistency import ConsistencyToken
from medaccord.core.decision import Basis
from medaccord.core.errors import InvalidInput
from medaccord.core.identifiers import digest
from medaccord.core.periods import DatePeriod
from medaccord.core.purposes import Purpose
from medaccord.core.scopes import Scope

ORGANISATION = "0x" + "12" * 20
CONSENT = "0x" + "ab" * 32
TOKEN = "1337:42:0x" + "cd" * 32
END = datetime(2026, 3, 31, 12, tzinfo=UTC)
LABORATORY = "patient/Observation.rs?category=laboratory"


def verdict(**changes: Any) -> dict[str, Any]:
    usual = {
        "allowed": True,
        "reason": {"code": "permitted", "text": "Consent is in force."},
        "basis": "consent",
        "restsOn": [CONSENT],
        "expiresAt": "2026-03-31T12:00:00Z",
        "consistencyToken": TOKEN,
    }
    return usual | changes


def who_can(**changes: Any) -> dict[str, Any]:
    reader = {
        "organisation": ORGANISATION,
        "basis": "consent",
        "restsOn": CONSENT,
        "scopes": [LABORATORY],
        "expiresAt": "2026-03-31T12:00:00Z",
    }
    return {"readers": [reader | changes], "consistencyToken": TOKEN}


def what_can(**changes: Any) -> dict[str, Any]:
    way = {
        "basis": "emergency",
        "restsOn": CONSENT,
        "scopes": [LABORATORY],
        "purposes": ["BTG", "ETREAT"],
        "period": {"start": "2026-01-01", "end": None},
        "includeUndated": True,
        "excludedLabels": ["HIV"],
        "records": ["Observation/1"],
        "expiresAt": "2026-03-31T12:00:00Z",
    }
    return {
        "organisation": ORGANISATION,
        "reason": {"code": "permitted", "text": "Something may be read."},
        "ways": [way | changes],
        "consistencyToken": TOKEN,
    }


def read_check(answer: dict[str, Any]) -> object:
    return read_verdict(answer, token_of(answer))


def test_verdict_is_read_whole() -> None:
    found = read_verdict(verdict(), token_of(verdict()))
    assert (found.allowed, found.code, found.text) == (True, "permitted", "Consent is in force.")
    assert (found.basis, found.rests_on) == (Basis.CONSENT, (digest(CONSENT),))
    assert (found.expires_at, found.token) == (END, ConsistencyToken.parse(TOKEN))


def test_who_can_is_read_whole() -> None:
    (reader,) = read_who_can(who_can()).readers
    assert (reader.organisation, reader.basis) == (ORGANISATION, Basis.CONSENT)
    assert (reader.rests_on, reader.expires_at) == (digest(CONSENT), END)
    assert reader.scopes == (Scope.parse(LABORATORY),)


def test_what_can_is_read_whole() -> None:
    (way,) = read_what_can(what_can()).ways
    assert (way.basis, way.rests_on, way.expires_at) == (Basis.EMERGENCY, digest(CONSENT), END)
    assert (way.scopes, way.purposes) == (
        (Scope.parse(LABORATORY),),
        (Purpose.BTG, Purpose.ETREAT),
    )
    assert way.period == DatePeriod(start=date(2026, 1, 1))
    assert (way.include_undated, way.excluded_labels) == (True, ("HIV",))
    assert way.records == ("Observation/1",)


def test_answer_is_read_when_a_later_gatekeeper_tells_more() -> None:
    assert read_who_can(who_can(since="2026-03-01")).readers


@pytest.mark.parametrize(
    ("read", "answer"),
    [
        (read_check, verdict(allowed=1)),
        (read_check, verdict(basis="a friend")),
        (read_check, verdict(reason=None)),
        (read_check, verdict(reason={"code": "permitted"})),
        (read_check, verdict(restsOn=["0x12"])),
        (read_check, verdict(expiresAt="soon")),
        (read_check, verdict(consistencyToken="1:2")),
        (read_who_can, who_can(organisation="0x12")),
        (read_who_can, who_can(scopes=["patient/Observation.cud"])),
        (read_who_can, {"readers": None, "consistencyToken": TOKEN}),
        (read_who_can, {"readers": []}),
        (read_what_can, what_can(purposes=["FUN"])),
        (read_what_can, what_can(period={"start": "yesterday", "end": None})),
        (read_what_can, what_can(period={"start": "2026-02-01", "end": "2026-01-01"})),
        (read_what_can, what_can(records="Observation/1")),
        (read_what_can, {"ways": [], "reason": {}, "consistencyToken": TOKEN}),
    ],
)
def test_answer_is_refused_when_it_is_malformed(
    read: Callable[[dict[str, Any]], object], answer: dict[str, Any]
) -> None:
    with pytest.raises(InvalidInput):
        read(answer)
