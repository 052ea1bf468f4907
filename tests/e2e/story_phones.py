"""How the story ends: another device, a stolen phone, and a patient who leaves."""

from __future__ import annotations

import signal
from functools import partial

from tests.e2e.story_cast import Cast, together
from tests.e2e.story_founding import account


def restore(cast: Cast, phrase: str, at_a: str, at_b: str) -> None:
    """A key is renewed; then a tablet finds everything by the phrase, the chain and gatekeepers."""
    rotated = cast.patient.does("account", "rotate", at_a)
    assert rotated["account"] == at_a != rotated["controller"]
    tablet, there = cast.tablet, ("--gatekeeper", cast.a.url)
    words = tablet.person.secret_file("phrase", phrase)
    found = tablet.does("account", "restore", "--in-wallet", "--phrase-file", words, *there)
    assert found["problems"] == []
    assert {
        each["account"]: (each["steward"], each["gatekeeper"], each["rotations"])
        for each in found["accounts"]
        if each["used"]
    } == {
        at_a: (account(cast.a.seat), cast.a.url, 1),
        at_b: (account(cast.b.seat), cast.b.url, 0),
    }
    assert (found["consents"], found["opened"], found["emergencies"]) == (2, 2, 1)
    given, allowed = together(
        partial(tablet.does, "consents", *there),
        partial(tablet.does, "consents", "--gatekeeper", cast.b.url),
    )
    assert [each["status"] for each in given["consents"]] == ["inactive"]
    assert [each["status"] for each in allowed["consents"]] == ["active"]


def lose_the_phone(cast: Cast, at_a: str) -> None:
    """With the phrase gone as well, the sister hands the account to a new phone."""
    patient, sister, new_phone = cast.patient, cast.sister, cast.new_phone
    made = sister.does("guardians", "card", sister.path("card.json"))
    card, papers = sister.hands("card.json", patient), patient.path("papers")
    chosen = patient.does("guardians", "choose", card, "--threshold", "1", "--out", papers)
    sister.does("guardians", "take", patient.hands(chosen["files"][made["guardian"]], sister))
    # The phone is stolen. The sister pays for the rest, too: she brings a copy of her account.
    together(
        partial(sister.does, "account", "backup", cast.payer, sister.path("payer.json")),
        partial(new_phone.does, "recover", "request", at_a, "--file", new_phone.path("lost.json")),
    )
    new_phone.does("account", "restore", sister.hands("payer.json", new_phone))
    asked = new_phone.hands("lost.json", sister)
    sister.does("recover", "approve", asked, "--file", sister.path("approved.json"), "--yes")
    approved, payer = sister.hands("approved.json", new_phone), ("--payer", cast.payer)
    new_phone.does("recover", "start", approved, *payer)
    new_phone.does("recover", "complete", at_a, "--wait", "60", *payer)
    new_phone.settings.update(MEDACCORD_ACCOUNT=at_a, MEDACCORD_GATEKEEPER=cast.a.url)
    related, consents, thief = together(
        partial(new_phone.does, "relationship", "list"),
        partial(new_phone.does, "consents"),
        partial(patient.fails, "records", "list", "--search", "Condition"),
    )
    assert [each["state"] for each in related["relationships"]] == ["active"]
    assert {each["status"] for each in consents["consents"]} == {"inactive"}
    assert thief.startswith("not-signed-in: ")


def leave(cast: Cast, at_b: str) -> None:
    """The patient takes all back at B and leaves, and B erases everything."""
    tablet, a, b, there = cast.tablet, cast.a.seat, cast.b.seat, ("--gatekeeper", cast.b.url)
    tablet.does("revoke", "--all", *there)
    reading = ("records", "list", "--search", "Observation", "--patient", at_b, *there)
    assert a.fails(*reading).startswith("consent-epoch-ended: ")
    tablet.does("relationship", "end", *there)
    erasing = ("records", "erase", "--everything", "--yes")
    listed, unclear = together(
        partial(tablet.does, "relationship", "list", *there),
        partial(b.fails, *erasing, "Condition/1", "--patient", at_b, code=2),
    )
    assert [each["state"] for each in listed["relationships"]] == ["ended"]
    assert unclear == "name one record as Type/id, or say --everything, not both"
    assert b.does(*erasing, "--patient", at_b)["versions"] > 0


def stop(cast: Cast) -> None:
    """Everything that runs ends in order, and says nothing more on standard output."""
    assert cast.node is not None
    for ended in together(partial(cast.a.end, signal.SIGTERM), partial(cast.b.end, signal.SIGTERM)):
        assert (ended.code, ended.output) == (0, "")
    ended = cast.node.end(signal.SIGTERM)
    assert (ended.code, ended.output, ended.errors) == (0, "", "")
