"""A consent in FHIR has what PCF demands, and says what the consent says."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given

from medaccord.core.consent_status import ConsentStatus
from medaccord.core.errors import InvalidIdentifier, InvalidInput
from medaccord.core.identifiers import hex_digest
from medaccord.core.labels import CONFIDENTIALITY_SYSTEM, SENSITIVITY_SYSTEM
from medaccord.core.periods import DatePeriod
from medaccord.core.scopes import Scope
from medaccord.fhir.consent import SCOPE_EXTENSION, UNDATED_EXTENSION, StatedConsent
from medaccord.fhir.consent import consent_resource as resource
from medaccord.fhir.naming import CONSENT_SYSTEM, REQUEST_SYSTEM
from tests.unit.fhir import pcf
from tests.unit.fhir.r4b import check_r4
from tests.unit.fhir.stated import (
    CLINIC,
    CONSENT_ID,
    CONTRACT,
    NOON,
    PATIENT,
    REQUEST,
    STATED,
    account,
    any_stated,
    with_terms,
)


def rules(consent: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [each for each in consent["provision"]["provision"] if each["type"] == kind]


def permit(stated: StatedConsent) -> dict[str, Any]:
    (found,) = rules(resource(stated), "permit")
    return found


@given(any_stated())
def test_consent_has_what_r4_and_its_profile_demand(stated: StatedConsent) -> None:
    consent = resource(stated)
    check_r4(consent)
    pcf.check(consent)


def test_consent_denies_whatever_no_nested_permit_names() -> None:
    consent = resource(STATED)
    assert consent["provision"].keys() == {"type", "provision"}
    assert consent["provision"]["type"] == "deny"


def test_permit_names_grantee_window_and_purpose() -> None:
    found = permit(STATED)
    assert found["period"] == {"start": "2026-03-10T12:00:00Z", "end": "2026-04-09T11:59:59Z"}
    (actor,) = found["actor"]
    assert actor["reference"]["identifier"]["value"] == str(CLINIC)
    assert [each["code"] for each in found["purpose"]] == ["TREAT"]


def test_window_is_written_in_utc_when_it_was_given_elsewhere() -> None:
    there = timezone(timedelta(hours=5, minutes=30))
    assert permit(replace(STATED, valid_from=NOON.astimezone(there))) == permit(STATED)


def test_consent_is_intermediate_until_a_label_is_left_out() -> None:
    assert pcf.profile(resource(STATED)) == "consentIntermediate"
    assert pcf.profile(resource(with_terms(excluded_labels=("PSY",)))) == "consentAdvanced"


def test_consent_denies_each_label_left_out_with_what_says_more_of_the_same() -> None:
    consent = resource(with_terms(excluded_labels=("R", "HIV")))
    assert rules(consent, "deny") == [
        {"type": "deny", "securityLabel": [{"system": SENSITIVITY_SYSTEM, "code": "HIV"}]},
        {
            "type": "deny",
            "securityLabel": [
                {"system": CONFIDENTIALITY_SYSTEM, "code": "R"},
                {"system": CONFIDENTIALITY_SYSTEM, "code": "V"},
            ],
        },
    ]


def test_consent_permits_single_records_one_by_one() -> None:
    consent = resource(with_terms(records=("Observation/1", "Condition/2")))
    named = [each["data"] for each in rules(consent, "permit")]
    assert named == [
        [{"meaning": "instance", "reference": {"reference": "Condition/2"}}],
        [{"meaning": "instance", "reference": {"reference": "Observation/1"}}],
    ]


def test_scopes_stand_in_a_modifier_extension() -> None:
    scopes = (Scope.parse("patient/Observation.r"), Scope.parse("patient/Condition.s?code=1"))
    found = permit(with_terms(scopes=scopes, include_undated=True))
    assert found["modifierExtension"] == [
        {"url": SCOPE_EXTENSION, "valueString": "patient/Condition.s?code=1"},
        {"url": SCOPE_EXTENSION, "valueString": "patient/Observation.r"},
    ]


FROM_2020 = DatePeriod(start=date(2020, 1, 1))


@pytest.mark.parametrize(
    ("period", "include_undated", "told"),
    [(None, True, None), (None, False, False), (FROM_2020, False, None), (FROM_2020, True, True)],
)
def test_undated_records_are_told_where_a_plain_permit_says_otherwise(
    period: DatePeriod | None, include_undated: bool, told: bool | None
) -> None:
    everything = (Scope.parse("patient/*.rs"),)
    found = permit(with_terms(scopes=everything, period=period, include_undated=include_undated))
    extension = {"url": UNDATED_EXTENSION, "valueBoolean": told}
    assert found.get("modifierExtension") == (None if told is None else [extension])


@pytest.mark.parametrize(
    ("period", "told"),
    [
        (FROM_2020, {"start": "2020-01-01"}),
        (DatePeriod(end=date(2020, 1, 2)), {"end": "2020-01-02"}),
        (
            DatePeriod(start=date(2020, 1, 1), end=date(2020, 1, 2)),
            {"start": "2020-01-01", "end": "2020-01-02"},
        ),
    ],
)
def test_data_period_has_the_days_of_the_terms(period: DatePeriod, told: dict[str, str]) -> None:
    assert permit(with_terms(period=period))["dataPeriod"] == told


def test_consent_is_named_by_chain_contract_and_id_when_it_was_given() -> None:
    consent = resource(STATED)
    assert consent["id"] == CONSENT_ID.hex()
    assert consent["identifier"] == [
        {
            "system": "urn:ietf:rfc:3986",
            "value": f"eip155:1337:{CONTRACT.address}/consent/{hex_digest(CONSENT_ID)}",
        },
        {"system": CONSENT_SYSTEM, "value": hex_digest(CONSENT_ID)},
    ]


ASKED = replace(
    STATED, status=ConsentStatus.PROPOSED, contract=None, consent_id=None, request=REQUEST
)


def test_consent_is_named_by_the_request_when_it_was_not_given() -> None:
    consent = resource(ASKED)
    assert (consent["status"], consent["id"]) == ("proposed", REQUEST.hex())
    assert consent["identifier"] == [{"system": REQUEST_SYSTEM, "value": hex_digest(REQUEST)}]


def test_consent_has_no_name_when_nobody_gave_or_asked_for_it() -> None:
    assert resource(replace(ASKED, request=None)).keys() & {"id", "identifier"} == set()


def test_consent_names_the_commitment_to_its_terms_and_not_their_salt() -> None:
    consent = resource(STATED)
    named = consent["sourceReference"]["identifier"]["value"]
    assert named == hex_digest(STATED.terms.commitment)
    assert STATED.terms.salt.hex() not in str(consent)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"patient": account("99", chain_id=1)}, "on different chains"),
        ({"contract": account("c0", chain_id=1)}, "on different chains"),
        ({"valid_from": NOON.replace(tzinfo=None)}, "valid_from has no time zone"),
        ({"issued_at": NOON.replace(tzinfo=None)}, "issued_at has no time zone"),
        ({"valid_until": NOON + timedelta(days=1, microseconds=1)}, "a whole second"),
        ({"valid_from": NOON.replace(year=1969)}, "valid_from is not in 1970 to 9998"),
        ({"valid_until": NOON.replace(year=9999)}, "valid_until is not in 1970 to 9998"),
        ({"issued_at": NOON.replace(year=1969)}, "issued_at is not in 1970 to 9998"),
        ({"valid_until": NOON}, "ends at 2026-03-10 12:00:00"),
        ({"contract": None}, "by its id and the contract"),
        ({"consent_id": None}, "by its id and the contract"),
        ({"request": REQUEST}, "not by a request"),
    ],
)
def test_stated_consent_refuses_what_cannot_be_one_consent(
    changes: dict[str, Any], problem: str
) -> None:
    with pytest.raises(InvalidInput, match=problem):
        replace(STATED, **changes)


def test_stated_consent_refuses_an_id_when_it_has_not_32_bytes() -> None:
    with pytest.raises(InvalidIdentifier, match="not 32 bytes but 2"):
        replace(STATED, consent_id=b"\x01\x02")  # type: ignore[arg-type]  # what is refused


def test_patient_is_the_performer() -> None:
    (performer,) = resource(STATED)["performer"]
    assert performer["identifier"]["value"] == str(PATIENT)
