"""Anchoring the logs: one process at a time, proofs of what is final, no state kept too long."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, delete, func, select, update

from medaccord.chain import actions
from medaccord.chain.sender import Receipt
from medaccord.core.audit import AUDIT_TOPIC
from medaccord.core.identifiers import ZERO_DIGEST, digest
from medaccord.core.proofs import LogProof, verify_log_proof
from medaccord.core.refusals import Refusal
from medaccord.core.sparse_map import SparseMap
from medaccord.gatekeeper import Gatekeeper, log_anchor
from medaccord.keys import LocalSigner
from medaccord.store import reading, tables, writing
from tests.integration.gatekeeper.cable import Cable
from tests.integration.gatekeeper.conftest import Opener, Visit, World
from tests.integration.gatekeeper.desk import Desk, assert_refused


def fill(desk: Desk, patient: LocalSigner, count: int = 1) -> None:
    headers = desk.sign_in(patient)
    for _ in range(count):
        assert desk.get("Observation", headers, patient, _count="0").status_code == 200


def anchored(desk: Desk, patient: LocalSigner) -> LogProof:
    return LogProof.parse(desk.audit(patient)["anchored"])


def kept(database: Engine) -> list[tuple[int, int]]:
    """The states that are kept: id, and number of logs."""
    with reading(database) as connection:
        rows = connection.execute(
            select(tables.audit_anchor_entry.c.anchor_id, func.count())
            .group_by(tables.audit_anchor_entry.c.anchor_id)
            .order_by(tables.audit_anchor_entry.c.anchor_id)
        ).all()
    return [(row[0], row[1]) for row in rows]


def test_older_states_are_deleted_when_a_newer_one_is_final(
    desk: Desk, gatekeeper: Gatekeeper, database: Engine, patient: LocalSigner
) -> None:
    for _ in range(4):
        fill(desk, patient)
        assert gatekeeper.audit.anchor() is not None
    # the one before the last was final when the last was made
    assert len(kept(database)) == 2
    assert gatekeeper.audit.anchor() is None
    assert len(kept(database)) == 1
    assert anchored(desk, patient).count == 4


def test_steward_is_told_when_the_chain_has_a_later_state_than_the_database(
    desk: Desk,
    gatekeeper: Gatekeeper,
    database: Engine,
    patient: LocalSigner,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def told_anchoring() -> bool:
        caplog.clear()
        fill(desk, patient)
        assert gatekeeper.audit.anchor() is not None
        return "older backup" in caplog.text

    assert [told_anchoring() for _ in range(3)] == [False] * 3
    with writing(database) as connection:
        newest = select(func.max(tables.audit_anchor.c.id)).scalar_subquery()
        connection.execute(delete(tables.audit_anchor).where(tables.audit_anchor.c.id == newest))
    assert [told_anchoring() for _ in range(2)] == [True, False]


def test_proof_is_of_the_newest_state_in_every_process_when_another_anchored(
    opened: Opener, visit: Visit, patient: LocalSigner
) -> None:
    one, other = opened(), opened()
    desks = [visit(one), visit(other)]
    for number in range(1, 4):
        fill(desks[number % 2], patient)
        assert (one, other)[number % 2].audit.anchor() is not None
        for gatekeeper, desk in zip((one, other), desks, strict=True):
            gatekeeper.ledger.sync()
            proof = anchored(desk, patient)
            assert proof.count == number
            anchors = gatekeeper.ledger.anchors(desk.steward, AUDIT_TOPIC)
            verify_log_proof(proof, anchors.__contains__, steward=desk.steward, topic=AUDIT_TOPIC)


def test_stream_has_one_line_when_two_processes_anchor_at_once(
    opened: Opener, visit: Visit, patient: LocalSigner
) -> None:
    one, other = opened(), opened()
    desk = visit(one)
    sent: list[Receipt | None] = []
    for _ in range(3):
        fill(desk, patient)
        with ThreadPoolExecutor(4) as threads:
            sent += threads.map(lambda each: each.audit.anchor(), (one, other, one, other))
    anchors = one.ledger.anchors(desk.steward, AUDIT_TOPIC)
    assert [each.previous for each in anchors[1:]] == [each.head for each in anchors[:-1]]
    assert len([each for each in sent if each is not None]) == len(anchors) == 3


def test_state_is_put_together_once_when_many_ask_for_proofs(
    desk: Desk, gatekeeper: Gatekeeper, patient: LocalSigner, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(desk, patient)
    gatekeeper.audit.anchor()
    made: list[log_anchor.Logs] = []
    real = log_anchor._map

    def watched(logs: log_anchor.Logs) -> SparseMap:
        made.append(logs)
        return real(logs)

    monkeypatch.setattr(log_anchor, "_map", watched)
    headers = desk.sign_in(patient)
    with ThreadPoolExecutor(8) as threads:
        answers = threads.map(lambda _: desk.http.get("/audit", headers=headers), range(16))
        assert {answer.json()["anchored"]["count"] for answer in answers} == {1}
    assert len(made) == 1


def test_append_is_made_again_when_the_stream_grew_meanwhile(
    desk: Desk, gatekeeper: Gatekeeper, world: World, cable: Cable, patient: LocalSigner
) -> None:
    fill(desk, patient)

    def append() -> None:
        other = actions.append(
            world.contracts,
            account=desk.steward,
            topic=AUDIT_TOPIC,
            previous=ZERO_DIGEST,
            root=digest(b"\x07" * 32),
        )
        actions.submit(world.sender, actions.signed(other, world.hospital))

    cable.meanwhile["eth_estimateGas"] = append
    assert gatekeeper.audit.anchor() is not None
    assert not cable.meanwhile
    assert anchored(desk, patient).count == 1
    assert len(gatekeeper.ledger.anchors(desk.steward, AUDIT_TOPIC)) == 2


def test_log_is_refused_when_what_was_anchored_was_changed(
    opened: Opener, visit: Visit, database: Engine, patient: LocalSigner
) -> None:
    desk = visit(gatekeeper := opened())
    fill(desk, patient, 2)
    gatekeeper.audit.anchor()
    with writing(database) as connection:
        connection.execute(update(tables.audit_anchor_entry).values(count=1))
    answer = desk.http.get("/audit", headers=desk.sign_in(patient))
    assert_refused(answer, 403, Refusal.RECORD_UNVERIFIABLE)
