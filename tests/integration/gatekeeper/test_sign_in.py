"""Signing in: one message, one use, one account, and a token that dies with its key's power."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from medaccord.chain import Contracts, Network, Power, Sender
from medaccord.chain.embedded import EmbeddedChain
from medaccord.core.identifiers import AccountId, address
from medaccord.core.purposes import Purpose
from medaccord.core.refusals import Refusal
from medaccord.core.sign_in import SignInMessage
from medaccord.gatekeeper import Gatekeeper
from medaccord.keys import LocalSigner
from tests.integration.gatekeeper.cable import Cable
from tests.integration.gatekeeper.conftest import (
    Opener,
    Visit,
    World,
    delegate,
    open_gatekeeper,
)
from tests.integration.gatekeeper.desk import Desk, as_time, assert_refused
from tests.integration.owned_wallet import OwnedWallet


def test_challenge_names_this_gatekeeper_and_the_account_when_asked(
    desk: Desk, patient: LocalSigner
) -> None:
    message = SignInMessage.parse(desk.challenge(patient))
    assert message.uri == desk.url
    assert message.domain == desk.url.removeprefix("http://")
    assert message.address == patient.address
    assert message.account == AccountId.parse(desk.account(patient))
    assert message.expiration_time - message.issued_at == timedelta(minutes=5)


def test_sign_in_is_refused_when_the_message_is_of_another_age(
    desk: Desk, patient: LocalSigner
) -> None:
    """Five minutes before it there may be no time that can be written."""
    message = desk.challenge(patient)
    for name, time in (("Issued At", "00:00:00"), ("Expiration Time", "00:01:00")):
        message = re.sub(rf"{name}: \S+", f"{name}: 1000-01-01T{time}Z", message)
    answer = desk.redeem(message, patient.sign_text(message))
    assert_refused(answer, 401, Refusal.NOT_SIGNED_IN)


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


@pytest.mark.parametrize(("who", "purpose"), [("patient", "PATRQT"), ("clinician", "TREAT")])
def test_token_is_for_reading_ones_own_or_for_treatment_when_nothing_else_is_asked_for(
    request: pytest.FixtureRequest, desk: Desk, who: str, purpose: str
) -> None:
    message = SignInMessage.parse(desk.challenge(request.getfixturevalue(who)))
    assert message.purpose is Purpose(purpose)


def test_challenge_names_the_public_address_when_it_is_another(
    gatekeeper: Gatekeeper, contracts: Contracts, patient: LocalSigner
) -> None:
    inside = gatekeeper.serve(url="https://records.hospital.example/").url
    desk = Desk(url=inside, contracts=contracts, steward=gatekeeper.steward)
    text = desk.challenge(patient)
    message = SignInMessage.parse(text)
    assert (message.domain, message.uri) == (
        "records.hospital.example",
        "https://records.hospital.example",
    )
    assert desk.redeem(text, patient.sign_text(text)).status_code == 200
    desk.http.close()


# --- Another gatekeeper ---


# --- Another gatekeeper ---


@pytest.fixture
def elsewhere(world: World, cable: Cable, tmp_path: Path) -> Iterator[Gatekeeper]:
    """Another gatekeeper: a database and a secret of its own."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    made = open_gatekeeper(world, folder, f"sqlite:///{folder / 'records.db'}", cable)
    yield made
    made.close()


def test_message_of_another_gatekeeper_is_refused_when_it_names_this_ones_address(
    desk: Desk, elsewhere: Gatekeeper, patient: LocalSigner
) -> None:
    message = elsewhere.sign_in(desk.url).challenge(patient.address, patient.address)
    answer = desk.redeem(message, patient.sign_text(message))
    assert_refused(answer, 401, Refusal.NOT_SIGNED_IN)


def test_message_of_this_gatekeeper_is_refused_when_it_names_another_address(
    desk: Desk, gatekeeper: Gatekeeper, patient: LocalSigner
) -> None:
    message = gatekeeper.sign_in("https://other.example").challenge(
        patient.address, patient.address
    )
    answer = desk.redeem(message, patient.sign_text(message))
    assert_refused(answer, 401, Refusal.NOT_SIGNED_IN)


def test_token_of_another_gatekeeper_is_worth_nothing(
    desk: Desk, elsewhere: Gatekeeper, visit: Visit, patient: LocalSigner
) -> None:
    headers = visit(elsewhere).sign_in(patient)
    assert_refused(desk.get("Observation", headers, patient), 401, Refusal.NOT_SIGNED_IN)


# --- Clocks ---


@pytest.mark.parametrize(("seconds", "status"), [(30, 200), (31, 503)])
def test_sign_in_is_refused_when_the_clock_is_over_half_a_minute_behind_the_chains(
    opened: Opener,
    visit: Visit,
    cable: Cable,
    chain: EmbeddedChain,
    patient: LocalSigner,
    seconds: int,
    status: int,
) -> None:
    chain.mine()
    head = chain.clock()
    late = Network(
        cable.network().web3, confirmations=0, clock=lambda: head - timedelta(seconds=seconds)
    )
    desk = visit(opened(network=late))
    message = desk.challenge(patient)
    answer = desk.redeem(message, patient.sign_text(message))
    assert answer.status_code == status
    if status != 200:
        assert_refused(answer, 503, Refusal.CLOCKS_APART)


# --- Wallets that are contracts ---


@pytest.fixture
def wallet(sender: Sender) -> OwnedWallet:
    """An account that is a contract."""
    return OwnedWallet(sender, LocalSigner.create())


def test_wallet_signs_in_for_its_own_account(
    desk: Desk, patient: LocalSigner, wallet: OwnedWallet
) -> None:
    answer = desk.get("Observation", desk.sign_in(wallet), patient)
    assert_refused(answer, 403, Refusal.NOT_AN_ORGANISATION)  # it is known who asks


def test_wallet_reads_for_the_patient_who_named_it(
    desk: Desk, contracts: Contracts, sender: Sender, patient: LocalSigner, wallet: OwnedWallet
) -> None:
    delegate(contracts, sender, patient, wallet, Power.READ)
    headers = desk.sign_in(wallet, patient.address)
    assert desk.get("Observation", headers, patient).status_code == 200


def test_sign_in_is_refused_when_the_wallet_did_not_sign(
    desk: Desk, wallet: OwnedWallet, stranger: LocalSigner
) -> None:
    message = desk.challenge(wallet)
    answer = desk.redeem(message, stranger.sign_text(message))
    assert_refused(answer, 401, Refusal.NOT_SIGNED_IN)


def test_sign_in_is_refused_when_the_wallet_is_another_kind_of_contract(
    desk: Desk, contracts: Contracts, stranger: LocalSigner
) -> None:
    registry = address(contracts.registry.address)
    body = {"account": registry, "by": registry}
    message = desk.http.post("/sign-in/challenge", json=body).json()["message"]
    answer = desk.redeem(message, stranger.sign_text(message))
    assert_refused(answer, 401, Refusal.NOT_SIGNED_IN)
