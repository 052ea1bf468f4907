"""Lines of a log in FHIR: whatever is logged has what the profiles of BALP demand."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from medaccord.core.audit import AuditEntry, relationship_key
from medaccord.core.identifiers import AccountId, address, digest, hex_digest
from medaccord.core.purposes import PURPOSE_SYSTEM
from medaccord.core.refusal_count import COUNTED, REPEATED, RefusalCount
from medaccord.fhir.audit_event import Keeper, audit_events
from tests.unit.fhir.balp import DCM, ENTITY, TERMINOLOGY, check, coded, profile

STEWARD = address("0x" + 39 * "0" + "1")
PATIENT = address("0x" + 39 * "0" + "2")
CLINIC = address("0x" + 39 * "0" + "3")
KEY = address("0x" + 39 * "0" + "4")
CONSENT = digest(b"\x05" * 32)
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)

LINE = AuditEntry(
    number=7,
    relationship=relationship_key(STEWARD, PATIENT),
    at=AT,
    requester=CLINIC,
    by=KEY,
    action="read",
    query="Observation/1 for TREAT",
    outcome="released",
    reason="TREAT",
    basis="consent",
    consent=CONSENT,
    records=("Observation/1/3",),
    block=None,
    salt=digest(b"\x06" * 32),
    request="0123456789abcdef",
)
REFUSED = replace(LINE, outcome="refused", reason="consent-revoked", basis="", records=())
UNCONSENTED = replace(REFUSED, reason="no-consent", consent=None)
SEARCH = replace(
    LINE,
    action="search",
    query="Observation?code=4548-4 for TREAT",
    records=("Observation/1/3", "Observation/2/1"),
)
OWN = replace(
    LINE,
    requester=STEWARD,
    by=None,
    action="erase-record",
    query="Observation/1",
    outcome="done",
    reason="",
    basis="",
    consent=None,
    records=(),
    request=None,
)
FLOOD = replace(
    UNCONSENTED,
    by=None,
    action=COUNTED,
    query=RefusalCount(count=5, since=AT, last=AT).query,
    reason=REPEATED,
    request=None,
)


def account(of: str) -> AccountId:
    return AccountId(chain_id=1, address=address(of))


KEEPER = Keeper(patient=account(PATIENT), steward=account(STEWARD), url="https://a.example")


def of(entry: AuditEntry, keeper: Keeper = KEEPER) -> list[dict[str, Any]]:
    return list(audit_events(entry, keeper))


@pytest.mark.parametrize(
    ("line", "profiles"),
    [
        (LINE, ["AuthZconsent", "PatientRead"]),
        (replace(LINE, action="vread"), ["AuthZconsent", "PatientRead"]),
        (replace(LINE, action="proof"), ["AuthZconsent", "PatientRead"]),
        (replace(LINE, basis="patient", consent=None), ["PatientRead"]),
        (replace(LINE, basis="emergency", reason="BTG"), [None, "PatientRead"]),
        (SEARCH, ["AuthZconsent", "PatientQuery"]),
        (replace(SEARCH, records=()), ["AuthZconsent", "PatientQuery"]),
        (replace(SEARCH, action="everything"), ["AuthZconsent", "PatientQuery"]),
        (replace(SEARCH, action="something-new"), ["AuthZconsent", None]),
        (REFUSED, ["AuthZconsent"]),
        (replace(REFUSED, action="search"), ["AuthZconsent"]),
        (UNCONSENTED, [None]),
        (replace(UNCONSENTED, requester=None, by=None), [None]),
        (replace(UNCONSENTED, action="request", query="0x12"), [None]),
        (FLOOD, [None]),
        (OWN, [None]),
    ],
)
def test_events_have_what_their_profiles_demand(
    line: AuditEntry, profiles: list[str | None]
) -> None:
    events = of(line)
    assert [profile(event) for event in events] == profiles
    for event in events:
        check(event)
    assert len({event["id"] for event in events}) == len(events)


@pytest.mark.parametrize(
    ("action", "type_code", "lifecycle", "what"),
    [
        ("export", "110106", "extract", "R"),
        ("export-log", "110106", "extract", "R"),
        ("erase-record", "110110", "destroy", "D"),
        ("erase-patient", "110110", "destroy", "D"),
        ("apply-erasures", "110110", "destroy", "D"),
        ("place-hold", "110110", "hold", "U"),
        ("lift-hold", "110110", "unhold", "U"),
        ("rotate-key", "110110", "encrypt", "U"),
        ("rotate-key-and-destroy-old", "110110", "encrypt", "U"),
    ],
)
def test_event_tells_the_lifecycle_when_the_steward_did_something(
    action: str, type_code: str, lifecycle: str, what: str
) -> None:
    (event,) = of(replace(OWN, action=action))
    check(event)
    assert coded(event["type"]) == (DCM, type_code)
    assert [coded(each) for each in event["subtype"]] == [
        (f"{TERMINOLOGY}iso-21089-lifecycle", lifecycle)
    ]
    assert (event["action"], event["outcome"]) == (what, "0")


def test_read_names_server_as_source_and_client_as_destination() -> None:
    event = of(LINE)[1]
    by_type = {coded(each["type"]["coding"][0])[1]: each for each in event["agent"]}
    assert by_type["110153"]["who"]["identifier"]["value"] == str(account(STEWARD))
    assert by_type["110153"]["network"] == {"address": "https://a.example", "type": "5"}
    assert by_type["110152"]["who"]["identifier"]["value"] == str(account(KEY))
    assert by_type["IRCP"]["who"]["identifier"]["value"] == str(account(CLINIC))
    purpose = {"coding": [{"system": PURPOSE_SYSTEM, "code": "TREAT"}]}
    assert by_type["IRCP"]["purposeOfUse"] == event["purposeOfEvent"] == [purpose]
    assert event["entity"][0]["what"]["reference"] == "Observation/1/_history/3"
    assert event["entity"][-1]["what"]["identifier"]["value"] == LINE.request


def test_query_names_client_as_source_and_server_as_destination() -> None:
    event = of(SEARCH)[1]
    by_type = {coded(each["type"]["coding"][0])[1]: each for each in event["agent"]}
    assert by_type["110153"]["who"]["identifier"]["value"] == str(account(KEY))
    assert by_type["110152"]["who"]["identifier"]["value"] == str(account(STEWARD))
    query = base64.b64decode(event["entity"][0]["query"]).decode()
    assert query == "Observation?code=4548-4"
    released = [each["what"].get("reference") for each in event["entity"][1:]]
    assert released[-2:] == ["Observation/1/_history/3", "Observation/2/_history/1"]


def test_decision_names_the_consent_and_fails_when_it_did_not_suffice() -> None:
    (event,) = of(REFUSED)
    assert (event["outcome"], event["outcomeDesc"]) == ("8", "consent-revoked")
    assert event["entity"][1]["what"]["identifier"]["value"] == hex_digest(CONSENT)


@pytest.mark.parametrize("line", [UNCONSENTED, FLOOD, replace(LINE, basis="emergency")])
def test_decision_is_by_role_when_there_is_no_consent(line: AuditEntry) -> None:
    event = of(line)[0]
    assert coded(event["type"]) == (DCM, "110113")
    assert [coded(each)[1] for each in event["subtype"]] == ["AuthZ-Role"]
    assert "Consent" not in [each["type"]["code"] for each in event["entity"]]


def test_event_says_how_many_were_refused_when_they_were_counted() -> None:
    (event,) = of(FLOOD)
    assert (event["outcome"], event["outcomeDesc"]) == ("8", FLOOD.query)


def test_refusal_of_the_steward_itself_fails_and_says_why() -> None:
    (event,) = of(replace(OWN, outcome="refused", reason="legal-hold"))
    assert (event["outcome"], event["outcomeDesc"]) == ("8", "legal-hold")


def test_network_is_said_to_be_unknown_when_the_address_of_the_server_is() -> None:
    event = of(LINE, replace(KEEPER, url=None))[1]
    for agent in event["agent"][:2]:
        (extension,) = agent["network"]["_address"]["extension"]
        assert extension["valueCode"] == "unknown"


@pytest.mark.parametrize(("line", "named"), [(LINE, "Read"), (SEARCH, "Query")])
def test_events_are_about_no_patient_when_the_log_is_the_stewards_own(
    line: AuditEntry, named: str
) -> None:
    decision, event = of(line, replace(KEEPER, patient=account(STEWARD)))
    assert (profile(decision), profile(event)) == (None, named)
    for each in (decision, event):
        assert (ENTITY, "1") not in [coded(entity["type"]) for entity in each["entity"]]
