"""Addresses are shown without their secrets, whatever form these were written in."""

from __future__ import annotations

import pytest

from medaccord.core.masking import masked


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("sqlite:////var/lib/a.db", "sqlite:////var/lib/a.db"),
        ("sqlite:///a.db", "sqlite:///a.db"),
        ("postgresql://u@h:5432/db", "postgresql://u@h:5432/db"),
        ("postgresql://u:hidden@h/db?sslmode=require", "postgresql://u:***@h/db?sslmode=require"),
        ("postgresql://h/db?password=hidden", "postgresql://h/db?password=***"),
        ("postgresql://h/db?sslpassword=hidden", "postgresql://h/db?sslpassword=***"),
        ("postgresql:///db?host=/run/postgresql", "postgresql:///db?host=/run/postgresql"),
        ("http://127.0.0.1:8545", "http://127.0.0.1:8545"),
        ("http://[::1]:8545/", "http://[::1]:8545/"),
        ("wss://node.example/hidden", "wss://node.example/***"),
        ("https://u:hidden@h/v3/hidden?token=hidden", "https://***@h/***?token=***"),
        # A password that was not written as URLs want it cannot be told apart: all is hidden.
        ("postgresql://u:hid@den@h/db", "***"),
        ("postgresql://u:hid/den@h/db", "***"),
        ("postgresql://u:hid?den@h/db", "***"),
        ("postgresql://u:hid#den@h/db", "***"),
        ("postgresql://u:hidden", "***"),
        ("hidden", "***"),
        ("http://[hidden", "***"),
    ],
)
def test_address_is_masked_where_secrets_are(url: str, shown: str) -> None:
    assert masked(url) == shown
