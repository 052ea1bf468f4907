"""Addresses that heads cannot be heard at, told without the secrets that stand in them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from medaccord.chain.new_heads import NewHeads
from medaccord.core.errors import InvalidInput

SOON = timedelta(seconds=0.01)


def heads_at(url: str) -> NewHeads:
    return NewHeads(url, lambda: None, first_pause=SOON, longest_pause=SOON)


def test_address_is_refused_and_its_secrets_hidden_when_it_is_of_another_kind() -> None:
    with pytest.raises(InvalidInput) as caught:
        heads_at("https://user:hidden@node.example/v3/hidden")
    assert caught.value.problem == (
        "subscribe at an address of ws:// or wss://, not https://***@node.example/***"
    )


@pytest.mark.parametrize("host", ["", "a..b", "127.0.0.1:hidden", "[::1"])
def test_address_is_refused_and_its_secrets_hidden_when_it_is_malformed(host: str) -> None:
    with pytest.raises(InvalidInput, match="subscribe at an address of ws:// or wss://") as caught:
        heads_at(f"wss://{host}/v3/hidden")
    assert "hidden" not in caught.value.problem


@pytest.mark.parametrize("url", ["ws://127.0.0.1:8546", "wss://user:word@[::1]:1/v3/key"])
def test_address_is_taken_when_it_is_one(url: str) -> None:
    heads = heads_at(url)
    heads.start()
    heads.stop()
