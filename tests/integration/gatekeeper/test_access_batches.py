"""Several checks at once: each as it would be alone, all of one state."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from sqlalchemy import event

from medaccord.core.consistency import ConsistencyToken
from medaccord.core.refusals import Refusal
from medaccord.gatekeeper import Gatekeeper
from medaccord.keys import LocalSigner
from tests.integration.gatekeeper.checks import LABORATORY, asking, check, verdict
from tests.integration.gatekeeper.desk import Desk, assert_refused


def batch(desk: Desk, asker: LocalSigner, checks: list[dict[str, Any]]) -> httpx.Response:
    headers = desk.sign_in(asker)
    return desk.http.post("/access/check/batch", json={"checks": checks}, headers=headers)


def test_batch_answers_in_order_and_with_one_token(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner, laboratory: list[str]
) -> None:
    desk.grant(patient, clinician, LABORATORY)
    nobody = LocalSigner.create()
    answer = batch(
        desk,
        clinician,
        [
            asking(patient),
            asking(nobody),
            asking(patient, resourceType=None, record=f"Observation/{laboratory[0]}"),
            asking(patient, resourceType=None, record="Observation/not-there"),
            asking(patient, purpose="HRESCH"),
        ],
    )
    told = verdict(answer)
    assert [each["reason"]["code"] for each in told["answers"]] == [
        *("permitted", "no-consent", "permitted", "scope-not-covered", "purpose-not-covered")
    ]
    assert [each["allowed"] for each in told["answers"]] == [True, False, True, False, False]
    assert told["consistencyToken"] == str(ConsistencyToken.of(desk.contracts.network.head()))
    assert answer.headers["medaccord-block"] == told["consistencyToken"]


def test_batch_answers_each_as_its_check_alone_would(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner, laboratory: list[str]
) -> None:
    desk.grant(patient, clinician, LABORATORY)
    checks = [
        asking(patient, resourceType=kind, interaction=letter)
        for kind in ("Observation", "Condition")
        for letter in ("r", "s")
    ] + [asking(patient, resourceType=None, record=f"Observation/{laboratory[-1]}")]
    together = verdict(batch(desk, clinician, checks))
    token = together["consistencyToken"]
    alone = [verdict(check(desk, clinician, each)) for each in checks]
    assert [each | {"consistencyToken": token} for each in together["answers"]] == alone


def test_batch_is_refused_whole_when_one_check_is_not_the_askers_to_ask(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner, hospital: LocalSigner
) -> None:
    answer = batch(desk, clinician, [asking(patient), asking(patient, requester=hospital.address)])
    assert_refused(answer, 403, Refusal.MAY_NOT_ASK)


@pytest.mark.parametrize("count", [0, 51])
def test_batch_is_refused_when_it_has_none_or_too_many(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner, count: int
) -> None:
    answer = batch(desk, clinician, [asking(patient)] * count)
    assert_refused(answer, 400, "InvalidRequest")


def asked_of_database(
    desk: Desk, gatekeeper: Gatekeeper, asker: LocalSigner, path: str, body: dict[str, Any]
) -> list[str]:
    """What checks are decided from, each time that the database is asked for it, sorted."""
    headers = desk.sign_in(asker)
    statements: list[str] = []
    engine = gatekeeper.exporting._engine  # the gatekeeper's own: what it sends is counted
    asked_for_checks = ("FROM patient_account", "FROM terms_opening", "FROM record_index")

    def count(*arguments: Any) -> None:
        statements.extend(each for each in asked_for_checks if each in arguments[2])

    event.listen(engine, "before_cursor_execute", count)
    try:
        assert desk.http.post(path, json=body, headers=headers).status_code == 200
    finally:
        event.remove(engine, "before_cursor_execute", count)
    return sorted(statements)


def test_batch_asks_the_database_as_often_as_one_check_does(
    desk: Desk, gatekeeper: Gatekeeper, patient: LocalSigner, clinician: LocalSigner
) -> None:
    desk.grant(patient, clinician, LABORATORY)

    def asked(path: str, body: dict[str, Any]) -> list[str]:
        return asked_of_database(desk, gatekeeper, clinician, path, body)

    others = [asking(LocalSigner.create()) for _ in range(49)]
    once = ["FROM patient_account", "FROM terms_opening"]
    assert asked("/access/check", asking(patient)) == once
    assert asked("/access/check/batch", {"checks": [asking(patient), *others]}) == once


def test_batch_of_records_is_decided_from_one_state_of_the_database(
    desk: Desk,
    gatekeeper: Gatekeeper,
    patient: LocalSigner,
    clinician: LocalSigner,
    laboratory: list[str],
) -> None:
    """Within one transaction whose they are, and what there is, is asked for once."""
    desk.grant(patient, clinician, LABORATORY)
    checks = [
        asking(patient, resourceType=None, record=f"Observation/{each}") for each in laboratory
    ]
    asked = asked_of_database(
        desk, gatekeeper, clinician, "/access/check/batch", {"checks": checks}
    )
    assert asked == ["FROM patient_account", "FROM record_index", "FROM terms_opening"]
