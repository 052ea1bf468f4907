"""Matching: an emergency department finds an account by what it knows of somebody, no more."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, func, select

from medaccord.chain import Contracts, actions
from medaccord.chain.embedded import EmbeddedChain
from medaccord.core.identifiers import hex_digest
from medaccord.core.purposes import Purpose
from medaccord.core.receipts import SignedReceipt
from medaccord.core.refusals import Refusal
from medaccord.fhir import parse_searchset
from medaccord.gatekeeper import Gatekeeper
from medaccord.gatekeeper.log_pages import LogPages
from medaccord.gatekeeper.matching import MAX_ATTEMPTS, MAX_TERMS
from medaccord.keys import LocalSigner
from medaccord.store import reading
from medaccord.store.tables import match_term
from tests.integration.gatekeeper.conftest import BUNDLE, PATIENT_ID
from tests.integration.gatekeeper.desk import Desk, assert_refused

IDENTIFIER = {"system": "https://hospital-a.example/patients", "value": "A-100417"}
NAME = {"family": "Brandvold", "given": ["Ingrid"]}
OTHERS_NAME = {"family": "Okafor", "given": ["Ada"]}
BORN = "1968-04-17"


@pytest.fixture
def gatekeeper(gatekeeper: Gatekeeper) -> Gatekeeper:
    """Has told what its patients are found by, as it does in the background."""
    assert gatekeeper.matching.bring_up() == 1
    return gatekeeper


def ask(
    desk: Desk, headers: dict[str, str], *, also: list[dict[str, Any]] | None = None, **patient: Any
) -> httpx.Response:
    resource = {"resourceType": "Patient", **patient}
    body = {
        "resourceType": "Parameters",
        "parameter": [{"name": "resource", "resource": resource}, *(also or [])],
    }
    return desk.http.post(
        "/fhir/Patient/$match",
        headers=headers | {"Content-Type": "application/fhir+json"},
        content=json.dumps(body),
    )


def found_in(answer: httpx.Response) -> list[tuple[str, str | None, str | None]]:
    """What was found: account, grade and score; and of each resource nothing but the account."""
    assert answer.status_code == 200, answer.text
    found = []
    for each in parse_searchset(answer.content).entries:
        resource: Any = each.resource
        assert set(resource) == {"resourceType", "identifier"}
        (identifier,) = resource["identifier"]
        assert identifier["system"] == "https://chainagnostic.org/CAIPs/caip-10"
        found.append((identifier["value"], each.grade, each.score))
    return found


@pytest.fixture
def neighbour(desk: Desk, gatekeeper: Gatekeeper, stranger: LocalSigner) -> LocalSigner:
    """Another patient of the hospital's, born on the same day."""
    code = gatekeeper.enrolment.issue_code("neighbour-1")
    assert desk.enrol(stranger, code).status_code == 201
    assert desk.accept(stranger).status_code == 200
    resource = {
        "resourceType": "Patient",
        "id": "neighbour-1",
        "name": [OTHERS_NAME],
        "birthDate": BORN,
    }
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": resource}]}
    gatekeeper.import_bundle(json.dumps(bundle).encode(), stranger.address)
    assert gatekeeper.matching.bring_up() == 1
    return stranger


@pytest.fixture
def emergency(desk: Desk, clinician: LocalSigner) -> dict[str, str]:
    """Headers of the clinician's, signed in for an emergency."""
    return desk.sign_in(clinician, purpose=Purpose.ETREAT)


# --- Who is found ---


def test_match_is_certain_when_an_identifier_fits(
    desk: Desk, patient: LocalSigner, emergency: dict[str, str]
) -> None:
    answer = ask(desk, emergency, identifier=[IDENTIFIER])
    assert found_in(answer) == [(desk.account(patient), "certain", "1")]


@pytest.mark.parametrize("family", ["Brandvold", "BRANDVOLD", " brand-vold "])
def test_match_is_probable_when_name_and_day_of_birth_fit(
    desk: Desk, patient: LocalSigner, emergency: dict[str, str], family: str
) -> None:
    name = {"family": family, "given": ["Ingrid"]}
    answer = ask(desk, emergency, name=[name], birthDate=BORN)
    assert found_in(answer) == [(desk.account(patient), "probable", "0.8")]


@pytest.mark.parametrize(
    "patient_resource",
    [
        {"identifier": [IDENTIFIER | {"value": "A-100418"}]},
        {"identifier": [IDENTIFIER | {"system": "https://hospital-b.example/patients"}]},
        {"name": [NAME], "birthDate": "1968-04-18"},
        {"name": [{"family": "Brandvold", "given": ["Inga"]}], "birthDate": BORN},
    ],
)
def test_match_finds_nobody_when_it_does_not_fit(
    desk: Desk, emergency: dict[str, str], patient_resource: dict[str, Any]
) -> None:
    assert found_in(ask(desk, emergency, **patient_resource)) == []


def test_match_finds_nobody_by_name_when_only_certain_ones_are_wanted(
    desk: Desk, emergency: dict[str, str]
) -> None:
    only = [{"name": "onlyCertainMatches", "valueBoolean": True}]
    assert found_in(ask(desk, emergency, also=only, name=[NAME], birthDate=BORN)) == []


def test_match_finds_nobody_when_emergency_access_is_forbidden(
    desk: Desk, contracts: Contracts, patient: LocalSigner, emergency: dict[str, str]
) -> None:
    ban = actions.forbid_emergency(contracts, patient=patient.address)
    assert desk.relay(ban, patient).status_code == 200
    assert found_in(ask(desk, emergency, identifier=[IDENTIFIER])) == []


def test_match_finds_nobody_when_the_relationship_ended(
    desk: Desk, contracts: Contracts, patient: LocalSigner, emergency: dict[str, str]
) -> None:
    ending = actions.end(
        contracts, patient=patient.address, steward=desk.steward, account=patient.address
    )
    assert desk.relay(ending, patient).status_code == 200
    assert found_in(ask(desk, emergency, identifier=[IDENTIFIER])) == []


def test_match_finds_nobody_when_a_ban_was_handed_in_and_is_not_mined(
    desk: Desk,
    chain: EmbeddedChain,
    contracts: Contracts,
    patient: LocalSigner,
    emergency: dict[str, str],
) -> None:
    ban = actions.forbid_emergency(contracts, patient=patient.address)
    with chain.mining_paused():
        assert desk.relay(ban, patient, wait=False).status_code == 202
        assert found_in(ask(desk, emergency, identifier=[IDENTIFIER])) == []


def test_match_finds_nobody_when_a_closure_was_handed_in_and_is_not_mined(
    desk: Desk,
    chain: EmbeddedChain,
    contracts: Contracts,
    patient: LocalSigner,
    clinician: LocalSigner,
    emergency: dict[str, str],
) -> None:
    closure = actions.close_emergency(contracts, patient=patient.address, grantee=clinician.address)
    with chain.mining_paused():
        assert desk.relay(closure, patient, wait=False).status_code == 202
        assert found_in(ask(desk, emergency, identifier=[IDENTIFIER])) == []


@pytest.mark.parametrize(
    "described",
    [
        {"identifier": [IDENTIFIER], "name": [OTHERS_NAME]},
        {"name": [NAME, OTHERS_NAME]},
    ],
)
def test_match_says_nothing_of_a_patient_who_forbade_it_when_another_is_found(
    desk: Desk,
    contracts: Contracts,
    patient: LocalSigner,
    neighbour: LocalSigner,
    emergency: dict[str, str],
    described: dict[str, Any],
) -> None:
    ban = actions.forbid_emergency(contracts, patient=patient.address)
    assert desk.relay(ban, patient).status_code == 200
    answer = ask(desk, emergency, birthDate=BORN, **described)
    assert found_in(answer) == [(desk.account(neighbour), "probable", "0.8")]


def test_match_goes_by_the_newest_record_when_it_changed(
    desk: Desk, gatekeeper: Gatekeeper, patient: LocalSigner, emergency: dict[str, str]
) -> None:
    gatekeeper.import_bundle(BUNDLE.replace(b"A-100417", b"A-900001"), patient.address)
    assert gatekeeper.matching.bring_up() == 1
    assert found_in(ask(desk, emergency, identifier=[IDENTIFIER])) == []
    changed = IDENTIFIER | {"value": "A-900001"}
    assert len(found_in(ask(desk, emergency, identifier=[changed]))) == 1


def test_nothing_is_told_again_when_nothing_changed(desk: Desk, gatekeeper: Gatekeeper) -> None:
    assert gatekeeper.matching.bring_up() == 0


def test_match_finds_nobody_and_keeps_nothing_when_the_patient_was_erased(
    desk: Desk, gatekeeper: Gatekeeper, database: Engine, emergency: dict[str, str]
) -> None:
    gatekeeper.erasing.erase_patient(gatekeeper.erasing.patient(PATIENT_ID))
    gatekeeper.matching.bring_up()
    assert found_in(ask(desk, emergency, identifier=[IDENTIFIER])) == []
    with reading(database) as connection:
        assert connection.scalar(select(func.count()).select_from(match_term)) == 0


# --- Who may ask, and what is written down ---


def test_match_is_in_both_logs_with_a_receipt_when_somebody_was_found(
    desk: Desk, gatekeeper: Gatekeeper, patient: LocalSigner, emergency: dict[str, str]
) -> None:
    answer = ask(desk, emergency, identifier=[IDENTIFIER])
    (entry,) = parse_searchset(answer.content).entries
    line = desk.audit(patient)["entries"][-1]
    assert (line["action"], line["outcome"], line["reason"]) == ("match", "released", "ETREAT")
    assert "A-100417" not in line["query"]
    assert entry.receipt is not None
    receipt = SignedReceipt.parse(entry.receipt).receipt
    assert (receipt.number, hex_digest(receipt.relationship)) == (
        line["number"],
        line["relationship"],
    )
    assert lines_of(gatekeeper)[-1] == ("match", "released", "ETREAT")


def test_match_is_in_the_stewards_log_when_nobody_was_found(
    desk: Desk, gatekeeper: Gatekeeper, emergency: dict[str, str]
) -> None:
    ask(desk, emergency, identifier=[IDENTIFIER | {"value": "?"}])
    assert lines_of(gatekeeper) == [("match", "released", "ETREAT")]


def lines_of(gatekeeper: Gatekeeper) -> list[tuple[str, str, str]]:
    base = gatekeeper._base
    pages = LogPages(base.engine, base.sealer).all(base.log.own())
    return [(each.action, each.outcome, each.reason) for page in pages for each in page.entries]


def test_match_is_refused_and_logged_when_the_purpose_is_no_emergencys(
    desk: Desk, gatekeeper: Gatekeeper, clinician: LocalSigner
) -> None:
    answer = ask(desk, desk.sign_in(clinician), identifier=[IDENTIFIER])
    assert_refused(answer, 403, Refusal.PURPOSE_NOT_COVERED)
    assert lines_of(gatekeeper) == [("match", "refused", "purpose-not-covered")]


def test_match_is_refused_when_the_organisation_has_no_emergency_role(
    desk: Desk, gatekeeper: Gatekeeper, hospital: LocalSigner
) -> None:
    headers = desk.sign_in(hospital, purpose=Purpose.ETREAT)
    answer = ask(desk, headers, identifier=[IDENTIFIER])
    assert_refused(answer, 403, Refusal.MAY_NOT_ASK)


@pytest.mark.parametrize("who", ["patient", "stranger"])
def test_match_is_refused_when_no_organisation_asks(
    desk: Desk, gatekeeper: Gatekeeper, request: pytest.FixtureRequest, who: str
) -> None:
    signer: LocalSigner = request.getfixturevalue(who)
    headers = desk.sign_in(signer, purpose=Purpose.ETREAT)
    assert_refused(ask(desk, headers, identifier=[IDENTIFIER]), 403, Refusal.NOT_AN_ORGANISATION)


def test_match_is_refused_when_too_many_were_tried(
    desk: Desk, gatekeeper: Gatekeeper, emergency: dict[str, str]
) -> None:
    for _ in range(MAX_ATTEMPTS):
        assert ask(desk, emergency, identifier=[IDENTIFIER | {"value": "?"}]).status_code == 200
    answer = ask(desk, emergency, identifier=[IDENTIFIER])
    assert_refused(answer, 429, "TooManyRequests")
    assert 1 <= int(answer.headers["retry-after"]) <= 600
    assert lines_of(gatekeeper)[-1] == ("match", "refused", "TooManyRequests")


@pytest.mark.parametrize(
    "patient_resource",
    [{}, {"name": [NAME]}, {"name": [NAME], "birthDate": "1968"}, {"birthDate": BORN}],
)
def test_match_is_refused_when_it_names_too_little(
    desk: Desk, gatekeeper: Gatekeeper, emergency: dict[str, str], patient_resource: dict[str, Any]
) -> None:
    assert_refused(ask(desk, emergency, **patient_resource), 400, "InvalidRequest")


def test_match_is_refused_when_it_tries_many_at_once(
    desk: Desk, gatekeeper: Gatekeeper, emergency: dict[str, str]
) -> None:
    tried = [IDENTIFIER | {"value": f"A-{number}"} for number in range(MAX_TERMS)]
    assert found_in(ask(desk, emergency, identifier=tried)) == []
    answer = ask(desk, emergency, identifier=[*tried, IDENTIFIER])
    assert_refused(answer, 400, "InvalidRequest")
