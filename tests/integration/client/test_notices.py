"""What an account is told, as its own software reads it: resumed, checked, and never believed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from medaccord.chain import Power
from medaccord.chain.embedded import EmbeddedChain
from medaccord.client import Patient, Provider
from medaccord.core.errors import AccessRefused, InvalidRequest, TransportError
from medaccord.core.notices import Notice, NoticeKind
from medaccord.core.refusals import Refusal
from medaccord.demo.stage import Hospital, Stage
from medaccord.gatekeeper.tokens import TOKEN_LIFE
from medaccord.keys import LocalSigner
from tests.integration.client.conftest import World
from tests.integration.client.middle import Middle, at, edited


@pytest.fixture
def listener(world: World, stage: Stage, hospital: Hospital) -> Iterator[Patient]:
    """The patient on a line of its own: whoever sits in the middle would hold a stream up."""
    with Patient(world.patient, stage.contracts, hospital.url) as made:
        yield made


def lines(notices: list[Notice]) -> list[str]:
    return [each.subject for each in notices if each.kind is NoticeKind.READ]


def test_notices_are_all_there_when_iterated(patient: Patient, clinician: Provider) -> None:
    for _ in range(2):
        clinician.records.search("Observation", patient.account)
    told = list(patient.notices)
    assert told[0].kind is NoticeKind.GRANT
    assert lines(told) == [str(entry.number) for entry in patient.audit.verify().entries]
    assert [each.id for each in told] == sorted(each.id for each in told)
    assert list(patient.notices.after(told[-2].id)) == told[-1:]


def test_notices_of_an_organisation_are_its_own(patient: Patient, clinician: Provider) -> None:
    granted = [each for each in clinician.notices if each.actor == patient.account]
    assert [each.kind for each in granted] == [NoticeKind.GRANT]


def test_stream_gives_each_notice_once_when_the_token_ends_meanwhile(
    listener: Patient, clinician: Provider, chain: EmbeddedChain
) -> None:
    last = list(listener.notices)[-1].id
    stream = listener.notices.stream(last)
    seen = []
    for _ in range(3):
        clinician.records.search("Observation", listener.account)
        seen.append(next(stream))
        chain.advance(TOKEN_LIFE)
    stream.close()
    assert seen == list(listener.notices.after(last))


def test_stream_ends_when_the_key_may_not_read_any_more(
    listener: Patient, stage: Stage, hospital: Hospital, stranger: LocalSigner
) -> None:
    until = stage.network.clock() + timedelta(days=1)
    listener.delegates.add(stranger.address, Power.READ, until=until)
    with Patient(stranger, stage.contracts, hospital.url, account=listener.account) as carer:
        stream = carer.notices.stream(0)
        assert next(stream).kind is NoticeKind.GRANT
        listener.delegates.remove(stranger.address)
        with pytest.raises(AccessRefused) as caught:
            list(stream)
    assert caught.value.reason is Refusal.NOT_SIGNED_IN


def test_stream_is_given_up_when_nobody_answers_for_long(patient: Patient, middle: Middle) -> None:
    list(patient.notices)
    middle.cut.add("/notices/stream")
    with pytest.raises(TransportError, match=r"stream of .* broke"):
        next(patient.notices.stream(patience=timedelta()))


def _to_somebody_else(document: Any) -> None:
    document["notices"][0]["account"] = "0x" + "11" * 20


def _not_newer(document: Any) -> None:
    document["notices"] = document["notices"][:1] * 2


def _of_another_form(document: Any) -> None:
    document["notices"] = {}


@pytest.mark.parametrize(
    ("edit", "problem"),
    [
        (_to_somebody_else, "to somebody else"),
        (_not_newer, "older than asked for"),
        (_of_another_form, "no list of notices"),
    ],
)
def test_notices_are_refused_when_the_gatekeeper_makes_them_up(
    patient: Patient, middle: Middle, edit: Any, problem: str
) -> None:
    middle.alter = at("/notices", edited(edit))
    with pytest.raises(TransportError, match=problem):
        list(patient.notices)


def test_webhook_is_made_and_deleted_when_asked_for(clinician: Provider) -> None:
    made = clinician.notices.post_to("https://receiver.example/notices")
    assert made.secret.startswith("whsec_")
    clinician.notices.stop_posting(made.id)
    with pytest.raises(InvalidRequest, match="no webhook of that id"):
        clinician.notices.stop_posting(made.id)


def test_webhook_is_refused_when_its_address_is_the_gatekeepers_own(
    clinician: Provider, hospital: Hospital
) -> None:
    with pytest.raises(InvalidRequest, match="by https"):
        clinician.notices.post_to(hospital.url)
