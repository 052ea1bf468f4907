"""Who looked: an emergency, what the patient forbids, and the logs that tell of everything."""

from __future__ import annotations

from functools import partial

from tests.e2e.story_cast import Cast, together, until
from tests.e2e.story_founding import account
from tests.e2e.test_emergency_commands import described


def break_glass(cast: Cast, at_a: str) -> None:
    """B's emergency department finds the patient and opens access; the patient closes it."""
    patient, b = cast.patient, cast.b.seat
    found = until(lambda: b.does("emergency", "match", described(b.person.home))["patients"])
    assert [each["account"] for each in found] == [at_a]
    opening = ("emergency", "open", at_a, "--reason", "unconscious")
    opened = b.does(*opening)
    assert opened["undisclosed"] is None
    looking = ("records", "list", "--search", "Condition", "--patient", at_a, "--purpose", "ETREAT")
    read, seen = together(
        partial(b.does, *looking), partial(patient.does, "emergency", "list", "--open")
    )
    assert read["records"]
    (shown,) = seen["emergencies"]
    assert (shown["emergency"], shown["reason"]) == (opened["emergency"], "unconscious")
    patient.does("emergency", "close", account(b))
    barred = b.fails(*opening)
    assert barred.startswith("the patient barred this organisation from emergency access")
    patient.does("emergency", "forbid")
    patient.does("emergency", "allow", account(b))
    assert b.fails(*opening).startswith("the patient forbids all emergency access")


def look_who_looked(cast: Cast, at_a: str) -> None:
    """The patient reads the log, checks it, and keeps it; the hospital sees the same one."""
    patient, a = cast.patient, cast.a.seat
    kept, receipts = patient.path("log.ndjson"), cast.b.seat.hands("read.ndjson", patient)
    listed, exported = together(
        partial(patient.does, "audit", "list"), partial(patient.does, "audit", "export", kept)
    )
    said = {(each["outcome"], each["reason"]) for each in listed["entries"]}
    assert said >= {("released", "TREAT"), ("released", "ETREAT"), ("refused", "no-consent")}
    assert ("refused", "consent-revoked") in said
    verified, seen = together(
        partial(patient.does, "audit", "verify", "--against", kept, "--receipts", receipts),
        partial(a.does, "audit", "list", "--patient", at_a, "--outcome", "refused"),
    )
    assert verified["compared"] >= exported["count"] > 0
    assert verified["receipts"] > 0
    assert {each["reason"] for each in seen["entries"]} >= {"no-consent", "consent-revoked"}
