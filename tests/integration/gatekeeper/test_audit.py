"""The log: gapless under load, anchored, and found out when it was touched."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Delete, Engine, Update, delete, select, update

from medaccord.chain.embedded import EmbeddedChain
from medaccord.core.audit import AuditEntry, verify_log
from medaccord.core.errors import LogMismatch, TransportError
from medaccord.core.identifiers import digest
from medaccord.core.proofs import LogProof, verify_log_proof
from medaccord.core.refusals import Refusal
from medaccord.gatekeeper import Gatekeeper
from medaccord.keys import LocalSigner
from medaccord.store import reading, tables, writing
from tests.integration.gatekeeper.cable import Cable
from tests.integration.gatekeeper.conftest import Opener, Visit, World
from tests.integration.gatekeeper.desk import Desk, assert_refused
from tests.integration.gatekeeper.organisations import make_member, suspend

ENTRIES = tables.audit_entry


def _check(log: dict[str, Any]) -> None:
    """What a patient's own software does with the log."""
    entries = [AuditEntry.parse(each) for each in log["entries"]]
    heads = {int(number): digest(head) for number, head in log["heads"].items()}
    verify_log(entries, log["count"], digest(log["head"]), heads)


def _fill(desk: Desk, patient: LocalSigner, count: int) -> None:
    headers = desk.sign_in(patient)
    for _ in range(count):
        assert desk.get("Observation", headers, patient, _count="0").status_code == 200


def test_log_is_gapless_and_sound_when_many_read_at_once(desk: Desk, patient: LocalSigner) -> None:
    headers = desk.sign_in(patient)

    def read(_: int) -> int:
        return desk.get("Observation", headers, patient, _count="1").status_code

    with ThreadPoolExecutor(8) as readers:
        assert set(readers.map(read, range(40))) == {200}
    log = desk.audit(patient)
    assert [entry["number"] for entry in log["entries"]] == list(range(1, 41))
    _check(log)


def test_log_is_empty_when_nobody_asked(desk: Desk, patient: LocalSigner) -> None:
    log = desk.audit(patient)
    assert (log["count"], log["entries"], log["anchored"]) == (0, [], None)
    _check(log)


def test_log_begins_after_a_number_when_asked_to(desk: Desk, patient: LocalSigner) -> None:
    _fill(desk, patient, 3)
    answer = desk.http.get("/audit", headers=desk.sign_in(patient), params={"after": 2})
    log = answer.json()
    assert (log["count"], [each["number"] for each in log["entries"]]) == (3, [3])


def test_log_is_refused_when_another_patient_is_named(
    desk: Desk, patient: LocalSigner, stranger: LocalSigner
) -> None:
    parameters = {"patient": desk.account(patient)}
    answer = desk.http.get("/audit", headers=desk.sign_in(stranger), params=parameters)
    assert_refused(answer, 401, Refusal.NOT_SIGNED_IN)


def test_log_is_refused_when_no_patient_is_signed_in(desk: Desk, clinician: LocalSigner) -> None:
    answer = desk.http.get("/audit", headers=desk.sign_in(clinician))
    assert_refused(answer, 403, Refusal.UNKNOWN_PATIENT)


def test_log_is_refused_when_nobody_is_signed_in(desk: Desk) -> None:
    assert_refused(desk.http.get("/audit"), 401, Refusal.NOT_SIGNED_IN)


@pytest.mark.parametrize("after", ["-1", "x", str(2**63)])
def test_log_is_refused_when_the_number_makes_no_sense(
    desk: Desk, patient: LocalSigner, after: str
) -> None:
    answer = desk.http.get("/audit", headers=desk.sign_in(patient), params={"after": after})
    assert_refused(answer, 400, "InvalidRequest")


# --- Anchored ---


def test_anchor_proves_count_and_head_when_something_was_logged(
    desk: Desk, gatekeeper: Gatekeeper, patient: LocalSigner, stranger: LocalSigner
) -> None:
    _fill(desk, patient, 2)
    desk.get("Observation", desk.sign_in(patient), stranger)  # the steward's own log has one, too
    receipt = gatekeeper.audit.anchor()
    assert receipt is not None
    _fill(desk, patient, 1)
    log = desk.audit(patient)
    proof = LogProof.parse(log["anchored"])
    anchors = gatekeeper.ledger.anchors(desk.steward, proof.anchor.topic)
    verify_log_proof(proof, anchors.__contains__, steward=desk.steward, topic=proof.anchor.topic)
    assert (proof.count, log["count"]) == (2, 3)
    assert proof.anchor.transaction == receipt.transaction
    assert log["heads"]["2"] == "0x" + proof.head.hex()


def test_anchor_sends_nothing_when_nothing_is_new(
    desk: Desk, gatekeeper: Gatekeeper, patient: LocalSigner
) -> None:
    assert gatekeeper.audit.anchor() is None
    _fill(desk, patient, 1)
    assert gatekeeper.audit.anchor() is not None
    assert gatekeeper.audit.anchor() is None


def test_anchor_is_made_later_when_the_chain_was_out_of_reach(
    desk: Desk, gatekeeper: Gatekeeper, cable: Cable, patient: LocalSigner
) -> None:
    _fill(desk, patient, 1)
    cable.is_cut = True
    with pytest.raises(TransportError):
        gatekeeper.audit.anchor()
    cable.is_cut = False
    assert gatekeeper.audit.anchor() is not None
    assert desk.audit(patient)["anchored"]["count"] == 1


def test_anchor_is_found_when_the_answer_to_its_sending_was_lost(
    desk: Desk,
    gatekeeper: Gatekeeper,
    chain: EmbeddedChain,
    cable: Cable,
    patient: LocalSigner,
) -> None:
    _fill(desk, patient, 1)
    cable.cut_after = "eth_sendRawTransaction"
    with pytest.raises(TransportError):
        gatekeeper.audit.anchor()
    cable.mend()
    assert gatekeeper.audit.anchor() is None  # it is there already
    assert desk.audit(patient)["anchored"]["count"] == 1


def test_anchors_follow_each_other_when_made_in_turn(
    desk: Desk, gatekeeper: Gatekeeper, patient: LocalSigner
) -> None:
    for _ in range(3):
        _fill(desk, patient, 1)
        assert gatekeeper.audit.anchor() is not None
    proof = LogProof.parse(desk.audit(patient)["anchored"])
    anchors = gatekeeper.ledger.anchors(desk.steward, proof.anchor.topic)
    assert [each.previous for each in anchors[1:]] == [each.head for each in anchors[:-1]]
    assert (len(anchors), proof.count) == (3, 3)


def test_logs_are_anchored_by_themselves_when_the_interval_is_over(
    opened: Opener, visit: Visit, patient: LocalSigner
) -> None:
    gatekeeper = opened(log_interval=timedelta(milliseconds=50))
    desk = visit(gatekeeper)
    _fill(desk, patient, 1)
    deadline = time.monotonic() + 20
    while desk.audit(patient)["anchored"] is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_suspended_steward_anchors_its_log_when_something_was_logged(
    desk: Desk, gatekeeper: Gatekeeper, world: World, patient: LocalSigner
) -> None:
    make_member(world, world.clinician)
    suspend(world, world.hospital, voters=(world.hospital, world.clinician))
    _fill(desk, patient, 1)
    assert gatekeeper.audit.anchor() is not None


# --- Touched ---


def _touch(database: Engine, statement: Delete | Update) -> None:
    with writing(database) as connection:
        assert connection.execute(statement).rowcount == 1


def test_log_is_found_out_when_a_line_was_deleted(
    desk: Desk, database: Engine, patient: LocalSigner
) -> None:
    _fill(desk, patient, 3)
    _touch(database, delete(ENTRIES).where(ENTRIES.c.number == 2))
    with pytest.raises(LogMismatch) as caught:
        _check(desk.audit(patient))
    assert caught.value.number == 2


def test_log_is_found_out_when_its_last_line_was_deleted(
    desk: Desk, gatekeeper: Gatekeeper, database: Engine, patient: LocalSigner
) -> None:
    _fill(desk, patient, 3)
    gatekeeper.audit.anchor()
    _touch(database, delete(ENTRIES).where(ENTRIES.c.number == 3))
    log = desk.audit(patient)
    _check(log)  # by itself it looks sound
    entries = [AuditEntry.parse(each) for each in log["entries"]]
    proof = LogProof.parse(log["anchored"])
    with pytest.raises(LogMismatch) as caught:
        verify_log(entries, proof.count, proof.head)
    assert caught.value.number == 3


def test_log_is_found_out_when_a_line_was_changed(
    desk: Desk, database: Engine, patient: LocalSigner
) -> None:
    _fill(desk, patient, 3)
    _touch(database, update(ENTRIES).where(ENTRIES.c.number == 1).values(ciphertext=b"\0"))
    with pytest.raises(LogMismatch) as caught:
        _check(desk.audit(patient))
    assert caught.value.number == 1


def test_log_is_found_out_when_two_lines_changed_places(
    desk: Desk, database: Engine, patient: LocalSigner
) -> None:
    _fill(desk, patient, 2)
    for old, new in ((1, 9), (2, 1), (9, 2)):
        _touch(database, update(ENTRIES).where(ENTRIES.c.number == old).values(number=new))
    with pytest.raises(LogMismatch):
        _check(desk.audit(patient))


def test_log_says_nothing_readable_in_the_database_when_written(
    desk: Desk, database: Engine, patient: LocalSigner, clinician: LocalSigner
) -> None:
    desk.get("Observation", desk.sign_in(clinician), patient)
    with reading(database) as connection:
        rows = connection.execute(select(ENTRIES)).all()
    said = b"".join(
        value if isinstance(value, bytes) else str(value).encode() for row in rows for value in row
    )
    for secret in (b"Observation", clinician.address.encode(), Refusal.NO_CONSENT.value.encode()):
        assert secret not in said
