"""The log in pages: each can be checked, and nothing is lost between them or by a filter."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete

from medaccord.chain import Power
from medaccord.chain.embedded import EmbeddedChain
from medaccord.core.audit import GENESIS, AuditEntry, chain_head
from medaccord.core.identifiers import Digest, digest, hex_digest
from medaccord.core.refusals import Refusal
from medaccord.gatekeeper import Gatekeeper, log_pages
from medaccord.keys import LocalSigner
from medaccord.store import tables, writing
from tests.integration.gatekeeper.conftest import World, delegate
from tests.integration.gatekeeper.desk import Desk, assert_refused

ENTRIES = tables.audit_entry


@pytest.fixture
def filled(desk: Desk, chain: EmbeddedChain, patient: LocalSigner, clinician: LocalSigner) -> Desk:
    """Seven lines: the patient's own reads, and in between, minutes apart, what was refused."""
    own, other = desk.sign_in(patient), desk.sign_in(clinician)
    for number in range(1, 8):
        kind = "Observation" if number < 6 else "Condition"
        who = other if number in (2, 4) else own
        desk.get(kind, who, patient, _count="1")
        chain.advance(timedelta(minutes=1))
    return desk


def pages(desk: Desk, patient: LocalSigner, **parameters: str) -> list[dict[str, Any]]:
    """Every page, each by the link of the one before."""
    headers = desk.sign_in(patient)
    answer = desk.http.get("/audit", params=parameters, headers=headers)
    found = []
    while True:
        assert answer.status_code == 200, answer.text
        found.append(answer.json())
        if found[-1]["next"] is None:
            return found
        answer = desk.http.get(found[-1]["next"], headers=headers)


def follow(pages: list[dict[str, Any]]) -> Digest:
    """Check that pages hold a commitment for every line, and give the head they end with."""
    head, number = GENESIS, 0
    for page in pages:
        assert (page["after"], page["previous"]) == (number, hex_digest(head))
        shown = {each["number"]: AuditEntry.parse(each).commitment for each in page["entries"]}
        hidden = {int(n): digest(each) for n, each in (page["leftOut"] | page["erased"]).items()}
        assert not shown.keys() & hidden.keys()
        while number < page["upto"]:
            number += 1
            head = chain_head(head, number, {**shown, **hidden}[number])
            assert hex_digest(head) == page["heads"][str(number)]
    assert number == pages[-1]["count"]
    return head


def numbers(pages: list[dict[str, Any]]) -> list[int]:
    return [entry["number"] for page in pages for entry in page["entries"]]


def test_pages_hold_the_whole_log_when_they_are_followed(
    filled: Desk, gatekeeper: Gatekeeper, patient: LocalSigner
) -> None:
    gatekeeper.audit.anchor()
    found = pages(filled, patient, count="3")
    assert [len(page["entries"]) for page in found] == [3, 3, 1]
    assert numbers(found) == list(range(1, 8))
    assert hex_digest(follow(found)) == found[-1]["head"] == found[-1]["anchored"]["head"]


def test_later_page_leads_to_what_is_anchored_when_it_is_checked_alone(
    filled: Desk, gatekeeper: Gatekeeper, patient: LocalSigner
) -> None:
    gatekeeper.audit.anchor()
    page = filled.audit(patient, after="4")
    head = digest(page["previous"])
    for entry in map(AuditEntry.parse, page["entries"]):
        head = chain_head(head, entry.number, entry.commitment)
    assert hex_digest(head) == page["anchored"]["head"]


@pytest.mark.parametrize(
    ("named", "wanted"),
    [
        ({"outcome": "refused"}, [2, 4]),
        ({"reason": "no-consent"}, [2, 4]),
        ({"reason": "PATRQT"}, [1, 3, 5, 6, 7]),
        ({"action": "search"}, [1, 2, 3, 4, 5, 6, 7]),
        ({"action": "export"}, []),
        ({"outcome": "released", "action": "search", "count": "2"}, [1, 3, 5, 6, 7]),
    ],
)
def test_filter_shows_what_fits_and_leaves_commitments_of_the_rest(
    filled: Desk, patient: LocalSigner, named: dict[str, str], wanted: list[int]
) -> None:
    found = pages(filled, patient, **named)
    assert numbers(found) == wanted
    assert hex_digest(follow(found)) == filled.audit(patient)["head"]


def test_filter_shows_who_asked_when_a_requester_is_named(
    filled: Desk, patient: LocalSigner, clinician: LocalSigner
) -> None:
    assert numbers(pages(filled, patient, requester=clinician.address)) == [2, 4]


def test_filter_shows_reads_of_a_record_when_one_is_named(
    filled: Desk, patient: LocalSigner
) -> None:
    lines = filled.audit(patient)["entries"]
    version = lines[0]["records"][0]
    wanted = [each["number"] for each in lines if version in each["records"]]
    assert 6 not in wanted
    for record in (version, version.rpartition("/")[0]):
        assert numbers(pages(filled, patient, record=record)) == wanted


def test_filter_includes_its_beginning_and_excludes_its_end(
    filled: Desk, patient: LocalSigner
) -> None:
    times = [each["at"] for each in filled.audit(patient)["entries"]]
    found = pages(filled, patient, since=times[2], until=times[4])
    assert numbers(found) == [3, 4]
    follow(found)


def test_page_covers_no_more_than_its_bound_when_nothing_fits(
    filled: Desk, patient: LocalSigner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_pages, "MOST_COVERED", 3)
    found = pages(filled, patient, action="export")
    assert [(page["upto"], len(page["leftOut"])) for page in found] == [(3, 3), (6, 3), (7, 1)]
    follow(found)


def test_page_has_no_head_before_it_when_that_line_was_deleted(
    filled: Desk, gatekeeper: Gatekeeper, patient: LocalSigner, database: Any
) -> None:
    with writing(database) as connection:
        connection.execute(delete(ENTRIES).where(ENTRIES.c.number == 3))
    page = filled.audit(patient, after="3")
    assert page["previous"] is None
    assert [each["number"] for each in page["entries"]] == [4, 5, 6, 7]


def test_log_is_shown_to_a_delegate_that_may_read(
    filled: Desk, world: World, patient: LocalSigner, stranger: LocalSigner, gatekeeper: Gatekeeper
) -> None:
    delegate(world.contracts, world.sender, patient, stranger, Power.READ)
    headers = filled.sign_in(stranger, patient.address)
    answer = filled.http.get("/audit", params={"outcome": "refused"}, headers=headers)
    assert [each["number"] for each in answer.json()["entries"]] == [2, 4]


@pytest.mark.parametrize(
    "named",
    [
        {"count": "0"},
        {"count": "1001"},
        {"since": "yesterday"},
        {"until": "2026-02-30T00:00:00Z"},
        {"outcome": "perhaps"},
        {"colour": "red"},
    ],
)
def test_log_is_refused_when_a_parameter_makes_no_sense(
    desk: Desk, patient: LocalSigner, named: dict[str, str]
) -> None:
    answer = desk.http.get("/audit", params=named, headers=desk.sign_in(patient))
    assert_refused(answer, 400, "InvalidRequest")


def test_log_is_refused_when_the_requester_named_is_no_account(
    desk: Desk, patient: LocalSigner
) -> None:
    answer = desk.http.get("/audit", params={"requester": "0x12"}, headers=desk.sign_in(patient))
    assert_refused(answer, 400, "InvalidIdentifier")


def test_log_is_refused_when_a_filter_is_asked_for_by_nobody(desk: Desk) -> None:
    answer = desk.http.get("/audit", params={"outcome": "refused"})
    assert_refused(answer, 401, Refusal.NOT_SIGNED_IN)
