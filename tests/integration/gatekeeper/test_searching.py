"""Searches over HTTP: in every form that FHIR has, and none shows more than the consent covers."""

from __future__ import annotations

from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest

from medaccord.core.identifiers import hex_digest
from medaccord.core.purposes import Purpose
from medaccord.core.refusals import Refusal
from medaccord.fhir import parse_searchset, read_bundle
from medaccord.keys import LocalSigner
from tests.integration.gatekeeper.conftest import BUNDLE, PATIENT_ID
from tests.integration.gatekeeper.desk import Desk, assert_refused, ids_of

LABORATORY = "patient/Observation.rs?category=laboratory"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def post(desk: Desk, headers: dict[str, str], **parameters: str) -> httpx.Response:
    return desk.http.post(
        "/fhir/Observation/_search", headers=headers | FORM, content=urlencode(parameters)
    )


def test_log_names_the_consent_that_covers_what_was_released_when_there_are_several(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner
) -> None:
    categories = ("laboratory", "vital-signs")
    consents = [
        desk.grant(patient, clinician, f"patient/Observation.rs?category={each}")
        for each in categories
    ]
    headers = desk.sign_in(clinician)
    for category in categories:
        assert ids_of(desk.get("Observation", headers, patient, category=category))
    told = [each["consent"] for each in desk.audit(patient)["entries"][-2:]]
    assert told == [hex_digest(each) for each in consents]


# --- By POST ---


def test_search_by_post_finds_what_the_same_by_get_finds(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner, laboratory: list[str]
) -> None:
    desk.grant(patient, clinician, LABORATORY)
    headers = desk.sign_in(clinician)
    answer = post(desk, headers, patient=desk.account(patient), _count="4")
    found = parse_searchset(answer.content)
    assert (ids_of(answer), found.total) == (laboratory[:4], len(laboratory))
    assert found.next_url is not None
    assert ids_of(desk.http.get(found.next_url, headers=headers)) == laboratory[4:]


@pytest.mark.parametrize("media", ["application/json", "text/plain", "multipart/form-data"])
def test_search_by_post_is_refused_when_the_body_is_no_form(
    desk: Desk, patient: LocalSigner, media: str
) -> None:
    headers = desk.sign_in(patient) | {"Content-Type": media}
    answer = desk.http.post("/fhir/Observation/_search", headers=headers, content=b"{}")
    assert_refused(answer, 415, "WrongMediaType")


@pytest.mark.parametrize(
    "body", [b"patient", b"patient=%ff%fe", b"=&=", "patient=ä".encode("latin-1")]
)
def test_search_by_post_is_refused_when_the_form_is_malformed(
    desk: Desk, patient: LocalSigner, body: bytes
) -> None:
    headers = desk.sign_in(patient) | FORM
    answer = desk.http.post("/fhir/Observation/_search", headers=headers, content=body)
    assert_refused(answer, 400, "InvalidRequest")


# --- The patient ---


def test_patient_is_found_by_account_when_covered(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner
) -> None:
    desk.grant(patient, clinician, "patient/Patient.rs")
    answer = desk.http.get(
        "/fhir/Patient",
        headers=desk.sign_in(clinician),
        params={"identifier": desk.account(patient)},
    )
    assert ids_of(answer) == [PATIENT_ID]


# --- What is told ---


@pytest.mark.parametrize(
    "parameters",
    [
        {"_summary": "count"},
        {"_count": "0"},
        {"_sort": "-date", "_count": "2"},
        {"_sort": "date", "_count": "1"},
        {"category:not": "laboratory"},
        {"_lastUpdated": "ge2000"},
        {"_id": "{uncovered}"},
    ],
)
def test_counts_orders_and_pages_tell_nothing_beyond_the_consent(
    desk: Desk,
    patient: LocalSigner,
    clinician: LocalSigner,
    laboratory: list[str],
    parameters: dict[str, str],
) -> None:
    """Whatever is asked: the totals and pages are those of the laboratory results alone."""
    uncovered = next(
        each.id
        for each in read_bundle(BUNDLE).resources
        if each.type == "Observation" and b"vital-signs" in each.canonical()
    )
    asked = {name: value.format(uncovered=uncovered) for name, value in parameters.items()}
    hidden = "category:not" in asked or "_id" in asked
    desk.grant(patient, clinician, LABORATORY)
    headers = desk.sign_in(clinician)
    answer = desk.get("Observation", headers, patient, None, **asked)
    seen: list[str] = []
    while True:
        assert answer.status_code == 200, answer.text
        page = parse_searchset(answer.content)
        assert page.total == (0 if hidden else len(laboratory))
        seen += ids_of(answer)
        if page.next_url is None:
            break
        answer = desk.http.get(page.next_url, headers=headers)
    empty = hidden or "_summary" in asked or asked.get("_count") == "0"
    assert sorted(seen) == ([] if empty else laboratory)
    assert uncovered.encode() not in answer.content.replace(f"_id={uncovered}".encode(), b"")


def test_pages_keep_the_order_asked_for_when_they_are_followed(
    desk: Desk, patient: LocalSigner
) -> None:
    headers = desk.sign_in(patient)
    answer = desk.get("Observation", headers, patient, _sort="-date", _count="2")
    dates: list[str] = []
    while True:
        page = parse_searchset(answer.content)
        dates += [str(each.resource["effectiveDateTime"]) for each in page.entries]
        if page.next_url is None:
            break
        answer = desk.http.get(page.next_url, headers=headers)
    assert dates == sorted(dates, reverse=True)


# --- Preferences and forms ---


def test_unknown_parameter_is_passed_over_and_shown_so_when_leniency_is_preferred(
    desk: Desk, patient: LocalSigner
) -> None:
    headers = desk.sign_in(patient)
    assert_refused(
        desk.get("Observation", headers, patient, favourite="yes"), 400, "InvalidRequest"
    )
    lenient = headers | {"Prefer": "return=minimal, handling=lenient"}
    page = parse_searchset(desk.get("Observation", lenient, patient, favourite="yes").content)
    assert page.total == 9
    assert "favourite" not in parse_qs(urlsplit(page.self_url).query)


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("application/fhir+json", "application/fhir+json"),
        ("application/json", "application/json"),
        ("*/*", "application/fhir+json"),
        ("text/html, application/*;q=0.1", "application/fhir+json"),
        ("application/fhir+xml, application/json;q=0.5", "application/json"),
        ("application/json;q=0.5, application/fhir+json", "application/fhir+json"),
    ],
)
def test_answer_is_of_the_type_that_is_accepted(
    desk: Desk, patient: LocalSigner, accept: str, media: str
) -> None:
    headers = desk.sign_in(patient) | {"Accept": accept}
    answer = desk.get("Observation", headers, patient)
    assert (answer.status_code, answer.headers["content-type"]) == (200, media)


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("application/fhir+xml", None),
        ("text/html", None),
        ("application/json;q=0", None),
        ("application/json", "xml"),
        ("application/json", "application/fhir+xml"),
    ],
)
def test_answer_is_refused_when_no_type_asked_for_is_to_be_had(
    desk: Desk, patient: LocalSigner, accept: str, form: str | None
) -> None:
    headers = desk.sign_in(patient) | {"Accept": accept}
    parameters = {} if form is None else {"_format": form}
    answer = desk.get("Observation", headers, patient, None, **parameters)
    assert_refused(answer, 406, "NotAcceptable")


# --- The purpose ---


def test_purpose_named_is_refused_when_the_token_is_for_another(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner
) -> None:
    desk.grant(patient, clinician, LABORATORY)
    headers = desk.sign_in(clinician)
    answer = desk.get("Observation", headers, patient, Purpose.HRESCH)
    assert_refused(answer, 400, "InvalidRequest")
    assert "sign in for HRESCH" in answer.text


def test_purpose_counts_as_the_token_has_it_when_none_is_named(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner
) -> None:
    desk.grant(patient, clinician, LABORATORY)
    headers = desk.sign_in(clinician, purpose=Purpose.HRESCH)
    answer = desk.get("Observation", headers, patient)
    assert_refused(answer, 403, Refusal.PURPOSE_NOT_COVERED)
