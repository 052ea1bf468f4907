"""Reading records: only what the consent covers, whole, and provable."""

from __future__ import annotations

from datetime import timedelta

import pytest

from medaccord.chain.embedded import EmbeddedChain
from medaccord.core.canonical import record_hash
from medaccord.core.proofs import RecordProof, verify_record
from medaccord.core.purposes import Purpose
from medaccord.core.refusals import Refusal
from medaccord.fhir import parse_searchset, read_bundle
from medaccord.gatekeeper import Gatekeeper
from medaccord.keys import LocalSigner
from tests.integration.gatekeeper.conftest import BUNDLE, PATIENT_ID, World
from tests.integration.gatekeeper.desk import Desk, assert_refused, ids_of
from tests.integration.gatekeeper.organisations import reinstate, suspend

LABORATORY = "patient/Observation.rs?category=laboratory"
OBSERVATIONS = 9
"""In the Bundle: six laboratory Observations and three vital signs."""


# --- What is released ---


def test_search_is_refused_when_the_patient_consented_to_nothing(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner
) -> None:
    answer = desk.get("Observation", desk.sign_in(clinician), patient)
    assert_refused(answer, 403, Refusal.NO_CONSENT)


def test_search_releases_exactly_what_is_covered_when_consented(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner, laboratory: list[str]
) -> None:
    desk.grant(patient, clinician, LABORATORY)
    answer = desk.get("Observation", desk.sign_in(clinician), patient)
    assert ids_of(answer) == laboratory
    found = parse_searchset(answer.content)
    assert (found.total, found.next_url) == (len(laboratory), None)


def test_search_gives_records_as_they_were_imported_and_provable_when_released(
    desk: Desk, gatekeeper: Gatekeeper, patient: LocalSigner, clinician: LocalSigner
) -> None:
    desk.grant(patient, clinician, LABORATORY)
    answer = desk.get("Observation", desk.sign_in(clinician), patient)
    imported = {each.id: record_hash(each.value) for each in read_bundle(BUNDLE).resources}
    for entry in parse_searchset(answer.content).entries:
        assert record_hash(entry.resource) == imported[str(entry.resource["id"])]
        assert entry.record in answer.content
        assert entry.proof is not None
        proof = RecordProof.parse(entry.proof)
        anchors = gatekeeper.ledger.anchors(desk.steward, proof.pointer.topic)
        verify_record(entry.record, proof, anchors.__contains__)


def test_search_is_refused_when_the_type_is_not_covered(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner
) -> None:
    desk.grant(patient, clinician, LABORATORY)
    answer = desk.get("MedicationRequest", desk.sign_in(clinician), patient)
    assert_refused(answer, 403, Refusal.SCOPE_NOT_COVERED)


def test_search_finds_nothing_when_it_asks_for_what_is_not_covered(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner
) -> None:
    desk.grant(patient, clinician, LABORATORY)
    answer = desk.get("Observation", desk.sign_in(clinician), patient, category="vital-signs")
    found = parse_searchset(answer.content)
    assert (found.entries, found.total, found.next_url) == ((), 0, None)


def test_search_is_refused_when_the_purpose_is_not_covered(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner
) -> None:
    desk.grant(patient, clinician, LABORATORY)
    answer = desk.get("Observation", desk.sign_in(clinician, purpose=Purpose.HRESCH), patient)
    assert_refused(answer, 403, Refusal.PURPOSE_NOT_COVERED)


def test_search_gives_a_patient_everything_when_it_asks_for_itself(
    desk: Desk, patient: LocalSigner
) -> None:
    answer = desk.get("Observation", desk.sign_in(patient), patient)
    assert len(ids_of(answer)) == OBSERVATIONS
    assert desk.audit(patient)["entries"][-1]["reason"] == "PATRQT"


def test_search_is_refused_when_a_stranger_asks(
    desk: Desk, patient: LocalSigner, stranger: LocalSigner
) -> None:
    answer = desk.get("Observation", desk.sign_in(stranger), patient)
    assert_refused(answer, 403, Refusal.NOT_AN_ORGANISATION)


def test_search_works_when_the_consent_ends_a_second_later(
    desk: Desk, chain: EmbeddedChain, patient: LocalSigner, clinician: LocalSigner
) -> None:
    ends = desk.now() + timedelta(days=30)
    desk.grant(patient, clinician, LABORATORY)
    chain.advance(ends - timedelta(seconds=1) - chain.clock())
    assert desk.get("Observation", desk.sign_in(clinician), patient).status_code == 200


def test_search_is_refused_when_the_consent_ended(
    desk: Desk, chain: EmbeddedChain, patient: LocalSigner, clinician: LocalSigner
) -> None:
    ends = desk.now() + timedelta(days=30)
    desk.grant(patient, clinician, LABORATORY)
    chain.advance(ends - chain.clock())
    answer = desk.get("Observation", desk.sign_in(clinician), patient)
    assert_refused(answer, 403, Refusal.CONSENT_ENDED)


def test_search_is_refused_when_the_organisation_is_suspended(
    desk: Desk, world: World, patient: LocalSigner, clinician: LocalSigner
) -> None:
    desk.grant(patient, clinician, LABORATORY)
    headers = desk.sign_in(clinician)
    suspend(world, clinician)
    assert_refused(desk.get("Observation", headers, patient), 403, Refusal.SUSPENDED)


def test_search_works_again_when_the_organisation_is_reinstated(
    desk: Desk, world: World, patient: LocalSigner, clinician: LocalSigner
) -> None:
    desk.grant(patient, clinician, LABORATORY)
    suspend(world, clinician)
    reinstate(world, clinician)
    assert desk.get("Observation", desk.sign_in(clinician), patient).status_code == 200


# --- One record ---


def test_read_gives_the_canonical_record_when_covered(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner, laboratory: list[str]
) -> None:
    desk.grant(patient, clinician, LABORATORY)
    answer = desk.get(f"Observation/{laboratory[0]}", desk.sign_in(clinician), patient)
    assert answer.headers["content-type"] == "application/fhir+json"
    (wanted,) = [each for each in read_bundle(BUNDLE).resources if each.id == laboratory[0]]
    assert answer.content == wanted.canonical()


def test_proof_verifies_the_record_when_covered(
    desk: Desk,
    gatekeeper: Gatekeeper,
    patient: LocalSigner,
    clinician: LocalSigner,
    laboratory: list[str],
) -> None:
    desk.grant(patient, clinician, LABORATORY)
    headers = desk.sign_in(clinician)
    record = desk.get(f"Observation/{laboratory[0]}", headers, patient).content
    answer = desk.get(f"Observation/{laboratory[0]}/$proof", headers, patient)
    assert answer.headers["content-type"] == "application/json"
    proof = RecordProof.parse(answer.content)
    anchors = gatekeeper.ledger.anchors(desk.steward, proof.pointer.topic)
    verify_record(record, proof, anchors.__contains__)


@pytest.mark.parametrize("suffix", ["", "/$proof"])
def test_read_refuses_alike_when_a_record_is_not_covered_and_when_there_is_none(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner, suffix: str
) -> None:
    desk.grant(patient, clinician, LABORATORY)
    headers = desk.sign_in(clinician)
    vital = next(
        each.id
        for each in read_bundle(BUNDLE).resources
        if each.type == "Observation" and b"vital-signs" in each.canonical()
    )
    there = desk.get(f"Observation/{vital}{suffix}", headers, patient)
    missing = desk.get(f"Observation/{vital[:-1]}x{suffix}", headers, patient)
    for answer in (there, missing):
        assert_refused(answer, 403, Refusal.SCOPE_NOT_COVERED)
    assert there.text.replace(vital, "?") == missing.text.replace(f"{vital[:-1]}x", "?")


def test_read_gives_the_patient_resource_when_the_patient_asks(
    desk: Desk, patient: LocalSigner
) -> None:
    answer = desk.get(f"Patient/{PATIENT_ID}", desk.sign_in(patient), patient)
    assert answer.json()["id"] == PATIENT_ID


# --- What makes no sense ---


@pytest.mark.parametrize(
    "parameters",
    [
        {"_include": "Observation:performer"},
        {"category:text": "laboratory"},
        {"_count": "many"},
        {"patient.identifier": "somebody"},
    ],
)
def test_search_is_refused_when_a_parameter_is_not_understood(
    desk: Desk, patient: LocalSigner, parameters: dict[str, str]
) -> None:
    answer = desk.http.get(
        "/fhir/Observation",
        headers=desk.sign_in(patient),
        params={"patient": desk.account(patient)} | parameters,
    )
    assert_refused(answer, 400, "InvalidRequest")


@pytest.mark.parametrize("named", ["eip155:somebody", "eip155:1:0x" + 39 * "0" + "1"])
def test_search_is_refused_when_the_patient_is_no_account_of_this_chain(
    desk: Desk, patient: LocalSigner, named: str
) -> None:
    headers = desk.sign_in(patient)
    answer = desk.http.get("/fhir/Observation", headers=headers, params={"patient": named})
    assert_refused(answer, 400, "InvalidRequest")


def test_search_is_refused_when_no_patient_is_named(desk: Desk, patient: LocalSigner) -> None:
    answer = desk.http.get("/fhir/Observation", headers=desk.sign_in(patient))
    assert_refused(answer, 400, "InvalidRequest")


def test_search_is_refused_when_the_type_is_unknown(desk: Desk, patient: LocalSigner) -> None:
    answer = desk.get("Spell", desk.sign_in(patient), patient)
    assert_refused(answer, 400, "InvalidRequest")


def test_search_is_refused_when_the_purpose_is_unknown(desk: Desk, patient: LocalSigner) -> None:
    headers = desk.sign_in(patient) | {"Purpose-Of-Use": "CURIOSITY"}
    assert_refused(desk.get("Observation", headers, patient), 400, "InvalidRequest")


def test_search_is_refused_when_nobody_is_signed_in(desk: Desk, patient: LocalSigner) -> None:
    assert_refused(desk.get("Observation", {}, patient), 401, Refusal.NOT_SIGNED_IN)


def test_read_is_refused_when_it_has_search_parameters(
    desk: Desk, patient: LocalSigner, laboratory: list[str]
) -> None:
    headers = desk.sign_in(patient)
    answer = desk.get(f"Observation/{laboratory[0]}", headers, patient, code="1")
    assert_refused(answer, 400, "InvalidRequest")


def test_metadata_says_what_is_supported_when_asked(desk: Desk) -> None:
    answer = desk.http.get("/fhir/metadata")
    body = answer.json()
    assert (body["resourceType"], body["fhirVersion"]) == ("CapabilityStatement", "4.0.1")
    assert body["implementation"]["url"] == f"{desk.url}/fhir"
    assert "Observation" in [each["type"] for each in body["rest"][0]["resource"]]
