"""What a line of a log says was asked for, as a person reads it."""

from __future__ import annotations

import pytest

from medaccord.cli.audit import readable
from medaccord.core.identifiers import AccountId, address

ACCOUNT = "0x1ff8d8d2C8990e3e312f7388f9eb34eEE7d77EA3"
PATIENT = AccountId(chain_id=1337, address=address(ACCOUNT))
CAIP_10 = "https%3A%2F%2Fchainagnostic.org%2FCAIPs%2Fcaip-10"
NAMED = f"patient.identifier={CAIP_10}%7Ceip155%3A1337%3A{ACCOUNT}"


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("Observation/7 for TREAT", "Observation/7 for TREAT"),
        (f"Observation?{NAMED}&_count=50 for TREAT", "Observation for TREAT"),
        (
            f"Observation?category=laboratory&{NAMED}&code=a%7Cb for TREAT",
            "Observation?category=laboratory&code=a|b for TREAT",
        ),
        ("ndjson", "ndjson"),
        ("", ""),
    ],
)
def test_query_is_told_without_whose_it_is(query: str, told: str) -> None:
    assert readable(query, PATIENT) == told


def test_query_does_not_speak_to_the_terminal_when_a_gatekeeper_wrote_it_so() -> None:
    hostile = "Observation?code=%1B%5D0%3Bhello%07%E2%80%AE for TREAT"
    assert readable(hostile, PATIENT) == "Observation?code=%1B]0;hello%07%E2%80%AE for TREAT"
