"""Erased lines of a log: the others still verify, and no line is erased without it being told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from medaccord.client import Patient
from medaccord.core.audit import AuditEntry
from medaccord.core.canonical import encode
from medaccord.core.errors import LogMismatch, TransportError
from medaccord.core.identifiers import hex_digest
from tests.integration.client.middle import Middle, at, edited

LOG = "/audit"
OTHER = "0x" + "7" * 64


def erase(log: dict[str, Any], number: int) -> None:
    """What a gatekeeper shows of a line that it erased."""
    line = next(each for each in log["entries"] if str(each["number"]) == str(number))
    log["entries"].remove(line)
    entry = AuditEntry.parse(encode(line))
    log["erased"][str(number)] = hex_digest(entry.commitment)


@pytest.mark.parametrize("numbers", [(1,), (2,), (3,), (1, 2), (1, 2, 3)])
def test_log_verifies_and_tells_which_lines_were_erased(
    patient: Patient, middle: Middle, numbers: tuple[int, ...]
) -> None:
    whole = patient.audit.verify()

    def change(log: dict[str, Any]) -> None:
        for number in numbers:
            erase(log, number)

    middle.alter = at(LOG, edited(change))
    log = patient.audit.verify()
    assert log.erased == numbers
    assert [each.number for each in log.entries] == [n for n in (1, 2, 3) if n not in numbers]
    assert (log.count, log.head, log.anchored) == (3, whole.head, 3)


def shown_and_erased(log: dict[str, Any]) -> None:
    line = log["entries"][1]
    erase(log, 2)
    log["entries"].insert(0, line)


def forged(log: dict[str, Any]) -> None:
    erase(log, 2)
    log["erased"]["2"] = OTHER


def swapped(log: dict[str, Any]) -> None:
    erase(log, 1)
    erase(log, 2)
    log["erased"] = {"1": log["erased"]["2"], "2": log["erased"]["1"]}


def beyond(log: dict[str, Any]) -> None:
    log["erased"]["5"] = OTHER


def hidden(log: dict[str, Any]) -> None:
    erase(log, 3)
    del log["erased"]["3"]


@pytest.mark.parametrize(
    ("change", "number"),
    [(shown_and_erased, 1), (forged, 2), (swapped, 1), (beyond, 4), (hidden, 3)],
)
def test_log_is_refused_when_what_was_erased_does_not_fit(
    patient: Patient, middle: Middle, change: Callable[[dict[str, Any]], None], number: int
) -> None:
    middle.alter = at(LOG, edited(change))
    with pytest.raises(LogMismatch) as found:
        patient.audit.verify()
    assert found.value.number == number


@pytest.mark.parametrize("erased", [{"0": OTHER}, {"one": OTHER}, {"1": "0x00"}, []])
def test_log_is_refused_when_erased_lines_are_malformed(
    patient: Patient, middle: Middle, erased: Any
) -> None:
    middle.alter = at(LOG, edited(lambda log: log.update({"erased": erased})))
    with pytest.raises(TransportError):
        patient.audit.verify()


def test_log_that_was_seen_whole_verifies_when_a_line_is_erased_later(
    patient: Patient, middle: Middle
) -> None:
    seen = patient.audit.verify()
    middle.alter = at(LOG, edited(lambda log: erase(log, 1)))
    later = patient.audit.verify()
    assert (later.head, later.erased) == (seen.head, (1,))
