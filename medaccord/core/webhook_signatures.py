"""Signatures of webhooks, so that a receiver knows who wrote to it, and when.

Source: Standard Webhooks 1.0.0, "Webhook signatures", symmetric scheme `v1`.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from medaccord.core.errors import InvalidInput, SignatureMismatch

__all__ = ["TOLERANCE", "check_webhook", "secret_text", "webhook_headers"]

TOLERANCE: Final = timedelta(minutes=5)
"""How far the time of a webhook may be from the receiver's clock, inclusive."""

_PREFIX: Final = "whsec_"
_VERSION: Final = "v1"
_SECRET_BYTES: Final = range(24, 65)
_MAX_SECONDS: Final = 11
"""Digits of the longest time taken: it ends with the year 5138."""


def secret_text(secret: bytes) -> str:
    """Write a secret of 24 to 64 bytes as receivers are given it: `whsec_` and base64.

    Raises:
        InvalidInput: it is shorter or longer.
    """
    if len(secret) not in _SECRET_BYTES:
        raise InvalidInput("the secret of a webhook has 24 to 64 bytes")
    return _PREFIX + base64.b64encode(secret).decode()


def webhook_headers(secret: str, *, message: str, at: datetime, body: bytes) -> dict[str, str]:
    """The headers that say who wrote a body, and when.

    Args:
        secret: as `secret_text` writes it.
        message: names the message, also when it is sent again; without a full stop.
        at: now; fractions of a second are cut off.
        body: as it is sent.

    Raises:
        InvalidInput: the secret is malformed, or there is a full stop in the name.
    """
    if "." in message:
        raise InvalidInput("the name of a message has no full stop")
    seconds = str(int(at.timestamp()))
    return {
        "webhook-id": message,
        "webhook-timestamp": seconds,
        "webhook-signature": f"{_VERSION},{_mark(secret, message, seconds, body)}",
    }


def check_webhook(
    secret: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    now: datetime,
    tolerance: timedelta = TOLERANCE,
) -> str:
    """Check who wrote a body, and that it was lately.

    Args:
        secret: as it was given when the webhook was made.
        headers: of the request, by name in whatever capitals.
        body: as it came, every byte of it.
        now: the receiver's clock.
        tolerance: how far the time may be from it, inclusive.

    Returns:
        The name of the message. Who has seen it before has been sent it again.

    Raises:
        SignatureMismatch: a header is missing or malformed, the time is too far from the clock, or
            none of the signatures is over this body.
        InvalidInput: the secret is malformed.
    """
    given = {name.lower(): value for name, value in headers.items()}
    try:
        message, seconds = given["webhook-id"], given["webhook-timestamp"]
        signatures = given["webhook-signature"].split(" ")
    except KeyError as error:
        raise SignatureMismatch(f"the header {error.args[0]} is missing") from error
    if not (seconds.isascii() and seconds.isdigit() and len(seconds) <= _MAX_SECONDS):
        raise SignatureMismatch("webhook-timestamp is no time in whole seconds")
    if abs(datetime.fromtimestamp(int(seconds), UTC) - now) > tolerance:
        raise SignatureMismatch("the webhook was sent too long ago, or the clocks are apart")
    expected = f"{_VERSION},{_mark(secret, message, seconds, body)}".encode()
    if not any(hmac.compare_digest(each.encode(), expected) for each in signatures):
        raise SignatureMismatch("the webhook is not signed with this secret, or it was changed")
    return message


def _mark(secret: str, message: str, seconds: str, body: bytes) -> str:
    signed = f"{message}.{seconds}.".encode() + body
    return base64.b64encode(hmac.digest(_key(secret), signed, hashlib.sha256)).decode()


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidInput("the secret of a webhook is whsec_ and base64") from error
    if len(key) not in _SECRET_BYTES:
        raise InvalidInput("the secret of a webhook has 24 to 64 bytes")
    return key
