"""Refusals past a limit are counted: nothing is under-reported, and no flood fills the disk."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import Engine, func, select

from medaccord.chain.embedded import EmbeddedChain
from medaccord.core.audit import AuditEntry
from medaccord.core.documents import instant_text
from medaccord.core.refusal_count import RefusalCount, refusals_in
from medaccord.core.refusals import Refusal
from medaccord.gatekeeper import Gatekeeper
from medaccord.gatekeeper.fhir_answers import RECEIPT_HEADER
from medaccord.gatekeeper.refusal_tallies import LINES, SPAN
from medaccord.keys import LocalSigner
from medaccord.store import reading, tables
from tests.integration.gatekeeper.conftest import Opener, Visit
from tests.integration.gatekeeper.desk import Desk, assert_refused

SECOND = timedelta(seconds=1)


def close(gatekeeper: Gatekeeper) -> int:
    """Write the lines of what was counted, as the background does before it anchors the logs."""
    return gatekeeper.audit._tallies.close()


def flood(desk: Desk, who: LocalSigner, patient: LocalSigner, times: int) -> None:
    headers = desk.sign_in(who)
    for _ in range(times):
        answer = desk.get("Observation", headers, patient)
        assert_refused(answer, 403, Refusal.NO_CONSENT)


def lines(database: Engine) -> int:
    with reading(database) as connection:
        return connection.scalar(select(func.count()).select_from(tables.audit_entry)) or 0


def told(desk: Desk, patient: LocalSigner) -> int:
    """How many refusals the patient is told of, in lines and beside them."""
    log = desk.audit(patient)
    counted = sum(each["count"] for each in log["refusals"])
    return int(counted) + sum(refusals_in(AuditEntry.parse(each)) for each in log["entries"])


def test_refusals_are_counted_when_there_were_many(
    desk: Desk, database: Engine, patient: LocalSigner, clinician: LocalSigner
) -> None:
    flood(desk, clinician, patient, LINES + 5)
    log = desk.audit(patient)
    assert (log["count"], lines(database)) == (LINES, LINES)
    (tally,) = log["refusals"]
    assert (tally["requester"], tally["count"]) == (clinician.address, 5)
    assert tally["since"] == log["entries"][0]["at"]


def test_answer_carries_no_receipt_when_it_was_only_counted(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner
) -> None:
    flood(desk, clinician, patient, LINES - 1)
    headers = desk.sign_in(clinician)
    last, next_one = (desk.get("Observation", headers, patient) for _ in range(2))
    assert RECEIPT_HEADER in last.headers
    assert RECEIPT_HEADER not in next_one.headers


@pytest.mark.parametrize(("later", "written"), [(SPAN - SECOND, 0), (SPAN, 1)])
def test_line_tells_the_count_once_the_span_is_over(
    desk: Desk,
    gatekeeper: Gatekeeper,
    chain: EmbeddedChain,
    patient: LocalSigner,
    clinician: LocalSigner,
    later: timedelta,
    written: int,
) -> None:
    flood(desk, clinician, patient, LINES + 3)
    begun = AuditEntry.parse(desk.audit(patient)["entries"][0]).at
    chain.advance(begun + later - desk.contracts.network.clock())
    assert close(gatekeeper) == written
    log = desk.audit(patient)
    assert (log["count"], len(log["refusals"])) == (LINES + written, 1 - written)
    assert told(desk, patient) == LINES + 3
    if written:
        line = log["entries"][-1]
        assert (line["action"], line["requester"]) == ("refusals", clinician.address)
        count = RefusalCount.parse(line["query"])
        assert (count.count, instant_text(count.since)) == (3, log["entries"][0]["at"])


def test_line_comes_with_the_next_refusal_when_the_span_is_over(
    desk: Desk, chain: EmbeddedChain, patient: LocalSigner, clinician: LocalSigner
) -> None:
    flood(desk, clinician, patient, LINES + 2)
    chain.advance(SPAN)
    flood(desk, clinician, patient, 1)
    log = desk.audit(patient)
    assert [each["action"] for each in log["entries"][-2:]] == ["refusals", "search"]
    assert log["refusals"] == []
    assert told(desk, patient) == LINES + 3


def test_nothing_is_written_when_a_span_ends_with_nothing_counted(
    desk: Desk,
    gatekeeper: Gatekeeper,
    chain: EmbeddedChain,
    database: Engine,
    patient: LocalSigner,
    clinician: LocalSigner,
) -> None:
    flood(desk, clinician, patient, 2)
    chain.advance(SPAN)
    assert close(gatekeeper) == 0
    assert lines(database) == 2
    with reading(database) as connection:
        assert connection.execute(select(tables.refusal_tally)).all() == []


def test_releases_have_their_lines_when_refusals_are_counted(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner
) -> None:
    flood(desk, clinician, patient, LINES + 1)
    desk.grant(patient, clinician, "patient/Observation.rs")
    answer = desk.get("Observation", desk.sign_in(clinician), patient)
    assert answer.status_code == 200
    assert desk.audit(patient)["entries"][-1]["outcome"] == "released"


def test_accounts_that_are_no_organisation_are_counted_as_one(
    desk: Desk, database: Engine, patient: LocalSigner
) -> None:
    for _ in range(LINES + 4):
        stranger = LocalSigner.create()
        answer = desk.get("Observation", desk.sign_in(stranger), patient)
        assert_refused(answer, 403, Refusal.NOT_AN_ORGANISATION)
    (tally,) = desk.audit(patient)["refusals"]
    assert (tally["requester"], tally["count"]) == (None, 4)
    assert lines(database) == LINES


def test_steward_counts_in_its_own_log_when_patients_are_unknown(
    desk: Desk, database: Engine, clinician: LocalSigner
) -> None:
    headers = desk.sign_in(clinician)
    for _ in range(LINES + 4):
        answer = desk.get("Observation", headers, LocalSigner.create())
        assert_refused(answer, 403, Refusal.UNKNOWN_PATIENT)
    assert lines(database) == LINES
    with reading(database) as connection:
        assert connection.scalars(select(tables.refusal_tally.c.counted)).all() == [4]


def test_none_is_lost_or_told_twice_when_many_are_refused_while_spans_are_closed(
    opened: Opener, visit: Visit, patient: LocalSigner, clinician: LocalSigner, chain: EmbeddedChain
) -> None:
    one, other = opened(), opened()
    desks = [visit(one), visit(other)]
    flood(desks[0], clinician, patient, LINES)
    chain.advance(SPAN)
    headers = [desk.sign_in(clinician) for desk in desks]

    def refuse(number: int) -> None:
        at = number % 2
        answer = desks[at].get("Observation", headers[at], patient)
        assert_refused(answer, 403, Refusal.NO_CONSENT)
        close((one, other)[at])

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(refuse, range(3 * LINES)))
    assert told(desks[0], patient) == 4 * LINES
    chain.advance(SPAN)
    with ThreadPoolExecutor(2) as threads:
        closed = threads.map(close, (one, other))
        assert sum(closed) == 1
    assert told(desks[1], patient) == 4 * LINES
