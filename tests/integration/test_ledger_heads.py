"""Following by polling and by subscription: whatever breaks, the ledger comes to the head."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from sqlalchemy import Engine

from medaccord.chain import Network
from medaccord.core.errors import InvalidInput, TransportError
from medaccord.ledger import Following, Ledger
from tests.integration import anvil
from tests.integration.anvil import NEEDS_ANVIL, Anvil
from tests.integration.conftest import Setting
from tests.integration.faulty_node import FaultyNode, Line
from tests.integration.ledger_on_anvil import deployed, revoke_all, through

pytestmark = NEEDS_ANVIL

NEVER = timedelta(hours=1)
OFTEN = timedelta(milliseconds=50)
SOON = timedelta(milliseconds=50)


@pytest.fixture(scope="module")
def node() -> Iterator[Anvil]:
    with anvil.running() as node:
        yield node


@pytest.fixture(scope="module")
def made(node: Anvil) -> Setting:
    return deployed(node)


@pytest.fixture
def ledger(made: Setting, engine: Engine) -> Ledger:
    return Ledger(made.network, made.contracts, engine)


def port_of(node: Anvil) -> int:
    port = urlsplit(node.url).port
    assert port is not None
    return port


def comes_to(ledger: Ledger, network: Network) -> bool:
    """Whether the ledger comes to the head within some seconds."""
    head, until = network.head(), time.monotonic() + 20
    while ledger.tip != head and time.monotonic() < until:
        time.sleep(0.01)
    return ledger.tip == head


def test_ledger_is_at_the_head_as_soon_as_following_begins(ledger: Ledger, made: Setting) -> None:
    with Following(ledger, every=NEVER):
        assert comes_to(ledger, made.network)


def test_ledger_stays_at_the_head_when_it_polls(ledger: Ledger, made: Setting) -> None:
    with Following(ledger, every=OFTEN):
        for _ in range(3):
            revoke_all(made)
            assert comes_to(ledger, made.network)


def test_ledger_stays_at_the_head_when_it_subscribes(
    node: Anvil, ledger: Ledger, made: Setting
) -> None:
    with Following(ledger, every=NEVER, heads=f"ws://127.0.0.1:{port_of(node)}"):
        assert comes_to(ledger, made.network)
        for _ in range(3):
            revoke_all(made)
            assert comes_to(ledger, made.network)


def test_gap_is_filled_when_the_subscription_broke_and_stands_again(
    node: Anvil, ledger: Ledger, made: Setting
) -> None:
    with (
        Line(port_of(node)).running() as line,
        Following(ledger, every=NEVER, heads=f"ws://127.0.0.1:{line.port}", first_pause=SOON),
    ):
        assert comes_to(ledger, made.network)
        for times in (1, 2, 3):
            line.cut()
            revoke_all(made, times)
            assert comes_to(ledger, made.network)
        assert line.taken > 1


def test_ledger_stays_at_the_head_by_polling_when_the_socket_is_refused(
    ledger: Ledger, made: Setting
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    with Following(ledger, every=OFTEN, heads=f"ws://127.0.0.1:{port}", first_pause=SOON):
        revoke_all(made)
        assert comes_to(ledger, made.network)


def test_following_goes_on_and_says_why_when_the_node_failed_for_a_while(
    node: Anvil, made: Setting, engine: Engine
) -> None:
    with FaultyNode(node.url).running() as proxy:
        network = Network.connect(proxy.url)
        ledger = Ledger(network, through(made, network), engine)
        with Following(ledger, every=OFTEN) as following:
            assert comes_to(ledger, made.network)
            proxy.raw = lambda _: b"nonsense"
            until = time.monotonic() + 20
            while following.failure is None and time.monotonic() < until:
                time.sleep(0.01)
            assert isinstance(following.failure, TransportError)
            revoke_all(made)
            proxy.mend()
            assert comes_to(ledger, made.network)
        assert following.failure is None


def test_following_is_refused_when_the_address_is_none_of_a_socket(ledger: Ledger) -> None:
    with pytest.raises(InvalidInput, match="ws:// or wss://, not http://node"):
        Following(ledger, every=OFTEN, heads="http://node")


def test_following_is_refused_when_the_interval_is_zero(ledger: Ledger) -> None:
    with pytest.raises(ValueError, match="above zero, not 0:00:00"):
        Following(ledger, every=timedelta())
