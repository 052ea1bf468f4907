"""What the patient allows and takes back: asked in every way, narrowed, denied, delegated."""

from __future__ import annotations

import signal
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from tests.e2e.story_cast import Cast, Seat, together
from tests.e2e.story_founding import account
from tests.e2e.ward import LABORATORY

MEDICATION = "patient/MedicationRequest.rs"
IN_LABORATORY = 6
"""Results of the laboratory in the bundle."""
MEDICATIONS = 3
NOT_ALLOWED = "this key may not do that for the account: "


def asks(seat: Seat, patient: str, *options: str) -> Any:
    """Ask for access for a month."""
    return seat.does("request", "new", patient, "--days", "30", *options)


def ask_and_allow(cast: Cast, at_a: str) -> str:
    """B asks by the inbox; the patient allows less; B reads that, checked, and nothing else.

    Returns:
        the consent.
    """
    patient, b = cast.patient, cast.b.seat
    for seat in (patient, b):
        seat.settings["MEDACCORD_GATEKEEPER"] = cast.a.url
    early, asked = together(
        partial(b.fails, "records", "list", "--search", "Observation", "--patient", at_a),
        partial(asks, b, at_a, "--scope", LABORATORY, "--scope", MEDICATION),
    )
    assert early.startswith("no-consent: ")
    (found,) = patient.does("inbox")["requests"]
    assert (found["request"], found["requestor"]) == (asked["request"], account(b))
    narrower = ("grant", asked["request"], "--scope", LABORATORY)
    unsure = patient.fails(*narrower, code=2)
    assert unsure.startswith("there is no terminal to ask on: say --yes where you mean it: ")
    allowed = patient.does(*narrower, "--yes")
    assert allowed["request"] == asked["request"]
    read, left_out = together(
        partial(
            b.does,
            *("records", "fetch", "--search", "Observation", "--patient", at_a),
            *("--out", b.path("read.ndjson")),
        ),
        partial(b.fails, "records", "list", "--search", "MedicationRequest", "--patient", at_a),
    )
    assert read["records"] == IN_LABORATORY
    assert left_out.startswith("scope-not-covered: ")
    verified = patient.does("records", "verify", b.hands("read.ndjson", patient))
    assert {each["standing"] for each in verified["records"]} == {"newest"}
    assert {each["steward"] for each in verified["records"]} == {account(cast.a.seat)}
    assert len(verified["records"]) == IN_LABORATORY
    return str(allowed["consent"])


def pull_the_plug(cast: Cast, at_a: str) -> None:
    """A's gatekeeper is killed and started again, and everything stands."""
    gone = cast.a.end(signal.SIGKILL)
    assert gone.code == -signal.SIGKILL
    cast.serve(cast.a)
    query = ("--search", "Observation?category=laboratory", "--patient", at_a)
    assert len(cast.b.seat.does("records", "list", *query)["records"]) == IN_LABORATORY


def hand_over_and_deny(cast: Cast, at_a: str, at_b: str) -> None:
    """A asks at B by a file, and is allowed; B asks at A for research, and is not."""
    patient, a, b, at_bs = cast.patient, cast.a.seat, cast.b.seat, ("--gatekeeper", cast.b.url)
    everything = ("--scope", "patient/*.rs", "--undated")
    written, asked = together(
        partial(asks, a, at_b, *everything, "--file", a.path("ask.json"), *at_bs),
        partial(asks, b, at_a, *everything, "--purpose", "HRESCH"),
    )
    assert (written["inInbox"], asked["inInbox"]) == (False, True)
    together(
        partial(patient.does, "grant", "--file", a.hands("ask.json", patient), "--yes", *at_bs),
        partial(patient.does, "deny", asked["request"]),
    )
    medication = ("records", "list", "--search", "MedicationRequest", "--patient")
    allowed, denied = together(
        partial(a.does, *medication, at_b, *at_bs),
        partial(b.does, "request", "list", "--status", "rejected"),
    )
    assert len(allowed["records"]) == MEDICATIONS
    assert [each["request"] for each in denied["requests"]] == [asked["request"]]


def take_back(cast: Cast, at_a: str, consent: str) -> None:
    """The patient takes the consent back, and it stands in the list."""
    patient, b = cast.patient, cast.b.seat
    patient.does("revoke", consent)
    refused, given = together(
        partial(b.fails, "records", "list", "--search", "Observation", "--patient", at_a),
        partial(patient.does, "consents"),
    )
    assert refused.startswith("consent-revoked: ")
    (ended,) = given["consents"]
    assert (ended["consent"], ended["status"], ended["revoked"]) == (consent, "inactive", True)


def delegate(cast: Cast, at_a: str) -> None:
    """The sister may read in the patient's name, and nothing else."""
    end = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    cast.patient.does("delegate", "add", cast.carer, "--power", "read", "--until", end)
    acting = ("--for", at_a, "--gatekeeper", cast.a.url)
    read, refused = together(
        partial(cast.sister.does, "records", "list", "--search", "Condition", *acting),
        partial(cast.sister.fails, "emergency", "forbid", *acting),
    )
    assert read["records"]
    assert refused.startswith(NOT_ALLOWED)
