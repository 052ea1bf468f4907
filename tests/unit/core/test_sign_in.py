"""Signing in: one text for one message, for one gatekeeper, once, for a short time."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct

from medaccord.core.errors import InvalidSignIn, SignatureMismatch
from medaccord.core.identifiers import AccountId, address
from medaccord.core.purposes import Purpose
from medaccord.core.sign_in import SignInMessage, recover_text

CLINICIAN = Account.from_key(b"\x0c" * 32)
HOSPITAL = AccountId(chain_id=1337, address=address("0x" + "b0" * 20))
REGISTRY = address("0x" + "d0" * 20)
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)

MESSAGE = SignInMessage(
    domain="127.0.0.1:8431",
    address=address(CLINICIAN.address),
    uri="http://127.0.0.1:8431/sign-in",
    chain_id=1337,
    nonce="Abcdef12345678",
    issued_at=NOW,
    expiration_time=NOW + timedelta(minutes=5),
    account=HOSPITAL,
    registry=REGISTRY,
    purpose=Purpose.TREAT,
)

TEXT = f"""127.0.0.1:8431 wants you to sign in with your Ethereum account:
{CLINICIAN.address}

Sign in to this gatekeeper for medical records.

URI: http://127.0.0.1:8431/sign-in
Version: 1
Chain ID: 1337
Nonce: Abcdef12345678
Issued At: 2026-11-21T12:00:00Z
Expiration Time: 2026-11-21T12:05:00Z
Resources:
- {HOSPITAL}
- eip155:1337:{REGISTRY}
- eip155:1337:{CLINICIAN.address}
- http://terminology.hl7.org/CodeSystem/v3-ActReason#TREAT"""


def test_text_is_an_eip_4361_message() -> None:
    assert MESSAGE.text() == TEXT


@pytest.mark.parametrize("domain", ["[::1]:8080", "[2001:db8::7]", "records.example.org"])
def test_text_comes_back_when_the_gatekeeper_has_another_form_of_host(domain: str) -> None:
    message = replace(MESSAGE, domain=domain, uri=f"http://{domain}")
    assert SignInMessage.parse(message.text()) == message


def test_parse_of_the_text_is_the_identity() -> None:
    assert SignInMessage.parse(TEXT) == MESSAGE
    assert MESSAGE.account == HOSPITAL


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Version: 1", "Version: 2"),
        ("Version: 1\n", ""),
        ("\nResources:\n- ", "\nRequest ID: 5\nResources:\n- "),
        ("127.0.0.1:8431 wants", "https://127.0.0.1:8431 wants"),
        ("Sign in to this gatekeeper for medical records.", "Grant everything."),
        ("Nonce: Abcdef12345678", "Nonce: Abc"),
        ("Nonce: Abcdef12345678", "Nonce: Abcdef_12345678"),
        ("2026-11-21T12:00:00Z", "2026-11-21T12:00:00.000Z"),
        ("2026-11-21T12:00:00Z", "2026-11-21T12:00:00+00:00"),
        ("Chain ID: 1337", "Chain ID: 01337"),
        ("\n", "\r\n"),
        (f"- {HOSPITAL}", f"- {HOSPITAL}\n- {HOSPITAL}"),
        (f"- {HOSPITAL}", f"- {HOSPITAL}\n"),
        (f"- {HOSPITAL}", "- https://example.org"),
        (TEXT, ""),
    ],
)
def test_parse_refuses_any_other_form(old: str, new: str) -> None:
    with pytest.raises(InvalidSignIn, match="not a sign-in message of the form"):
        SignInMessage.parse(TEXT.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (CLINICIAN.address, CLINICIAN.address.lower(), "not spelled in its one form"),
        (CLINICIAN.address, CLINICIAN.address.swapcase().replace("0X", "0x"), "capitals"),
        ("2026-11-21T12:00:00Z", "2026-13-21T12:00:00Z", "cannot be read"),
        ("Chain ID: 1337", "Chain ID: 1", "is not on chain 1"),
        ("URI: http://127.0.0.1:8431/", "URI: http://evil.example/", "is not at 127.0.0.1:8431"),
        ("URI: http://127.0.0.1:8431/", "URI: http://127.0.0.1:8431@evil.example/", "is not at"),
        ("T12:05:00Z", "T12:00:00Z", "ends before it is issued"),
        (f"- eip155:1337:{CLINICIAN.address}", f"- {HOSPITAL}", "not spelled in its one form"),
        ("ActReason#TREAT", "ActReason#MARKT", "cannot be read"),
    ],
)
def test_parse_refuses_what_contradicts_itself(old: str, new: str, problem: str) -> None:
    with pytest.raises(InvalidSignIn, match=problem):
        SignInMessage.parse(TEXT.replace(old, new))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"issued_at": NOW.replace(tzinfo=None)}, "whole seconds with a timezone"),
        ({"issued_at": NOW.replace(microsecond=1)}, "whole seconds with a timezone"),
        ({"nonce": "short"}, "does not have its form"),
        ({"statement": "Grant everything."}, "does not have its form"),
    ],
)
def test_message_refuses_what_would_not_come_back(changes: dict[str, object], problem: str) -> None:
    with pytest.raises(InvalidSignIn, match=problem):
        replace(MESSAGE, **changes)  # type: ignore[arg-type]  # names are checked by replace


def test_recover_text_gives_the_signer() -> None:
    signature = bytes(CLINICIAN.sign_message(encode_defunct(text=TEXT)).signature)

    assert recover_text(TEXT, signature) == CLINICIAN.address
    assert recover_text(TEXT + " ", signature) != CLINICIAN.address


def test_recover_text_refuses_a_signature_that_is_none() -> None:
    with pytest.raises(SignatureMismatch, match="the signature of the sign-in has 0 bytes"):
        recover_text(TEXT, b"")
