"""The chain out of reach: nothing is released on old knowledge beyond the bound."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from medaccord.chain.embedded import EmbeddedChain
from medaccord.core.audit import AuditEntry
from medaccord.core.refusals import Refusal
from medaccord.gatekeeper import BOUNDS
from medaccord.gatekeeper.freshness import FRESHNESS_HEADER
from medaccord.keys import LocalSigner
from tests.integration.gatekeeper.cable import Cable
from tests.integration.gatekeeper.desk import Desk, assert_refused, receipt_of

LABORATORY = "patient/Observation.rs?category=laboratory"


def test_search_is_refused_and_logged_when_the_chain_is_unreachable(
    desk: Desk, cable: Cable, chain: EmbeddedChain, patient: LocalSigner, clinician: LocalSigner
) -> None:
    desk.grant(patient, clinician, LABORATORY)
    headers = desk.sign_in(clinician)
    assert desk.get("Observation", headers, patient).status_code == 200
    cable.is_cut = True
    chain.advance(timedelta(minutes=1))
    answer = desk.get("Observation", headers, patient)
    assert_refused(answer, 503, Refusal.CHAIN_UNREACHABLE)
    cable.is_cut = False
    entry = AuditEntry.parse(desk.audit(patient)["entries"][-1])
    assert (entry.outcome, entry.reason) == ("refused", Refusal.CHAIN_UNREACHABLE.value)
    assert receipt_of(answer).receipt.entry == entry.commitment


def test_search_is_answered_when_the_chain_was_silent_no_longer_than_the_bound(
    desk: Desk, cable: Cable, chain: EmbeddedChain, patient: LocalSigner, clinician: LocalSigner
) -> None:
    desk.grant(patient, clinician, LABORATORY)
    headers = desk.sign_in(clinician)
    assert desk.get("Observation", headers, patient).status_code == 200
    cable.is_cut = True
    chain.advance(BOUNDS.max_node_silence)
    assert desk.get("Observation", headers, patient).status_code == 200


def test_search_is_refused_when_the_latest_is_wanted_and_the_chain_is_silent(
    desk: Desk, cable: Cable, patient: LocalSigner
) -> None:
    headers = desk.sign_in(patient) | {FRESHNESS_HEADER: "latest"}
    assert desk.get("Observation", headers, patient).status_code == 200
    cable.is_cut = True
    assert_refused(desk.get("Observation", headers, patient), 503, Refusal.CHAIN_UNREACHABLE)


def test_inbox_and_log_are_refused_when_the_chain_is_unreachable(
    desk: Desk, cable: Cable, chain: EmbeddedChain, patient: LocalSigner
) -> None:
    headers = desk.sign_in(patient)
    cable.is_cut = True
    chain.advance(timedelta(minutes=1))
    for path in ("/requests", "/audit"):
        answer = desk.http.get(path, headers=headers)
        assert_refused(answer, 503, Refusal.CHAIN_UNREACHABLE)


def test_sign_in_is_refused_when_the_chain_is_unreachable(
    desk: Desk, cable: Cable, chain: EmbeddedChain, patient: LocalSigner
) -> None:
    desk.sign_in(patient)
    cable.is_cut = True
    chain.advance(timedelta(minutes=1))
    message = desk.challenge(patient)
    answer = desk.redeem(message, patient.sign_text(message))
    assert_refused(answer, 503, Refusal.CHAIN_UNREACHABLE)


def test_readiness_is_denied_with_the_reason_when_the_database_is_gone(
    desk: Desk, folder: Path
) -> None:
    assert desk.http.get("/ready").json()["status"] == "ready"
    (folder / "records.db").rename(folder / "elsewhere.db")
    answer = desk.http.get("/ready")
    assert (answer.status_code, answer.json()["status"]) == (503, "database-unreachable")
    assert desk.http.get("/health").json()["status"] == "ok"
