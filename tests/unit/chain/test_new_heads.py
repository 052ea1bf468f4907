"""Hearing of heads: how often it is tried, and what is told of addresses without their secrets."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import pairwise

import pytest
from websockets.sync.server import ServerConnection, serve

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


@contextmanager
def node_that(answers: str) -> Iterator[tuple[str, list[float]]]:
    """A node that answers each subscription with this and hangs up; its address, and when."""
    asked: list[float] = []

    def answer(connection: ServerConnection) -> None:
        connection.recv()
        asked.append(time.monotonic())
        connection.send(answers)

    with serve(answer, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}", asked
        server.shutdown()
        thread.join()


def wait_until(is_so: Callable[[], bool], *, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while not is_so() and time.monotonic() < until:
        time.sleep(0.01)
    return is_so()


def test_refused_subscription_is_tried_ever_more_seldom_and_is_no_news() -> None:
    heard: list[None] = []
    with node_that('{"id":1,"error":{"code":-32601,"message":"no such method"}}') as (url, asked):
        heads = NewHeads(url, lambda: heard.append(None), first_pause=timedelta(seconds=0.05))
        heads.start()
        assert wait_until(lambda: len(asked) >= 4, seconds=20)
        heads.stop()
    pauses = [after - before for before, after in pairwise(asked)]
    assert all(pause >= least for pause, least in zip(pauses, (0.05, 0.1, 0.2), strict=False))
    assert heard == []


def test_broken_subscription_is_tried_soon_again_however_often_it_broke() -> None:
    heard: list[None] = []
    with node_that('{"id":1,"result":"0x1"}') as (url, asked):
        # Doubled at each of them, the pauses would come to more than a minute.
        heads = NewHeads(url, lambda: heard.append(None), first_pause=timedelta(seconds=0.02))
        heads.start()
        assert wait_until(lambda: len(asked) >= 13, seconds=20)
        heads.stop()
    assert len(heard) >= 12
