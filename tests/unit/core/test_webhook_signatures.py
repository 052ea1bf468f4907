"""Signatures of webhooks: as others make them, and refused when anything is another."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest

from medaccord.core.errors import InvalidInput, SignatureMismatch
from medaccord.core.webhook_signatures import (
    TOLERANCE,
    check_webhook,
    secret_text,
    webhook_headers,
)

# The example of the reference implementations of Standard Webhooks.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MESSAGE = "msg_p5jXN8AQM9LWM0D4loKWxJek"
AT = datetime.fromtimestamp(1614265330, UTC)
BODY = b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

HEADERS = {
    "Webhook-Id": MESSAGE,
    "Webhook-Timestamp": "1614265330",
    "Webhook-Signature": SIGNATURE,
}


def test_headers_are_those_of_the_reference_when_signed() -> None:
    signed = webhook_headers(SECRET, message=MESSAGE, at=AT, body=BODY)
    assert signed == {name.lower(): value for name, value in HEADERS.items()}


def test_webhook_is_taken_when_its_signature_is_the_references() -> None:
    assert check_webhook(SECRET, HEADERS, BODY, now=AT) == MESSAGE


def test_webhook_is_taken_when_one_of_several_signatures_fits() -> None:
    several = HEADERS | {"Webhook-Signature": f"v1a,AAAA v1,AAAA {SIGNATURE}"}
    assert check_webhook(SECRET, several, BODY, now=AT) == MESSAGE


@pytest.mark.parametrize("ahead", [TOLERANCE, -TOLERANCE])
def test_webhook_is_taken_when_its_time_is_as_far_off_as_it_may_be(ahead: timedelta) -> None:
    assert check_webhook(SECRET, HEADERS, BODY, now=AT + ahead) == MESSAGE


@pytest.mark.parametrize("sign", [1, -1])
def test_webhook_is_refused_when_its_time_is_a_second_further_off(sign: int) -> None:
    now = AT + sign * (TOLERANCE + timedelta(seconds=1))
    with pytest.raises(SignatureMismatch, match="too long ago, or the clocks are apart"):
        check_webhook(SECRET, HEADERS, BODY, now=now)


@pytest.mark.parametrize(
    "changed",
    [
        {"Webhook-Id": MESSAGE + "x"},
        {"Webhook-Timestamp": "1614265331"},
        {"Webhook-Signature": SIGNATURE.replace("g0", "g1")},
        {"Webhook-Signature": SIGNATURE.removeprefix("v1,")},
        {"Webhook-Signature": SIGNATURE.replace("v1,", "v2,")},
        {"Webhook-Signature": ""},
        {"Webhook-Signature": "v1,é"},
    ],
)
def test_webhook_is_refused_when_a_header_is_another(changed: dict[str, str]) -> None:
    with pytest.raises(SignatureMismatch, match="not signed with this secret"):
        check_webhook(SECRET, HEADERS | changed, BODY, now=AT)


def test_webhook_is_refused_when_its_body_is_another() -> None:
    with pytest.raises(SignatureMismatch, match="not signed with this secret"):
        check_webhook(SECRET, HEADERS, BODY + b"\n", now=AT)


def test_webhook_is_refused_when_the_secret_is_another() -> None:
    with pytest.raises(SignatureMismatch, match="not signed with this secret"):
        check_webhook(secret_text(bytes(24)), HEADERS, BODY, now=AT)


@pytest.mark.parametrize("name", sorted(HEADERS))
def test_webhook_is_refused_when_a_header_is_missing(name: str) -> None:
    left = {each: value for each, value in HEADERS.items() if each != name}
    with pytest.raises(SignatureMismatch, match=f"{name.lower()} is missing"):
        check_webhook(SECRET, left, BODY, now=AT)


@pytest.mark.parametrize("seconds", ["", "-1", "1614265330.5", "x", "²", "1" * 12])
def test_webhook_is_refused_when_its_time_is_none(seconds: str) -> None:
    with pytest.raises(SignatureMismatch, match="no time in whole seconds"):
        check_webhook(SECRET, HEADERS | {"Webhook-Timestamp": seconds}, BODY, now=AT)


@pytest.mark.parametrize("length", [23, 65])
def test_secret_is_refused_when_it_is_too_short_or_too_long(length: int) -> None:
    with pytest.raises(InvalidInput, match="24 to 64 bytes"):
        secret_text(bytes(length))
    text = "whsec_" + base64.b64encode(bytes(length)).decode()
    with pytest.raises(InvalidInput, match="24 to 64 bytes"):
        check_webhook(text, HEADERS, BODY, now=AT)


def test_secret_is_refused_when_it_is_no_base64() -> None:
    with pytest.raises(InvalidInput, match="whsec_ and base64"):
        check_webhook("whsec_*", HEADERS, BODY, now=AT)


def test_name_is_refused_when_it_holds_what_parts_it_from_the_time() -> None:
    with pytest.raises(InvalidInput, match="no full stop"):
        webhook_headers(SECRET, message="a.b", at=AT, body=BODY)
