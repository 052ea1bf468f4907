"""Searches by R4's parameters, asked over HTTP: what is found stays within the consent."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from medaccord.fhir import parse_searchset
from medaccord.keys import LocalSigner
from tests.integration.gatekeeper.desk import Desk, assert_refused, ids_of

LABORATORY = "patient/Observation.rs?category=laboratory"


def links(answer: httpx.Response) -> dict[str, str]:
    return {each["relation"]: each["url"] for each in answer.json()["link"]}


def test_pages_go_on_in_the_order_asked_for(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner, laboratory: list[str]
) -> None:
    desk.grant(patient, clinician, LABORATORY)
    headers = desk.sign_in(clinician)
    answer = desk.get("Observation", headers, patient, _sort="-code,date", _count="2")
    seen: list[str] = []
    codes: list[str] = []
    while True:
        seen += ids_of(answer)
        entries = parse_searchset(answer.content).entries
        concepts: list[Any] = [each.resource["code"] for each in entries]
        codes += [concept["coding"][0]["code"] for concept in concepts]
        if "next" not in links(answer):
            break
        answer = desk.http.get(links(answer)["next"], headers=headers)
    assert sorted(seen) == laboratory
    assert codes == sorted(codes, reverse=True)
    assert len(set(codes)) > 1


@pytest.mark.parametrize("alone", [{"_summary": "count"}, {"_count": "0"}])
def test_count_is_of_what_the_consent_covers(
    desk: Desk,
    patient: LocalSigner,
    clinician: LocalSigner,
    laboratory: list[str],
    alone: dict[str, str],
) -> None:
    desk.grant(patient, clinician, LABORATORY)
    answer = desk.get("Observation", desk.sign_in(clinician), patient, **alone)
    assert (answer.json()["total"], "entry" in answer.json()) == (len(laboratory), False)
    asked = {"category": "vital-signs"} | alone
    beyond = desk.get("Observation", desk.sign_in(clinician), patient, **asked)
    assert beyond.json()["total"] == 0


def test_unknown_parameter_is_left_out_of_self_when_the_client_is_lenient(
    desk: Desk, patient: LocalSigner
) -> None:
    headers = desk.sign_in(patient)
    answer = desk.get("Observation", headers, patient, status="final", colour="red")
    assert_refused(answer, 400, "InvalidRequest")
    lenient = headers | {"Prefer": "handling=lenient"}
    answer = desk.get("Observation", lenient, patient, status="final", colour="red")
    assert ids_of(answer)
    assert "status=final" in links(answer)["self"]
    assert "colour" not in links(answer)["self"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("_elements", "code"),
        ("_include", "Observation:subject"),
        ("code:text", "sugar"),
        ("date", "' OR 1=1 --"),
        ("date", "soon"),
        ("code", "a\x00b"),
        ("code", "a\r\nSet-Cookie: x=y"),
        ("code", "," * 10_000),
        ("_id", "../../etc/passwd"),
        ("_id", "1'; DROP TABLE record_index; --"),
        ("_count", "-1"),
        ("_sort", "value-quantity"),
        ("_cursor", "%00"),
        ("_summary", "data"),
        ("status", "x" * 20_000),
    ],
)
def test_search_is_refused_with_one_clear_error_when_a_value_is_hostile(
    desk: Desk, patient: LocalSigner, name: str, value: str
) -> None:
    lenient = desk.sign_in(patient) | {"Prefer": "handling=lenient"}
    form = {"patient": desk.account(patient), name: value}
    answer = desk.http.post("/fhir/Observation/_search", data=form, headers=lenient)
    assert_refused(answer, 400, "InvalidRequest")
    (issue,) = answer.json()["issue"]
    assert issue["diagnostics"].isprintable()
    assert len(issue["diagnostics"]) < 500
