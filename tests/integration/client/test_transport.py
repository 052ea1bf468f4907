"""Whatever a gatekeeper answers, the client says what is wrong, and sends nothing elsewhere."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from medaccord.chain import Contracts
from medaccord.client import Patient, Provider
from medaccord.core.canonical import Number
from medaccord.core.errors import InvalidRequest, ProofMismatch, TransportError
from medaccord.demo.stage import Hospital, Stage
from medaccord.keys import LocalSigner
from tests.integration.client.conftest import Visit, World, read
from tests.integration.client.middle import Middle, at, edited, instead

SEARCH = "/fhir/Observation"
HTML = b"<!doctype html><title>Welcome to the guest network</title>"
NO_GATEKEEPER = "does not answer as a gatekeeper does"


def linked_to(url: str) -> Callable[[httpx.Response], httpx.Response]:
    """Puts a link to a next page into a page."""

    def link(page: dict[str, Any]) -> None:
        page["link"].append({"relation": "next", "url": url})

    return edited(link)


@pytest.mark.parametrize(
    "elsewhere",
    [
        "http://elsewhere.example/fhir/Observation",
        "https://{here}/fhir/Observation",
        "http://{here}.elsewhere.example/fhir/Observation",
        "http://{here}@elsewhere.example/fhir/Observation",
        "http://user@{here}/fhir/Observation",
        "ftp://{here}/fhir/Observation",
        "fhir/Observation",
        "",
    ],
)
def test_link_to_somewhere_else_is_not_followed(
    clinician: Provider, patient: Patient, hospital: Hospital, middle: Middle, elsewhere: str
) -> None:
    here = hospital.url.removeprefix("http://")
    middle.alter = at(SEARCH, linked_to(elsewhere.format(here=here)))
    with pytest.raises(TransportError, match="links elsewhere"):
        list(clinician.records.search("Observation", patient.account))
    middle.assert_nothing_left(hospital.url)
    assert middle.paths().count(SEARCH) == 1


def test_link_without_a_host_stays_at_the_gatekeeper(
    clinician: Provider, patient: Patient, hospital: Hospital, middle: Middle
) -> None:
    middle.alter = at(SEARCH, linked_to("//elsewhere.example/fhir/Observation"))
    with pytest.raises((TransportError, InvalidRequest)):
        list(clinician.records.search("Observation", patient.account))
    middle.assert_nothing_left(hospital.url)


def test_pages_in_a_circle_are_not_followed_for_ever(
    clinician: Provider, patient: Patient, middle: Middle
) -> None:
    first: list[str] = []

    def circle(request: httpx.Request, answer: httpx.Response) -> httpx.Response | None:
        if request.url.path != SEARCH:
            return None
        first.append(str(request.url))
        return linked_to(first[0])(answer)

    middle.alter = circle
    found = clinician.records.search("Observation", patient.account)
    with pytest.raises(TransportError, match="run in a circle"):
        list(found)
    assert len(first) == 2
    with pytest.raises(TransportError, match="run in a circle"):
        next(found)  # what came so far is not everything


def test_empty_pages_are_not_followed_for_ever(
    clinician: Provider, patient: Patient, hospital: Hospital, middle: Middle
) -> None:
    count = 0

    def endless(page: dict[str, Any]) -> None:
        nonlocal count
        count += 1
        page.pop("entry", None)
        named = f"eip155%3A1337%3A{patient.account}"
        url = f"{hospital.url}{SEARCH}?patient={named}&_count={count}"
        page["link"].append({"relation": "next", "url": url})

    middle.alter = at(SEARCH, edited(endless))
    with pytest.raises(TransportError, match="run in a circle"):
        clinician.records.search("Observation", patient.account)
    assert count == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirection_is_not_followed(
    clinician: Provider, patient: Patient, hospital: Hospital, middle: Middle, status: int
) -> None:
    headers = {"location": "http://elsewhere.example/fhir/Observation"}
    middle.alter = at(SEARCH, lambda answer: instead(answer, b"", status=status, headers=headers))
    with pytest.raises(TransportError, match=f"answered {status}, not as a gatekeeper does"):
        clinician.records.search("Observation", patient.account)
    middle.assert_nothing_left(hospital.url)


def test_redirection_is_not_followed_by_a_client_that_follows_them(
    world: World, contracts: Contracts, hospital: Hospital, middle: Middle
) -> None:
    headers = {"location": "http://elsewhere.example/health"}
    middle.alter = lambda request, answer: instead(answer, b"", status=307, headers=headers)
    with (
        httpx.Client(transport=middle, follow_redirects=True) as http,
        pytest.raises(TransportError, match="answered 307"),
    ):
        Provider(world.stage.b.signer, contracts, hospital.url, http=http)
    middle.assert_nothing_left(hospital.url)


BAD_ANSWERS = {
    "HTML": HTML,
    "nothing": b"",
    "a list": b"[]",
    "a Bundle of another type": b'{"resourceType": "Bundle", "type": "collection"}',
    "deep": b"[" * 100_000,
    "invalid UTF-8": b'{"resourceType": "\xff"}',
    "NaN": b'{"resourceType": "Bundle", "type": "searchset", "total": NaN}',
    "twice the same": b'{"resourceType": "Bundle", "resourceType": "Bundle"}',
}


@pytest.mark.parametrize("name", BAD_ANSWERS)
def test_search_says_so_when_the_answer_is_none(
    clinician: Provider, patient: Patient, middle: Middle, name: str
) -> None:
    middle.alter = at(SEARCH, lambda answer: instead(answer, BAD_ANSWERS[name]))
    with pytest.raises(TransportError, match=NO_GATEKEEPER):
        clinician.records.search("Observation", patient.account)


@pytest.mark.parametrize("name", ["HTML", "nothing", "a list", "deep", "invalid UTF-8"])
@pytest.mark.parametrize("path", ["/health", "/audit", "/requests", "/sign-in", "/relay"])
def test_call_says_so_when_the_answer_is_no_object(
    world: World, visit: Visit, middle: Middle, path: str, name: str
) -> None:
    calls: dict[str, Callable[[Patient], object]] = {
        "/health": lambda patient: patient.steward,
        "/audit": lambda patient: patient.audit.verify(),
        "/requests": lambda patient: patient.inbox.list(),
        "/sign-in": lambda patient: patient.inbox.list(),
        "/relay": lambda patient: patient.consents.revoke(world.consent),
    }
    middle.alter = at(path, lambda answer: instead(answer, BAD_ANSWERS[name]))
    with pytest.raises(TransportError, match=NO_GATEKEEPER):
        calls[path](visit(Patient, world.patient))


def test_enrolment_says_so_when_the_answer_is_none(
    hospital: Hospital, visit: Visit, stranger: LocalSigner, middle: Middle
) -> None:
    code = hospital.gatekeeper.enrolment.issue_code("somebody")
    middle.alter = at("/enrolments", edited(lambda answer: answer.update({"round": Number("0")})))
    with pytest.raises(TransportError, match=NO_GATEKEEPER):
        visit(Patient, stranger).relationships.enrol(code)


def test_health_of_a_gatekeeper_of_no_steward_is_refused(
    stage: Stage, visit: Visit, middle: Middle
) -> None:
    named = stage.c.account  # an organisation, but one that keeps no records
    middle.alter = at("/health", edited(lambda answer: answer.update({"steward": named})))
    with pytest.raises(InvalidRequest, match=f"says it is {named}, which keeps no records"):
        visit(Provider, stage.b.signer)


def test_records_are_refused_when_the_gatekeeper_says_it_is_another_steward(
    patient: Patient, stage: Stage, visit: Visit, middle: Middle
) -> None:
    middle.alter = at("/health", edited(lambda answer: answer.update({"steward": stage.b.account})))
    clinician = visit(Provider, stage.b.signer)
    with pytest.raises(Exception, match=f"no key of {stage.b.account}"):
        clinician.records.search("Observation", patient.account)


@pytest.mark.parametrize("body", [HTML, b"", b'{"detail": "Internal Server Error"}'])
@pytest.mark.parametrize("status", [404, 500, 502])
def test_failure_that_is_no_outcome_is_told_by_its_status(
    clinician: Provider, patient: Patient, middle: Middle, status: int, body: bytes
) -> None:
    middle.alter = at(SEARCH, lambda answer: instead(answer, body, status=status))
    with pytest.raises(TransportError, match=f"answered {status}, not as a gatekeeper does"):
        clinician.records.search("Observation", patient.account)


def test_failure_inside_a_gatekeeper_is_told_in_its_words(
    clinician: Provider, patient: Patient, middle: Middle
) -> None:
    outcome = (
        b'{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"exception",'
        b'"details":{"coding":[{"code":"InternalError"}]},"diagnostics":"Something failed."}]}'
    )
    middle.alter = at(SEARCH, lambda answer: instead(answer, outcome, status=500))
    with pytest.raises(TransportError, match=r"Something failed\.$"):
        clinician.records.search("Observation", patient.account)


def test_nobody_listening_is_told(world: World, contracts: Contracts) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound, and never listening
        url = f"http://127.0.0.1:{held.getsockname()[1]}"
        with pytest.raises(TransportError, match=f"no gatekeeper answers at {url}: "):
            Provider(world.stage.b.signer, contracts, url)


def test_question_a_gatekeeper_does_not_know_is_refused_in_its_words(
    clinician: Provider, patient: Patient
) -> None:
    with pytest.raises(InvalidRequest, match="colour"):
        clinician.records.search("Observation", patient.account, colour="red")


def test_proof_of_a_record_that_is_none_is_refused(
    clinician: Provider, patient: Patient, laboratory: list[str], middle: Middle
) -> None:
    name = laboratory[0]
    middle.alter = at(f"/fhir/{name}", lambda answer: instead(answer, b'{"id": "1"}'))
    with pytest.raises(ProofMismatch, match="it was changed"):
        read(clinician, name, patient)


def test_client_of_ones_own_stays_open_and_another_is_closed(
    world: World, contracts: Contracts, hospital: Hospital
) -> None:
    with httpx.Client() as own:
        with Patient(world.patient, contracts, hospital.url, http=own) as patient:
            assert patient.steward == world.stage.a.account
        assert not own.is_closed
    with Patient(world.patient, contracts, hospital.url) as patient:
        assert patient.steward == world.stage.a.account
    with pytest.raises(RuntimeError, match="closed"):
        patient.inbox.list()
