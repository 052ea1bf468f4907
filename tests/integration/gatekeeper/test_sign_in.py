"""Signing in: one message, one use, one account, and a token that dies with its key's power."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from medaccord.chain import Contracts, Power, Sender, actions
from medaccord.chain.embedded import EmbeddedChain
from medaccord.core.identifiers import AccountId
from medaccord.core.refusals import Refusal
from medaccord.core.sign_in import SignInMessage
from medaccord.keys import LocalSigner
from tests.databases import stored_bytes
from tests.integration.gatekeeper.conftest import delegate
from tests.integration.gatekeeper.desk import Desk, as_time, assert_refused


@pytest.fixture
def carer(contracts: Contracts, sender: Sender, patient: LocalSigner) -> LocalSigner:
    """A key with the patient's power to read."""
    key = LocalSigner.create()
    delegate(contracts, sender, patient, key, Power.READ)
    return key


def test_challenge_names_this_gatekeeper_and_the_account_when_asked(
    desk: Desk, patient: LocalSigner
) -> None:
    message = SignInMessage.parse(desk.challenge(patient))
    assert message.uri == desk.url
    assert message.domain == desk.url.removeprefix("http://")
    assert message.address == patient.address
    assert message.account == AccountId.parse(desk.account(patient))
    assert message.expiration_time - message.issued_at == timedelta(minutes=5)


def test_challenge_is_refused_when_the_account_is_no_address(desk: Desk) -> None:
    answer = desk.http.post("/sign-in/challenge", json={"account": "0x1", "by": "0x1"})
    assert_refused(answer, 400, "InvalidIdentifier")


def test_sign_in_gives_a_token_for_ten_minutes_when_signed(
    desk: Desk, patient: LocalSigner
) -> None:
    message = desk.challenge(patient)
    answer = desk.redeem(message, patient.sign_text(message))
    assert answer.status_code == 200
    body = answer.json()
    bearer, expires_at = body["token"], as_time(desk.now() + timedelta(minutes=10))
    assert body == {
        "token": bearer,
        "expiresAt": expires_at,
        "account": patient.address,
        "purpose": "PATRQT",
        "access_token": bearer,
        "token_type": "bearer",
        "expires_in": 600,
        "scope": "system/*.rs",
    }
    assert answer.headers["cache-control"] == "no-store"


def test_sign_in_is_refused_when_the_message_was_used_before(
    desk: Desk, patient: LocalSigner
) -> None:
    message = desk.challenge(patient)
    signature = patient.sign_text(message)
    assert desk.redeem(message, signature).status_code == 200
    assert_refused(desk.redeem(message, signature), 401, Refusal.NOT_SIGNED_IN)


def test_sign_in_is_refused_when_signed_by_another_key(
    desk: Desk, patient: LocalSigner, stranger: LocalSigner
) -> None:
    message = desk.challenge(patient)
    answer = desk.redeem(message, stranger.sign_text(message))
    assert_refused(answer, 401, Refusal.NOT_SIGNED_IN)


def test_sign_in_is_refused_when_the_key_does_not_act_for_the_account(
    desk: Desk, patient: LocalSigner, stranger: LocalSigner
) -> None:
    message = desk.challenge(stranger, patient.address)
    answer = desk.redeem(message, stranger.sign_text(message))
    assert_refused(answer, 401, Refusal.NOT_SIGNED_IN)


def test_sign_in_is_refused_when_the_delegate_may_not_read(
    desk: Desk, contracts: Contracts, sender: Sender, patient: LocalSigner, stranger: LocalSigner
) -> None:
    delegate(contracts, sender, patient, stranger, Power.GRANT)
    message = desk.challenge(stranger, patient.address)
    answer = desk.redeem(message, stranger.sign_text(message))
    assert_refused(answer, 401, Refusal.NOT_SIGNED_IN)


ALTERED: dict[str, tuple[str, str]] = {
    "nonce": (r"Nonce: .{4}", "Nonce: zzzz"),
    "mark": (r"(Nonce: \w{60}).{4}", r"\1zzzz"),
    "issued": (r"Issued At: 2026", "Issued At: 2025"),
    "expires": (r"Expiration Time: 2026", "Expiration Time: 2027"),
    "address": (r"URI: http:", "URI: https:"),
    "purpose": (r"#PATRQT", "#TREAT"),
    "registry": (r"(- eip155:\d+:\w+\n- eip155:\d+:)\w+", r"\g<1>0x" + "11" * 20),
    "account": (r"(Resources:\n- eip155:\d+:)\w+", r"\g<1>0x" + "11" * 20),
}


@pytest.mark.parametrize("what", ALTERED)
def test_sign_in_is_refused_when_the_message_was_altered(
    desk: Desk, patient: LocalSigner, what: str
) -> None:
    altered, times = re.subn(*ALTERED[what], desk.challenge(patient))
    assert times == 1
    answer = desk.redeem(altered, patient.sign_text(altered))
    assert_refused(answer, 401, Refusal.NOT_SIGNED_IN)


def test_sign_in_is_refused_when_the_text_is_no_message(desk: Desk, patient: LocalSigner) -> None:
    answer = desk.redeem("let me in", patient.sign_text("let me in"))
    assert_refused(answer, 400, "InvalidSignIn")


def test_sign_in_is_refused_when_the_signature_is_no_hexadecimal(
    desk: Desk, patient: LocalSigner
) -> None:
    body = {"message": desk.challenge(patient), "signature": "0xno"}
    assert_refused(desk.http.post("/sign-in", json=body), 400, "InvalidRequest")


def test_sign_in_works_when_handed_in_a_second_before_its_end(
    desk: Desk, chain: EmbeddedChain, patient: LocalSigner
) -> None:
    message = desk.challenge(patient)
    chain.advance(timedelta(minutes=5) - timedelta(seconds=1))
    assert desk.redeem(message, patient.sign_text(message)).status_code == 200


def test_sign_in_is_refused_when_handed_in_at_its_end(
    desk: Desk, chain: EmbeddedChain, patient: LocalSigner
) -> None:
    message = desk.challenge(patient)
    chain.advance(timedelta(minutes=5))
    answer = desk.redeem(message, patient.sign_text(message))
    assert_refused(answer, 401, Refusal.NOT_SIGNED_IN)


def test_token_works_when_used_a_second_before_its_end(
    desk: Desk, chain: EmbeddedChain, patient: LocalSigner
) -> None:
    headers = desk.sign_in(patient)
    chain.advance(timedelta(minutes=10) - timedelta(seconds=1))
    assert desk.get("Observation", headers, patient).status_code == 200


def test_token_is_refused_when_used_at_its_end(
    desk: Desk, chain: EmbeddedChain, patient: LocalSigner
) -> None:
    headers = desk.sign_in(patient)
    chain.advance(timedelta(minutes=10))
    assert_refused(desk.get("Observation", headers, patient), 401, Refusal.NOT_SIGNED_IN)


def test_token_is_refused_when_made_up(desk: Desk, patient: LocalSigner) -> None:
    headers = {"Authorization": "Bearer " + "A" * 43}
    answer = desk.get("Observation", headers, patient)
    assert_refused(answer, 401, Refusal.NOT_SIGNED_IN)
    assert answer.headers["www-authenticate"] == "Bearer"


def test_token_of_a_delegate_reads_when_delegated(
    desk: Desk, patient: LocalSigner, carer: LocalSigner
) -> None:
    headers = desk.sign_in(carer, patient.address)
    assert desk.get("Observation", headers, patient).status_code == 200


def test_token_of_a_delegate_is_refused_when_undelegated_meanwhile(
    desk: Desk,
    contracts: Contracts,
    sender: Sender,
    patient: LocalSigner,
    carer: LocalSigner,
) -> None:
    headers = desk.sign_in(carer, patient.address)
    action = actions.undelegate(contracts, account=patient.address, delegate=carer.address)
    actions.submit(sender, actions.signed(action, patient))
    assert_refused(desk.get("Observation", headers, patient), 401, Refusal.NOT_SIGNED_IN)


def test_token_of_a_controller_is_refused_when_the_account_was_rotated_meanwhile(
    desk: Desk,
    contracts: Contracts,
    sender: Sender,
    patient: LocalSigner,
    stranger: LocalSigner,
) -> None:
    headers = desk.sign_in(patient)
    action = actions.rotate(contracts, account=patient.address, new_controller=stranger.address)
    actions.submit(sender, actions.signed(action, patient))
    assert_refused(desk.get("Observation", headers, patient), 401, Refusal.NOT_SIGNED_IN)


def test_nothing_in_the_database_is_a_token_when_somebody_signed_in(
    desk: Desk, patient: LocalSigner, database_url: str
) -> None:
    bearer = desk.sign_in(patient)["Authorization"].removeprefix("Bearer ")
    stored = b"".join(stored_bytes(database_url).values())
    assert bearer.encode() not in stored
