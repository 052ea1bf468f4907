"""Pages: each decided anew, counted after filtering, and begun where its own cursor says."""

from __future__ import annotations

import base64
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from medaccord.chain import actions
from medaccord.core.refusals import Refusal
from medaccord.fhir import parse_searchset
from medaccord.keys import LocalSigner
from tests.integration.gatekeeper.desk import Desk, assert_refused, ids_of

LABORATORY = "patient/Observation.rs?category=laboratory"


def test_pages_hold_everything_covered_once_when_followed(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner, laboratory: list[str]
) -> None:
    desk.grant(patient, clinician, LABORATORY)
    headers = desk.sign_in(clinician)
    answer = desk.get("Observation", headers, patient, _count="4")
    seen, totals = ids_of(answer), [parse_searchset(answer.content).total]
    while (url := parse_searchset(answer.content).next_url) is not None:
        answer = desk.http.get(url, headers=headers)
        seen += ids_of(answer)
        totals.append(parse_searchset(answer.content).total)
    assert seen == laboratory
    assert totals == [len(laboratory)] * 2


def test_page_is_refused_when_the_consent_was_revoked_meanwhile(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner
) -> None:
    consent = desk.grant(patient, clinician, LABORATORY)
    headers = desk.sign_in(clinician)
    answer = desk.get("Observation", headers, patient, _count="4")
    url = parse_searchset(answer.content).next_url
    assert url is not None
    action = actions.revoke(desk.contracts, patient=patient.address, consent_id=consent)
    assert desk.relay(action, patient).status_code == 200
    assert_refused(desk.http.get(url, headers=headers), 403, Refusal.CONSENT_REVOKED)


def _cursor(desk: Desk, answer: httpx.Response) -> str:
    url = parse_searchset(answer.content).next_url
    assert url is not None
    return parse_qs(urlsplit(url).query)["_cursor"][0]


@pytest.mark.parametrize("place", [0, 20, 45, -1])
def test_cursor_is_refused_when_tampered_with(desk: Desk, patient: LocalSigner, place: int) -> None:
    headers = desk.sign_in(patient)
    cursor = _cursor(desk, desk.get("Observation", headers, patient, _count="4"))
    raw = bytearray(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    raw[place] ^= 1
    altered = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    answer = desk.get("Observation", headers, patient, _count="4", _cursor=altered)
    assert_refused(answer, 400, "InvalidRequest")


def test_cursor_is_refused_when_used_by_somebody_else(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner
) -> None:
    desk.grant(patient, clinician, LABORATORY)
    own = desk.get("Observation", desk.sign_in(patient), patient, _count="4")
    stolen = _cursor(desk, own)
    answer = desk.get("Observation", desk.sign_in(clinician), patient, _count="4", _cursor=stolen)
    assert_refused(answer, 400, "InvalidRequest")


def test_cursor_is_refused_when_used_for_another_search(desk: Desk, patient: LocalSigner) -> None:
    headers = desk.sign_in(patient)
    cursor = _cursor(desk, desk.get("Observation", headers, patient, _count="4"))
    answer = desk.get(
        "Observation", headers, patient, _count="4", category="laboratory", _cursor=cursor
    )
    assert_refused(answer, 400, "InvalidRequest")


@pytest.mark.parametrize("cursor", ["", "no", "!!!!", "A" * 60])
def test_cursor_is_refused_when_made_up(desk: Desk, patient: LocalSigner, cursor: str) -> None:
    answer = desk.get("Observation", desk.sign_in(patient), patient, _cursor=cursor)
    assert_refused(answer, 400, "InvalidRequest")
