"""Names made from a secret repeat for whoever holds it, and tell nobody else anything."""

import hashlib
import hmac

import pytest

from medaccord.core.errors import InvalidInput
from medaccord.core.identifiers import address
from medaccord.core.pseudonyms import topic

PATIENT = address("0x" + "22" * 20)
STRANGER = address("0x" + "33" * 20)
SECRET = bytes(range(32))


def test_topic_is_the_documented_mac_when_made() -> None:
    parts = [b"medaccord/1", b"topic", b"records", PATIENT.encode()]
    message = b"".join(len(part).to_bytes(4) + part for part in parts)
    expected = hmac.new(SECRET, message, hashlib.sha256).digest()
    assert topic(SECRET, "records", PATIENT) == expected


def test_names_are_all_different_when_any_part_is() -> None:
    names = [
        topic(SECRET, "records", PATIENT),
        topic(SECRET, "records", STRANGER),
        topic(SECRET, "records"),
        topic(SECRET, "audit", PATIENT),
        topic(SECRET, f"records{PATIENT}"),
        topic(bytes(32), "records", PATIENT),
    ]
    assert len(set(names)) == len(names)
    assert {len(name) for name in names} == {32}


def test_name_is_refused_when_the_secret_is_short() -> None:
    with pytest.raises(InvalidInput, match="the secret has 31 bytes and needs 32"):
        topic(SECRET[:31], "records", PATIENT)
