"""Versions: each decided by itself, what superseded one is told by its proof, and by its tag."""

from __future__ import annotations

import pytest

from medaccord.core.errors import RecordSuperseded
from medaccord.core.proofs import RecordProof, verify_newest, verify_record
from medaccord.core.refusals import Refusal
from medaccord.fhir import read_bundle
from medaccord.gatekeeper import Gatekeeper
from medaccord.keys import LocalSigner
from tests.integration.gatekeeper.conftest import BUNDLE
from tests.integration.gatekeeper.desk import Desk, assert_refused, ids_of

CHANGED = BUNDLE.replace(b'"code": "active"', b'"code": "resolved"', 1)
"""One Condition is over."""
CONDITIONS = "patient/Condition.rs"


@pytest.fixture
def condition(gatekeeper: Gatekeeper, patient: LocalSigner) -> str:
    """Name of the Condition that has two versions."""
    assert gatekeeper.import_bundle(CHANGED, patient.address).new_versions == 1
    before = {each.record: each.canonical() for each in read_bundle(BUNDLE).resources}
    (changed,) = (
        each.record
        for each in read_bundle(CHANGED).resources
        if each.canonical() != before[each.record]
    )
    return changed


def test_vread_gives_each_version_as_it_was_when_covered(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner, condition: str
) -> None:
    desk.grant(patient, clinician, CONDITIONS)
    headers = desk.sign_in(clinician)
    for bundle, version in ((BUNDLE, 1), (CHANGED, 2)):
        answer = desk.get(f"{condition}/_history/{version}", headers, patient)
        (wanted,) = [each for each in read_bundle(bundle).resources if each.record == condition]
        assert answer.content == wanted.canonical()
        assert answer.headers["etag"] == f'W/"{version}"'
        assert answer.headers["last-modified"].endswith(" GMT")
    line = desk.audit(patient)["entries"][-1]
    assert (line["action"], line["records"]) == ("vread", [f"{condition}/2"])


def test_proof_of_a_version_tells_that_it_was_superseded_when_it_was(
    desk: Desk, gatekeeper: Gatekeeper, patient: LocalSigner, condition: str
) -> None:
    headers = desk.sign_in(patient)
    record = desk.get(f"{condition}/_history/1", headers, patient).content
    proved = desk.get(f"{condition}/_history/1/$proof", headers, patient)
    proof = RecordProof.parse(proved.content)
    anchors = gatekeeper.ledger.anchors(desk.steward, proof.pointer.topic)
    verify_record(record, proof, anchors.__contains__)
    with pytest.raises(RecordSuperseded):
        verify_newest(proof, lambda anchor: anchor == anchors[-1])


def test_vread_refuses_alike_when_a_version_is_not_covered_and_when_there_is_none(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner, condition: str
) -> None:
    desk.grant(patient, clinician, "patient/Condition.rs?code=http://snomed.info/sct|1")
    headers = desk.sign_in(clinician)
    there = desk.get(f"{condition}/_history/1", headers, patient)
    missing = desk.get(f"{condition}/_history/3", headers, patient)
    for answer in (there, missing):
        assert_refused(answer, 403, Refusal.SCOPE_NOT_COVERED)
    assert there.text.replace("_history/1", "?") == missing.text.replace("_history/3", "?")


def test_version_is_refused_when_the_newest_one_is_not_covered_any_more(
    desk: Desk, gatekeeper: Gatekeeper, patient: LocalSigner, clinician: LocalSigner
) -> None:
    desk.grant(patient, clinician, "patient/Condition.rs?code=http://snomed.info/sct|44054006")
    headers = desk.sign_in(clinician)
    (found,) = ids_of(desk.get("Condition", headers, patient))
    name = f"Condition/{found}/_history/1"
    assert desk.get(name, headers, patient).status_code == 200
    recoded = BUNDLE.replace(b'"code": "44054006"', b'"code": "73211009"')
    gatekeeper.import_bundle(recoded, patient.address)
    assert_refused(desk.get(name, headers, patient), 403, Refusal.SCOPE_NOT_COVERED)


@pytest.mark.parametrize("version", ["0", "-1", "1.0", "first", "99999999999"])
def test_vread_is_refused_when_the_version_is_no_number_of_one(
    desk: Desk, patient: LocalSigner, condition: str, version: str
) -> None:
    answer = desk.get(f"{condition}/_history/{version}", desk.sign_in(patient), patient)
    assert_refused(answer, 400, "InvalidRequest")


# --- What the client has already ---


def test_read_sends_nothing_again_and_is_logged_when_the_client_has_the_version(
    desk: Desk, patient: LocalSigner, condition: str
) -> None:
    headers = desk.sign_in(patient) | {"If-None-Match": 'W/"2"'}
    answer = desk.get(condition, headers, patient)
    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["etag"] == 'W/"2"'
    line = desk.audit(patient)["entries"][-1]
    assert (line["outcome"], line["records"]) == ("released", [f"{condition}/2"])


def test_read_sends_the_record_when_the_client_has_an_older_version(
    desk: Desk, patient: LocalSigner, condition: str
) -> None:
    headers = desk.sign_in(patient) | {"If-None-Match": 'W/"1"'}
    assert desk.get(condition, headers, patient).status_code == 200


def test_tag_tells_nothing_when_the_record_is_not_covered(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner, condition: str
) -> None:
    desk.grant(patient, clinician, "patient/Observation.rs")
    headers = desk.sign_in(clinician) | {"If-None-Match": "*"}
    assert_refused(desk.get(condition, headers, patient), 403, Refusal.SCOPE_NOT_COVERED)
