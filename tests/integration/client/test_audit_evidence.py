"""What a steward could do to a log behind the patient's back, and what finds it out.

Here the database itself is changed, or what the gatekeeper says on its way, page by page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, delete, select, update

from medaccord.client import Patient, Provider, audit_log
from medaccord.core.audit import GENESIS, chain_head
from medaccord.core.errors import LogMismatch, ProofMismatch, ReceiptMismatch
from medaccord.core.identifiers import hex_digest
from medaccord.core.log_filter import LogFilter
from medaccord.core.receipts import SignedReceipt
from medaccord.demo.stage import Hospital
from medaccord.store import open_engine, tables, writing
from tests.integration.client.conftest import World
from tests.integration.client.middle import Middle, at, edited

ENTRIES = tables.audit_entry
LOG = "/audit"


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_log, "PAGE", 2)


@pytest.fixture
def database(hospital: Hospital) -> Iterator[Engine]:
    engine = open_engine(hospital.database)
    yield engine
    engine.dispose()


@pytest.fixture
def held(patient: Patient, clinician: Provider, hospital: Hospital) -> SignedReceipt:
    """A receipt that a clinician holds: of the fourth line, and all five are anchored."""
    (receipt,) = clinician.records.search("Observation", patient.account).receipts
    clinician.records.search("Observation", patient.account)
    hospital.gatekeeper.audit.anchor()
    return receipt


def rows(database: Engine, patient: Patient) -> list[Any]:
    """The lines of the patient's log in the database, with what they are wrapped in."""
    return rows_of(database, patient.audit.verify().relationship)


def rows_of(database: Engine, log: bytes) -> list[Any]:
    mine = select(ENTRIES).where(ENTRIES.c.relationship == log).order_by(ENTRIES.c.number)
    with database.connect() as connection:
        return list(connection.execute(mine))


def forge(database: Engine, lines: list[Any]) -> None:
    """Put other lines in the place of a log, with heads that fit each other."""
    head = GENESIS
    log = lines[0].relationship
    with writing(database) as connection:
        connection.execute(delete(ENTRIES).where(ENTRIES.c.relationship == log))
        for number, line in enumerate(lines, start=1):
            head = chain_head(head, number, line.commitment)
            values = {**line._mapping, "number": number, "head": head}
            connection.execute(ENTRIES.insert().values(values))


def test_log_is_whole_when_it_comes_in_pages(
    patient: Patient, held: SignedReceipt, middle: Middle
) -> None:
    log = patient.audit.verify()
    assert [entry.number for entry in log.entries] == [1, 2, 3, 4, 5]
    assert (log.count, log.anchored) == (5, 5)
    assert middle.paths().count(LOG) == 3
    patient.audit.check_receipt(held)


# --- Found by what is anchored, also by somebody who never looked before ---


def change(database: Engine, lines: list[Any]) -> None:
    with writing(database) as connection:
        of_line = ENTRIES.c.relationship == lines[0].relationship, ENTRIES.c.number == 3
        connection.execute(update(ENTRIES).where(*of_line).values(commitment=lines[0].commitment))
        connection.execute(update(ENTRIES).where(*of_line).values(ciphertext=b"", wrapped_key=b""))


def drop(database: Engine, lines: list[Any]) -> None:
    forge(database, lines[:2] + lines[3:])


def swap(database: Engine, lines: list[Any]) -> None:
    forge(database, [lines[1], lines[0], *lines[2:]])


def cut(database: Engine, lines: list[Any]) -> None:
    forge(database, lines[:-1])


def fork(database: Engine, lines: list[Any]) -> None:
    forge(database, [*lines[:3], lines[3], lines[3]])


@pytest.mark.parametrize(
    ("touch", "number"), [(change, 3), (drop, 3), (swap, 1), (cut, 5), (fork, 5)]
)
def test_log_is_found_out_by_its_anchor_when_it_was_touched(
    world: World,
    visit: Callable[..., Any],
    patient: Patient,
    held: SignedReceipt,
    database: Engine,
    touch: Callable[[Engine, list[Any]], None],
    number: int,
) -> None:
    touch(database, rows(database, patient))
    newcomer: Patient = visit(Patient, world.patient)
    with pytest.raises(LogMismatch) as found:
        newcomer.audit.verify()
    assert found.value.number == number


def test_log_is_found_out_when_it_is_anchored_anew_without_a_line(
    patient: Patient, held: SignedReceipt, hospital: Hospital, database: Engine
) -> None:
    """The anchor fits then; what the patient saw before does not."""
    lines = rows(database, patient)
    forge(database, lines[:3] + lines[4:])
    hospital.gatekeeper.audit.anchor()
    with pytest.raises(LogMismatch):
        patient.audit.verify()


# --- Found by a receipt alone ---


def test_receipt_shows_a_line_that_was_never_logged(
    world: World,
    visit: Callable[..., Any],
    patient: Patient,
    held: SignedReceipt,
    hospital: Hospital,
    database: Engine,
) -> None:
    """A newcomer sees a sound log, anchored as it stands: what is not in it shows nowhere else."""
    lines = rows(database, patient)
    forge(database, lines[:3])
    hospital.gatekeeper.audit.anchor()
    newcomer: Patient = visit(Patient, world.patient)
    assert newcomer.audit.verify().count == newcomer.audit.verify().anchored == 3
    with pytest.raises(ReceiptMismatch, match="a receipt was signed for 4"):
        newcomer.audit.check_receipt(held)


def test_receipt_shows_a_line_that_was_replaced_and_anchored_so(
    world: World,
    visit: Callable[..., Any],
    patient: Patient,
    held: SignedReceipt,
    hospital: Hospital,
    database: Engine,
) -> None:
    lines = rows(database, patient)
    with writing(database) as connection:  # erased, it says
        erased = ENTRIES.c.relationship == lines[0].relationship
        connection.execute(update(ENTRIES).where(erased).values(ciphertext=b"", wrapped_key=b""))
    lines = rows_of(database, lines[0].relationship)
    forge(database, [*lines[:3], lines[4], lines[3]])
    hospital.gatekeeper.audit.anchor()
    newcomer: Patient = visit(Patient, world.patient)
    assert newcomer.audit.verify().erased == (1, 2, 3, 4, 5)
    with pytest.raises(ReceiptMismatch, match="entry 4 of the log is not the one in the receipt"):
        newcomer.audit.check_receipt(held)


def test_receipt_is_refused_when_it_is_of_another_patients_log(
    patient: Patient, neighbour: Patient, clinician: Provider
) -> None:
    (theirs,) = clinician.records.search("Observation", neighbour.account).receipts
    with pytest.raises(ReceiptMismatch, match="another log"):
        patient.audit.check_receipt(theirs)


# --- Pages and filters, on their way ---


def test_log_is_refused_when_a_page_is_of_another_state(
    patient: Patient, held: SignedReceipt, middle: Middle
) -> None:
    """A fork between two pages: the second shows another anchor."""

    def other(log: dict[str, Any]) -> None:
        if str(log["after"]) == "2":
            log["anchored"] |= {"head": log["heads"]["3"]}

    middle.alter = at(LOG, edited(other))
    with pytest.raises(ProofMismatch):
        patient.audit.verify()


def test_log_is_refused_when_its_last_page_is_kept_back(
    patient: Patient, held: SignedReceipt, middle: Middle
) -> None:
    middle.alter = at(LOG, edited(lambda log: log.update({"next": None})))
    with pytest.raises(LogMismatch) as found:
        patient.audit.verify()
    assert found.value.number == 3


def test_filter_shows_lines_that_fit_and_proves_that_others_are_there(
    patient: Patient, held: SignedReceipt, clinician: Provider
) -> None:
    patient.records.search("Condition")
    log = patient.audit.list(LogFilter(requester=patient.account))
    assert [entry.number for entry in log.entries] == [6]
    assert (log.left_out, log.count, log.anchored) == ((1, 2, 3, 4, 5), 6, 5)
    patient.audit.check_receipt(held)


def test_filtered_log_is_refused_when_a_line_that_fits_is_left_out(
    patient: Patient, held: SignedReceipt, middle: Middle
) -> None:
    patient.audit.verify()  # what the lines say is known from now on

    def hide(log: dict[str, Any]) -> None:
        shown = log["entries"].pop()
        number = str(shown["number"])
        log["leftOut"][number] = hex_digest(known[int(str(number)) - 1])

    known = patient.audit.verify().commitments
    middle.alter = at(LOG, edited(hide))
    with pytest.raises(LogMismatch, match="left out") as found:
        patient.audit.list(LogFilter(outcome="released"))
    assert found.value.number == 2


def test_filtered_log_is_refused_when_a_line_is_shown_that_does_not_fit(
    patient: Patient, held: SignedReceipt, middle: Middle
) -> None:
    middle.redirect = lambda url: url.copy_remove_param("outcome")
    with pytest.raises(LogMismatch, match="not asked for") as found:
        patient.audit.list(LogFilter(outcome="refused"))
    assert found.value.number == 1
