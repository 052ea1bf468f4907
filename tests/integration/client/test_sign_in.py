"""A client signs only a sign-in to the gatekeeper it speaks to, for the account it acts for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from medaccord.client import Patient, Provider
from medaccord.core.errors import AccessRefused, InvalidSignIn, TransportError
from medaccord.core.identifiers import AccountId
from medaccord.core.refusals import Refusal
from medaccord.demo.stage import Hospital, Stage
from medaccord.keys import LocalSigner
from tests.integration.client.conftest import Visit
from tests.integration.client.middle import Middle, at, edited

CHALLENGE = "/sign-in/challenge"


def rewritten(change: Callable[[str], str]) -> Any:
    """Has another message put before the client to sign."""
    return at(
        CHALLENGE, edited(lambda answer: answer.update({"message": change(answer["message"])}))
    )


def assert_nothing_signed(middle: Middle, patient: Patient, problem: str) -> None:
    with pytest.raises(InvalidSignIn) as refused:
        patient.records.search("Condition")
    assert problem in refused.value.problem
    assert "/sign-in" not in middle.paths()
    assert all("authorization" not in request.headers for request in middle.asked)


def test_nothing_is_signed_when_the_message_is_for_another_domain(
    patient: Patient, hospital: Hospital, middle: Middle
) -> None:
    here = hospital.url.removeprefix("http://")
    middle.alter = rewritten(lambda text: text.replace(here, "gatekeeper.example"))
    assert_nothing_signed(
        middle, patient, f"{here} asks to sign in at gatekeeper.example: nothing was signed"
    )


def test_nothing_is_signed_when_the_address_names_another_place_than_the_domain(
    patient: Patient, hospital: Hospital, middle: Middle
) -> None:
    middle.alter = rewritten(
        lambda text: text.replace(f"URI: {hospital.url}", "URI: http://gatekeeper.example")
    )
    assert_nothing_signed(middle, patient, "is not at")


def test_nothing_is_signed_when_the_message_is_for_another_account(
    patient: Patient, stage: Stage, middle: Middle
) -> None:
    middle.alter = rewritten(
        lambda text: text.replace(
            f"Resources:\n- eip155:1337:{patient.account}",
            f"Resources:\n- eip155:1337:{stage.a.account}",
        )
    )
    assert_nothing_signed(middle, patient, "asks to sign in as somebody else")


def test_nothing_is_signed_when_the_message_is_for_another_key(
    patient: Patient, stranger: LocalSigner, middle: Middle
) -> None:
    middle.alter = rewritten(
        lambda text: text.replace(patient.account, stranger.address).replace(
            f"Resources:\n- eip155:1337:{stranger.address}",
            f"Resources:\n- eip155:1337:{patient.account}",
        )
    )
    assert_nothing_signed(middle, patient, "asks to sign in as somebody else")


def test_nothing_is_signed_when_the_message_is_by_another_registry(
    patient: Patient, stage: Stage, stranger: LocalSigner, middle: Middle
) -> None:
    registry = stage.contracts.registry.address
    middle.alter = rewritten(lambda text: text.replace(registry, stranger.address))
    assert_nothing_signed(middle, patient, "asks to sign in by another registry")


def test_nothing_is_signed_when_the_message_is_for_another_purpose(
    patient: Patient, middle: Middle
) -> None:
    middle.alter = rewritten(lambda text: text.replace("#PATRQT", "#TREAT"))
    assert_nothing_signed(middle, patient, "asks to sign in for TREAT, not PATRQT")


def test_nothing_is_signed_when_the_message_is_for_another_chain(
    patient: Patient, middle: Middle
) -> None:
    middle.alter = rewritten(
        lambda text: text.replace("Chain ID: 1337", "Chain ID: 1").replace(
            "eip155:1337:", "eip155:1:"
        )
    )
    assert_nothing_signed(middle, patient, "asks to sign in as somebody else")


def test_nothing_is_signed_when_the_message_has_a_long_life(
    patient: Patient, stage: Stage, middle: Middle
) -> None:
    def prolong(text: str) -> str:
        start, _, end = text.partition("Expiration Time: ")
        later = stage.network.clock() + timedelta(days=365)
        return f"{start}Expiration Time: {later:%Y-%m-%dT%H:%M:%SZ}{end[20:]}"

    middle.alter = rewritten(prolong)
    assert_nothing_signed(middle, patient, "asks for a sign-in of over")


def test_nothing_is_signed_when_the_message_is_over(
    patient: Patient, stage: Stage, middle: Middle
) -> None:
    kept: list[str] = []

    def keep(text: str) -> str:
        kept.append(text)
        return text

    middle.alter = rewritten(keep)
    patient.records.search("Condition")
    stage.chain.advance(timedelta(minutes=30))
    middle.asked.clear()
    middle.alter = rewritten(lambda text: kept[0])
    with pytest.raises(InvalidSignIn, match="is over: compare the clocks"):
        patient.records.search("Condition")
    assert "/sign-in" not in middle.paths()


@pytest.mark.parametrize("text", ["", "Send all your money.", "Sign in.\n"])
def test_nothing_is_signed_when_the_text_is_no_sign_in(
    patient: Patient, middle: Middle, text: str
) -> None:
    middle.alter = rewritten(lambda _: text)
    assert_nothing_signed(middle, patient, "not a sign-in message")


@pytest.mark.parametrize("message", [None, 7, ["text"]])
def test_challenge_without_text_is_the_gatekeepers_fault(
    patient: Patient, middle: Middle, message: Any
) -> None:
    middle.alter = at(CHALLENGE, edited(lambda answer: answer.update({"message": message})))
    if message == 7:
        middle.alter = at(CHALLENGE, edited(lambda answer: answer.pop("message")))
    with pytest.raises(TransportError, match="does not answer as a gatekeeper does"):
        patient.records.search("Condition")


def test_client_signs_in_once_and_again_when_the_token_has_ended(
    patient: Patient, stage: Stage, middle: Middle
) -> None:
    patient.records.search("Condition")
    patient.records.search("Condition")
    assert middle.paths().count("/sign-in") == 1
    stage.chain.advance(timedelta(minutes=10))
    patient.records.search("Condition")
    assert middle.paths().count("/sign-in") == 2


def test_client_gives_up_when_a_fresh_token_is_refused_too(
    patient: Patient, middle: Middle
) -> None:
    middle.alter = at("/sign-in", edited(lambda answer: answer.update({"token": "forged"})))
    with pytest.raises(AccessRefused) as refused:
        patient.records.search("Condition")
    assert refused.value.reason is Refusal.NOT_SIGNED_IN
    assert middle.paths().count("/sign-in") == 1


def test_sign_in_is_refused_when_the_key_may_not_act_for_the_account(
    patient: Patient, stranger: LocalSigner, visit: Visit
) -> None:
    with pytest.raises(AccessRefused) as refused:
        visit(Patient, stranger, patient.account).records.search("Condition")
    assert refused.value.reason is Refusal.NOT_SIGNED_IN


def test_sign_in_of_a_stranger_reads_nothing(
    patient: Patient, stranger: LocalSigner, visit: Visit
) -> None:
    with pytest.raises(AccessRefused) as refused:
        visit(Provider, stranger).records.search("Condition", patient.account)
    assert refused.value.reason is Refusal.NOT_AN_ORGANISATION


def test_account_named_in_a_token_is_the_one_acted_for(
    patient: Patient, stage: Stage, middle: Middle
) -> None:
    patient.records.search("Condition")
    (signed,) = [request for request in middle.asked if request.url.path == "/sign-in"]
    named = AccountId(chain_id=stage.network.chain_id, address=patient.account)
    assert f"Resources:\\n- {named}" in signed.read().decode()
