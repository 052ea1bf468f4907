"""Watching what is allowed: told at once, and whenever it changes."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import pytest

from medaccord.chain import Contracts, actions
from medaccord.chain.embedded import EmbeddedChain
from medaccord.core.consistency import ConsistencyToken
from medaccord.core.identifiers import hex_digest
from medaccord.core.refusals import Refusal
from medaccord.gatekeeper import Gatekeeper
from medaccord.keys import LocalSigner
from tests.integration.gatekeeper.conftest import World
from tests.integration.gatekeeper.desk import Desk, assert_refused
from tests.integration.gatekeeper.organisations import suspend

LABORATORY = "patient/Observation.rs?category=laboratory"


@dataclass
class Told:
    """One event, as it came."""

    kind: str
    data: dict[str, Any]
    id: str

    @property
    def grants(self) -> list[tuple[str, list[str]]]:
        """The organisations that may read something, each with what its ways in rest on."""
        return [
            (each["organisation"], [way["restsOn"] for way in each["ways"]])
            for each in self.data["allowed"]
        ]


@dataclass
class Stream:
    """A stream that is read event by event."""

    lines: Iterator[str]

    def next(self) -> Told:
        """The next event; comments are passed over."""
        fields: dict[str, str] = {}
        for line in self.lines:
            if line == "" and fields:
                return Told(fields["event"], json.loads(fields["data"]), fields.get("id", ""))
            if line and not line.startswith(":"):
                name, _, value = line.partition(": ")
                fields[name] = value
        raise AssertionError("the stream ended")


@contextmanager
def watching(
    desk: Desk, asker: LocalSigner, *patients: LocalSigner, last: str | None = None
) -> Iterator[Stream]:
    headers = desk.sign_in(asker) | ({} if last is None else {"Last-Event-ID": last})
    query = {"patient": [each.address for each in patients]}
    with desk.http.stream("GET", "/access/watch", params=query, headers=headers) as answer:
        assert answer.status_code == 200
        yield Stream(answer.iter_lines())


def refused(desk: Desk, asker: LocalSigner, *patients: LocalSigner, **extra: str) -> httpx.Response:
    query = {"patient": [each.address for each in patients]}
    headers = desk.sign_in(asker) | {name.replace("_", "-"): extra[name] for name in extra}
    return desk.http.get("/access/watch", params=query, headers=headers)


def revoke(desk: Desk, contracts: Contracts, patient: LocalSigner, consent: Any) -> None:
    action = actions.revoke(contracts, patient=patient.address, consent_id=consent)
    assert desk.relay(action, patient, wait=False).status_code == 202


def test_watch_tells_a_patient_of_each_grant_and_revocation(
    desk: Desk, contracts: Contracts, patient: LocalSigner, clinician: LocalSigner
) -> None:
    with watching(desk, patient) as stream:
        first = stream.next()
        assert (first.kind, first.grants) == ("allowed", [])
        consent = desk.grant(patient, clinician, LABORATORY)
        granted = stream.next()
        assert granted.grants == [(clinician.address, [hex_digest(consent)])]
        assert granted.data["allowed"][0]["ways"][0]["scopes"] == [LABORATORY]
        token = ConsistencyToken.parse(granted.data["consistencyToken"])
        assert token == ConsistencyToken.of(contracts.network.head())
        assert granted.id.startswith(f"{token}.")
        revoke(desk, contracts, patient, consent)
        assert stream.next().grants == []


def test_watch_tells_an_organisation_of_itself_alone(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner, hospital: LocalSigner
) -> None:
    desk.grant(patient, hospital, LABORATORY)
    with watching(desk, clinician, patient) as stream:
        assert stream.next().grants == []
        consent = desk.grant(patient, clinician, LABORATORY)
        assert stream.next().grants == [(clinician.address, [hex_digest(consent)])]


def test_watch_tells_when_a_consent_runs_out(
    desk: Desk, chain: EmbeddedChain, patient: LocalSigner, clinician: LocalSigner
) -> None:
    desk.grant(patient, clinician, LABORATORY)
    with watching(desk, patient) as stream:
        assert len(stream.next().grants) == 1
    # The reader's own token runs out on the way: what changed is told to whoever comes back.
    chain.advance(timedelta(days=31))
    with watching(desk, patient) as stream:
        assert stream.next().grants == []


def test_watch_tells_when_the_organisation_is_suspended(
    desk: Desk, world: World, patient: LocalSigner, clinician: LocalSigner
) -> None:
    desk.grant(patient, clinician, LABORATORY)
    with watching(desk, clinician, patient) as stream:
        assert len(stream.next().grants) == 1
        suspend(world, clinician)
        assert stream.next().grants == []


def test_watch_tells_nothing_again_when_it_is_resumed_and_nothing_changed(
    desk: Desk, contracts: Contracts, patient: LocalSigner, clinician: LocalSigner
) -> None:
    consent = desk.grant(patient, clinician, LABORATORY)
    with watching(desk, patient) as stream:
        seen = stream.next()
    with watching(desk, patient, last=seen.id) as stream:
        time.sleep(1.5)  # time to tell it again
        revoke(desk, contracts, patient, consent)
        assert stream.next().grants == []


def test_watch_tells_what_changed_meanwhile_when_it_is_resumed(
    desk: Desk, contracts: Contracts, patient: LocalSigner, clinician: LocalSigner
) -> None:
    consent = desk.grant(patient, clinician, LABORATORY)
    with watching(desk, patient) as stream:
        seen = stream.next()
    revoke(desk, contracts, patient, consent)
    with watching(desk, patient, last=seen.id) as stream:
        assert stream.next().grants == []


def test_watch_ends_with_the_reason_when_the_token_has(
    desk: Desk, chain: EmbeddedChain, patient: LocalSigner
) -> None:
    with watching(desk, patient) as stream:
        stream.next()
        chain.advance(timedelta(minutes=11))
        told = stream.next()
        assert (told.kind, told.data["code"]) == ("refused", "not-signed-in")
        with pytest.raises(AssertionError, match="the stream ended"):
            stream.next()


def test_watch_ends_when_the_gatekeeper_stops(
    desk: Desk, gatekeeper: Gatekeeper, patient: LocalSigner
) -> None:
    with watching(desk, patient) as stream:
        stream.next()
        gatekeeper.close()
        with pytest.raises(AssertionError, match="the stream ended"):
            stream.next()


def test_watch_is_refused_when_a_stranger_asks_for_itself(
    desk: Desk, stranger: LocalSigner
) -> None:
    assert_refused(refused(desk, stranger), 403, Refusal.UNKNOWN_PATIENT)


def test_watch_is_refused_when_another_patient_asks(
    desk: Desk, gatekeeper: Gatekeeper, patient: LocalSigner, stranger: LocalSigner
) -> None:
    """Somebody enrolled here as well, about the patient, and about somebody who is nobody."""
    code = gatekeeper.enrolment.issue_code("another-patient")
    assert desk.enrol(stranger, code).status_code == 201
    answers = [refused(desk, stranger, each) for each in (patient, LocalSigner.create())]
    for answer in answers:
        assert_refused(answer, 403, Refusal.MAY_NOT_ASK)
    assert answers[0].content == answers[1].content


@pytest.mark.parametrize("last", ["yesterday", "1:2:0x00", "x.y"])
def test_watch_is_refused_when_the_last_id_is_none_of_ours(
    desk: Desk, patient: LocalSigner, last: str
) -> None:
    assert_refused(refused(desk, patient, Last_Event_ID=last), 400, "InvalidRequest")


def test_watch_is_refused_when_it_is_of_too_many_patients(
    desk: Desk, clinician: LocalSigner
) -> None:
    many = [LocalSigner.create() for _ in range(51)]
    assert_refused(refused(desk, clinician, *many), 400, "InvalidRequest")
